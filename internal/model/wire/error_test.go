package wire_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/wire"
	"github.com/signalbox/signalbox/internal/platform/json"
)

func TestEncodeError(t *testing.T) {
	e := signalbox.Errorf(signalbox.CodeInvalid, "Wrong \"n\".").WithField("n").WithRemedy("Use 1.")
	waits := &signalbox.Error{Code: signalbox.CodeApprovalRequired, Message: "x", Approval: "appr_1"}
	tests := []struct {
		name, got, want string
	}{
		{
			"openai approval", string(wire.EncodeError(openAI, waits, "r")),
			`{"error":{"message":"x","type":"invalid_request_error","param":null,"code":"approval_required","approval":{"id":"appr_1","url":"/api/v1/approvals/appr_1"},"request_id":"r"}}`,
		},
		{
			"anthropic approval", string(wire.EncodeError(anthropic, waits, "r")),
			`{"type":"error","error":{"type":"conflict_error","message":"x","code":"approval_required","approval":{"id":"appr_1","url":"/api/v1/approvals/appr_1"}},"request_id":"r"}`,
		},
		{
			"openai", string(wire.EncodeError(openAI, e, "req_1")),
			`{"error":{"message":"Wrong \"n\". Use 1.","type":"invalid_request_error","param":"n","code":"invalid","remedy":"Use 1.","field":"n","request_id":"req_1"}}`,
		},
		{
			"anthropic", string(wire.EncodeError(anthropic, e, "req_1")),
			`{"type":"error","error":{"type":"invalid_request_error","message":"Wrong \"n\". Use 1.","code":"invalid","remedy":"Use 1.","field":"n"},"request_id":"req_1"}`,
		},
		{
			"openai bare", string(wire.EncodeError(openAI, &signalbox.Error{Code: signalbox.CodeInternal, Message: "x"}, "")),
			`{"error":{"message":"x","type":"server_error","param":null,"code":"internal"}}`,
		},
		{
			"openai event", string(wire.EncodeErrorEvent(openAI, &signalbox.Error{Code: signalbox.CodeUpstream, Message: "x"}, "r")),
			"data: {\"error\":{\"message\":\"x\",\"type\":\"server_error\",\"param\":null,\"code\":\"upstream\",\"request_id\":\"r\"}}\n\n",
		},
		{
			"anthropic event", string(wire.EncodeErrorEvent(anthropic, &signalbox.Error{Code: signalbox.CodeUpstream, Message: "x"}, "r")),
			"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"x\",\"code\":\"upstream\"},\"request_id\":\"r\"}\n\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", tt.got, tt.want)
			}
		})
	}
}

// TestEncodeErrorOfEveryCode writes every code in both formats: each has a type, and none shows its cause.
func TestEncodeErrorOfEveryCode(t *testing.T) {
	types := map[string]bool{}
	for _, code := range signalbox.Codes() {
		for _, format := range []signalbox.Protocol{openAI, anthropic} {
			e := signalbox.Errorf(code, "text").WithCause(http.ErrBodyNotAllowed)
			body := wire.EncodeError(format, e, "r")
			m, err := json.Object(body)
			if err != nil {
				t.Fatal(err)
			}
			inner, err := m.Get("error").Object()
			if err != nil {
				t.Fatal(err)
			}
			kind, err := inner.Get("type").Text()
			if err != nil || kind == "" {
				t.Errorf("%s of %s: no type", format, code)
			}
			types[string(format)+" "+kind] = true
			if strings.Contains(string(body), http.ErrBodyNotAllowed.Error()) {
				t.Errorf("%s of %s shows its cause", format, code)
			}
		}
	}
	if len(types) != 6+11 {
		t.Errorf("got %d types, want the 6 of OpenAI and the 11 of Anthropic: %v", len(types), types)
	}
}

