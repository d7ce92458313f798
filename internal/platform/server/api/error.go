package api

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// AnswerError is the shape of every error.
type AnswerError struct {
	status     int
	retryAfter string
	Err        ErrorBody `json:"error"`
}

// ErrorBody says what is wrong and what helps.
type ErrorBody struct {
	Code      signalbox.Code `json:"code"`
	Message   string         `json:"message"`
	Remedy    string         `json:"remedy"`
	Field     *string        `json:"field"`
	RequestID *string        `json:"request_id"`
	Approval  *ApprovalRef   `json:"approval,omitempty" doc:"Of a call that people have to agree to first: what to wait for before it is made again."`
}

// ApprovalRef says where to wait for an approval.
type ApprovalRef struct {
	ID  string `json:"id"`
	URL string `json:"url" doc:"Of this API; ?wait=45s waits for the decision."`
}

// ApprovalPath is where an approval is, below the server's address.
func ApprovalPath(id string) string { return "/api/v1/approvals/" + url.PathEscape(id) }

// Error gives the message.
func (f *AnswerError) Error() string { return string(f.Err.Code) + ": " + f.Err.Message }

// GetStatus gives the HTTP status.
func (f *AnswerError) GetStatus() int { return f.status }

// GetHeaders gives the headers of the answer.
func (f *AnswerError) GetHeaders() http.Header {
	h := http.Header{}
	if f.retryAfter != "" {
		h.Set("Retry-After", f.retryAfter)
	}
	if !f.Err.Code.Retryable() {
		h.Set("X-Should-Retry", "false")
	}
	return h
}

// NewAnswerError makes the answer to an error.
func NewAnswerError(err error, requestID string) *AnswerError {
	e := signalbox.AsError(err)
	f := &AnswerError{status: e.Code.Status(), Err: ErrorBody{
		Code: e.Code, Message: mask.Mask(e.Message), Remedy: e.Remedy, Field: OrNull(mask.Mask(e.Field)),
		RequestID: OrNull(requestID),
	}}
	if e.Approval != "" {
		f.Err.Approval = &ApprovalRef{e.Approval, ApprovalPath(e.Approval)}
	}
	f.retryAfter = retryAfter(e)
	return f
}

// retryAfter gives whole seconds, rounded up, for the codes that promise the header and wherever the error names a time.
func retryAfter(e *signalbox.Error) string {
	after := e.RetryAfter
	if after <= 0 && (e.Code == signalbox.CodeRateLimited || e.Code == signalbox.CodeUnavailable) {
		after = time.Second
	}
	if after <= 0 {
		return ""
	}
	return strconv.FormatInt(int64((after+time.Second-1)/time.Second), 10)
}

// newError is the error that huma writes, with its headers, which huma itself sets only for errors of operations.
func newError(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
	e := errorOf(ctx, status, message, errs...)
	if ctx != nil {
		for name := range e.GetHeaders() {
			ctx.SetHeader(name, e.GetHeaders().Get(name))
		}
	}
	return e
}

// errorOf turns huma's own errors into ours: they are about parameters and bodies that do not fit the schema.
func errorOf(ctx huma.Context, status int, message string, errs ...error) *AnswerError {
	var ours *signalbox.Error
	for _, err := range errs {
		if errors.As(err, &ours) {
			return NewAnswerError(ours, requestID(ctx))
		}
	}
	e := signalbox.Errorf(codeOf(status), "%s", message).WithRemedy("See /api/v1/openapi.json for what this operation takes.")
	var fields, texts []string
	for _, err := range errs {
		var d huma.ErrorDetailer
		if errors.As(err, &d) {
			fields = append(fields, d.ErrorDetail().Location)
			texts = append(texts, d.ErrorDetail().Location+": "+d.ErrorDetail().Message)
		}
	}
	if len(fields) > 0 {
		e.Field = fields[0]
		e.Message = strings.Join(texts, "; ")
	}
	return NewAnswerError(e, requestID(ctx))
}

func codeOf(status int) signalbox.Code {
	known := map[int]signalbox.Code{
		404: signalbox.CodeNotFound, 413: signalbox.CodeTooLarge, 415: signalbox.CodeUnsupported,
		408: signalbox.CodeTimeout, 401: signalbox.CodeUnauthenticated, 403: signalbox.CodeForbidden,
	}
	if status >= 500 {
		return signalbox.CodeInternal
	}
	return cmp.Or(known[status], signalbox.CodeInvalid)
}

// fail makes the error of an operation.
func fail(ctx ctxWithCaller, err error) error { return NewAnswerError(err, ctx.RequestID) }

// WriteError answers with an error outside of the API's own operations.
func WriteError(w http.ResponseWriter, err error, requestID string) {
	e := NewAnswerError(err, requestID)
	for name, values := range e.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.status)
	if b, err := json.Marshal(e); err == nil {
		w.Write(b)
	}
}
