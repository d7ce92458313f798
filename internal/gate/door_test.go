package gate

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// seen is what a Door made of one request.
type seen struct {
	call *signalbox.Call
	err  error
}

// doorServer serves a real port; every request's result goes to the channel.
func doorServer(t *testing.T, change func(*DoorOptions)) (*httptest.Server, chan seen, *Refusals) {
	t.Helper()
	k := ring(t, staticKey(t, signalbox.Key{ID: "main", Agent: "writer", Team: "cs"}, staticSecret))
	refusals := StartRefusals(&memoryLog{}, time.Now, slog.New(slog.DiscardHandler))
	o := DoorOptions{Keys: k, Refusals: refusals, Now: at(noon), MaxBody: 1024, BodyTimeout: 10 * time.Second}
	if change != nil {
		change(&o)
	}
	door, results := NewDoor(o), make(chan seen, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := door.Begin(w, r, signalbox.KindModel, signalbox.ProtocolOpenAIChat)
		results <- seen{c, err}
		w.WriteHeader(signalbox.CodeOf(err).Status())
	}))
	t.Cleanup(func() {
		srv.Close()
		if err := refusals.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv, results, refusals
}

func request(t *testing.T, url, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Content-Type" {
			r.Header.Del(name)
		}
		r.Header[http.CanonicalHeaderKey(name)] = append(r.Header[http.CanonicalHeaderKey(name)], value)
	}
	return r
}

func send(t *testing.T, r *http.Request) *http.Response {
	t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	return res
}

const bearer = "Authorization: Bearer " + staticSecret

func TestDoorTakesGoodRequests(t *testing.T) {
	srv, results, refusals := doorServer(t, nil)
	cases := []struct {
		name    string
		headers []string
	}{
		{"bearer", []string{bearer}},
		{"bearer in lower case", []string{"Authorization: bearer " + staticSecret}},
		{"x-api-key", []string{"x-api-key: " + staticSecret}},
		{"both alike", []string{bearer, "x-api-key: " + staticSecret}},
		{"content type with charset", []string{bearer, "Content-Type: Application/JSON; Charset=\"UTF-8\""}},
		{"identity encoding", []string{bearer, "Content-Encoding: identity"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			send(t, request(t, srv.URL, `{"a":1}`, c.headers...))
			got := <-results
			if got.err != nil || got.call.Invalid != nil {
				t.Fatalf("got %v, %v", got.err, got.call.Invalid)
			}
			want := signalbox.Caller{Tenant: "acme", Team: "cs", Key: "main", Role: signalbox.RoleAgent, Agent: "writer"}
			if got.call.Caller != want || string(got.call.Body) != `{"a":1}` || got.call.Source != "127.0.0.1" {
				t.Errorf("got %+v", got.call)
			}
		})
	}
	if refusals.Total() != 0 {
		t.Errorf("%d refusals", refusals.Total())
	}
}

func TestDoorRefusesWithoutAKeyAndCountsIt(t *testing.T) {
	srv, results, refusals := doorServer(t, nil)
	cases := []struct {
		name, message string
		code          signalbox.Code
		headers       []string
	}{
		{"no key", "no API key", "unauthenticated", nil},
		{"unknown key", "not known", "unauthenticated", []string{"x-api-key: sb_unknown"}},
		{"empty bearer", "no bearer token", "unauthenticated", []string{"Authorization: Bearer "}},
		{"another scheme", "no bearer token", "unauthenticated", []string{"Authorization: Basic " + staticSecret}},
		{"two that differ", "different keys", "invalid", []string{bearer, "x-api-key: sb_other"}},
		{"two bearers", "more than once", "invalid", []string{bearer, bearer}},
		{"two x-api-keys", "more than once", "invalid", []string{"x-api-key: a", "x-api-key: b"}},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			res := send(t, request(t, srv.URL, `{}`, c.headers...))
			got := <-results
			if e := wantCode(t, got.err, c.code); !strings.Contains(e.Message, c.message) {
				t.Errorf("got %q, want %q in it", e.Message, c.message)
			}
			if got.call.Caller.Key != "" || got.call.Body != nil || got.call.RequestID == "" {
				t.Errorf("got %+v", got.call)
			}
			if !res.Close {
				t.Error("the connection stays open for the rest of the body")
			}
			if n := refusals.Total(); n != int64(i+1) {
				t.Errorf("%d refusals counted, want %d", n, i+1)
			}
		})
	}
}

