package signalbox

import (
	"slices"
	"time"
)

// Role says what the holder of a key may do with Signalbox itself.
type Role string

// The six roles. An agent makes calls; a developer makes calls and sees his own tenant's; an approver decides; an
// auditor reads everything and changes nothing; an operator runs the service; an admin may do all.
const (
	RoleAgent     Role = "agent"
	RoleDeveloper Role = "developer"
	RoleApprover  Role = "approver"
	RoleAuditor   Role = "auditor"
	RoleOperator  Role = "operator"
	RoleAdmin     Role = "admin"
)

// Roles lists the roles.
func Roles() []Role {
	return []Role{RoleAgent, RoleDeveloper, RoleApprover, RoleAuditor, RoleOperator, RoleAdmin}
}

// Valid reports whether r is one of the six.
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// Caller is who makes a call, as the gate has established it. What a key is bound to is final; a header narrowed the
// rest.
type Caller struct {
	Tenant      string `json:"tenant"`
	Team        string `json:"team,omitzero"`
	Key         string `json:"key,omitzero"`
	Role        Role   `json:"role,omitzero"`
	Agent       string `json:"agent,omitzero"`
	AgentRole   string `json:"agent_role,omitzero"`
	ParentAgent string `json:"parent_agent,omitzero"`
	User        string `json:"user,omitzero"`
}

// Who is the caller as records of the tenant name him: the one whom the record concerns, mostly the caller's own. From where
// and about whom an act is, a caller does not know.
func (c Caller) Who(tenant string) Who {
	return Who{
		TenantID: tenant, Team: c.Team, KeyID: c.Key, Role: c.Role, AgentID: c.Agent, AgentRole: c.AgentRole,
		ParentAgentID: c.ParentAgent, UserID: c.User,
	}
}

// Key is an API key. Its secret is known only as a hash.
type Key struct {
	ID      string    `json:"id"`
	Hash    [32]byte  `json:"-"`    // SHA-256 of the secret.
	Hint    string    `json:"hint"` // The first characters of the secret, to tell keys apart; "" for static keys.
	Tenant  string    `json:"tenant"`
	Team    string    `json:"team,omitzero"`
	Agent   string    `json:"agent,omitzero"` // Bound agent; "" lets the header name one.
	User    string    `json:"user,omitzero"`  // Bound user; "" lets the header name one.
	Role    Role      `json:"role"`
	Static  bool      `json:"static"`           // From the configuration file: it can not be revoked by API.
	Budgets []Budget  `json:"budgets,omitzero"` // Limits of requests and concurrency are among them.
	Created time.Time `json:"created"`
	Revoked time.Time `json:"revoked,omitzero"` // Zero while the key is good.
}
