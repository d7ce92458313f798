package wire_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/sse"
	"github.com/signalbox/signalbox/internal/model/wire"
)

// TestMalformedAnswers gives both clients answers whose parts have the wrong shape: each is an error of the upstream.
func TestMalformedAnswers(t *testing.T) {
	choice := func(s string) string { return `{"id":"a","model":"m","choices":[` + s + `]}` }
	tests := []struct {
		name, body, words string
		backend           signalbox.Protocol
	}{
		{"choices no array", `{"choices":{}}`, "choices", openAI},
		{"choice no object", choice(`7`), "choices", openAI},
		{"index negative", choice(`{"index":-1}`), "no valid index", openAI},
		{"index huge", choice(`{"index":99999}`), "no valid index", openAI},
		{"message no object", choice(`{"message":"hi"}`), "message", openAI},
		{"array", `[]`, "an array where an object is expected", openAI},
		{"empty", ``, "ends too early", openAI},
		{"duplicate", `{"choices":[],"choices":[]}`, "duplicate name", openAI},
		{"content no array", `{"content":"hi","stop_reason":"end_turn"}`, "content", anthropic},
		{"block no object", `{"content":["hi"],"stop_reason":"end_turn"}`, "content", anthropic},
		{"no content", `{"stop_reason":"end_turn"}`, "content", anthropic},
	}
	for _, tt := range tests {
		for _, client := range formats {
			t.Run(tt.name+" for "+string(client), func(t *testing.T) {
				_, err := pair(t, client, tt.backend).Response([]byte(tt.body), wire.Asked{})
				if signalbox.CodeOf(err) != signalbox.CodeUpstream || !strings.Contains(err.Error(), tt.words) {
					t.Errorf("got %v, want an upstream error with %q", err, tt.words)
				}
			})
		}
	}
}

// TestMalformedToolCalls looks at calls where they are translated; with the same format they pass as they are.
func TestMalformedToolCalls(t *testing.T) {
	for _, calls := range []string{`7`, `[7]`, `[{"index":-1}]`, `[{"index":5000}]`, `[{"function":7}]`} {
		message := `{"tool_calls":` + calls + `}`
		body := `{"choices":[{"index":0,"message":` + message + `,"finish_reason":"tool_calls"}]}`
		if _, err := pair(t, anthropic, openAI).Response([]byte(body), wire.Asked{}); signalbox.CodeOf(err) != signalbox.CodeUpstream {
			t.Errorf("%s: got %v, want an upstream error", calls, err)
		}
		if _, err := pair(t, openAI, openAI).Response([]byte(body), wire.Asked{}); err != nil {
			t.Errorf("%s: got %v, want it to pass", calls, err)
		}
		s := pair(t, anthropic, openAI).Stream(wire.Asked{})
		e := sse.Event{Data: []byte(`{"choices":[{"index":0,"delta":` + message + `}]}`)}
		if _, err := s.Feed(e); signalbox.CodeOf(err) != signalbox.CodeUpstream {
			t.Errorf("%s in a stream: got %v, want an upstream error", calls, err)
		}
	}
}

// TestMalformedEvents feeds events that contradict the order of Anthropic's streams.
func TestMalformedEvents(t *testing.T) {
	start := `{"type":"message_start","message":{"id":"m","model":"x"}}`
	use := `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f"}}`
	tests := []struct {
		name   string
		events []string
		words  string
	}{
		{"two starts", []string{start, start}, "message_start comes twice"},
		{"block twice", []string{start, use, use}, "begins twice"},
		{"input for no tool", []string{start, `{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{"}}`}, "no tool call"},
		{"input without index", []string{start, use, `{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}}`}, "no tool call"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := pair(t, openAI, anthropic).Stream(wire.Asked{})
			var err error
			for _, data := range tt.events {
				if _, err = s.Feed(sse.Event{Data: []byte(data)}); err != nil {
					break
				}
			}
			if signalbox.CodeOf(err) != signalbox.CodeUpstream || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("got %v, want an upstream error with %q", err, tt.words)
			}
		})
	}
}

// TestHeldEndIsBounded keeps sending after the end has begun: memory must not grow without bound.
func TestHeldEndIsBounded(t *testing.T) {
	filler := strings.Repeat("x", 1<<20)
	ends := map[signalbox.Protocol][]string{
		openAI: {`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`},
		anthropic: {
			`{"type":"message_start","message":{}}`, `{"type":"message_delta","delta":{"stop_reason":"end_turn"}}`,
		},
	}
	for format, events := range ends {
		t.Run(string(format), func(t *testing.T) {
			s := pair(t, format, format).Stream(wire.Asked{})
			feed := func(data string) error {
				_, err := s.Feed(sse.Event{Data: []byte(data), Raw: []byte("data: " + data + "\n\n")})
				return err
			}
			for _, e := range events {
				if err := feed(e); err != nil {
					t.Fatal(err)
				}
			}
			for i := range 10 {
				if err := feed(`{"type":"ping","x":"` + filler + `"}`); err != nil {
					if i < 2 || !strings.Contains(err.Error(), "too much follows") {
						t.Errorf("event %d: %v", i, err)
					}
					return
				}
			}
			t.Error("10 MiB were held back")
		})
	}
}

// TestErrorTypesWithoutStatus maps the types of errors that come inside of a stream or with status 200.
func TestErrorTypesWithoutStatus(t *testing.T) {
	want := map[string]signalbox.Code{
		"invalid_request_error": signalbox.CodeInvalid, "authentication_error": signalbox.CodeUpstream,
		"billing_error": signalbox.CodeUpstream, "permission_error": signalbox.CodeUpstream,
		"not_found_error": signalbox.CodeNotFound, "request_too_large": signalbox.CodeTooLarge,
		"rate_limit_error": signalbox.CodeRateLimited, "tokens": signalbox.CodeRateLimited,
		"insufficient_quota": signalbox.CodeUpstream, "overloaded_error": signalbox.CodeUnavailable,
		"api_error": signalbox.CodeUpstream, "server_error": signalbox.CodeUpstream, "brand_new": signalbox.CodeUpstream,
	}
	for kind, code := range want {
		body := fmt.Sprintf(`{"error":{"type":%q,"message":"m"}}`, kind)
		for _, backend := range formats {
			s := pair(t, openAI, backend).Stream(wire.Asked{})
			if _, err := s.Feed(sse.Event{Name: "error", Data: []byte(body)}); signalbox.CodeOf(err) != code {
				t.Errorf("%s in a stream from %s: got %v, want %s", kind, backend, err, code)
			}
		}
		if e := wire.DecodeError(openAI, http.StatusOK, http.Header{}, []byte(body), time.Time{}); e.Code != code {
			t.Errorf("%s with status 200: got %v, want %s", kind, e, code)
		}
	}
}
