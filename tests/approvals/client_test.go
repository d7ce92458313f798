package approvals

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox/tests/biller"
	"github.com/signalbox/signalbox/tests/harness"
)

// bearer adds a key to what the client of MCP sends.
type bearer struct{ key string }

// RoundTrip sends a request with the key.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.key)
	return http.DefaultTransport.RoundTrip(r)
}

// client is the official SDK's, which notes what approval its calls wait for.
type client struct {
	session *mcp.ClientSession

	mu   sync.Mutex
	asks map[string]chan string // By progress token: the id, once.
}

var approvalID = regexp.MustCompile(`appr_[0-9A-Za-z_-]+`)

// connect connects the SDK's client to a process.
func connect(t testing.TB, i *harness.Instance) *client {
	t.Helper()
	c := &client{asks: map[string]chan string{}}
	sdk := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, &mcp.ClientOptions{ProgressNotificationHandler: c.progress})
	session, err := sdk.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint: i.URL + "/mcp/desk", HTTPClient: &http.Client{Transport: bearer{harness.Agent}}, DisableStandaloneSSE: true, MaxRetries: -1,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() }) // The process may be gone.
	c.session = session
	return c
}

// progress hands the id in a message to whoever waits for it.
func (c *client) progress(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
	token, _ := r.Params.ProgressToken.(string) // Ours are text.
	c.mu.Lock()
	defer c.mu.Unlock()
	ask := c.asks[token]
	if id := approvalID.FindString(r.Params.Message); ask != nil && id != "" {
		select {
		case ask <- id:
		default:
		}
	}
}

// waiting is a call that waits for people.
type waiting struct {
	id   string // Of its approval.
	done chan struct{}

	answer *mcp.CallToolResult
	err    error
	at     time.Time // When the answer came.
}

// call makes a call that must come to wait for people.
func (c *client) call(t testing.TB, mark string) *waiting {
	t.Helper()
	asked := make(chan string, 1)
	c.mu.Lock()
	c.asks[mark] = asked
	c.mu.Unlock()
	w := &waiting{done: make(chan struct{})}
	ctx := t.Context()
	go func() {
		defer close(w.done)
		w.answer, w.err = c.session.CallTool(ctx, &mcp.CallToolParams{
			Meta: mcp.Meta{"progressToken": mark}, Name: "work", Arguments: biller.Work{Mark: mark},
		})
		w.at = time.Now()
	}()
	select {
	case w.id = <-asked:
	case <-w.done:
		t.Fatalf("%s was answered before it waited: %+v, %v", mark, w.answer, w.err)
	case <-time.After(harness.Patience):
		t.Fatalf("%s does not say that it waits", mark)
	}
	return w
}

// wait gives the answer, which must come within a time that is long for a busy machine.
func (w *waiting) wait(t testing.TB) (string, error) {
	t.Helper()
	select {
	case <-w.done:
	case <-time.After(2 * harness.Patience):
		t.Fatalf("the call that waited for %s is not answered", w.id)
	}
	return text(w.answer), w.err
}

// run is a call that needs no waiting.
func (c *client) run(t testing.TB, mark string) (string, error) {
	t.Helper()
	r, err := c.session.CallTool(t.Context(), &mcp.CallToolParams{Name: "work", Arguments: biller.Work{Mark: mark}})
	return text(r), err
}

func text(r *mcp.CallToolResult) string {
	all := ""
	if r == nil {
		return all
	}
	for _, c := range r.Content {
		if t, ok := c.(*mcp.TextContent); ok {
			all += t.Text
		}
	}
	return all
}

// wantError wants an error of JSON-RPC with our code, whose data has all the texts.
func wantError(t testing.TB, err error, code string, texts ...string) {
	t.Helper()
	var e *jsonrpc.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an error with code %s", err, code)
	}
	for _, text := range append(texts, `"`+code+`"`) {
		if !strings.Contains(string(e.Data)+e.Message, text) {
			t.Errorf("the error does not say %s: %s %s", text, e.Message, e.Data)
		}
	}
}
