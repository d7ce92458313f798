// Package house tests the tree itself: who imports whom, how long files and functions are, and that the documents say
// what the code says. It only parses; nothing is built, so it also speaks when the code does not compile.
//
// A rule that fails names the file, the rule and the way out. Exceptions stand in a table beside the rule, each with
// its reason.
package house
