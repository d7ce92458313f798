package harness

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// Answer is an HTTP answer that was read to its end, or to where it broke.
type Answer struct {
	Status  int
	Header  http.Header
	Trailer http.Header
	Body    string
	Broken  error // Why reading ended, nil where the message was complete.
}

// client has no limit on connections, so that no test waits for another.
var client = &http.Client{
	Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
	Timeout:   2 * Patience,
}

// Send makes a request. key may be "", and header has pairs of a name and a value.
func (i *Instance) Send(t testing.TB, method, path, key, body string, header ...string) Answer {
	t.Helper()
	a, err := i.TrySend(method, path, key, body, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// TrySend is Send for connections that may break before there is an answer.
func (i *Instance) TrySend(method, path, key, body string, header ...string) (Answer, error) {
	r, err := http.NewRequest(method, i.URL+path, strings.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	response, err := client.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	var b bytes.Buffer
	_, broken := io.Copy(&b, response.Body)
	return Answer{response.StatusCode, response.Header, response.Trailer, b.String(), broken}, nil
}

// Get asks the control API with the auditor's key and decodes the answer, which must be good.
func (i *Instance) Get(t testing.TB, path string, query url.Values, into any) {
	t.Helper()
	if err := i.TryGet(path, query, into); err != nil {
		t.Fatal(err)
	}
}

// TryGet is Get for answers that may be bad.
func (i *Instance) TryGet(path string, query url.Values, into any) error {
	a, err := i.TrySend(http.MethodGet, "/api/v1"+path+"?"+query.Encode(), Auditor, "")
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK {
		return fmt.Errorf("GET %s answers %d: %s", path, a.Status, a.Body)
	}
	return json.Unmarshal([]byte(a.Body), into)
}

// Call gives a call once it has ended and is projected.
func (i *Instance) Call(t testing.TB, id string) api.CallDetail {
	t.Helper()
	var detail api.CallDetail
	Eventually(t, func() error {
		if err := i.TryGet("/calls/"+url.PathEscape(id), nil, &detail); err != nil {
			return err
		}
		if detail.Outcome == signalbox.OutcomeRunning {
			return fmt.Errorf("call %s is still running", id)
		}
		return nil
	})
	return detail
}

// Log gives all records, oldest first.
func (i *Instance) Log(t testing.TB) []api.Record {
	t.Helper()
	var all []api.Record
	query := url.Values{"limit": {"500"}}
	for {
		var page api.Page[api.Record]
		i.Get(t, "/audit", query, &page)
		all = append(all, page.Items...)
		if page.Next == nil {
			slices.Reverse(all)
			return all
		}
		query.Set("cursor", *page.Next)
	}
}

// Complete waits until no call is under way, and fails unless every call of the log has exactly one outcome and at most
// one intent, and the log verifies. It gives the number of calls.
func (i *Instance) Complete(t testing.TB) int {
	t.Helper()
	Eventually(t, func() error {
		var h api.Health
		if err := i.TryGet("/health", nil, &h); err != nil {
			return err
		}
		if h.InFlight > 0 {
			return fmt.Errorf("%d calls are under way", h.InFlight)
		}
		return nil
	})
	type count struct{ intents, outcomes int }
	calls := map[string]*count{}
	for _, r := range i.Log(t) {
		if r.CallID == nil {
			continue
		}
		c := calls[*r.CallID]
		if c == nil {
			c = &count{}
			calls[*r.CallID] = c
		}
		switch r.Type {
		case signalbox.RecordIntent:
			c.intents++
		case signalbox.RecordOutcome:
			c.outcomes++
		case signalbox.RecordAttempt, signalbox.RecordAdmin:
		}
	}
	for id, c := range calls {
		if c.outcomes != 1 || c.intents > 1 {
			t.Errorf("call %s has %d intents and %d outcomes", id, c.intents, c.outcomes)
		}
	}
	if r := Run(t, i.Dir, i.Env(Auditor), "audit", "verify"); r.Code != 0 {
		t.Errorf("audit verify ends with %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	return len(calls)
}

// Metric reads the sum of a metric's samples from /metrics.
func (i *Instance) Metric(t testing.TB, name string) float64 {
	t.Helper()
	a := i.Send(t, http.MethodGet, "/metrics", Auditor, "")
	if a.Status != http.StatusOK {
		t.Fatalf("/metrics answers %d: %s", a.Status, a.Body)
	}
	sum, found := 0.0, false
	for line := range strings.Lines(a.Body) {
		fields := strings.Fields(line)
		if len(fields) != 2 || fields[0] != name && !strings.HasPrefix(fields[0], name+"{") {
			continue
		}
		var v float64
		if _, err := fmt.Sscan(fields[1], &v); err != nil {
			t.Fatalf("/metrics: %q: %v", line, err)
		}
		sum, found = sum+v, true
	}
	if !found {
		t.Fatalf("/metrics has no %s", name)
	}
	return sum
}

// Disconnect closes the connections of [Instance.Send] that are not in use.
func Disconnect() { client.CloseIdleConnections() }
