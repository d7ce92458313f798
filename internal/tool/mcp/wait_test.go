package mcp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

func TestAnApprovedCallIsPresentedAgain(t *testing.T) {
	for _, version := range versions {
		for _, token := range []any{nil, "mine", 7} {
			synctest.Test(t, func(t *testing.T) {
				p := newPeople()
				transport, log := waitingGateway(t, p, 0)
				var mu sync.Mutex
				var told []sdk.ProgressNotificationParams
				session := clientOver(t, transport, version, func(n *sdk.ProgressNotificationParams) {
					mu.Lock()
					defer mu.Unlock()
					told = append(told, *n)
				})
				time.AfterFunc(12*time.Second, func() {
					p.decide(signalbox.ApprovalApproved, signalbox.Vote{Verdict: signalbox.VerdictApprove, Reason: "fine"})
				})
				res, err := session.CallTool(t.Context(), wantsProgress(token))
				if err != nil || text(res) != "done" {
					t.Fatalf("%s %v: got %+v, %v", version, token, res, err)
				}
				synctest.Wait()
				mu.Lock()
				defer mu.Unlock()
				checkProgress(t, told, token)
				checkTwoCalls(t, p.seen(), log.all())
			})
		}
	}
}

// checkProgress wants word at 0, 5 and 10 of the 45 seconds, or none where nobody asked for it.
func checkProgress(t *testing.T, told []sdk.ProgressNotificationParams, token any) {
	t.Helper()
	if token == nil {
		if len(told) != 0 {
			t.Errorf("progress that nobody asked for: %+v", told)
		}
		return
	}
	if len(told) != 3 {
		t.Fatalf("told %d times of the progress, want 3: %+v", len(told), told)
	}
	for i, n := range told {
		if n.Progress != float64(5*i) || n.Total != 45 || !strings.Contains(n.Message, "appr_1") {
			t.Errorf("got %+v", n)
		}
	}
}

// checkTwoCalls wants a refused call and another one that was served, of the same bytes.
func checkTwoCalls(t *testing.T, calls []signalbox.Call, records []signalbox.Record) {
	t.Helper()
	if len(calls) != 2 {
		t.Fatalf("%d calls were presented, want 2", len(calls))
	}
	a, b := calls[0], calls[1]
	if a.ID == b.ID || string(a.Body) != string(b.Body) || a.Caller != b.Caller || a.Claims != b.Claims || a.RequestID != b.RequestID {
		t.Errorf("the second call is not the first again: %+v, %+v", a, b)
	}
	if a.Span.TraceID != b.Span.TraceID || a.Span.Parent != b.Span.Parent || a.Span.SpanID == b.Span.SpanID {
		t.Errorf("got spans %+v and %+v", a.Span, b.Span)
	}
	if b.Received.Sub(a.Received) != 12*time.Second {
		t.Errorf("the second call says that it came %s after the first", b.Received.Sub(a.Received))
	}
	var outcomes []signalbox.Outcome
	for _, r := range records {
		outcomes = append(outcomes, r.Outcome)
	}
	if len(records) != 2 || outcomes[0] != signalbox.OutcomeDenied || outcomes[1] != signalbox.OutcomeOK {
		t.Errorf("got outcomes %q", outcomes)
	}
	if records[0].Call != a.ID || records[1].Call != b.ID {
		t.Errorf("got records of %s and %s", records[0].Call, records[1].Call)
	}
}

