package mcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
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

// versions are those that clients in the field speak.
var versions = []string{"2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"}

func TestClientsOfEveryVersionReachServersOfEveryKind(t *testing.T) {
	s := newServers(t,
		upstream.Config{ID: "modern", URL: upstreamtest.OverHTTP(t, true), Price: &signalbox.Price{Rates: signalbox.Rates{PerCall: 2_000_000}}},
		upstream.Config{ID: "legacy", URL: upstreamtest.OverHTTP(t, false)},
		child("child", "server"),
	)
	url, _ := gateway(t, s, nil)
	for _, id := range s.IDs() {
		for _, version := range versions {
			t.Run(id+" "+version, func(t *testing.T) {
				session := connect(t, url+id, version)
				list, err := session.ListTools(t.Context(), nil)
				if err != nil || len(list.Tools) != 8 {
					t.Fatalf("got %+v, %v; want 8 tools", list, err)
				}
				if list.CacheScope != "private" {
					t.Errorf("got cache scope %q", list.CacheScope)
				}
				res, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "echo", Arguments: map[string]any{"n": 1}})
				if err != nil || res.IsError || text(res) != `{"n":1}` {
					t.Fatalf("got %+v, %v", res, err)
				}
			})
		}
	}
}

func text(r *sdk.CallToolResult) string {
	if r == nil || len(r.Content) == 0 {
		return ""
	}
	c, ok := r.Content[0].(*sdk.TextContent)
	if !ok {
		return ""
	}
	return c.Text
}

func TestCallsAreRecorded(t *testing.T) {
	s := newServers(t, upstream.Config{
		ID: "files", URL: upstreamtest.OverHTTP(t, true), Price: &signalbox.Price{Rates: signalbox.Rates{PerCall: 2_000_000}, Source: "config"},
	})
	url, log := gateway(t, s, nil)
	session := connect(t, url+"files", "2025-06-18")
	cases := []struct {
		tool     string
		outcome  signalbox.Outcome
		finish   string
		wantErr  string
		attempts int
	}{
		{"echo", signalbox.OutcomeOK, "complete", "", 1},
		{"fail", signalbox.OutcomeOK, upstream.FinishToolError, "", 1},
		{"refuse", signalbox.OutcomeFailed, "", "not today", 1},
		{"nothing", signalbox.OutcomeDenied, "", "has no tool", 0},
	}
	for _, c := range cases {
		t.Run(c.tool, func(t *testing.T) {
			before := len(log.all())
			res, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: c.tool})
			if (err == nil) != (c.wantErr == "") || (err != nil && !strings.Contains(err.Error(), c.wantErr)) {
				t.Fatalf("got %v, want %q", err, c.wantErr)
			}
			if c.finish == upstream.FinishToolError && (!res.IsError || text(res) != "the disk is full") {
				t.Errorf("the tool's own error was lost: %+v", res)
			}
			records := log.all()[before:]
			if len(records) != c.attempts+1 {
				t.Fatalf("got %d records, want %d", len(records), c.attempts+1)
			}
			last := records[len(records)-1]
			if last.Outcome != c.outcome || last.What.ToolName != "files."+c.tool {
				t.Errorf("got outcome %q of %q", last.Outcome, last.What.ToolName)
			}
			if c.attempts == 0 {
				return
			}
			if a := last.Attempts[0]; a.Finish != c.finish || a.Provider != "files" {
				t.Errorf("got attempt %+v", a)
			}
			if c.outcome == signalbox.OutcomeOK && (last.What.Cost == nil || last.What.Cost.String() != "0.002") {
				t.Errorf("got cost %v, want 0.002", last.What.Cost)
			}
		})
	}
}

func TestRefusalsAreJSONRPCErrors(t *testing.T) {
	s := newServers(t, upstream.Config{ID: "files", URL: upstreamtest.OverHTTP(t, true)})
	limited := func(call.Handler) call.Handler {
		return call.HandlerFunc(func(context.Context, *call.Track) (call.Answer, error) {
			return nil, signalbox.Errorf(signalbox.CodeRateLimited, "Too many.").WithRemedy("Wait.").WithRetryAfter(3 * time.Second)
		})
	}
	url, _ := gateway(t, s, limited)
	_, err := connect(t, url+"files", "").CallTool(t.Context(), &sdk.CallToolParams{Name: "echo"})
	var rpc *jsonrpc.Error
	if !errors.As(err, &rpc) || rpc.Code != -31429 || rpc.Message != "Too many. Wait." {
		t.Fatalf("got %v", err)
	}
	var data struct {
		Code      string `json:"code"`
		Message   string `json:"message"`
		Remedy    string `json:"remedy"`
		RequestID string `json:"request_id"`
		Call      string `json:"call"`
		Retry     int64  `json:"retry_after_ms"`
	}
	if err := json.Unmarshal(rpc.Data, &data); err != nil {
		t.Fatal(err)
	}
	if data.Code != "rate_limited" || data.RequestID != "req_test" || data.Retry != 3000 || data.Remedy != "Wait." || data.Call == "" {
		t.Errorf("got %+v", data)
	}
}

