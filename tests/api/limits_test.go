package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/upstream"
)

const (
	narrow = "key-with-narrow-limits-1"
	daily  = "key-with-daily-limits-01"
)

func limited(t *testing.T) (*harness.Instance, *upstream.Server) {
	t.Helper()
	up := upstream.New()
	t.Cleanup(up.Close)
	keys := fmt.Sprintf(`  - {id: narrow, secret: %s, tenant: acme, role: agent, limits: [{unit: concurrent, max: 2}]}
  - {id: daily, secret: %s, tenant: acme, role: agent, limits: [{unit: requests, per: day, max: 3}]}
`, narrow, daily)
	return harness.Start(t, harness.Options{Config: keys + behind(up.URL, up.URL+"/mcp")}), up
}

// hold begins a stream that lasts, and gives what ends it.
func hold(t *testing.T, i *harness.Instance) context.CancelFunc {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, i.URL+chatPath, strings.NewReader(ask("long", true)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+narrow)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the stream is refused with %d", response.StatusCode)
	}
	return func() {
		cancel()
		response.Body.Close()
	}
}

func checkLimited(t *testing.T, i *harness.Instance, a harness.Answer) {
	t.Helper()
	after, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if a.Status != http.StatusTooManyRequests || err != nil || after < 1 || !strings.Contains(a.Body, "rate_limited") {
		t.Fatalf("got %d, Retry-After %q: %s", a.Status, a.Header.Get("Retry-After"), a.Body)
	}
	d := i.Call(t, a.Header.Get("X-Signalbox-Call"))
	if d.Outcome != signalbox.OutcomeDenied || d.Attempts != 0 || d.Record.Intent != nil {
		t.Errorf("the refusal is recorded as %s with %d attempts", d.Outcome, d.Attempts)
	}
}

// Places under a concurrency limit are held by calls under way only: who leaves gives his back.
func TestConcurrencyLimit(t *testing.T) {
	i, up := limited(t)
	first, second := hold(t, i), hold(t, i)
	defer second()
	checkLimited(t, i, i.Send(t, http.MethodPost, chatPath, narrow, ask("gpt", false)))
	checkLimited(t, i, i.Send(t, http.MethodPost, messagesPath, narrow, ask("claude", true)))
	if a := i.Send(t, http.MethodPost, chatPath, harness.Agent, ask("gpt", false)); a.Status != http.StatusOK {
		t.Errorf("another key answers %d: %s", a.Status, a.Body)
	}
	before := len(up.Requests(""))
	first()
	harness.Eventually(t, func() error {
		if a := i.Send(t, http.MethodPost, chatPath, narrow, ask("gpt", false)); a.Status != http.StatusOK {
			return fmt.Errorf("%d %s", a.Status, a.Body)
		}
		return nil
	})
	if got := len(up.Requests("")) - before; got != 1 {
		t.Errorf("the provider was asked %d times: refused calls must not reach it", got)
	}
	second()
	harness.Eventually(t, func() error {
		for _, r := range up.Requests("") {
			if !r.Ended {
				return fmt.Errorf("the provider still works on a call of %s", r.Model)
			}
		}
		return nil
	})
	i.Complete(t)
}

// Of many calls at once exactly as many are let through as the window allows.
func TestRequestLimit(t *testing.T) {
	i, up := limited(t)
	var all sync.WaitGroup
	answers := make(chan harness.Answer, 30)
	for n := range 30 {
		path := []string{chatPath, messagesPath}[n%2]
		all.Go(func() {
			a, err := i.TrySend(http.MethodPost, path, daily, ask("gpt", n%3 == 0))
			if err != nil {
				t.Error(err)
			}
			answers <- a
		})
	}
	all.Wait()
	close(answers)
	served := 0
	for a := range answers {
		if a.Status == http.StatusOK {
			served++
			continue
		}
		checkLimited(t, i, a)
	}
	if served != 3 || len(up.Requests("")) != 3 {
		t.Errorf("%d calls were served and %d reached the provider, want 3", served, len(up.Requests("")))
	}
}