func TestWhatBecomesOfACallThatIsNotApproved(t *testing.T) {
	vote := func(v signalbox.Verdict, reason string) signalbox.Vote {
		return signalbox.Vote{Verdict: v, Reason: reason}
	}
	cases := []struct {
		name  string
		state signalbox.ApprovalState // "": nobody decides.
		votes []signalbox.Vote
		fails error
		code  signalbox.Code
		want  string
		after int64 // Milliseconds.
		took  time.Duration
	}{
		{
			name: "denied", state: signalbox.ApprovalDenied, code: signalbox.CodeForbidden, took: time.Second,
			votes: []signalbox.Vote{vote(signalbox.VerdictApprove, "fine"), vote(signalbox.VerdictDeny, "Not on a Friday.")},
			want:  "was denied: Not on a Friday. Do not",
		},
		{name: "denied without a reason", state: signalbox.ApprovalDenied, code: signalbox.CodeForbidden, want: "without a reason", took: time.Second},
		{name: "expired", state: signalbox.ApprovalExpired, code: signalbox.CodeConflict, want: "expired", took: time.Second},
		{name: "stale", state: signalbox.ApprovalStale, code: signalbox.CodeConflict, want: "policy or the tool has changed", took: time.Second},
		{name: "withdrawn", state: signalbox.ApprovalWithdrawn, code: signalbox.CodeConflict, want: "withdrawn", took: time.Second},
		{name: "in a state that is none", state: "lost", code: signalbox.CodeInternal, want: "no state that is known", took: time.Second},
		{name: "pending", code: signalbox.CodeApprovalRequired, want: "pending", after: 1000, took: DefaultApprovalWait},
		{name: "pending when the process stops", state: signalbox.ApprovalPending, code: signalbox.CodeApprovalRequired, want: "pending", after: 1000, took: time.Second},
		{name: "waiting fails", fails: errors.New("disk"), code: signalbox.CodeApprovalRequired, want: "pending", after: 5000},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeople()
				p.failing = c.fails
				transport, log := waitingGateway(t, p, 0)
				session := clientOver(t, transport, "2025-11-25", func(*sdk.ProgressNotificationParams) {})
				if c.state != "" {
					time.AfterFunc(time.Second, func() { p.decide(c.state, c.votes...) })
				}
				start := time.Now()
				_, err := session.CallTool(t.Context(), wantsProgress("t"))
				checkRefusal(t, err, c.code, c.want, c.after)
				if took := time.Since(start); took != c.took {
					t.Errorf("it took %s, want %s", took, c.took)
				}
				if calls, records := p.seen(), log.all(); len(calls) != 1 || len(records) != 1 || records[0].Outcome != signalbox.OutcomeDenied {
					t.Errorf("%d calls were presented, with records %+v", len(calls), records)
				}
			})
		})
	}
}

func checkRefusal(t *testing.T, err error, code signalbox.Code, want string, after int64) {
	t.Helper()
	var rpc *jsonrpc.Error
	if !errors.As(err, &rpc) || !strings.Contains(rpc.Message, want) {
		t.Fatalf("got %v, want %q", err, want)
	}
	var data struct {
		Code     signalbox.Code `json:"code"`
		Remedy   string         `json:"remedy"`
		After    int64          `json:"retry_after_ms"`
		Approval *struct {
			ID  string `json:"id"`
			URL string `json:"url"`
		} `json:"approval"`
	}
	if err := json.Unmarshal(rpc.Data, &data); err != nil {
		t.Fatal(err)
	}
	if data.Code != code || data.Remedy == "" || data.After != after {
		t.Errorf("got %s", rpc.Data)
	}
	named := data.Approval != nil && data.Approval.ID == "appr_1" && data.Approval.URL == "/api/v1/approvals/appr_1"
	if named != (code == signalbox.CodeApprovalRequired) {
		t.Errorf("got %s", rpc.Data)
	}
}

func TestACallerWhoLeavesEndsTheWait(t *testing.T) {
	for _, version := range versions {
		for _, token := range []any{nil, "t"} {
			synctest.Test(t, func(t *testing.T) {
				p := newPeople()
				transport, log := waitingGateway(t, p, time.Hour)
				session := clientOver(t, transport, version, func(*sdk.ProgressNotificationParams) {})
				ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
				defer cancel()
				if _, err := session.CallTool(ctx, wantsProgress(token)); err == nil {
					t.Fatal("the call came back")
				}
				synctest.Wait() // Everything that worked for the call has ended: the bubble would say so if it had not.
				p.decide(signalbox.ApprovalApproved)
				synctest.Wait()
				if calls := p.seen(); len(calls) != 1 || len(log.all()) != 1 {
					t.Errorf("%s: a call was presented for nobody: %+v", version, calls)
				}
			})
		}
	}
}

