package provider_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/provider"
)

func TestLimitOfTheAttemptIsSent(t *testing.T) {
	each(t, func(t *testing.T, f format, stream bool) {
		var body []byte
		base := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ = io.ReadAll(r.Body)
			answer(w, f, stream)
		})
		tr := track(f, stream)
		tr.Attempts = []signalbox.Attempt{{N: 1, MaxOutput: 5}}
		b := backend(t, f, base, func(c *provider.Config) { c.OldMaxTokens = true })
		if o := attempt(t.Context(), t, b, tr, candidate(f)); o.opened != nil || !strings.Contains(string(body), `"max_tokens":5`) {
			t.Errorf("sent %s, %v", body, o.opened)
		}
	})
}

func TestWiderWindowThanKnown(t *testing.T) {
	f := formats[1]
	tests := []struct {
		name   string
		window int64
		beta   string
		served bool
	}{
		{"not asked for", 200_000, "other-beta", true},
		{"asked for and known", 1_000_000, "context-1m-2025-08-07", true},
		{"asked for of a model nobody knows", 0, "context-1m-2025-08-07", true},
		{"asked for among others", 200_000, "x, context-1m-2025-08-07", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			base := upstream(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, f, false) })
			tr := track(f, false)
			tr.Call.Model.Headers = map[string]string{"anthropic-beta": tt.beta}
			c := candidate(f)
			c.ContextWindow = tt.window
			o := attempt(t.Context(), t, backend(t, f, base, nil), tr, c)
			if tt.served {
				if o.opened != nil {
					t.Error(o.opened)
				}
				return
			}
			if ae := asAttempt(t, o.opened); ae.Err.Code != signalbox.CodeUnsupported || !ae.Next || ae.Sent || ae.Err.Remedy == "" {
				t.Errorf("got %+v: %v", ae, ae.Err)
			}
		})
	}
}

// TestCutStreamReportsItsInput cuts streams after their first event.
func TestCutStreamReportsItsInput(t *testing.T) {
	for _, f := range formats {
		base := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, f.events[0])
		})
		o := attempt(t.Context(), t, backend(t, f, base, nil), track(f, true), candidate(f))
		if o.broke == nil || o.report.Usage != nil {
			t.Fatalf("%s: %v, %+v", f.protocol, o.broke, o.report)
		}
		early := o.report.Early
		if f.protocol == signalbox.ProtocolAnthropic && (early == nil || early.Input != 9 || early.Output != 1) ||
			f.protocol == signalbox.ProtocolOpenAIChat && early != nil {
			t.Errorf("%s: early usage %+v", f.protocol, early)
		}
	}
}

func TestCountInput(t *testing.T) {
	claude, chat := formats[1], formats[0]
	tests := []struct {
		name   string
		caller format
		body   string // "" is the caller's own.
		to     format
		status int
		answer string
		want   int64 // 0 is none.
		sent   string
	}{
		{"asked", claude, `{"model":"x","max_tokens":9,"stream":true,"temperature":1,"system":"s","messages":[{"role":"user","content":"\u0041"}]}`, claude, 200, `{"input_tokens":100}`, 166, `{"model":"m-1","system":"s","messages":[{"role":"user","content":"\u0041"}]}`},
		{"from another format", chat, "", claude, 200, `{"input_tokens":10}`, 74, `{"model":"m-1","messages":[{"role":"user","content":"Hi"}]}`},
		{"a member nobody knows", claude, `{"model":"x","max_tokens":9,"new":1,"messages":[]}`, claude, 200, `{"input_tokens":10}`, 0, ""},
		{"what can not be carried over", chat, `{"model":"x","n":2,"messages":[{"role":"user","content":"Hi"}]}`, claude, 200, `{"input_tokens":10}`, 0, ""},
		{"a provider that does not count", chat, "", chat, 200, `{"input_tokens":10}`, 0, ""},
		{"an error", claude, "", claude, 429, `{"type":"error"}`, 0, `{"model":"m-1","messages":[{"role":"user","content":"Hi"}]}`},
		{"no number", claude, "", claude, 200, `{"input_tokens":"10"}`, 0, `{"model":"m-1","messages":[{"role":"user","content":"Hi"}]}`},
		{"nothing", claude, "", claude, 200, `{"input_tokens":0}`, 0, `{"model":"m-1","messages":[{"role":"user","content":"Hi"}]}`},
		{"no JSON", claude, "", claude, 200, `<html>`, 0, `{"model":"m-1","messages":[{"role":"user","content":"Hi"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var sent, path, key string
			base := upstream(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				sent, path, key = string(body), r.URL.Path, r.Header.Get("X-Api-Key")
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.answer)
			})
			c := track(tt.caller, false).Call
			if tt.body != "" {
				c.Body = []byte(tt.body)
			}
			n, ok := backend(t, tt.to, base, nil).CountInput(t.Context(), c, candidate(tt.to))
			if ok != (tt.want > 0) || ok && n != tt.want || sent != tt.sent {
				t.Errorf("got %d, %v; want %d; sent %s", n, ok, tt.want, sent)
			}
			if sent != "" && (path != "/v1/messages/count_tokens" || key != "k-upstream") {
				t.Errorf("sent to %s with %q", path, key)
			}
		})
	}
}

func TestCountInputDoesNotWaitLong(t *testing.T) {
	f := formats[1]
	ended := make(chan struct{})
	base := upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		io.ReadAll(r.Body)
		<-r.Context().Done()
		close(ended)
	})
	started := time.Now()
	n, ok := backend(t, f, base, nil).CountInput(t.Context(), track(f, false).Call, candidate(f))
	if ok || time.Since(started) > provider.CountTimeout+3*time.Second {
		t.Errorf("got %d, %v after %s", n, ok, time.Since(started))
	}
	<-ended
}
