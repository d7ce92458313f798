package signalbox

import "slices"

// GuardAction is what the guard does about what it finds.
type GuardAction string

// The actions.
const (
	GuardOff   GuardAction = "off"   // It does not look: not_run.
	GuardFlag  GuardAction = "flag"  // It is recorded, and passes.
	GuardMask  GuardAction = "mask"  // A tag takes its place; what can not be replaced is blocked.
	GuardBlock GuardAction = "block" // The call is not made, or its answer is not given.
)

// GuardActions lists the actions, mildest first.
func GuardActions() []GuardAction {
	return []GuardAction{GuardOff, GuardFlag, GuardMask, GuardBlock}
}

// GuardDetector is a kind of thing that the guard finds. The tag that takes the place of one is its name in brackets.
type GuardDetector string

// The detectors.
const (
	DetectEmail  GuardDetector = "email"
	DetectPhone  GuardDetector = "phone"
	DetectCard   GuardDetector = "card"
	DetectRRN    GuardDetector = "rrn"
	DetectSSN    GuardDetector = "ssn"
	DetectIBAN   GuardDetector = "iban"
	DetectSecret GuardDetector = "secret"
)

// GuardDetectors lists the detectors.
func GuardDetectors() []GuardDetector {
	return []GuardDetector{DetectEmail, DetectPhone, DetectCard, DetectRRN, DetectSSN, DetectIBAN, DetectSecret}
}

// GuardRules say what the guard looks for in calls of a tool. "" and nil say nothing: something else decides.
type GuardRules struct {
	Arguments GuardAction     `json:"arguments"` // About what goes to the server.
	Results   GuardAction     `json:"results"`   // About what comes from it.
	Detectors []GuardDetector `json:"detectors"`
}

// Over fills in what these rules do not say from those of a wider scope.
func (r GuardRules) Over(wider GuardRules) GuardRules {
	if r.Arguments == "" {
		r.Arguments = wider.Arguments
	}
	if r.Results == "" {
		r.Results = wider.Results
	}
	if r.Detectors == nil {
		r.Detectors = slices.Clone(wider.Detectors)
	}
	return r
}

// Guarded is what the guard did about a call: counts, and never what it found.
type Guarded struct {
	Input  *GuardSide `json:"input,omitzero"`  // About what went to the server; nil where nobody looked.
	Output *GuardSide `json:"output,omitzero"` // About what came from it.
}

// GuardSide is one direction.
type GuardSide struct {
	Action GuardAction  `json:"action"`
	Found  []GuardFound `json:"found,omitzero"`  // By place and detector, each pair once.
	Unseen int64        `json:"unseen,omitzero"` // Encoded pieces, such as images, that nobody has looked into.
}

// GuardFound is how often a detector found something in a place.
type GuardFound struct {
	Where    GuardPlace    `json:"where"`
	Detector GuardDetector `json:"detector"`
	Count    int64         `json:"count"`
}

// GuardPlace is a part of what passes between caller and server. Places are few: a name that somebody made up could itself
// be what is looked for.
type GuardPlace string

// The places.
const (
	GuardArguments GuardPlace = "arguments" // Of the call, or the parameters of a request that calls no tool.
	GuardResult    GuardPlace = "result"
	GuardBeside    GuardPlace = "beside" // What passes beside: _meta and answers to questions, errors, progress and lines of a log.
)
