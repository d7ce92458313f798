package signalbox

import (
	"reflect"
	"testing"
)

// Everything that is known of a caller is in the records of what he does.
func TestWho(t *testing.T) {
	c := Caller{
		Tenant: "acme", Team: "research", Key: "key_1", Role: RoleDeveloper, Agent: "writer", AgentRole: "drafts", ParentAgent: "planner",
		User: "kim",
	}
	want := Who{
		TenantID: "globex", Team: "research", KeyID: "key_1", Role: RoleDeveloper, AgentID: "writer", AgentRole: "drafts",
		ParentAgentID: "planner", UserID: "kim",
	}
	if got := c.Who("globex"); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if v := reflect.ValueOf(c); v.NumField() != 8 {
		t.Errorf("a caller has %d fields: see that Who names them, and count them here", v.NumField())
	}
}
