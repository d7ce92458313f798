package server

import (
	"context"
	"fmt"
	"net/http"
	"testing"
)

// The report is there while the database can not be read, which is when it is looked at: it says so, with the figures
// that were read last.
func TestHealthWithoutTheDatabase(t *testing.T) {
	i := started(t, t.TempDir(), someKeys+simulatedModel)
	i.answers("a call", agentKey, "small", http.StatusOK)
	before := i.health(t.Context())
	eventually(t, func() error {
		if before = i.health(t.Context()); before.Log.Size == 0 || before.DataAsOf.IsZero() {
			return fmt.Errorf("the report is still %+v", before)
		}
		return nil
	})
	unreadable, cancel := context.WithCancel(t.Context())
	cancel()
	h := i.health(unreadable)
	if h.Log.Size < before.Log.Size || h.DataAsOf.Before(before.DataAsOf) {
		t.Errorf("the report has size %d as of %s, want what was known last", h.Log.Size, h.DataAsOf)
	}
	status := map[string]string{}
	for _, c := range h.Components {
		status[c.Name] = c.Status
	}
	if status["projections"] != statusDown || status["checkpoint"] != statusDown || status["log"] != statusOK {
		t.Errorf("the components are %v", status)
	}
}