func TestDoorMarksBadRequestsOfAKnownCaller(t *testing.T) {
	srv, results, refusals := doorServer(t, nil)
	many := []string{bearer}
	for i := range MaxHeaders {
		many = append(many, fmt.Sprintf("X-Filler-%d: x", i))
	}
	cases := []struct {
		name, field string
		code        signalbox.Code
		body        string
		headers     []string
	}{
		{"no content type", "Content-Type", "unsupported", "{}", []string{bearer, "Content-Type: "}},
		{"form", "Content-Type", "unsupported", "{}", []string{bearer, "Content-Type: application/x-www-form-urlencoded"}},
		{"other charset", "Content-Type", "unsupported", "{}", []string{bearer, "Content-Type: application/json; charset=euc-kr"}},
		{"other parameter", "Content-Type", "unsupported", "{}", []string{bearer, "Content-Type: application/json; v=1"}},
		{"bad content type", "Content-Type", "unsupported", "{}", []string{bearer, "Content-Type: ;;"}},
		{"two content types", "Content-Type", "invalid", "{}", []string{bearer, "Content-Type: a/b", "content-type: c/d"}},
		{"gzip", "Content-Encoding", "unsupported", "{}", []string{bearer, "Content-Encoding: gzip"}},
		{"gzip behind identity", "Content-Encoding", "invalid", "{}", []string{bearer, "Content-Encoding: identity", "Content-Encoding: gzip"}},
		{"too large", "body", "too_large", strings.Repeat("x", 1025), []string{bearer}},
		{"too many headers", "", "too_large", "{}", many},
		{"bad run", HeaderRun, "invalid", "{}", []string{bearer, HeaderRun + ": a b"}},
		{"endless agent", HeaderAgent, "invalid", "{}", []string{bearer, HeaderAgent + ": " + strings.Repeat("a", 129)}},
		{"two agents", HeaderAgent, "invalid", "{}", []string{bearer, HeaderAgent + ": a", HeaderAgent + ": b"}},
		{"bad parent", HeaderParentAgent, "invalid", "{}", []string{bearer, HeaderParentAgent + ": a;b"}},
		{"bad user", HeaderUser, "invalid", "{}", []string{bearer, HeaderUser + ": 김"}},
		{"bad step kind", HeaderStepKind, "invalid", "{}", []string{bearer, HeaderStepKind + ": a b"}},
		{"bad subject", HeaderSubject, "invalid", "{}", []string{bearer, HeaderSubject + ": a b"}},
		{"negative step", HeaderStep, "invalid", "{}", []string{bearer, HeaderStep + ": -1"}},
		{"step of words", HeaderStep, "invalid", "{}", []string{bearer, HeaderStep + ": first"}},
		{"step out of range", HeaderStep, "invalid", "{}", []string{bearer, HeaderStep + ": 2147483648"}},
		{"two steps", HeaderStep, "invalid", "{}", []string{bearer, HeaderStep + ": 1", HeaderStep + ": 2"}},
		{"endless purpose", HeaderPurpose, "invalid", "{}", []string{bearer, HeaderPurpose + ": " + strings.Repeat("x", 257)}},
		{"purpose in latin-1", HeaderPurpose, "invalid", "{}", []string{bearer, HeaderPurpose + ": caf\xe9"}},
		{"two purposes", HeaderPurpose, "invalid", "{}", []string{bearer, HeaderPurpose + ": a", HeaderPurpose + ": b"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			send(t, request(t, srv.URL, c.body, c.headers...))
			got := <-results
			if got.err != nil {
				t.Fatal(got.err)
			}
			if got.call.Invalid == nil {
				t.Fatal("the call is good")
			}
			if e := wantCode(t, got.call.Invalid, c.code); e.Field != c.field {
				t.Errorf("got field %q, want %q", e.Field, c.field)
			}
			if got.call.Caller.Key != "main" {
				t.Errorf("got %+v", got.call.Caller)
			}
		})
	}
	if refusals.Total() != 0 {
		t.Errorf("%d refusals without a key, want 0", refusals.Total())
	}
}

