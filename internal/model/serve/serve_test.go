package serve_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/openai"
	"github.com/signalbox/signalbox/internal/model/provider"
	"github.com/signalbox/signalbox/internal/model/serve"
	"github.com/signalbox/signalbox/internal/model/simulated"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// door lets everybody in who has any key.
type door struct{}

func (door) Begin(_ http.ResponseWriter, r *http.Request, kind signalbox.Kind, p signalbox.Protocol) (*signalbox.Call, error) {
	c := &signalbox.Call{
		ID: "call_1", RequestID: "req_1", Kind: kind, Protocol: p, Received: time.Now(), Span: signalbox.StartSpan("", "", ""),
	}
	if r.Header.Get("Authorization") == "" {
		return c, signalbox.Errorf(signalbox.CodeUnauthenticated, "There is no key.").WithRemedy("Send one.")
	}
	c.Caller = signalbox.Caller{Tenant: "acme"}
	c.Claims.Run = "run_7"
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return c, err
	}
	c.Body = body
	return c, nil
}

func (d door) Authenticate(w http.ResponseWriter, r *http.Request) (signalbox.Key, error) {
	_, err := d.Begin(w, r, signalbox.KindModel, signalbox.ProtocolOpenAIChat)
	return signalbox.Key{Tenant: "acme"}, err
}

// journal keeps no records.
type journal struct{}

func (journal) Begin(context.Context, *call.Track, *signalbox.Attempt) error { return nil }

// resolver always has the same candidates.
type resolver []signalbox.Candidate

func (r resolver) Resolve(context.Context, *call.Track) (string, []signalbox.Candidate, error) {
	return "", r, nil
}

// sanity refuses what the adapter found fault with, as the gate does.
func sanity(next call.Handler) call.Handler {
	return call.HandlerFunc(func(ctx context.Context, t *call.Track) (call.Answer, error) {
		if t.Call.Invalid != nil {
			return nil, t.Call.Invalid
		}
		return next.Serve(ctx, t)
	})
}

func chain(t *testing.T, c simulated.Config) call.Handler {
	t.Helper()
	c.Now = time.Now
	sim, err := simulated.New("sim", c, provider.Timeouts{})
	if err != nil {
		t.Fatal(err)
	}
	dollar := signalbox.Dollar
	return call.Stations{
		Gate: sanity,
		Resolve: call.Resolve(map[signalbox.Kind]call.Resolver{signalbox.KindModel: resolver{{
			Name: "sim-large", Provider: "sim", Format: signalbox.ProtocolOpenAIChat, Upstream: "sim-1", Simulated: true,
			Price: &signalbox.Price{Rates: signalbox.Rates{Input: dollar, Output: dollar}, Source: "config"},
		}}}),
		Attempt: &call.Attempter{Backends: map[signalbox.Kind]map[string]call.Backend{signalbox.KindModel: {"sim": sim}}, Journal: journal{}, Now: time.Now},
	}.Chain()
}

// ask posts a body and gives the answer with its body read.
func ask(t *testing.T, h call.Handler, body string) (*http.Response, string) {
	t.Helper()
	return askWith(t, &serve.Server{API: openai.API{}, Door: door{}, Handler: h, Now: time.Now}, body, "key")
}

func askWith(t *testing.T, s http.Handler, body, key string) (*http.Response, string) {
	t.Helper()
	server := httptest.NewServer(s)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", key)
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		got = append(got, "<cut: "+err.Error()+">"...)
	}
	return response, string(got)
}

const (
	question = `{"model":"auto","messages":[{"role":"user","content":"Why do trains need signals?"}]}`
	streamed = `{"model":"auto","stream":true,"messages":[{"role":"user","content":"Why do trains need signals?"}]}`
)

