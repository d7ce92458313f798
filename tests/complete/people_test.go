package complete

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// work is a call of the tool of a server, whose mark its approval is about.
func work(t *testing.T, w *world, server, mark string, header ...string) *http.Request {
	t.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"work","arguments":{"mark":%q,"fail":false}}}`, mark)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/mcp/"+server, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Signalbox-Agent", "planner")
	r.Header.Set("Authorization", "Bearer "+harness.Agent)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	return r
}

func newMark() string { return fmt.Sprintf("m-%d", time.Now().UnixNano()) }

// pending waits for the approval of the call with that mark.
func (w *world) pending(t *testing.T, mark string) (found api.Approval) {
	t.Helper()
	harness.Eventually(t, func() error {
		var page api.Page[api.Approval]
		if err := w.TryGet("/approvals", url.Values{"state": {"pending"}}, &page); err != nil {
			return err
		}
		for _, a := range page.Items {
			if a.Arguments != nil && strings.Contains(*a.Arguments, mark) {
				found = a
				return nil
			}
		}
		return fmt.Errorf("no call with %s waits among %d", mark, len(page.Items))
	})
	return found
}

// waiting gives an approval that a call of a model waits for: it was told so at once, and nothing follows by itself.
func waiting(t *testing.T, w *world) string {
	t.Helper()
	body := fmt.Sprintf(`{"model":"one","max_tokens":9,"messages":[{"role":"user","content":%q}]}`, newMark())
	a := w.Send(t, http.MethodPost, "/v1/chat/completions", harness.Agent, body, "X-Signalbox-Step-Kind", "weighty")
	id := a.Header.Get("X-Signalbox-Approval")
	if a.Status != http.StatusConflict || id == "" {
		t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	return id
}

// waitingTool gives one that a call of a tool waits for. Whoever has made the call goes away; the call must not be approved,
// since it would be made where that is not noticed yet.
func waitingTool(t *testing.T, w *world) string {
	t.Helper()
	mark := newMark()
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	r := work(t, w, "shelf", mark).WithContext(ctx)
	go func() {
		a, err := http.DefaultClient.Do(r)
		if err == nil {
			a.Body.Close()
		}
		gone <- err
	}()
	id := w.pending(t, mark).ID
	leave()
	if err := <-gone; err == nil {
		t.Error("a call that waits for approval was answered")
	}
	return id
}

func decided(t *testing.T, w *world) string {
	t.Helper()
	id := waiting(t, w)
	w.change(t, http.MethodPost, "/approvals/"+id+"/deny", `{"reason":"not now"}`)
	return id
}

// granted gives a break-glass grant that the operator has given.
func granted(t *testing.T, w *world) string {
	t.Helper()
	a := w.Send(t, http.MethodPost, "/api/v1/break-glass", harness.Operator, grant)
	if a.Status != http.StatusCreated {
		t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	return id(t, a.Body, "id")
}

func ended(t *testing.T, w *world) string {
	t.Helper()
	id := granted(t, w)
	w.change(t, http.MethodPost, "/break-glass/"+id+"/end", "")
	return id
}

// reported gives an incident that is open.
func reported(t *testing.T, w *world) string {
	t.Helper()
	body := fmt.Sprintf(`{"call_id":%q,"severity":"low","text":"it was slow"}`, called(t, w))
	return id(t, w.change(t, http.MethodPost, "/incidents", body).Body, "id")
}

// loggedIn gives the id of a session that is open.
func loggedIn(t *testing.T, w *world) string {
	t.Helper()
	a := w.Send(t, http.MethodGet, "/api/v1/sessions", "", "", "Cookie", session(t, w))
	var page api.Page[api.SessionRow]
	if err := json.Unmarshal([]byte(a.Body), &page); err != nil || a.Status != http.StatusOK {
		t.Fatalf("status %d, %v: %s", a.Status, err, a.Body)
	}
	for _, s := range page.Items {
		if s.Current {
			return s.ID
		}
	}
	t.Fatalf("the session is not among %d", len(page.Items))
	return ""
}

func inForce(t *testing.T, w *world) string {
	t.Helper()
	return id(t, w.change(t, http.MethodGet, "/policy", "").Body, "version")
}

func table(t *testing.T, w *world) string {
	return w.file(t, "table.yml", "- {agent: planner, tool: shelf.work, args: {mark: m}, expect: approve}\n")
}

// told waits until an alert tells of each call that waits, and of each grant.
func (w *world) told(t *testing.T) {
	t.Helper()
	all := url.Values{"limit": {"500"}}
	harness.Eventually(t, func() error {
		var approvals api.Page[api.Approval]
		var grants api.Page[api.Grant]
		var alerts api.Page[api.Alert]
		for path, page := range map[string]any{"/approvals": &approvals, "/break-glass": &grants} {
			if err := w.TryGet(path, all, page); err != nil {
				return err
			}
		}
		if err := w.TryGet("/alerts", all, &alerts); err != nil {
			return err
		}
		missing := map[string]bool{}
		for _, a := range approvals.Items {
			missing["approval-"+a.ID] = true
		}
		for _, g := range grants.Items {
			missing["break_glass-"+g.ID] = true
		}
		for _, a := range alerts.Items {
			delete(missing, a.ID)
		}
		if len(missing) > 0 {
			return fmt.Errorf("nothing tells of %v", missing)
		}
		return nil
	})
}