func TestDoorReadsClaimsIdsAndTrace(t *testing.T) {
	srv, results, _ := doorServer(t, nil)
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	begin := func(headers ...string) *signalbox.Call {
		send(t, request(t, srv.URL, `{}`, append(headers, bearer)...))
		got := <-results
		if got.err != nil || got.call.Invalid != nil {
			t.Fatalf("got %v, %v", got.err, got.call.Invalid)
		}
		return got.call
	}
	t.Run("claims", func(t *testing.T) {
		c := begin(HeaderRun+": run_1", HeaderAgent+": writer", HeaderParentAgent+": planner", HeaderUser+": kim@acme",
			HeaderStep+": 3", HeaderStepKind+": draft", HeaderSubject+": s1", HeaderPurpose+": 보고서 작성")
		step := int64(3)
		want := signalbox.Claims{
			Run: "run_1", Agent: "writer", ParentAgent: "planner", User: "kim@acme", Step: c.Claims.Step,
			StepKind: "draft", Subject: "s1", Purpose: "보고서 작성",
		}
		if c.Claims != want || c.Claims.Step == nil || *c.Claims.Step != step {
			t.Errorf("got %+v, want %+v", c.Claims, want)
		}
	})
	t.Run("request id", func(t *testing.T) {
		for header, keep := range map[string]bool{"abc-1": true, "a b": false, "": false, strings.Repeat("x", 129): false} {
			c := begin(HeaderRequestID + ": " + header)
			if kept := c.RequestID == header; kept != keep || !signalbox.ValidID(c.RequestID) {
				t.Errorf("%q became %q", header, c.RequestID)
			}
			if !strings.HasPrefix(c.ID, signalbox.CallPrefix) {
				t.Errorf("got call id %q", c.ID)
			}
		}
	})
	t.Run("trace", func(t *testing.T) {
		c := begin("traceparent: "+parent, "tracestate: a=1", "tracestate: b=2", "baggage: k=v")
		if c.Span.Parent != "b7ad6b7169203331" || c.Span.State != "a=1,b=2" || c.Span.Baggage != "k=v" {
			t.Errorf("got %+v", c.Span)
		}
	})
	for name, headers := range map[string][]string{
		"invalid trace": {"traceparent: 00-xyz", "tracestate: a=1"}, "two traces": {"traceparent: " + parent, "traceparent: " + parent},
	} {
		t.Run(name, func(t *testing.T) {
			c := begin(headers...)
			if c.Span.Parent != "" || c.Span.State != "" || len(c.Span.TraceID) != 32 || strings.Contains(parent, c.Span.TraceID) {
				t.Errorf("got %+v, want a new trace", c.Span)
			}
		})
	}
}

// raw sends bytes as they are, and gives the status line that comes back.
func raw(t *testing.T, srv *httptest.Server, text string, more func(net.Conn)) string {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if more != nil {
		more(conn)
	}
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return line
}

const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"

func TestDoorDoesNotWaitForTheBodyOfAStranger(t *testing.T) {
	srv, results, _ := doorServer(t, nil)
	line := raw(t, srv, head+"\r\n", nil) // The body never comes.
	if !strings.Contains(line, "401") {
		t.Errorf("got %q", line)
	}
	wantCode(t, (<-results).err, signalbox.CodeUnauthenticated)
}

