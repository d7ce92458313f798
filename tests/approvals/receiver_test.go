package approvals

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/observability/alert"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server"
	"github.com/signalbox/signalbox/tests/harness"
)

// receiver is a webhook's receiver.
type receiver struct {
	http *httptest.Server
	t    *testing.T

	mu        sync.Mutex
	down      bool
	refused   int
	approvals map[string]server.ApprovalPayload // By the message's id: one may come twice.
	grants    map[string]server.GrantPayload
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t, approvals: map[string]server.ApprovalPayload{}, grants: map[string]server.GrantPayload{}}
	r.http = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.http.Close)
	return r
}

// serve takes a message whose signature is right.
func (r *receiver) serve(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		r.refused++
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if err := alert.Verify(secret, q.Header, body, time.Now()); err != nil {
		r.t.Errorf("a message is not signed: %v", err)
	}
	if alert.Verify("another-secret-of-acme", q.Header, body, time.Now()) == nil {
		r.t.Error("a message fits another secret too")
	}
	r.keep(q.Header.Get(alert.HeaderID), body)
}

func (r *receiver) keep(id string, body []byte) {
	var kind struct {
		Type string `json:"type"`
	}
	var a server.ApprovalPayload
	var g server.GrantPayload
	err := json.Unmarshal(body, &kind)
	switch kind.Type {
	case "approval":
		err = errors.Join(err, json.Unmarshal(body, &a))
		r.approvals[id] = a
	case "break_glass":
		err = errors.Join(err, json.Unmarshal(body, &g))
		r.grants[id] = g
	default:
		err = errors.Join(err, fmt.Errorf("it is of type %q", kind.Type))
	}
	if err != nil {
		r.t.Errorf("a message can not be read: %v: %s", err, body)
	}
}

// turn takes the receiver down or up again.
func (r *receiver) turn(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

// told waits for the message about an approval, which must be the only one.
func (r *receiver) told(t testing.TB, id string, escalated bool) (p server.ApprovalPayload) {
	t.Helper()
	harness.Eventually(t, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		n := 0
		for _, one := range r.approvals {
			if one.ID == id && one.Escalated == escalated {
				p = one
				n++
			}
		}
		if n != 1 {
			return fmt.Errorf("%d messages about %s (escalated: %t)", n, id, escalated)
		}
		return nil
	})
	return p
}