func TestUnary(t *testing.T) {
	response, body := ask(t, chain(t, simulated.Config{}), question)
	if response.StatusCode != 200 || !strings.Contains(body, `"content":"[simulated] On the question`) {
		t.Fatalf("status %d, body %s", response.StatusCode, body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "X-Request-Id": "req_1", "X-Signalbox-Call": "call_1", "X-Signalbox-Run": "run_7",
		"X-Signalbox-Model": "sim-large", "X-Signalbox-Simulated": "true", "Cache-Control": "no-store",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if cost, err := signalbox.ParseMoney(response.Header.Get("X-Signalbox-Cost-Usd")); err != nil || cost <= 0 {
		t.Errorf("cost = %v, %v", cost, err)
	}
	if got := response.Header.Get("X-Signalbox-Trace"); len(got) != 32 {
		t.Errorf("trace = %q", got)
	}
}

func TestStream(t *testing.T) {
	response, body := ask(t, chain(t, simulated.Config{}), streamed)
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("status %d, type %q", response.StatusCode, response.Header.Get("Content-Type"))
	}
	if !strings.HasSuffix(body, "data: [DONE]\n\n") || strings.Contains(body, `"usage":{`) {
		t.Errorf("the stream has no end, or usage that was not asked for: %s", body)
	}
	if got := response.Header.Get("X-Signalbox-Simulated"); got != "true" {
		t.Errorf("simulated = %q", got)
	}
	if cost, err := signalbox.ParseMoney(response.Trailer.Get("X-Signalbox-Cost-Usd")); err != nil || cost <= 0 {
		t.Errorf("cost in the trailer = %v, %v", cost, err)
	}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		name, body, key string
		status          int
		code            string
		headers         map[string]string
	}{
		{"no key", question, "", 401, "unauthenticated", map[string]string{"X-Should-Retry": "false", "X-Signalbox-Call": ""}},
		{"no JSON", "{", "k", 400, "invalid", map[string]string{"X-Should-Retry": "false", "X-Signalbox-Call": "call_1"}},
		{
			"an upstream without room", script("fail=rate_limited"), "k", 429, "rate_limited",
			map[string]string{"X-Should-Retry": "", "Retry-After": "1", "X-Signalbox-Model": "sim-large"},
		},
		{"an overloaded upstream", script("fail=overloaded"), "k", 503, "unavailable", map[string]string{"Retry-After": "1"}},
		{"a connection that breaks", script("fail=reset"), "k", 502, "upstream", map[string]string{"Retry-After": ""}},
		{"half an answer", script("fail=truncated"), "k", 502, "upstream", map[string]string{"X-Signalbox-Simulated": "true"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &serve.Server{API: openai.API{}, Door: door{}, Handler: chain(t, simulated.Config{}), Now: time.Now}
			response, body := askWith(t, s, test.body, test.key)
			if response.StatusCode != test.status || !strings.Contains(body, `"code":"`+test.code+`"`) ||
				!strings.Contains(body, `"request_id":"req_1"`) {
				t.Errorf("status %d, body %s", response.StatusCode, body)
			}
			for name, want := range test.headers {
				if got := response.Header.Get(name); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
		})
	}
}

func script(words string) string {
	return `{"model":"auto","messages":[{"role":"user","content":"simulate: ` + words + `"}]}`
}

// parts is an answer out of a list; an error ends it, and a nil part waits for the context.
type parts struct {
	list   []any
	closed chan struct{}
}

func (p *parts) Head() call.Head { return call.Head{ContentType: "text/event-stream"} }

func (p *parts) Next(ctx context.Context) (call.Part, error) {
	if len(p.list) == 0 {
		return call.Part{}, io.EOF
	}
	next := p.list[0]
	p.list = p.list[1:]
	switch v := next.(type) {
	case error:
		return call.Part{}, v
	case string:
		return call.Part{Data: []byte(v)}, nil
	case time.Duration:
		time.Sleep(v)
		return p.Next(ctx)
	case nil:
		<-ctx.Done()
		return call.Part{}, ctx.Err()
	}
	return next.(call.Part), nil
}

func (p *parts) Close() error {
	if p.closed != nil {
		close(p.closed)
		p.closed = nil
	}
	return nil
}

func answering(p *parts) call.Handler {
	return call.HandlerFunc(func(context.Context, *call.Track) (call.Answer, error) { return p, nil })
}

func TestBrokenStreamNeverLooksWhole(t *testing.T) {
	broken := signalbox.Errorf(signalbox.CodeUpstream, "It broke.")
	response, body := ask(t, answering(&parts{list: []any{"data: 1\n\n", broken}}), streamed)
	if response.StatusCode != 200 || !strings.HasPrefix(body, "data: 1\n\ndata: {\"error\":{\"message\":\"It broke.\"") {
		t.Errorf("status %d, body %s", response.StatusCode, body)
	}
	if !strings.HasSuffix(body, "<cut: unexpected EOF>") {
		t.Errorf("the HTTP message came to a proper end: %s", body)
	}
}

func TestStreamThatFailsAtOnceIsAnOrdinaryError(t *testing.T) {
	response, body := ask(t, answering(&parts{list: []any{signalbox.Errorf(signalbox.CodeUnavailable, "No.")}}), streamed)
	if response.StatusCode != 503 || response.Header.Get("Content-Type") != "application/json" {
		t.Errorf("status %d, body %s", response.StatusCode, body)
	}
}

func TestUnaryOfSeveralPartsIsAFault(t *testing.T) {
	response, body := ask(t, answering(&parts{list: []any{"{"}}), question)
	if response.StatusCode != 500 || !strings.Contains(body, `"internal"`) {
		t.Errorf("status %d, body %s", response.StatusCode, body)
	}
}

func TestCallerWhoLeavesClosesTheAnswer(t *testing.T) {
	p := &parts{list: []any{"data: 1\n\n", nil}, closed: make(chan struct{})}
	closed := p.closed
	server := httptest.NewServer(&serve.Server{API: openai.API{}, Door: door{}, Handler: answering(p), Now: time.Now})
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, strings.NewReader(streamed))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "key")
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if line, err := bufio.NewReader(response.Body).ReadString('\n'); err != nil || line != "data: 1\n" {
		t.Fatalf("first line %q, %v", line, err)
	}
	cancel()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the answer was not closed")
	}
}