func TestDoorEndsBrokenAndSlowBodies(t *testing.T) {
	cases := []struct {
		name, message string
		timeout       time.Duration
		more          func(net.Conn)
	}{
		{"broken off", "broke off after 4 bytes", time.Minute, func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() }},
		{"slow", "did not arrive within 50ms; 4 bytes came", 50 * time.Millisecond, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			srv, results, _ := doorServer(t, func(o *DoorOptions) { o.BodyTimeout = c.timeout })
			raw(t, srv, head+bearer+"\r\n\r\n{\"a\"", c.more)
			got := <-results
			if got.err != nil || got.call.Invalid == nil {
				t.Fatalf("got %+v", got)
			}
			if e := wantCode(t, got.call.Invalid, signalbox.CodeInvalid); !strings.Contains(e.Message, c.message) {
				t.Errorf("got %q, want %q in it", e.Message, c.message)
			}
		})
	}
}

func TestDoorBoundsABodyOfUnknownLength(t *testing.T) {
	srv, results, _ := doorServer(t, nil)
	r := request(t, srv.URL, "", bearer)
	r.Body = io.NopCloser(io.LimitReader(zeros{}, 1<<20))
	r.ContentLength = -1
	if res, err := http.DefaultClient.Do(r); err == nil { // The server may hang up before it has all.
		res.Body.Close()
	}
	got := <-results
	if got.call.Invalid == nil {
		t.Fatal("the call is good")
	}
	e := wantCode(t, got.call.Invalid, signalbox.CodeTooLarge)
	if !strings.Contains(e.Message, "1024 bytes") {
		t.Errorf("got %q, want the limit in it", e.Message)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestDoorKeepsTheConnectionAfterTheBodyTimeout(t *testing.T) {
	// The read deadline must not outlive the body: the server would cancel the call.
	k := ring(t, staticKey(t, signalbox.Key{ID: "main"}, staticSecret))
	refusals := StartRefusals(&memoryLog{}, time.Now, slog.New(slog.DiscardHandler))
	defer refusals.Close()
	door := NewDoor(DoorOptions{Keys: k, Refusals: refusals, Now: at(noon), BodyTimeout: 500 * time.Millisecond})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := door.Begin(w, r, signalbox.KindModel, ""); err != nil || c.Invalid != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		select {
		case <-r.Context().Done():
			w.WriteHeader(http.StatusTeapot)
		case <-time.After(700 * time.Millisecond):
		}
	}))
	defer srv.Close()
	if res := send(t, request(t, srv.URL, "{}", bearer)); res.StatusCode != http.StatusOK {
		t.Errorf("got status %d", res.StatusCode)
	}
}

