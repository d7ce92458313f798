package wire

import (
	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/sse"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// EncodeError writes an error in the format's shape: the body of a response whose status is that of the error's code.
//
// The format's own members come first, so that its SDKs make the exception they would make for the provider. Beside
// them stand our code, the remedy, the approval to wait for and the request id. The error's cause is never written.
func EncodeError(format signalbox.Protocol, e *signalbox.Error, requestID string) []byte {
	if format == signalbox.ProtocolAnthropic {
		inner := typed(anthropicErrorType(e.Code)).text("message", sentence(e)).text("code", string(e.Code))
		o := typed("error").raw("error", ours(inner, e).bytes())
		return o.raw("request_id", quoted(requestID)).bytes()
	}
	inner := new(object).text("message", sentence(e)).text("type", openAIErrorType(e.Code))
	if e.Field == "" {
		inner.null("param")
	} else {
		inner.text("param", e.Field)
	}
	inner.text("code", string(e.Code))
	return new(object).raw("error", ours(inner, e).raw("request_id", quoted(requestID)).bytes()).bytes()
}

// EncodeErrorEvent writes an error as the event that ends a stream in the format. It is never followed by the format's
// end marker, so that the answer does not look complete.
func EncodeErrorEvent(format signalbox.Protocol, e *signalbox.Error, requestID string) []byte {
	name := ""
	if format == signalbox.ProtocolAnthropic {
		name = "error"
	}
	return sse.Append(nil, name, EncodeError(format, e, requestID))
}

// sentence is what a person reads: what is wrong, and what to do.
func sentence(e *signalbox.Error) string {
	if e.Remedy == "" {
		return e.Message
	}
	return e.Message + " " + e.Remedy
}

// ours adds the members that the formats do not have.
func ours(o *object, e *signalbox.Error) *object {
	return o.raw("remedy", quoted(e.Remedy)).raw("field", quoted(e.Field)).raw("approval", approval(e))
}

// approval names the approval to wait for, or nothing.
func approval(e *signalbox.Error) []byte {
	if e.Approval == "" {
		return nil
	}
	return new(object).text("id", e.Approval).text("url", e.ApprovalURL()).bytes()
}

// quoted writes s as a JSON string, or nothing if it is empty.
func quoted(s string) []byte {
	if s == "" {
		return nil
	}
	return json.Quote(s)
}

// openAIErrorType gives OpenAI's word for a code.
func openAIErrorType(c signalbox.Code) string {
	switch c { //nolint:exhaustive // Grouped by status.
	case signalbox.CodeUnauthenticated:
		return "authentication_error"
	case signalbox.CodeForbidden:
		return "permission_error"
	case signalbox.CodeBudgetExhausted, signalbox.CodeUnpriced:
		return "insufficient_quota"
	case signalbox.CodeRateLimited:
		return "rate_limit_error"
	}
	if c.Status() < 500 {
		return "invalid_request_error"
	}
	return "server_error"
}

// anthropicErrorType gives Anthropic's word for a code.
func anthropicErrorType(c signalbox.Code) string {
	switch c { //nolint:exhaustive // Grouped by status.
	case signalbox.CodeUnauthenticated:
		return "authentication_error"
	case signalbox.CodeForbidden:
		return "permission_error"
	case signalbox.CodeBudgetExhausted, signalbox.CodeUnpriced:
		return "billing_error"
	case signalbox.CodeNotFound:
		return "not_found_error"
	case signalbox.CodeConflict, signalbox.CodeApprovalRequired:
		return "conflict_error"
	case signalbox.CodeTooLarge:
		return "request_too_large"
	case signalbox.CodeRateLimited:
		return "rate_limit_error"
	case signalbox.CodeUnavailable:
		return "overloaded_error"
	case signalbox.CodeTimeout:
		return "timeout_error"
	}
	if c.Status() < 500 {
		return "invalid_request_error"
	}
	return "api_error"
}