// A thousand requests without a valid key make one record for each minute and source, whatever they ask for, and no call.
func TestRefusalsAreCounted(t *testing.T) {
	o := harness.Options{Dir: t.TempDir()}
	i := harness.Start(t, o)
	const bad = 1000
	asks := []struct{ method, path, key string }{
		{http.MethodPost, chatPath, ""},
		{http.MethodPost, messagesPath, "sb_nobody-has-this-key"},
		{http.MethodGet, "/v1/models", "sb_nobody"},
		{http.MethodPost, "/mcp/files", ""},
		{http.MethodGet, "/api/v1/calls", ""},
		{http.MethodGet, "/metrics", "sb_nobody"},
		{http.MethodGet, "/audit/checkpoint", ""},
		{http.MethodPost, "/api/v1/session", ""},
	}
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for n := range bad / 8 {
				x := asks[(n+worker)%len(asks)]
				body, header := "", []string(nil)
				switch {
				case x.path == "/api/v1/session":
					body, header = `{"key":"sb_nobody-has-this-key"}`, []string{"X-Signalbox-Console", "1"}
				case x.method == http.MethodPost:
					body = ask("sim", false)
				}
				a, err := i.TrySend(x.method, x.path, x.key, body, header...)
				if err != nil || a.Status != http.StatusUnauthorized || a.Header.Get("X-Signalbox-Call") != "" {
					t.Errorf("%s answers %d %v: %s", x.path, a.Status, err, a.Body)
				}
			}
		})
	}
	all.Wait()
	if got := i.Metric(t, "signalbox_gate_unauthenticated_total"); got != bad {
		t.Errorf("the metric counts %v", got)
	}
	if code := i.Stop(); code != 0 {
		t.Fatalf("it ended with %d", code)
	}
	i = harness.Start(t, o)
	total, minutes := 0, map[string]int{}
	for _, r := range i.Log(t) {
		if r.CallID != nil {
			t.Errorf("a refused request became the call %s", *r.CallID)
		}
		if r.What.Action != signalbox.ActionRefusals {
			continue
		}
		n, err := strconv.Atoi(r.What.Detail["count"])
		if err != nil {
			t.Fatal(err)
		}
		total += n
		minutes[r.What.Detail["minute"]+r.What.Detail["source"]]++
	}
	if total != bad {
		t.Errorf("%d refusals are recorded, want %d", total, bad)
	}
	for minute, n := range minutes {
		if n != 1 {
			t.Errorf("%s has %d records", minute, n)
		}
	}
}

// Metrics are for operators, auditors and admins, and have the main series.
func TestMetrics(t *testing.T) {
	b := start(t)
	a := b.Send(t, http.MethodPost, chatPath, harness.Agent, ask("broken", true))
	b.Call(t, a.Header.Get("X-Signalbox-Call"))
	b.callTool(t, nil)
	for key, status := range map[string]int{harness.Operator: 200, harness.Auditor: 200, harness.Admin: 200, harness.Agent: 403, harness.Other: 403, "": 401, "sb_nobody": 401} {
		if a := b.Send(t, http.MethodGet, "/metrics", key, ""); a.Status != status || (status == 200) != strings.Contains(a.Body, "signalbox_calls_total") {
			t.Errorf("%q gets %d", key, a.Status)
		}
	}
	for _, name := range []string{
		"signalbox_calls_total", "signalbox_call_duration_seconds_count", "signalbox_cost_nanodollars_total",
		"signalbox_log_commit_duration_seconds_count", "signalbox_log_records_total", "signalbox_log_size", "signalbox_calls_in_flight",
		"signalbox_projections_lag", "signalbox_log_queue_depth", "signalbox_log_queue_capacity", "signalbox_gate_unauthenticated_total",
		"gen_ai_client_operation_duration_seconds_count", "gen_ai_client_token_usage_count", "mcp_client_operation_duration_seconds_count",
		"mcp_server_operation_duration_seconds_count", "go_goroutines", "process_resident_memory_bytes",
	} {
		b.Metric(t, name) // Fails where there is none.
	}
	if got := b.Metric(t, "signalbox_calls_total"); got != 2 {
		t.Errorf("%v calls", got)
	}
	if body := b.Send(t, http.MethodGet, "/metrics", harness.Operator, "").Body; strings.Contains(body, "planner") || strings.Contains(body, a.Header.Get("X-Signalbox-Call")) {
		t.Error("a metric is labelled with what callers can choose at will")
	}
}
