package complete

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// unaccepted and unrejected give a tool of a server that holds what it sees for the first time.
func unaccepted(t *testing.T, w *world) string { return w.unseen(t, "drawer") }
func unrejected(t *testing.T, w *world) string { return w.unseen(t, "chest") }

// unseen has a server's tools listed, and waits until the operator is told that they are held.
func (w *world) unseen(t *testing.T, server string) string {
	t.Helper()
	a := w.Send(t, http.MethodPost, "/mcp/"+server, harness.Agent, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`,
		"Accept", "application/json, text/event-stream")
	if !strings.Contains(a.Body, `"tools":[`) {
		t.Fatalf("the list of %s is %s", server, a.Body)
	}
	harness.Eventually(t, func() error {
		var alerts api.Page[api.Alert]
		if err := w.TryGet("/alerts", nil, &alerts); err != nil {
			return err
		}
		for _, alert := range alerts.Items {
			if strings.HasPrefix(alert.ID, "tool_held-"+server+"-") {
				return nil
			}
		}
		return fmt.Errorf("nothing tells of the tools of %s", server)
	})
	return server + ".work"
}

// reviews decides about the form of a tool that waits.
func reviews(action, verdict string, prepare func(*testing.T, *world) string) act {
	return act{action: action, prepare: prepare, do: func(t *testing.T, w *world, on string) {
		form := id(t, w.change(t, http.MethodGet, "/pins/"+on, "").Body, "form")
		w.change(t, http.MethodPost, "/pins/"+on+"/"+verdict, fmt.Sprintf(`{"form":%q,"reason":"looked at it"}`, form))
	}}
}
