package mcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

// heardFrom reads a stream until a message holds the text.
func heardFrom(t *testing.T, events *rpc.Events, want string) {
	t.Helper()
	for {
		data, err := events.Next()
		if err != nil {
			t.Fatalf("waiting for %s: %v", want, err)
		}
		if strings.Contains(string(data), want) {
			return
		}
	}
}

func TestChangesAreHeardOf(t *testing.T) {
	for _, stateless := range []bool{true, false} {
		t.Run(map[bool]string{true: "modern", false: "legacy"}[stateless], func(t *testing.T) {
			server := talker()
			s := newServers(t, upstream.Config{ID: "books", URL: serveTalker(t, server, stateless)})
			stop := make(chan struct{})
			url, _ := jointGateway(t, s, EndStreams(stop))
			body := `{"jsonrpc":"2.0","id":"s","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["book://one","book://none"]},` + askMeta + `}}`
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header = http.Header{
				"Authorization": {testKey}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
				rpc.HeaderVersion: {"2026-07-28"}, rpc.HeaderMethod: {rpc.MethodListen},
			}
			res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			events := rpc.NewEvents(res.Body)
			heardFrom(t, events, `"notifications":{"toolsListChanged":true,"resourceSubscriptions":["book://one"]},"_meta":{"io.modelcontextprotocol/subscriptionId":"s"}`)
			over := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				for n := 0; ; n++ { // Until the stream to the server is there.
					server.AddTool(&sdk.Tool{Name: fmt.Sprint("t", n), InputSchema: map[string]any{"type": "object"}}, nil)
					_ = server.ResourceUpdated(context.Background(), &sdk.ResourceUpdatedNotificationParams{URI: "book://one"})
					select {
					case <-over:
						return
					case <-time.After(50 * time.Millisecond):
					}
				}
			})
			heardFrom(t, events, rpc.MethodListChanged)
			heardFrom(t, events, `"uri":"book://one"`)
			close(over)
			wg.Wait()
			close(stop)
			heardFrom(t, events, `"id":"s","result":{"resultType":"complete"`)
			if rest, err := events.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("got %q, %v after the end", rest, err)
			}
		})
	}
}

// Who listens to all servers has us connect to those alone that concern him, and of which he wants to hear something.
func TestWhoListensReachesFewServers(t *testing.T) {
	all := func(signalbox.Caller, string, string, *signalbox.Annotations) (bool, string) { return true, "" }
	concerns := func(caller signalbox.Caller, server string) bool {
		return caller.Agent != "reader" || server == "books"
	}
	for name, c := range map[string]struct {
		path, agent, wants string
		want               map[string]bool // Whether we connect.
	}{
		"one of two concerns him":  {"", "reader", `"toolsListChanged":true`, map[string]bool{"books": true}},
		"both do":                  {"", "writer", `"toolsListChanged":true`, map[string]bool{"books": true, "all": true}},
		"he wants to hear nothing": {"", "writer", `"toolsListChanged":false`, map[string]bool{}},
		"he names one":             {"/all", "reader", `"toolsListChanged":true`, map[string]bool{"all": true}},
	} {
		t.Run(name, func(t *testing.T) {
			reached := make(chan string, 100)
			watched := func(id string) upstream.Config {
				next := upstreamtest.Forward(serveTalker(t, talker(), true))
				return upstream.Config{ID: id, URL: upstreamtest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					select {
					case reached <- id:
					default:
					}
					next.ServeHTTP(w, r)
				}))}
			}
			stop := make(chan struct{})
			s := newServers(t, watched("all"), watched("books"))
			url, _ := jointGateway(t, s, EndStreams(stop), FilterLists(narrowed, all, nil, nil), AskFew(concerns))
			body := `{"jsonrpc":"2.0","id":"s","method":"subscriptions/listen","params":{"notifications":{` + c.wants + `},` + askMeta + `}}`
			got, done := map[string]bool{}, make(chan struct{})
			go func() {
				defer close(done)
				send(t, url+c.path, body, "X-Signalbox-Run", c.agent, rpc.HeaderVersion, "2026-07-28", rpc.HeaderMethod, rpc.MethodListen)
			}()
			for len(got) < len(c.want) {
				got[<-reached] = true
			}
			close(stop)
			<-done
			s.Close()
			for len(reached) > 0 {
				got[<-reached] = true
			}
			if !maps.Equal(got, c.want) {
				t.Errorf("reached %v, want %v", got, c.want)
			}
		})
	}
}

func TestASessionHearsOfChanges(t *testing.T) {
	server := talker()
	s := newServers(t, upstream.Config{ID: "books", URL: serveTalker(t, server, false)})
	url, _ := jointGateway(t, s)
	updates := make(chan string, 100)
	session := person(t, url, "2025-11-25", &sdk.ClientOptions{
		ElicitationHandler: saysAnna,
		ResourceUpdatedHandler: func(_ context.Context, r *sdk.ResourceUpdatedNotificationRequest) {
			select {
			case updates <- r.Params.URI:
			default:
			}
		},
	})
	if err := session.Subscribe(t.Context(), &sdk.SubscribeParams{URI: "book://one"}); err != nil {
		t.Fatal(err)
	}
	if err := session.Subscribe(t.Context(), &sdk.SubscribeParams{URI: "book://none"}); err == nil {
		t.Error("a resource that nobody has was subscribed to")
	}
	for {
		_ = server.ResourceUpdated(t.Context(), &sdk.ResourceUpdatedNotificationParams{URI: "book://one"})
		select {
		case uri := <-updates:
			if uri != "book://one" {
				t.Errorf("got %q", uri)
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestNothingIsHeardOfAServerThatIsTakenFromATenant(t *testing.T) {
	taken := false
	h := NewHandler(newServers(t), testDoor{}, nil, "test", slog.New(slog.DiscardHandler), KeepTenants(func(string, string) bool { return !taken }))
	w := httptest.NewRecorder()
	x := &exchange{call: &signalbox.Call{Caller: signalbox.Caller{Tenant: "acme"}}, response: &response{w: w}, handler: h}
	want := wanted{methods: []string{rpc.MethodListChanged}, uris: map[string][]string{"books": {"book://one"}}}
	for _, taken = range []bool{false, true} {
		w.Body.Reset()
		for _, m := range []rpc.Message{{Method: rpc.MethodListChanged}, {Method: rpc.MethodUpdated, Params: []byte(`{"uri":"book://one"}`)}} {
			if !h.pass(x, "books", want, m) {
				t.Error("the caller hears no more")
			}
		}
		if heard := strings.Count(w.Body.String(), "data:"); heard != map[bool]int{false: 2, true: 0}[taken] {
			t.Errorf("taken %t: heard %s", taken, w.Body)
		}
	}
}