func TestAuthenticate(t *testing.T) {
	k := ring(t, staticKey(t, signalbox.Key{ID: "main"}, staticSecret))
	refusals := StartRefusals(&memoryLog{}, time.Now, slog.New(slog.DiscardHandler))
	defer refusals.Close()
	people := friends{"eyJ.good.x": {ID: "person:corp:1", Role: signalbox.RoleApprover}}
	sessions := newStoredSessions(k, at(noon)).Sessions
	key, _ := k.Key("main")
	_, cookie, err := sessions.OpenKey(t.Context(), key, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	session := "Cookie: " + cookie.Name + "=" + cookie.Value
	cases := []struct {
		name, method string
		code         signalbox.Code
		headers      []string
	}{
		{"key", "POST", "", []string{bearer}},
		{"nothing", "GET", "unauthenticated", nil},
		{"cookie reads", "GET", "", []string{session}},
		{"cookie changes from our page", "POST", "", []string{session, "Sec-Fetch-Site: same-origin"}},
		{"cookie changes from another page", "POST", "forbidden", []string{session, "Sec-Fetch-Site: cross-site"}},
		{"cookie changes from another origin", "POST", "forbidden", []string{session, "Origin: https://evil.example"}},
		{"foreign cookie", "GET", "unauthenticated", []string{"Cookie: " + SessionCookie + "=x"}},
		{"a key wins over the cookie", "GET", "unauthenticated", []string{session, "x-api-key: sb_unknown"}},
		{"a token wins over the cookie", "GET", "unauthenticated", []string{session, "Authorization: Bearer eyJ.bad.x"}},
		{"token changes", "POST", "", []string{"Authorization: Bearer eyJ.good.x"}},
		{"token of a stranger", "GET", "unauthenticated", []string{"Authorization: Bearer eyJ.bad.x"}},
		{"token beside another key", "GET", "invalid", []string{"Authorization: Bearer eyJ.good.x", "x-api-key: sb_x"}},
		{"token as a key", "GET", "unauthenticated", []string{"x-api-key: eyJ.good.x"}},
	}
	for _, c := range cases {
		for _, withSessions := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, sessions %v", c.name, withSessions), func(t *testing.T) {
				o := DoorOptions{Keys: k, Refusals: refusals, People: people, Now: at(noon)}
				want, id := c.code, "main"
				if c.name == "token changes" {
					id = "person:corp:1"
				}
				if withSessions {
					o.Sessions = sessions
				} else if len(c.headers) > 0 && strings.HasPrefix(c.headers[0], "Cookie") {
					want = signalbox.CodeUnauthenticated
				}
				r := request(t, "http://signalbox.example/", "", c.headers...)
				r.Method, r.RemoteAddr = c.method, "192.0.2.1:5"
				got, err := NewDoor(o).Authenticate(httptest.NewRecorder(), r)
				wantCode(t, err, want)
				if err == nil && got.ID != id {
					t.Errorf("got key %q", got.ID)
				}
			})
		}
	}
}

// A token of an identity provider opens the control API and makes no calls, however good it is. A key that looks like a
// token is a key.
func TestTokensMakeNoCalls(t *testing.T) {
	const odd = "eyJ.looks-like-a-token.x"
	k := ring(t, staticKey(t, signalbox.Key{ID: "odd"}, odd))
	refusals := StartRefusals(&memoryLog{}, time.Now, slog.New(slog.DiscardHandler))
	defer refusals.Close()
	door := NewDoor(DoorOptions{
		Keys: k, Refusals: refusals, People: friends{"eyJ.good.x": {ID: "person:corp:1", Role: signalbox.RoleAdmin}}, Now: at(noon),
	})
	admit := func(token string) (*signalbox.Call, error) {
		r := request(t, "http://signalbox.example/v1/messages", "{}", "Authorization: Bearer "+token)
		r.RemoteAddr = "192.0.2.1:5"
		return door.Admit(httptest.NewRecorder(), r, signalbox.KindModel, signalbox.ProtocolAnthropic)
	}
	c, err := admit("eyJ.good.x")
	e := wantCode(t, err, signalbox.CodeUnauthenticated)
	if !strings.Contains(e.Message, "API key") || c.Caller.Key != "" || c.Caller.Tenant != "" {
		t.Errorf("got %v for %+v", e, c.Caller)
	}
	if refusals.Total() != 1 {
		t.Errorf("%d refusals are counted", refusals.Total())
	}
	if c, err := admit(odd); err != nil || c.Caller.Key != "odd" {
		t.Errorf("got %+v, %v", c.Caller, err)
	}
}

func TestSource(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "[2001:db8::1]:80": "2001:db8::1", "[::ffff:192.0.2.1]:80": "192.0.2.1",
		"[fe80::1%eth0]:80": "fe80::1", "pipe": "unknown", "": "unknown",
	} {
		t.Run(remote, func(t *testing.T) {
			if got := Source(remote); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
