package sdk

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/upstream"
)

// strange is what a program of tomorrow may send: members nobody knows yet, odd spacing, escapes, numbers that no float
// can hold. Only what must change may change.
const strange = `{ "model" : %q,
	"x_future":{"deep":[1,2.50,1e400,123456789012345678901234567890,"\u00e9é\/"],"B":null , "b2":{}},
	"max_tokens":  50,   "messages":[{"role":"user","content":[{"type":"text","text":"한글 \ud83d\ude00","x_new":true}]}]%s }`

// endpoint is one API as a client and its provider speak it.
type endpoint struct {
	path, model, text string
	header            [2]string // A header of the format that goes on to the provider.
}

var endpoints = map[string]endpoint{
	"openai":    {"/v1/chat/completions", "openai-good", `"content"`, [2]string{"OpenAI-Beta", "tomorrow=v1"}},
	"anthropic": {"/v1/messages", "anthropic-good", `"text"`, [2]string{"Anthropic-Beta", "tomorrow-2027-01-01"}},
}

// Same format on both sides: the provider gets the bytes that the caller sent but for the model's name, and the caller the
// bytes that the provider sent.
func TestBytesPassThrough(t *testing.T) {
	b := start(t)
	for name, e := range endpoints {
		t.Run(name, func(t *testing.T) {
			id := "bytes-" + name
			a := b.Send(t, http.MethodPost, e.path, harness.Agent, fmt.Sprintf(strange, e.model, ""), "X-Request-Id", id, e.header[0], e.header[1])
			if a.Status != http.StatusOK {
				t.Fatalf("got %d: %s", a.Status, a.Body)
			}
			seen := b.up.Requests(id)[0]
			if want := fmt.Sprintf(strange, "good", ""); string(seen.Body) != want {
				t.Errorf("the provider got\n%s\nwant\n%s", seen.Body, want)
			}
			if got := seen.Header.Get(e.header[0]); got != e.header[1] {
				t.Errorf("the provider got %s: %q", e.header[0], got)
			}
			direct, err := (&harness.Instance{URL: b.up.URL}).TrySend(http.MethodPost, e.path, "", fmt.Sprintf(strange, "good", ""))
			if err != nil || direct.Body != a.Body {
				t.Errorf("the caller got\n%s\nthe provider sends\n%s (%v)", a.Body, direct.Body, err)
			}
		})
	}
}

// A stream passes through too; usage is asked of the provider always and reaches only a caller who asked for it.
func TestStreamsPassThrough(t *testing.T) {
	b := start(t)
	for name, c := range map[string]struct{ api, tail, want string }{
		"anthropic":            {"anthropic", `,"stream":true`, `,"stream":true`},
		"openai with usage":    {"openai", `,"stream":true,"stream_options":{"include_usage":true}`, `,"stream":true,"stream_options":{"include_usage":true}`},
		"openai without usage": {"openai", `,"stream":true`, `,"stream":true`},
	} {
		t.Run(name, func(t *testing.T) {
			e, id := endpoints[c.api], "stream-"+strings.ReplaceAll(name, " ", "-")
			a := b.Send(t, http.MethodPost, e.path, harness.Agent, fmt.Sprintf(strange, e.model, c.tail), "X-Request-Id", id)
			direct, err := (&harness.Instance{URL: b.up.URL}).TrySend(http.MethodPost, e.path, "", fmt.Sprintf(strange, "good", c.want))
			if err != nil || a.Status != http.StatusOK || a.Body != direct.Body {
				t.Errorf("status %d, the caller got\n%s\nthe provider sends\n%s (%v)", a.Status, a.Body, direct.Body, err)
			}
			if seen := b.up.Requests(id)[0]; c.api == "openai" && !bytes.Contains(seen.Body, []byte(`"include_usage":true`)) {
				t.Errorf("the provider was not asked for usage: %s", seen.Body)
			}
			// 60 × 1 + 40 × 0.5 + output × 2 millionths of a dollar.
			if got := a.Trailer.Get("X-Signalbox-Cost-Usd"); got != "0.0001" {
				t.Errorf("the trailer says %q", got)
			}
			d := b.Call(t, a.Header.Get("X-Signalbox-Call"))
			if d.InputTokens == nil || *d.InputTokens != upstream.Input || d.OutputTokens == nil || *d.OutputTokens != upstream.Output() ||
				d.CacheReadTokens == nil || *d.CacheReadTokens != upstream.CacheRead {
				t.Errorf("the record has %v in, %v out, %v from the cache", d.InputTokens, d.OutputTokens, d.CacheReadTokens)
			}
		})
	}
}

