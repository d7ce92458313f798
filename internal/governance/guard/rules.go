package guard

import "github.com/signalbox/signalbox"

// Rules are what the guard does about calls of one tool.
type Rules struct {
	arguments, results signalbox.GuardAction
	scrubber           *Scrubber
}

// NewRules makes rules. They are nil where both actions are off, or not said: then nobody looks.
func NewRules(r signalbox.GuardRules) *Rules {
	r = r.Over(signalbox.GuardRules{Arguments: signalbox.GuardOff, Results: signalbox.GuardOff})
	if r.Arguments == signalbox.GuardOff && r.Results == signalbox.GuardOff {
		return nil
	}
	return &Rules{arguments: r.Arguments, results: r.Results, scrubber: NewScrubber(r.Detectors)}
}

// Arguments looks at the arguments of a call as the station does, without a call: it gives what would be sent, or the
// error that the caller would see. Same is as in [Options].
func (r *Rules) Arguments(server string, arguments []byte, same func(arguments []byte) bool) ([]byte, Scrubbed, error) {
	v := &visit{rules: r, server: server}
	return v.arguments(arguments, same)
}

// Result does the same with the answer of a server.
func (r *Rules) Result(server string, result []byte) ([]byte, Scrubbed, error) {
	v := &visit{rules: r, server: server}
	return v.look(inward, signalbox.GuardResult, result)
}

// Actions gives what is done about arguments and about results; nil rules do nothing.
func (r *Rules) Actions() (arguments, results signalbox.GuardAction) {
	return r.action(outward), r.action(inward)
}

// action gives what is done in one direction; nil rules do nothing.
func (r *Rules) action(d direction) signalbox.GuardAction {
	switch {
	case r == nil:
		return signalbox.GuardOff
	case d == outward:
		return r.arguments
	}
	return r.results
}

// direction is where something goes.
type direction int

const (
	outward direction = iota // To the server.
	inward                   // To the caller.
)

// key is the direction's in the configuration.
func (d direction) key() string {
	if d == outward {
		return "arguments"
	}
	return "results"
}

// what names what goes in the direction, at the start of a sentence.
func (d direction) what() string {
	if d == outward {
		return "What goes to the server"
	}
	return "What the server answers"
}

// described is what detectors find, for people.
var described = map[signalbox.GuardDetector]string{
	signalbox.DetectEmail:  "a mail address",
	signalbox.DetectPhone:  "a phone number",
	signalbox.DetectCard:   "a payment card number",
	signalbox.DetectRRN:    "a Korean registration number",
	signalbox.DetectSSN:    "a US social security number",
	signalbox.DetectIBAN:   "a bank account number",
	signalbox.DetectSecret: "a secret",
}
