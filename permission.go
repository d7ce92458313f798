package signalbox

import "time"

// Operation is what an act does to a resource.
type Operation string

// The operations, least harmful first.
const (
	OperationRead   Operation = "read"
	OperationWrite  Operation = "write"
	OperationDelete Operation = "delete"
)

// Operations lists the operations, least harmful first.
func Operations() []Operation { return []Operation{OperationRead, OperationWrite, OperationDelete} }

// Access is one thing that a call would do: all of them must be permitted.
type Access struct {
	Operation Operation `json:"operation"`
	Resource  string    `json:"resource"` // Normalised; "" where the tool declares none, which only the pattern "*" covers.
}

// Risk says how much harm an act can do; the seed's risk_level.
type Risk string

// The levels, lowest first.
const (
	RiskLow    Risk = "low"
	RiskMedium Risk = "medium"
	RiskHigh   Risk = "high"
)

// Risks lists the levels, lowest first.
func Risks() []Risk { return []Risk{RiskLow, RiskMedium, RiskHigh} }

// Permissions is what an agent may do; the seed's AgentPermissions. What is not permitted is denied.
type Permissions struct {
	Tools            []ToolPermission
	Data             DataPermission
	Network          NetworkPermission
	MaxTokens        int64    // Input and output together, per run; 0: no cap of its own.
	RequiresApproval bool     // Every act of the agent but calls of models waits for a person.
	Models           []string // Globs over names of models and routes; nil: all that the tenant may use.
	Source           string   // Where it is written, for people: "agents[0].permissions (signalbox.yml:12)".
}

// ToolPermission permits operations on resources by tools.
type ToolPermission struct {
	Name         string      // Glob over ids of tools, "server.tool".
	Operations   []Operation // At least one.
	Resources    []string    // Globs; at least one. The bare "*" covers everything, also calls that name no resource.
	MaxPerMinute int64       // Calls by this agent under this permission, per minute; 0: no limit of its own.
	Source       string      // Where it is written, for people.
}

// DataPermission bounds queries of databases. It is checked when it is read; no connector enforces it in this version.
type DataPermission struct {
	Tables    []string
	Columns   []string
	RowFilter string
	MaxRows   int64
	Source    string
}

// NetworkPermission bounds requests to the web. It is checked when it is read; no egress enforces it in this version.
type NetworkPermission struct {
	Allow        []string // Globs over host names.
	Block        []string // Globs over host names; they win.
	MaxPerMinute *int64   // Nil: no limit of its own. 0: nothing passes.
	Source       string
}

// ToolMapping says what a call of a tool does. A tool without one does what its server says of it, where that is trusted,
// and else writes to what it does not name.
type ToolMapping struct {
	Operation Operation // "": as above.
	Resources []ResourceArgument
	Path      PathTemplate // Of a tool that is an operation of an HTTP API: the filled path is a resource too; "": none.
	Source    string
}

// ResourceKind is how the value of an argument is read as a resource.
type ResourceKind string

// The kinds.
const (
	ResourceName ResourceKind = "name" // As it is, in Unicode's form NFC.
	ResourcePath ResourceKind = "path" // A path of files: cleaned, and one that leaves its root is refused.
	ResourceURL  ResourceKind = "url"  // An http or https address: "host/path", the host in lower case and ASCII.
	ResourceURI  ResourceKind = "uri"  // Of a resource of an MCP server: "scheme://host/path", decoded once, steps up refused.
)

// ResourceArgument names an argument whose value, or each of whose values where it is a list, is a resource.
type ResourceArgument struct {
	Argument  string // A member of the arguments; "a.b" is the member b of the object a.
	Kind      ResourceKind
	Operation Operation // What is done to this resource; "": the tool's own operation.
}

// Annotations is what an MCP server says of a tool; nil where it does not say. They are hints of whoever wrote the server.
type Annotations struct {
	ReadOnly    *bool
	Destructive *bool
}