// What belongs to the caller's relation with us does not reach the provider, and the provider's key is the operator's.
func TestWhatTheProviderSees(t *testing.T) {
	b := start(t)
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for name, e := range endpoints {
		t.Run(name, func(t *testing.T) {
			id := "seen-" + name
			a := b.Send(t, http.MethodPost, e.path, harness.Agent, fmt.Sprintf(strange, e.model, ""), "X-Request-Id", id,
				"Traceparent", "00-"+trace+"-"+parent+"-01", "Tracestate", "vendor=1", "Baggage", "user=ada", "Cookie", "a=b",
				"X-Signalbox-Run", "run-1", "X-Signalbox-Agent", "clerk", "X-Forwarded-For", "10.0.0.1")
			if a.Status != http.StatusOK {
				t.Fatalf("got %d: %s", a.Status, a.Body)
			}
			h := b.up.Requests(id)[0].Header
			for _, header := range []string{"Cookie", "Baggage", "X-Signalbox-Run", "X-Signalbox-Agent", "X-Forwarded-For"} {
				if got := h.Get(header); got != "" {
					t.Errorf("the provider got %s: %s", header, got)
				}
			}
			if got := h.Get("Authorization") + h.Get("X-Api-Key"); !strings.Contains(got, "operators-own-key") || strings.Contains(got, harness.Agent) {
				t.Errorf("the provider got the credential %q", got)
			}
			got := h.Get("Traceparent")
			if !strings.HasPrefix(got, "00-"+trace+"-") || strings.Contains(got, parent) || h.Get("Tracestate") != "vendor=1" {
				t.Errorf("the provider got traceparent %q, tracestate %q", got, h.Get("Tracestate"))
			}
			d := b.Call(t, a.Header.Get("X-Signalbox-Call"))
			if d.TraceID == nil || *d.TraceID != trace || d.ParentSpanID == nil || *d.ParentSpanID != parent ||
				d.RunID == nil || *d.RunID != "run-1" || d.AgentID == nil || *d.AgentID != "clerk" {
				t.Errorf("the record has the trace %v under %v, run %v, agent %v", d.TraceID, d.ParentSpanID, d.RunID, d.AgentID)
			}
		})
	}
}

// What can not be carried over to the other format is refused with the field's name, and nothing is sent.
func TestWhatCanNotBeCarriedOver(t *testing.T) {
	b := start(t)
	for name, c := range map[string]struct{ path, model, tail, field string }{
		"two answers":     {"/v1/chat/completions", "anthropic-good", `,"n":2`, "n"},
		"response format": {"/v1/chat/completions", "anthropic-good", `,"logprobs":true`, "logprobs"},
		"thinking":        {"/v1/messages", "openai-good", `,"thinking":{"type":"enabled","budget_tokens":1024}`, "thinking"},
		"top_k":           {"/v1/messages", "openai-good", `,"top_k":5`, "top_k"},
	} {
		t.Run(name, func(t *testing.T) {
			id := "carry-" + strings.ReplaceAll(name, " ", "-")
			body := fmt.Sprintf(`{"model":%q,"max_tokens":50,"messages":[{"role":"user","content":"hello"}]%s}`, c.model, c.tail)
			a := b.Send(t, http.MethodPost, c.path, harness.Agent, body, "X-Request-Id", id)
			if a.Status != http.StatusBadRequest || !strings.Contains(a.Body, `"code":"invalid"`) || !strings.Contains(a.Body, `"field":"`+c.field) {
				t.Errorf("got %d: %s", a.Status, a.Body)
			}
			if n := len(b.up.Requests(id)); n != 0 {
				t.Errorf("the provider was asked %d times", n)
			}
		})
	}
	b.Complete(t)
}
