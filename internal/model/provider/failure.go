package provider

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/sse"
	"github.com/signalbox/signalbox/internal/model/wire"
)

// Why an exchange was cut or given up, as causes of its context and errors of its body.
var (
	errConnect   = errors.New("no connection in time")
	errFirstByte = errors.New("no answer in time")
	errIdle      = errors.New("silence for too long")
	errTotal     = errors.New("no end in time")
	errClosed    = errors.New("the answer was closed")
	errTooMuch   = errors.New("the answer is too large")
)

func errCallerGone() *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeCancelled, "The caller went away before the answer was complete.")
}

// failed is the error of an attempt whose bytes stopped flowing.
func (x *exchange) failed(err error) error { return x.wrong(x.broken(err)) }

// wrong is the error of an attempt that began badly. The provider gets no second chance for faults of the request.
func (x *exchange) wrong(err error) error {
	e := signalbox.AsError(err)
	return &call.AttemptError{Err: e, Next: mayServe(e.Code), Sent: x.sent.Load()}
}

// mayServe reports whether another candidate may serve after an error that came without a status.
func mayServe(c signalbox.Code) bool {
	switch c { //nolint:exhaustive // Everything else is the provider's fault.
	case signalbox.CodeInvalid, signalbox.CodeTooLarge, signalbox.CodeCancelled, signalbox.CodeBlocked:
		return false
	}
	return true
}

// refused is the error of an attempt that was answered with another status than 200.
func (x *exchange) refused(response *http.Response) error {
	x.begun()
	body, _ := io.ReadAll(io.LimitReader(x, MaxErrorBytes)) // What came of it is good enough.
	status := response.StatusCode
	e := wire.DecodeError(x.backend.config.Format, status, response.Header, body, x.backend.config.Now())
	if status < http.StatusBadRequest {
		e = x.errorf(signalbox.CodeUpstream, "answered with status %d, which no model API does", status).
			WithRemedy("Tell the operator: base_url may be wrong; redirects are not followed.")
	}
	return &call.AttemptError{Err: e, HTTPStatus: status, Next: tryNext(status), Sent: true}
}

// tryNext reports whether another candidate may serve after this status. The other statuses say that the request itself
// is wrong, which it would be anywhere.
func tryNext(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status < http.StatusBadRequest || status >= http.StatusInternalServerError
}

// unexpected is the error of a good status with something else than an answer. Errors hide there too.
func (x *exchange) unexpected(response *http.Response, what string) error {
	e := x.errorf(signalbox.CodeUpstream, "gave %s, which is not what was asked for", what).
		WithRemedy("Tell the operator: base_url may point at something else than a model API.")
	if isJSON(mediaType(response.Header)) {
		x.begun()
		body, _ := io.ReadAll(io.LimitReader(x, MaxErrorBytes)) // What came of it is good enough.
		e = wire.DecodeError(x.backend.config.Format, response.StatusCode, response.Header, body, x.backend.config.Now())
	}
	return &call.AttemptError{Err: e, HTTPStatus: response.StatusCode, Next: mayServe(e.Code), Sent: true}
}

// broken says why bytes stopped flowing. The cause of the exchange's own context counts first: what net/http makes of it
// depends on the moment.
func (x *exchange) broken(err error) *signalbox.Error {
	t := x.backend.timeouts
	cause := context.Cause(x.ctx)
	switch {
	case errors.Is(cause, errConnect):
		return x.timeout("could not be reached within %s", t.Connect)
	case errors.Is(cause, errFirstByte):
		return x.timeout("did not begin to answer within %s", t.FirstByte)
	case errors.Is(cause, errIdle):
		return x.timeout("fell silent for %s in the middle of its answer", t.Idle)
	case errors.Is(cause, errTotal):
		return x.timeout("did not complete its answer within %s", t.Total)
	case errors.Is(cause, context.DeadlineExceeded):
		return x.timeout("did not complete its answer in the time that was left")
	case cause != nil:
		return errCallerGone()
	}
	return x.network(err)
}

// network says what went wrong with the connection.
func (x *exchange) network(err error) *signalbox.Error {
	var dns *net.DNSError
	var op *net.OpError
	var late net.Error
	switch {
	case errors.Is(err, errTooMuch):
		return x.errorf(signalbox.CodeUpstream, "answered with more than %d bytes", x.most)
	case errors.Is(err, sse.ErrTooLarge), errors.Is(err, sse.ErrNUL), errors.Is(err, sse.ErrInvalidUTF8):
		return x.errorf(signalbox.CodeUpstream, "sent a malformed stream (%s)", strings.TrimPrefix(err.Error(), "sse: "))
	case errors.As(err, &dns):
		return x.errorf(signalbox.CodeUpstream, "could not be reached: its name does not resolve").WithCause(err)
	case errors.As(err, &late) && late.Timeout(): // The dialer's own limit came first.
		return x.timeout("could not be reached within %s", x.backend.timeouts.Connect)
	case errors.Is(err, syscall.ECONNREFUSED):
		return x.errorf(signalbox.CodeUpstream, "could not be reached: the connection was refused").WithCause(err)
	case isTLS(err):
		return x.errorf(signalbox.CodeUpstream, "could not be reached: TLS failed").WithCause(err)
	case errors.As(err, &op) && op.Op == "dial":
		return x.errorf(signalbox.CodeUpstream, "could not be reached").WithCause(err)
	}
	return x.errorf(signalbox.CodeUpstream, "broke the connection before its answer was complete").WithCause(err)
}

func isTLS(err error) bool {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	return errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &alert)
}

func (x *exchange) errorf(code signalbox.Code, format string, args ...any) *signalbox.Error {
	args = append([]any{x.backend.config.ID}, args...)
	return signalbox.Errorf(code, "The provider %q "+format+".", args...).
		WithRemedy("Send the request again; if it keeps failing, tell the operator.")
}

func (x *exchange) timeout(format string, args ...any) *signalbox.Error {
	return x.errorf(signalbox.CodeTimeout, format, args...)
}
