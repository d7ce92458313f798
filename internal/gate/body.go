package gate

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// ReadBody reads the body of a request into the call, or sets the call's Invalid: unsupported for another content type
// than JSON, too_large, invalid for a body that broke off or came too slowly. A call that is invalid already stays as it
// is, and its body unread. The bytes are not looked at.
func (d *Door) ReadBody(w http.ResponseWriter, r *http.Request, c *signalbox.Call) {
	if c.Invalid == nil {
		c.Invalid = contentType(r.Header)
	}
	if c.Invalid == nil {
		c.Invalid = d.tooLarge(r.ContentLength)
	}
	if c.Invalid == nil {
		c.Body, c.Invalid = d.read(w, r)
	}
	if c.Invalid != nil && r.ContentLength != 0 {
		w.Header().Set("Connection", "close") // The rest of the body is of no use.
	}
}

func (d *Door) read(w http.ResponseWriter, r *http.Request) ([]byte, *signalbox.Error) {
	control := http.NewResponseController(w)
	// Deadlines of sockets are in the time of the machine, whatever time the gate was given. A writer without deadlines
	// has no socket.
	if err := control.SetReadDeadline(time.Now().Add(d.o.BodyTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, signalbox.AsError(err)
	}
	body, err := readAll(http.MaxBytesReader(w, r.Body, d.o.MaxBody), r.ContentLength)
	if err != nil {
		return nil, d.readError(err, len(body))
	}
	// Without this the server would take the deadline for the end of the connection while the call is being served.
	if err := control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, signalbox.AsError(err)
	}
	return body, nil
}

// readAll is io.ReadAll into a buffer of the announced size. A size that is only announced reserves no more than
// firstRead.
func readAll(r io.Reader, announced int64) ([]byte, error) {
	const firstRead = 64 << 10
	size := min(max(announced, 0), firstRead)
	body := make([]byte, 0, size+1)
	for {
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			return body, err
		}
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
	}
}

func (d *Door) readError(err error, got int) *signalbox.Error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return d.tooLarge(large.Limit + 1)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return signalbox.Errorf(signalbox.CodeInvalid, "The body did not arrive within %s; %d bytes came.", d.o.BodyTimeout, got).
			WithField("body").WithRemedy("Send the body without pauses.").WithCause(err)
	}
	return signalbox.Errorf(signalbox.CodeInvalid, "The body broke off after %d bytes.", got).WithField("body").
		WithRemedy("Send the whole body, as long as Content-Length says.").WithCause(err)
}

func (d *Door) tooLarge(size int64) *signalbox.Error {
	if size <= d.o.MaxBody {
		return nil
	}
	return signalbox.Errorf(signalbox.CodeTooLarge, "The body is larger than the limit of %d bytes.", d.o.MaxBody).
		WithField("body").WithRemedy("Send a smaller request; the operator can raise limits.max_body_bytes.")
}

// contentType accepts JSON in UTF-8, uncompressed. Whatever else a body is, somebody behind us would read it otherwise
// than we do.
func contentType(h http.Header) *signalbox.Error {
	value, err := single(h, "Content-Type")
	if err != nil {
		return err
	}
	media, params, parseErr := mime.ParseMediaType(value)
	charset, hasCharset := params["charset"]
	if hasCharset {
		delete(params, "charset")
	}
	if parseErr != nil || media != "application/json" || len(params) > 0 ||
		(hasCharset && !strings.EqualFold(charset, "utf-8")) {
		return signalbox.Errorf(signalbox.CodeUnsupported, "The content type %q is not supported.", clip(value)).
			WithField("Content-Type").WithRemedy("Send `Content-Type: application/json`.")
	}
	encoding, err := single(h, "Content-Encoding")
	if err != nil {
		return err
	}
	if encoding != "" && !strings.EqualFold(encoding, "identity") {
		return signalbox.Errorf(signalbox.CodeUnsupported, "The content encoding %q is not supported.", clip(encoding)).
			WithField("Content-Encoding").WithRemedy("Send the body uncompressed.")
	}
	return nil
}

// span makes the call's span. Two traceparents are like an invalid one; the lists of the other headers may be split.
func span(h http.Header) signalbox.Span {
	parent := ""
	if values := h["Traceparent"]; len(values) == 1 {
		parent = values[0]
	}
	return signalbox.StartSpan(parent, strings.Join(h["Tracestate"], ","), strings.Join(h["Baggage"], ","))
}

// Source gives the address without port and zone. Headers that proxies add are not believed: anybody can send them.
func Source(remote string) string {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return "unknown"
	}
	return addr.Addr().Unmap().WithZone("").String()
}
