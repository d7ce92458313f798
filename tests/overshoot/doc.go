// Package overshoot tries to spend more than a budget allows, and measures at the provider what was really billed: many
// clients over several processes that share one database, with aborted calls, slow streams, retries, fallbacks, and
// processes that are killed with calls in flight and started again.
//
// The provider of this package bills the worst case: everything it has decided to say is billed when it begins to say it,
// whether or not anybody stays to hear it, and it does not always report it.
package overshoot
