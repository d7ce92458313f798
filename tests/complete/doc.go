// Package complete proves that nothing changes the state of Signalbox without a record of it: it does whatever the API
// and the command line offer, for real and against the real binary, and looks for the record. What is offered is read
// from docs/openapi.json and from the command line's own help, so that an operation or a command that is added fails here
// until somebody has said what it leaves.
package complete