func TestDecodeError(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	said := func(kind, message string) string {
		return `{"type":"error","error":{"type":"` + kind + `","message":"` + message + `","param":"messages"}}`
	}
	tests := []struct {
		name   string
		status int
		header map[string]string
		body   string
		code   signalbox.Code
		words  string
		retry  time.Duration
	}{
		{"bad request", 400, nil, said("invalid_request_error", "max_tokens too large."), signalbox.CodeInvalid, "max_tokens too large", 0},
		{"unprocessable", 422, nil, `{"detail":"bad field"}`, signalbox.CodeInvalid, "bad field", 0},
		{"error as string", 400, nil, `{"error":"model is required"}`, signalbox.CodeInvalid, "model is required", 0},
		{"not found", 404, nil, said("not_found_error", "no such model"), signalbox.CodeNotFound, "no such model", 0},
		{"too large", 413, nil, said("request_too_large", "too big"), signalbox.CodeTooLarge, "too big", 0},
		{"our key", 401, nil, said("authentication_error", "Incorrect API key provided: sk-proj-abc"), signalbox.CodeUpstream, "own credential", 0},
		{"our permission", 403, nil, said("permission_error", "org-secret"), signalbox.CodeUpstream, "own credential", 0},
		{"our bill", 402, nil, said("billing_error", "pay"), signalbox.CodeUpstream, "account", 0},
		{"our quota", 429, map[string]string{"Retry-After": "7"}, said("insufficient_quota", "pay"), signalbox.CodeUpstream, "account", 0},
		{"rate limit in seconds", 429, map[string]string{"Retry-After": "7"}, said("rate_limit_error", "slow"), signalbox.CodeRateLimited, "slow", 7 * time.Second},
		{"rate limit in milliseconds", 429, map[string]string{"Retry-After-Ms": "250", "Retry-After": "1"}, "", signalbox.CodeRateLimited, "rate limit", 250 * time.Millisecond},
		{"rate limit as a date", 429, map[string]string{"Retry-After": "Sun, 22 Nov 2026 12:00:30 GMT"}, "", signalbox.CodeRateLimited, "", 30 * time.Second},
		{"rate limit in the past", 429, map[string]string{"Retry-After": "Sun, 22 Nov 2026 11:00:00 GMT"}, "", signalbox.CodeRateLimited, "", 0},
		{"rate limit for ever", 429, map[string]string{"Retry-After": "999999999999"}, "", signalbox.CodeRateLimited, "", wire.MaxRetryAfter},
		{"rate limit without sense", 429, map[string]string{"Retry-After": "soon"}, "", signalbox.CodeRateLimited, "", 0},
		{"negative rate limit", 429, map[string]string{"Retry-After": "-5"}, "", signalbox.CodeRateLimited, "", 0},
		{"time-out", 408, nil, "", signalbox.CodeUpstream, "failed (408)", 0},
		{"server error", 500, nil, said("api_error", "boom"), signalbox.CodeUpstream, "boom", 0},
		{"unavailable", 503, map[string]string{"Retry-After": "3"}, "", signalbox.CodeUnavailable, "(503)", 3 * time.Second},
		{"overloaded", 529, nil, said("overloaded_error", "Overloaded"), signalbox.CodeUnavailable, "Overloaded", 0},
		{"redirect", 302, nil, "", signalbox.CodeUpstream, "(302)", 0},
		{"HTML", 500, nil, "<html><head><title>x</title></head><body><h1>Bad\r\n gateway</h1><script>alert(1)</script></body></html>", signalbox.CodeUpstream, ": Bad gateway.", 0},
		{"control characters", 500, nil, "a\x00\x1b[31mb\u202ec", signalbox.CodeUpstream, ": a [31mb c.", 0},
		{"key in a message", 400, nil, said("invalid_request_error", "bad header Bearer abc.def.ghi for key sk-abcdefgh1234"), signalbox.CodeInvalid, "bad header [removed] for key [removed]", 0},
		{"error with status 200", 200, nil, said("rate_limit_error", "slow"), signalbox.CodeRateLimited, "slow", 0},
		{"number as code", 200, nil, `{"error":{"code":404,"message":"gone"}}`, signalbox.CodeNotFound, "gone", 0},
		{"empty", 500, nil, "", signalbox.CodeUpstream, "failed (500).", 0},
		{"null", 500, nil, "null", signalbox.CodeUpstream, "failed (500)", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			for name, value := range tt.header {
				h.Set(name, value)
			}
			e := wire.DecodeError(openAI, tt.status, h, []byte(tt.body), now)
			if e.Code != tt.code || !strings.Contains(e.Message, tt.words) || e.RetryAfter != tt.retry || e.Remedy == "" {
				t.Errorf("got %s %q after %v, want %s %q after %v", e.Code, e.Message, e.RetryAfter, tt.code, tt.words, tt.retry)
			}
			for _, secret := range []string{"sk-proj", "org-secret", "abc.def", "sk-abc", "<", "\x1b"} {
				if strings.Contains(e.Message, secret) {
					t.Errorf("the message %q contains %q", e.Message, secret)
				}
			}
		})
	}
}

func TestDecodeErrorCutsLongMessages(t *testing.T) {
	body := `{"error":{"message":"` + strings.Repeat("한 ", 5000) + `"}}`
	e := wire.DecodeError(anthropic, 400, http.Header{}, []byte(body), time.Time{})
	if len(e.Message) > wire.MaxUpstreamMessage+100 {
		t.Errorf("got a message of %d bytes", len(e.Message))
	}
}