func TestForwardedHeaders(t *testing.T) {
	h := http.Header{"Anthropic-Beta": {"a", "b"}, "Authorization": {"secret"}}
	got := serve.Headers(h, []string{"anthropic-version", "anthropic-beta"})
	if len(got) != 1 || got["anthropic-beta"] != "a,b" {
		t.Errorf("got %v", got)
	}
	if got := serve.Headers(http.Header{}, []string{"anthropic-beta"}); got != nil {
		t.Errorf("got %v, want nothing", got)
	}
}

type catalogue struct{}

func (catalogue) Models(tenant string) []serve.Model {
	if tenant != "acme" {
		return nil
	}
	return []serve.Model{{ID: "big", Owner: "sim"}, {ID: "small", Owner: "sim"}}
}

func TestModels(t *testing.T) {
	tests := []struct {
		id, key string
		status  int
		want    string
	}{
		{"", "k", 200, `{"object":"list","data":[{"id":"big","object":"model","created":86400,"owned_by":"sim"},` +
			`{"id":"small","object":"model","created":86400,"owned_by":"sim"}]}`},
		{"small", "k", 200, `{"id":"small","object":"model","created":86400,"owned_by":"sim"}`},
		{"other", "k", 404, `"code":"not_found"`},
		{"", "", 401, `"code":"unauthenticated"`},
	}
	m := &serve.Models{API: openai.API{}, Door: door{}, Catalogue: catalogue{}, Since: time.Unix(86400, 0), Now: time.Now}
	for _, test := range tests {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/models", nil)
		r.SetPathValue("id", test.id)
		if test.key != "" {
			r.Header.Set("Authorization", test.key)
		}
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) {
			t.Errorf("model %q: %d %s", test.id, w.Code, w.Body)
		}
		if w.Header().Get("X-Request-Id") == "" {
			t.Error("no request id")
		}
	}
}

