package wire

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// MaxUpstreamMessage bounds what is quoted of an upstream's error, in bytes.
const MaxUpstreamMessage = 300

// MaxRetryAfter bounds the wait that an upstream may ask for; a longer one is cut.
const MaxRetryAfter = 24 * time.Hour

// DecodeError turns an upstream's error response into one of ours.
//
// The caller's own mistakes (400, 404, 413, 422) come back with the upstream's message. What the upstream says about
// our credential or our account (401, 402, 403, used-up quota) is the operator's business: the caller learns only that
// the upstream refused. Messages are cut, cleaned of control characters and of what looks like a key. The time now is
// for Retry-After headers that hold a date. Both formats put their words into the member "error", and proxies mix them, so
// that the body is read alike for all backends.
func DecodeError(_ signalbox.Protocol, status int, h http.Header, body []byte, now time.Time) *signalbox.Error {
	said := readUpstreamError(body)
	if status < 300 {
		status = statusOfType(said)
	}
	e := upstreamError(status, said)
	if e.Code == signalbox.CodeRateLimited || e.Code == signalbox.CodeUnavailable {
		e.RetryAfter = retryAfter(h, now)
	}
	return e
}

// said is what an error body says of itself.
type said struct{ kind, code, message, param string }

// readUpstreamError reads the error object of either format, or quotes whatever else came.
func readUpstreamError(body []byte) said {
	n, err := json.Parse(body, json.Limits{CaseVariants: true})
	if err != nil {
		return said{message: clean(stripTags(string(body[:min(len(body), 16<<10)])))}
	}
	m, err := n.Object()
	if err != nil {
		return said{message: clean(string(n.Bytes()))}
	}
	return errorObject(m)
}

// errorObject reads the member "error", which some servers write as a plain string or leave out.
func errorObject(m json.Members) said {
	inner := m
	switch n := m.Get("error"); n.Kind() {
	case '{':
		inner, _ = n.Object() // It is an object.
	case '"':
		return said{message: clean(textOf(n))}
	}
	s := said{kind: textOf(inner.Get("type")), code: textOf(inner.Get("code")), param: clean(textOf(inner.Get("param")))}
	for _, name := range []string{"message", "detail"} {
		if s.message == "" {
			s.message = clean(textOf(inner.Get(name)))
		}
	}
	return s
}

// textOf returns a string, a number as it is written, or "".
func textOf(n json.Node) string {
	switch n.Kind() {
	case '0':
		return string(n.Bytes())
	case '"':
		s, _ := n.Text() // It is one.
		return s
	}
	return ""
}

// statusOfType gives the status that belongs to an error which came without one.
func statusOfType(s said) int {
	switch s.kind {
	case "invalid_request_error":
		return http.StatusBadRequest
	case "authentication_error":
		return http.StatusUnauthorized
	case "billing_error":
		return http.StatusPaymentRequired
	case "permission_error":
		return http.StatusForbidden
	case "not_found_error":
		return http.StatusNotFound
	case "request_too_large":
		return http.StatusRequestEntityTooLarge
	case "rate_limit_error", "insufficient_quota", "tokens", "requests":
		return http.StatusTooManyRequests
	case "overloaded_error":
		return http.StatusServiceUnavailable
	}
	if n, err := strconv.Atoi(s.code); err == nil && n >= 400 && n < 600 {
		return n
	}
	return http.StatusInternalServerError
}

// upstreamError chooses code, message and remedy.
func upstreamError(status int, s said) *signalbox.Error {
	ofCaller := func(code signalbox.Code) *signalbox.Error {
		return signalbox.Errorf(code, "The upstream refused the request (%d)%s.", status, quote(s.message)).
			WithField(s.param).WithRemedy("Correct the request; the upstream's message says what it objects to.")
	}
	switch {
	case status == 400 || status == 422:
		return ofCaller(signalbox.CodeInvalid)
	case status == 404:
		return ofCaller(signalbox.CodeNotFound)
	case status == 413:
		return ofCaller(signalbox.CodeTooLarge)
	case status == 401 || status == 402 || status == 403 || status == 429 && outOfMoney(s):
		return signalbox.Errorf(signalbox.CodeUpstream, "The upstream refused Signalbox's own credential or account (%d).", status).
			WithRemedy("Tell the operator: the provider's key, its permissions or its balance need attention.")
	case status == 429:
		return signalbox.Errorf(signalbox.CodeRateLimited, "The upstream's rate limit is reached%s.", quote(s.message)).
			WithRemedy("Wait as long as Retry-After says, then send the request again.")
	case status == 503 || status == 529:
		return signalbox.Errorf(signalbox.CodeUnavailable, "The upstream is overloaded or down (%d)%s.", status, quote(s.message)).
			WithRemedy("Send the request again later.")
	}
	return signalbox.Errorf(signalbox.CodeUpstream, "The upstream failed (%d)%s.", status, quote(s.message)).
		WithRemedy("Send the request again; if it keeps failing, tell the operator.")
}

// outOfMoney reports whether a 429 means that the account is empty, which no waiting helps.
func outOfMoney(s said) bool {
	return s.kind == "insufficient_quota" || s.code == "insufficient_quota" || s.code == "billing_hard_limit_reached"
}

// quote adds an upstream's message to a sentence of ours.
func quote(message string) string {
	if message == "" {
		return ""
	}
	return ": " + strings.TrimRight(message, ".")
}

var (
	tags    = regexp.MustCompile(`(?is)<(script|style|head)\b.*?</(script|style|head)>|<[^>]*>`)
	secrets = regexp.MustCompile(`(?i)\b(?:bearer\s+\S+|(?:sk|pk|rk|sb|gsk|xai|key|api|aiza)[-_][\w\-.*]{6,}|AIza[\w-]{10,}|[A-Za-z0-9_\-]{40,})`)
)

// stripTags leaves the text of an HTML page.
func stripTags(s string) string {
	if !strings.Contains(s, "<") {
		return s
	}
	return tags.ReplaceAllString(s, " ")
}

// clean makes text of an upstream fit to be shown: one line, no control characters, no keys, at most
// [MaxUpstreamMessage] bytes.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf) {
			return ' '
		}
		return r
	}, s)
	s = secrets.ReplaceAllString(s, "[removed]")
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > MaxUpstreamMessage {
		return cut(s, MaxUpstreamMessage) + "…"
	}
	return s
}

// retryAfter reads the header in milliseconds, seconds or as a date; 0 where it says nothing usable.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseInt(h.Get("Retry-After-Ms"), 10, 64); err == nil && ms > 0 {
		return min(time.Duration(min(ms, MaxRetryAfter.Milliseconds()))*time.Millisecond, MaxRetryAfter)
	}
	value := h.Get("Retry-After")
	if s, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(min(max(s, 0), int64(MaxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), MaxRetryAfter)
	}
	return 0
}

// malformed is the error of an answer that is not what its format promises.
func malformed(format string, args ...any) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeUpstream, "The upstream's answer makes no sense: "+format+".", args...).
		WithRemedy("Send the request again; if it keeps failing, tell the operator.")
}

// truncated is the error of a stream that ended before its end marker.
func truncated(missing string) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeUpstream, "The upstream's stream ended before %s; the answer is incomplete.", missing).
		WithRemedy("Discard what came and send the request again.")
}
