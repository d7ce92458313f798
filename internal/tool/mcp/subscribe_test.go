package mcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
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