func TestModelsThatThePolicyShows(t *testing.T) {
	visible := func(caller signalbox.Caller, model string) (bool, string) {
		return caller.Tenant == "acme" && caller.Agent == "writer" && model == "small", "agents[0].permissions.models"
	}
	tests := []struct {
		name, id, agent string
		status          int
		want            string
	}{
		{"some", "", "writer", 200, `{"object":"list","data":[{"id":"small","object":"model","created":86400,"owned_by":"sim"}]}`},
		{"none", "", "reader", 200, `{"object":"list","data":[],"signalbox_policy":"The policy shows no model to this caller: agents[0].permissions.models"}`},
		{"none for nobody", "", "", 200, `"data":[],"signalbox_policy"`},
		{"none for a name that is none", "", "a b", 200, `"data":[],"signalbox_policy"`},
		{"one", "small", "writer", 200, `{"id":"small"`},
		{"one that is hidden", "big", "writer", 403, "agents[0].permissions.models"},
		{"one that is not there", "other", "writer", 404, `"code":"not_found"`},
	}
	m := &serve.Models{
		API: openai.API{}, Door: door{}, Catalogue: catalogue{}, Since: time.Unix(86400, 0), Now: time.Now, Visible: visible,
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/models", nil)
			r.SetPathValue("id", test.id)
			r.Header.Set("Authorization", "k")
			r.Header.Set(serve.HeaderAgent, test.agent)
			w := httptest.NewRecorder()
			m.ServeHTTP(w, r)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
		})
	}
}

// boundDoor has one key, which is bound to an agent.
type boundDoor struct{ door }

func (boundDoor) Authenticate(http.ResponseWriter, *http.Request) (signalbox.Key, error) {
	return signalbox.Key{ID: "k", Tenant: "acme", Team: "cs", Agent: "reader", User: "ann", Role: signalbox.RoleAgent}, nil
}

func TestAListIsForTheAgentThatTheKeyIsBoundTo(t *testing.T) {
	var got signalbox.Caller
	m := &serve.Models{
		API: openai.API{}, Door: boundDoor{}, Catalogue: catalogue{}, Since: time.Unix(0, 0), Now: time.Now,
		Visible: func(caller signalbox.Caller, _ string) (bool, string) { got = caller; return true, "" },
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/models", nil)
	r.Header.Set(serve.HeaderAgent, "writer")
	m.ServeHTTP(httptest.NewRecorder(), r)
	want := signalbox.Caller{Tenant: "acme", Team: "cs", Key: "k", Role: signalbox.RoleAgent, Agent: "reader", User: "ann"}
	if got != want {
		t.Errorf("got %+v", got)
	}
}

func TestPlainErrorIsInternal(t *testing.T) {
	_, body := ask(t, call.HandlerFunc(func(context.Context, *call.Track) (call.Answer, error) {
		return nil, errors.New("the password is hunter2")
	}), question)
	if strings.Contains(body, "hunter2") || !strings.Contains(body, `"internal"`) {
		t.Errorf("body %s", body)
	}
}

func TestACallThatWaitsForApprovalSaysWhere(t *testing.T) {
	for _, stream := range []string{"false", "true"} {
		t.Run("stream "+stream, func(t *testing.T) {
			waits := call.HandlerFunc(func(context.Context, *call.Track) (call.Answer, error) {
				return nil, &signalbox.Error{Code: signalbox.CodeApprovalRequired, Message: "A person must approve this.", Approval: "appr_7"}
			})
			r, body := ask(t, waits, `{"model":"sim-large","stream":`+stream+`,"messages":[{"role":"user","content":"x"}]}`)
			if r.StatusCode != http.StatusConflict || r.Header.Get(serve.HeaderApproval) != "appr_7" {
				t.Errorf("got status %d, headers %v", r.StatusCode, r.Header)
			}
			if r.Header.Get(serve.HeaderShouldRetry) != "false" || r.Header.Get(serve.HeaderRetryAfter) != "" {
				t.Errorf("an SDK would repeat it: %v", r.Header)
			}
			if !strings.Contains(body, `"approval":{"id":"appr_7","url":"/api/v1/approvals/appr_7"}`) {
				t.Errorf("got %s", body)
			}
		})
	}
}
