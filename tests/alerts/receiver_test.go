package alerts

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/observability/alert"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// secret is what messages are signed with.
const secret = "receiver-secret-of-acme"

// receiver is a webhook's receiver. It fails once for each message before it takes it.
type receiver struct {
	http *httptest.Server
	t    *testing.T

	mu    sync.Mutex
	tries map[string]int
	taken map[string][]alert.Payload // By the message's id.
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t, tries: map[string]int{}, taken: map[string][]alert.Payload{}}
	r.http = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.http.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	var p alert.Payload
	if err := json.Unmarshal(body, &p); err != nil {
		r.t.Errorf("a message is no JSON: %v: %s", err, body)
	}
	if err := alert.Verify(secret, q.Header, body, time.Now()); err != nil {
		r.t.Errorf("a message is not signed: %v", err)
	}
	if alert.Verify("another-secret-of-acme", q.Header, body, time.Now()) == nil {
		r.t.Error("a message fits another secret too")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	id := q.Header.Get(alert.HeaderID)
	if r.tries[id]++; r.tries[id] == 1 {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	r.taken[id] = append(r.taken[id], p)
}

// of gives the messages about a rule that were taken.
func (r *receiver) of(rule string) (list []alert.Payload) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, messages := range r.taken {
		for _, p := range messages {
			if p.Rule == rule {
				list = append(list, p)
			}
		}
	}
	return list
}