// RiskRule sets the risk of calls that a condition holds for, where that is higher than what follows from the operation.
type RiskRule struct {
	When   string // CEL over call, agent, tool, operation, resources, arguments and purpose.
	Level  Risk
	Source string
}

// Requirement is who must agree before a call is made.
type Requirement struct {
	Approvers int  `json:"approvers"`     // 0: nobody.
	Role      Role `json:"role,omitzero"` // Of each of them, where that is not admin.
}

// ApprovalRule replaces what follows from the risk, for tools and agents. It can not relax writes and deletions of high
// risk.
type ApprovalRule struct {
	Agent   string // Glob over ids of agents; "*" is all, those without a name too.
	Tool    string // Glob over ids of tools.
	Require Requirement
	Source  string
}

// Grant is a break-glass grant: for a while, somebody may do what his permissions do not cover. It lifts no forbid of a
// policy and no approval of a write or deletion of high risk.
type Grant struct {
	ID       string // "grant_…"
	Tenant   string
	Agent    string // Who may: this agent.
	Tool     string // Glob over ids of tools.
	Reason   string
	By       string // Who gave it: key and user.
	From     time.Time
	Until    time.Time
	Ended    time.Time // Zero unless it was ended early.
	EndedBy  string
	Reviewed time.Time // Zero until somebody other than By has looked at it.
	Reviewer string
	Review   string    // What he found.
	Overdue  time.Time // When it was escalated for want of a review; zero where it was not.
}

// Holds reports whether the grant is in force.
func (g Grant) Holds(now time.Time) bool {
	return !now.Before(g.From) && now.Before(g.Until) && g.Ended.IsZero()
}

// PolicyVersion is a policy that was in force, as text, for comparing it with another.
type PolicyVersion struct {
	Version string // "sha256:" and 16 hexadecimal digits.
	Time    time.Time
	Text    string // All that decides, one line for each rule, sorted.
}

// Incident is harm that a call or run has done, as a person has reported it; the seed's "write action incident".
type Incident struct {
	ID         string // "inc_…"
	Tenant     string
	Call       string // "" where it is about a run.
	Run        string
	Tool       string // Of the call, "" where there is none.
	Agent      string
	Write      bool // The call was a write or a deletion.
	Severity   Risk
	Text       string
	Opened     time.Time
	OpenedBy   string
	Closed     time.Time // Zero while it is open.
	ClosedBy   string
	Resolution string
}

// Session is a login of a person. What its cookie holds is known only as a hash.
type Session struct {
	ID      string // "session_…", from the hash.
	Hash    [32]byte
	Key     string // The API key it was opened with; "" for a login by an identity provider.
	KeyHash [32]byte
	Person  Person // Of a login by an identity provider.
	Opened  time.Time
	Expires time.Time
	Ended   time.Time // Zero while it is open.
	Source  string    // The address it was opened from.
}

// Person is somebody whom an identity provider vouches for.
type Person struct {
	Issuer  string `json:"issuer,omitzero"`
	Subject string `json:"subject,omitzero"` // The provider's own, lasting name of the person.
	User    string `json:"user,omitzero"`    // What records call him: his e-mail address where it is verified, else the subject.
	Tenant  string `json:"tenant,omitzero"`
	Team    string `json:"team,omitzero"`
	Role    Role   `json:"role,omitzero"`
}

// PutGrant creates a break-glass grant or replaces what is kept of it.
type PutGrant struct{ Grant Grant }

// PutPolicyVersion keeps a policy; one that is there already is left as it is, with its first time.
type PutPolicyVersion struct{ Version PolicyVersion }

// PutIncident creates an incident or replaces what is kept of it.
type PutIncident struct{ Incident Incident }

// PutSession creates a session.
type PutSession struct{ Session Session }

// EndSession ends a session; ending twice changes nothing.
type EndSession struct {
	ID string
	At time.Time
}

func (PutGrant) isEffect()         {}
func (PutPolicyVersion) isEffect() {}
func (PutIncident) isEffect()      {}
func (PutSession) isEffect()       {}
func (EndSession) isEffect()       {}
