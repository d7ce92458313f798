package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"syscall"
	"time"
)

// once is a transport that sends each call at most once. An http.Transport sends some again by itself where a connection
// ends without an answer: those of which it can get the body anew, if the method or a header says that nothing is done
// twice, or if HTTP/2 resets the stream. What a server had done by then, nobody knows. Bodies are therefore not to be had
// again, and the headers by which it decides are spelt as it does not know them; the other side reads them in any case.
// Requests without any body are those of [openapi.Tool.Request], which gives reads a body that is empty, and of the ends of
// sessions, which may come twice.
type once struct{ *http.Transport }

// replayed are the headers that make an http.Transport send a request again.
var replayed = []string{"Idempotency-Key", "X-Idempotency-Key"}

// RoundTrip sends the request. Where nothing of it can have left, because there was no connection, the error is a
// *unconnectedError.
func (o once) RoundTrip(req *http.Request) (*http.Response, error) {
	connected := false
	own := req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected = true },
	}))
	own.GetBody = nil
	for _, name := range replayed {
		if values, ok := req.Header[name]; ok {
			own.Header = own.Header.Clone()
			delete(own.Header, name)
			own.Header[strings.ToLower(name)] = values
		}
	}
	res, err := o.Transport.RoundTrip(own)
	if err != nil && !connected {
		return nil, &unconnectedError{err}
	}
	return res, err
}

// unconnectedError is the error of a request for which there was no connection.
type unconnectedError struct{ err error }

func (e *unconnectedError) Error() string { return e.err.Error() }
func (e *unconnectedError) Unwrap() error { return e.err }

// sendError is the error of a request without an answer. That nothing was sent is known only where there was no
// connection.
func sendError(err error) *wireError {
	var unconnected *unconnectedError
	if !errors.As(err, &unconnected) && !errors.Is(err, http.ErrSchemeMismatch) {
		return &wireError{err: err, sent: true}
	}
	if late := net.Error(nil); errors.As(err, &late) && late.Timeout() {
		err = errors.Join(context.DeadlineExceeded, err)
	}
	return &wireError{err: &unconnectedError{said(err, "%s", obstacle(err))}}
}

// obstacle says why there was no connection.
func obstacle(err error) string {
	var name *net.DNSError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &name):
		return "its name can not be resolved"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate has expired or is not valid yet"
	case errors.As(err, &host):
		return "its certificate is one of another host"
	case errors.As(err, &certificate):
		return "its certificate is not trusted"
	case errors.As(err, &record), errors.As(err, &alert), errors.Is(err, http.ErrSchemeMismatch):
		return "it speaks no TLS that can be used"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "it takes no connection"
	}
	return "no connection comes about"
}

// silence is how long a connection that many calls share may carry nothing before it is asked for a sign of life, and how
// long it has to give one. Else one that has died unnoticed would swallow all calls for as long as the system believes in it.
const silence = 15 * time.Second