func TestAPanicInAStationIsAnErrorOfTheCall(t *testing.T) {
	s := newServers(t, upstream.Config{ID: "files", URL: upstreamtest.OverHTTP(t, true)})
	url, _ := gateway(t, s, func(call.Handler) call.Handler {
		return call.HandlerFunc(func(context.Context, *call.Track) (call.Answer, error) { panic("a bug") })
	})
	_, err := connect(t, url+"files", "").CallTool(t.Context(), &sdk.CallToolParams{Name: "echo"})
	var answered *jsonrpc.Error
	if !errors.As(err, &answered) || answered.Code != rpc.CodeInternal || strings.Contains(answered.Message, "bug") {
		t.Errorf("got %v", err)
	}
}

func TestAnUnreachableServerListsAnError(t *testing.T) {
	s := newServers(t, child("files", "dies at once"))
	url, log := gateway(t, s, nil)
	session := connect(t, url+"files", "") // The handshake is ours, and works.
	list, err := session.ListTools(t.Context(), nil)
	var rpc *jsonrpc.Error
	if !errors.As(err, &rpc) || rpc.Code != -31502 || !strings.Contains(string(rpc.Data), `"code":"upstream"`) {
		t.Errorf("got %+v, %v", list, err)
	}
	if _, err = session.CallTool(t.Context(), &sdk.CallToolParams{Name: "echo"}); !errors.As(err, &rpc) {
		t.Errorf("got %v", err)
	}
	if records := log.all(); len(records) != 1 || records[0].Error == nil || records[0].Error.Code != signalbox.CodeUpstream {
		t.Errorf("got %+v", records)
	}
}

func TestGetAndDeleteAreNotAllowed(t *testing.T) {
	// Clients of older versions ask for a stream of their own and take this for "there is none".
	s := newServers(t, upstream.Config{ID: "files", URL: upstreamtest.OverHTTP(t, true)})
	url, _ := gateway(t, s, nil)
	session := connect(t, url+"files", "2025-03-26")
	if err := session.Ping(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestTheTraceGoesOnThroughMeta(t *testing.T) {
	const trace, header = "0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c"
	s := newServers(t, upstream.Config{ID: "modern", URL: upstreamtest.OverHTTP(t, true)}, upstream.Config{ID: "legacy", URL: upstreamtest.OverHTTP(t, false)})
	url, log := gateway(t, s, nil)
	for _, id := range s.IDs() {
		for name, want := range map[string]string{"in the message": trace, "in the header": header} {
			t.Run(id+" "+name, func(t *testing.T) {
				meta := `{"com.example/own":"kept","progressToken":1}`
				if want == trace {
					meta = `{"com.example/own":"kept","traceparent":"00-` + trace + `-b7ad6b7169203331-01"}`
				}
				_, body := send(t, url+id, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"meta","_meta":`+meta+`}}`,
					"Traceparent", "00-"+header+"-b7ad6b7169203331-01", "X-Signalbox-Run", "run_1")
				records := log.all()
				last := records[len(records)-1]
				span := last.Attempts[0].SpanID
				if want := fmt.Sprintf("00-%s-%s-01 kept", want, span); !strings.Contains(string(body), want) {
					t.Errorf("got %s, want %s in it", body, want)
				}
				if last.When.TraceID != want || last.When.ParentSpanID != "b7ad6b7169203331" || last.Context.RunID != "run_1" {
					t.Errorf("got %+v", last.When)
				}
			})
		}
	}
}

// Baggage may name users and tenants: a server gets it only where that is configured.
func TestBaggageGoesWhereItIsConfigured(t *testing.T) {
	server := upstreamtest.OverHTTP(t, true)
	url, _ := gateway(t, newServers(t, upstream.Config{ID: "told", URL: server, Baggage: true}, upstream.Config{ID: "plain", URL: server}), nil)
	const trace = `"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"`
	for id, want := range map[string]bool{"told": true, "plain": false} {
		_, body := send(t, url+id, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"meta","_meta":{`+trace+`,"baggage":"customer=4711"}}}`)
		if got := strings.Contains(string(body), "customer=4711"); got != want {
			t.Errorf("%s: got %s", id, body)
		}
	}
}

func TestAClientThatGoesAwayCancelsItsCall(t *testing.T) {
	s := newServers(t, upstream.Config{ID: "modern", URL: upstreamtest.OverHTTP(t, true)}, child("child", "server"))
	url, log := gateway(t, s, nil)
	for _, id := range s.IDs() {
		t.Run(id, func(t *testing.T) {
			before := len(log.all())
			session := connect(t, url+id, "2025-06-18")
			if _, err := session.ListTools(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				for len(log.all()) == before { // Until the intent is written.
					time.Sleep(time.Millisecond)
				}
				cancel()
			}()
			if _, err := session.CallTool(ctx, &sdk.CallToolParams{Name: "sleep"}); err == nil {
				t.Fatal("the call came back")
			}
			for range 500 {
				if records := log.all()[before:]; len(records) == 2 {
					if got := records[1].Outcome; got != signalbox.OutcomeCancelled {
						t.Errorf("got outcome %q", got)
					}
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Error("no outcome was recorded")
		})
	}
}

func TestOnlyCallsNameACall(t *testing.T) {
	s := newServers(t, upstream.Config{ID: "files", URL: upstreamtest.OverHTTP(t, true)})
	url, _ := gateway(t, s, nil)
	for body, named := range map[string]bool{
		`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`:                              false,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}`:     true,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"no such"}}`:  true,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}}`:          true,
		`{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{"name":"x"}}`: true,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"files", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", testKey)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("X-Signalbox-Call") != ""; got != named || res.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: names a call: %v, want %v; headers %v", body, got, named, res.Header)
		}
	}
}