func TestOnlySoManyCallsWait(t *testing.T) {
	p := newPeople()
	h := &Handler{waiter: p, wait: time.Hour, logger: slog.New(slog.DiscardHandler)}
	h.waiting.Store(MaxWaiting)
	err := h.await(t.Context(), &exchange{}, "appr_1")
	if e := upstreamtest.WantCode(t, err, signalbox.CodeApprovalRequired); e.Approval != "appr_1" || e.RetryAfter != time.Hour {
		t.Errorf("got %+v", e)
	}
	if p.waits != 0 || h.waiting.Load() != MaxWaiting {
		t.Errorf("%d wait, %d are counted", p.waits, h.waiting.Load())
	}
}

func TestWithoutAWaiterNothingWaits(t *testing.T) {
	p := newPeople()
	s := newServers(t, upstream.Config{ID: "files", URL: "http://127.0.0.1:1"})
	url, log := gateway(t, s, func(call.Handler) call.Handler { return p.station(call.HandlerFunc(answering)) })
	res := postMCP(t, url+"files", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{"progressToken":1}}}`)
	if res.Header.Get(headerApproval) != "appr_1" || res.Header.Get(headerRetry) != "false" || len(log.all()) != 0 {
		t.Errorf("got headers %v", res.Header)
	}
	if got := res.Header.Get("Content-Type"); got != "application/json" || p.waits != 0 {
		t.Errorf("got content type %q after %d waits", got, p.waits)
	}
}

func TestTheHeadNamesTheCallThatWasServed(t *testing.T) {
	p := newPeople()
	s := newServers(t, upstream.Config{ID: "files", URL: "http://127.0.0.1:1"})
	mux := http.NewServeMux()
	mux.Handle(Pattern, NewHandler(s, testDoor{}, p.station(call.HandlerFunc(answering)), "test", slog.New(slog.DiscardHandler),
		WaitForApprovals(p, time.Minute)))
	url := upstreamtest.Serve(t, mux)
	go func() { <-p.asked; p.decide(signalbox.ApprovalApproved) }()
	res := postMCP(t, url+"/mcp/files", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}`)
	calls := p.seen()
	if len(calls) != 2 || res.Header.Get(headerCall) != calls[1].ID || res.Header.Get(headerApproval) != "" {
		t.Errorf("got headers %v of %d calls", res.Header, len(calls))
	}
}

func TestProgressComesBeforeTheAnswerInOneStream(t *testing.T) {
	p := newPeople()
	s := newServers(t, upstream.Config{ID: "files", URL: "http://127.0.0.1:1"})
	mux := http.NewServeMux()
	mux.Handle(Pattern, NewHandler(s, testDoor{}, p.station(call.HandlerFunc(answering)), "test", slog.New(slog.DiscardHandler),
		WaitForApprovals(p, time.Minute)))
	body := `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"echo","_meta":{"progressToken":9007199254740993}}}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, upstreamtest.Serve(t, mux)+"/mcp/files", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {testKey}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil { // The head comes with the first word of progress: nobody has decided yet.
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" || res.Header.Get("X-Accel-Buffering") != "no" {
		t.Errorf("got headers %v", res.Header)
	}
	events := rpc.NewEvents(res.Body)
	progress, err := events.Next()
	want := `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":9007199254740993,"message":"Waiting for the approval appr_1.","progress":0,"total":60}}`
	if err != nil || string(progress) != want {
		t.Errorf("got %s, %v", progress, err)
	}
	p.decide(signalbox.ApprovalApproved)
	answer, err := events.Next()
	want = `{"jsonrpc":"2.0","id":"a","result":{"resultType":"complete","content":` + "[\n    {\"type\": \"text\", \"text\": \"done\"}\n  ]}}"
	if err != nil || string(answer) != want {
		t.Errorf("got %s, %v", answer, err)
	}
	if rest, err := events.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("got %s, %v after the answer", rest, err)
	}
}
