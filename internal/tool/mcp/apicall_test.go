package mcp

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// What is known of a call that failed decides whether it is paid, and what the caller is told.
func TestCallsThatReachNoAPI(t *testing.T) {
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	slow := make(chan struct{})
	for _, c := range []struct {
		name      string
		arguments string
		change    func(*upstream.Config)
		code      signalbox.Code
		sent      bool
	}{
		{"nobody there", `{"petId":"7"}`, func(s *upstream.Config) { s.URL = "http://" + dead.Addr().String() }, signalbox.CodeUpstream, false},
		{"too slow", `{"petId":"7"}`, func(s *upstream.Config) { s.CallTimeout = 50 * time.Millisecond }, signalbox.CodeTimeout, true},
		{"bad arguments", `{"petId":7}`, func(*upstream.Config) {}, signalbox.CodeInvalid, false},
		{"step up", `{"petId":".."}`, func(*upstream.Config) {}, signalbox.CodeInvalid, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, s := anAPI(t, func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-slow:
				case <-r.Context().Done():
				}
			}, c.change)
			track := &call.Track{Call: &signalbox.Call{Tool: &signalbox.ToolRequest{Server: "pets", Name: "getPet", Arguments: []byte(c.arguments)}}}
			_, candidates, err := s.Resolve(context.Background(), track)
			if err != nil {
				t.Fatalf("the tools of an API that is down are not known: %v", err)
			}
			if refused := candidates[0].Refusal != nil; refused != (c.code == signalbox.CodeInvalid) {
				t.Errorf("the arguments are refused: %v", candidates[0].Refusal)
			}
			_, err = s.Open(context.Background(), track, candidates[0], signalbox.Span{})
			upstreamtest.WantCode(t, err, c.code)
			var attempt *call.AttemptError
			if a, ok := err.(*call.AttemptError); ok { //nolint:errorlint // It is what Open promises.
				attempt = a
			}
			if attempt == nil || attempt.Sent != c.sent {
				t.Errorf("got %+v, want sent %v", attempt, c.sent)
			}
		})
	}
	close(slow)
}

// A connection that is closed on a request tells nothing about it: HTTP clients repeat reads then, ours does not.
func TestNoRequestIsRepeated(t *testing.T) {
	for _, tool := range []string{"getPet", "deletePet", "touchPet", "putPet"} {
		t.Run(tool, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			asked := make(chan string, 10)
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					wg.Go(func() { answerFirst(c, asked) })
				}
			})
			t.Cleanup(func() { l.Close(); wg.Wait() })
			_, s := anAPI(t, rex, func(s *upstream.Config) {
				s.URL = "http://" + l.Addr().String()
				s.Headers = map[string]string{"Idempotency-Key": "k-1", "X-Idempotency-Key": "k-2"} // By which HTTP clients repeat any request.
			})
			url, _ := gateway(t, s, nil)
			body := callBody(tool, `{"petId":"7"}`)
			if tool == "putPet" {
				body = callBody(tool, `{"petId":"7","body":{}}`)
			}
			if _, first := send(t, url+"pets", body); !strings.Contains(string(first), "Rex") {
				t.Fatalf("got %s", first)
			}
			if _, second := send(t, url+"pets", body); !strings.Contains(string(second), `"code":"upstream"`) {
				t.Errorf("got %s", second)
			}
			s.Close()
			if n := len(asked); n != 2 {
				t.Errorf("the API was asked %d times for 2 calls", n)
			}
		})
	}
}

// answerFirst answers the first request on a connection and closes it on the second one.
func answerFirst(c net.Conn, asked chan<- string) {
	defer c.Close()
	r := bufio.NewReader(c)
	for n := 0; ; n++ {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		io.Copy(io.Discard, req.Body)
		if req.Header.Get("Idempotency-Key") != "k-1" || req.Header.Get("X-Idempotency-Key") != "k-2" {
			return
		}
		asked <- req.Method
		if n > 0 {
			return
		}
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nRex")
	}
}

// What a message must be does not depend on what stands behind the server: nothing of these reaches the API.
func TestBadMessagesForAnAPI(t *testing.T) {
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	read := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"getPet","arguments":{"petId":"7"},` + meta + `}}`
	modern := func(method, name string) []string {
		return []string{"MCP-Protocol-Version", "2026-07-28", "Mcp-Method", method, "Mcp-Name", name}
	}
	api, s := anAPI(t, rex)
	url, _ := gateway(t, s, nil)
	for name, c := range map[string]struct {
		body, want string
		headers    []string
	}{
		"another name":   {read, "-32020", modern("tools/call", "deletePet")},
		"another method": {read, "-32020", modern("tools/list", "getPet")},
		"no method":      {`{"jsonrpc":"2.0","id":1,"method":"pets/feed","params":{` + meta + `}}`, "-32601", modern("pets/feed", "")},
		"resources":      {strings.Replace(callBody("x", "{}"), "tools/call", "resources/feed", 1), "-32601", nil},
		"no tool":        {callBody("GetPet", `{"petId":"7"}`), `"code":"not_found"`, nil},
		"twice":          {callBody("getPet", `{"petId":"7","petId":"8"}`), `"code":"invalid"`, nil},
		"deep":           {callBody("putPet", `{"petId":"7","body":{"x":`+strings.Repeat("[", 2000)+strings.Repeat("]", 2000)+`}}`), `"code":`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if _, body := send(t, url+"pets", c.body, c.headers...); !strings.Contains(string(body), c.want) {
				t.Errorf("got %s, want %s", body, c.want)
			}
		})
	}
	if n := len(api.requests()); n != 0 {
		t.Errorf("the API was asked %d times", n)
	}
}
