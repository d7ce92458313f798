package gate

import (
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
)

// hidden says that whatever begins so is a secret.
type hidden string

func (h hidden) Secret(name string) bool { return strings.Contains(name, string(h)) }

func TestSecretsAreNoIDs(t *testing.T) {
	srv, results, _ := doorServer(t, func(o *DoorOptions) { o.Secrets = hidden("hush") })
	claimed := []string{HeaderRun, HeaderAgent, HeaderParentAgent, HeaderUser, HeaderStepKind, HeaderSubject}
	for _, header := range claimed {
		for _, value := range []string{"hush-1", staticSecret} {
			t.Run(header+" "+value, func(t *testing.T) {
				send(t, request(t, srv.URL, `{}`, bearer, header+": "+value))
				got := <-results
				if got.err != nil {
					t.Fatal(got.err)
				}
				if got.call.Invalid == nil {
					t.Fatal("the call is good")
				}
				e := wantCode(t, got.call.Invalid, signalbox.CodeInvalid)
				if e.Field != header || strings.Contains(e.Error(), value) {
					t.Errorf("got %v", e)
				}
				if got.call.Claims != (signalbox.Claims{}) {
					t.Errorf("the claims are %+v", got.call.Claims)
				}
			})
		}
	}
	for _, value := range []string{"hush-1", staticSecret} {
		t.Run("request id "+value, func(t *testing.T) {
			send(t, request(t, srv.URL, `{}`, bearer, HeaderRequestID+": "+value))
			got := <-results
			if got.err != nil || got.call.Invalid != nil || !strings.HasPrefix(got.call.RequestID, signalbox.RequestPrefix) {
				t.Errorf("got %q, %v, %v", got.call.RequestID, got.err, got.call.Invalid)
			}
		})
	}
	t.Run("path", func(t *testing.T) {
		send(t, request(t, srv.URL+"/mcp/hush", `{}`, bearer))
		got := <-results
		if e := wantCode(t, got.call.Invalid, signalbox.CodeInvalid); e.Field != "path" || strings.Contains(e.Error(), "hush") {
			t.Errorf("got %v", e)
		}
	})
	t.Run("another key's secret is no business of this one's", func(t *testing.T) {
		send(t, request(t, srv.URL, `{}`, bearer, HeaderRun+": another-horse-battery"))
		if got := <-results; got.call.Invalid != nil {
			t.Errorf("got %v", got.call.Invalid)
		}
	})
}

func TestSecretsAreNoNames(t *testing.T) {
	key := staticKey(t, signalbox.Key{ID: "k"}, staticSecret)
	h := Station(Options{Now: at(noon), Keys: ring(t, key), Secrets: hidden("hush")})(answering(&oneShot{}, nil))
	tests := map[string]struct {
		change func(*signalbox.Call)
		field  string // "" is good.
	}{
		"model":        {func(c *signalbox.Call) { c.Model = &signalbox.ModelRequest{Model: "hush-1"} }, "model"},
		"tool":         {func(c *signalbox.Call) { c.Tool = &signalbox.ToolRequest{Server: "s", Name: "hush-1"} }, "name"},
		"good model":   {func(c *signalbox.Call) { c.Model = &signalbox.ModelRequest{Model: "small"} }, ""},
		"good tool":    {func(c *signalbox.Call) { c.Tool = &signalbox.ToolRequest{Server: "s", Name: "read"} }, ""},
		"neither":      {func(*signalbox.Call) {}, ""},
		"good request": {func(c *signalbox.Call) { c.Model = &signalbox.ModelRequest{Model: "auto", Prompt: "hush"} }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tr := track(key, signalbox.Claims{})
			test.change(tr.Call)
			_, err := h.Serve(t.Context(), tr)
			if test.field == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e := wantCode(t, err, signalbox.CodeInvalid)
			if e == nil || e.Field != test.field || strings.Contains(e.Error(), "hush") || tr.Gate.Status != signalbox.StatusDenied {
				t.Errorf("got %v, %s", err, tr.Gate.Status)
			}
		})
	}
}

func TestWithoutADetectorIDsAreTaken(t *testing.T) {
	d := NewDoor(DoorOptions{Now: at(noon)})
	if got := d.requestID(http.Header{HeaderRequestID: {"sk-1"}}); got != "sk-1" {
		t.Errorf("got %q", got)
	}
}
