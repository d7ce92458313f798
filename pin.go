package signalbox

import "time"

// PinState says whether a tool may be used as its server describes it.
type PinState string

// The states.
const (
	PinPinned   PinState = "pinned"   // In the form that is pinned, and in no other.
	PinHeld     PinState = "held"     // Not at all: a form of it waits for review.
	PinRejected PinState = "rejected" // Only in the form that is pinned, where there is one: another was rejected.
)

// PinStates lists the states.
func PinStates() []PinState { return []PinState{PinPinned, PinHeld, PinRejected} }

// Pin is what is known of one tool of an MCP server since it was seen first. It stays when the tool goes.
type Pin struct {
	Server string // As in mcp_servers.
	Tool   string // As the server calls it.
	State  PinState
	First  time.Time // When the tool was seen first.
	Since  time.Time // When the state or the new form became what it is.
	Pinned *ToolForm // What may be used; nil where nothing was accepted yet.
	New    *ToolForm // What waits for review or was rejected; nil in the state pinned.
	Review PinReview // The last one; zero where there was none.
}

// ID is the tool's id: "server.tool".
func (p Pin) ID() string { return p.Server + "." + p.Tool }

// Shown is the form that is to be looked at: the new one where there is one.
func (p Pin) Shown() ToolForm {
	switch {
	case p.New != nil:
		return *p.New
	case p.Pinned != nil:
		return *p.Pinned
	}
	return ToolForm{}
}

// PinReview is what somebody decided about a new form.
type PinReview struct {
	By     string // Key and user.
	Reason string
	At     time.Time
}

// ToolForm is what a server says of a tool: what models choose it by, and what calls of it look like.
type ToolForm struct {
	Hash       [32]byte // SHA-256 of the definition, whether that is kept or not.
	Definition string   // Canonical JSON of name, title, description, inputSchema, outputSchema and annotations; "" where Fault says that it is not kept.
	Seen       time.Time
	Flags      []ToolFlag // What is suspicious about it, in the order of the definition.
	Fault      string     // Why nobody can accept it; "" where somebody can.
}

// FlagKind is what can be suspicious about a tool.
type FlagKind string

// The kinds of flags.
const (
	FlagInstruction FlagKind = "instruction"  // Text that tells a model what to do beyond the tool.
	FlagHidden      FlagKind = "hidden"       // Characters that people do not see.
	FlagEncoded     FlagKind = "encoded"      // A long run of what may be Base64.
	FlagMarkup      FlagKind = "markup"       // A comment of HTML, or marks of a model's own format.
	FlagSensitive   FlagKind = "sensitive"    // A file or text that no tool needs to speak of.
	FlagOtherTool   FlagKind = "other_tool"   // It speaks of a tool of another server.
	FlagLookAlike   FlagKind = "look_alike"   // Its name can be taken for that of another tool.
	FlagMixedScript FlagKind = "mixed_script" // A name with letters of several scripts.
	FlagRemoteRef   FlagKind = "remote_ref"   // A schema that refers to an address. It is never fetched.
)

// FlagKinds lists the kinds.
func FlagKinds() []FlagKind {
	return []FlagKind{
		FlagInstruction, FlagHidden, FlagEncoded, FlagMarkup, FlagSensitive, FlagOtherTool, FlagLookAlike, FlagMixedScript,
		FlagRemoteRef,
	}
}

// ToolFlag is something suspicious about a form of a tool.
type ToolFlag struct {
	Kind  FlagKind `json:"kind"`
	Where string   `json:"where"` // A JSON pointer into the definition.
	Text  string   `json:"text"`  // What was found, for people.
}

// PutPins creates pins or replaces what is kept of them. Whoever writes them holds the claim of their server: [PinClaim].
type PutPins struct{ Pins []Pin }

func (PutPins) isEffect() {}

// PinClaim names what must be claimed before pins of a server are changed, so that nobody else changes them meanwhile.
func PinClaim(server string) string { return "pins " + server }
