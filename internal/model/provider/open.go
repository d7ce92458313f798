package provider

import (
	"context"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/model/sse"
	"github.com/signalbox/signalbox/internal/model/wire"
)

// The content types of answers.
const (
	jsonType    = "application/json"
	eventStream = "text/event-stream"
)

// HeaderUpstreamRequestID hands the provider's own request id to the caller.
const HeaderUpstreamRequestID = "X-Signalbox-Upstream-Request-Id"

// open sends the request and reads the answer until it has begun well.
func (x *exchange) open(c *signalbox.Call, pair wire.Pair, r *http.Request) (call.Upstream, error) {
	response, err := x.send(r) //nolint:bodyclose // The exchange closes it, whatever comes of it.
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, x.refused(response)
	}
	asked := wire.Asked{Choices: c.Model.Choices, UsageWanted: c.Model.UsageWanted, Created: x.backend.config.Now()}
	kind := mediaType(response.Header)
	switch {
	case response.Header.Get("Content-Encoding") != "":
		return nil, x.unexpected(response, "a compressed answer")
	case c.Stream && kind == eventStream:
		return x.openStream(response, pair.Stream(asked))
	case !c.Stream && isJSON(kind):
		return x.openUnary(response, pair, asked)
	}
	return nil, x.unexpected(response, "an answer of type "+kind)
}

// openUnary reads the whole answer.
func (x *exchange) openUnary(response *http.Response, pair wire.Pair, asked wire.Asked) (call.Upstream, error) {
	x.begun()
	body, err := io.ReadAll(x)
	if err != nil {
		return nil, x.failed(err)
	}
	a, err := pair.Response(body, asked)
	if err != nil {
		return nil, x.wrong(err)
	}
	a.Report.HTTPStatus = response.StatusCode
	a.Report.Hidden = a.Report.Hidden || x.backend.hidden
	x.close()
	return &unary{head: head(response, jsonType), body: a.Body, report: a.Report}, nil
}

// openStream reads the stream up to its first part.
func (x *exchange) openStream(response *http.Response, stream wire.Stream) (call.Upstream, error) {
	x.most = MaxStreamBytes
	s := &streaming{
		exchange: x, head: head(response, eventStream), events: sse.NewReader(x), stream: stream,
		status: response.StatusCode,
	}
	for !s.spoken { // Comments keep a connection alive; they are no answer yet.
		part, err := s.read()
		if err != nil {
			return nil, x.wrong(err)
		}
		s.first = &call.Part{Data: append(s.before(), part.Data...), Terminal: part.Terminal}
	}
	x.begun()
	return s, nil
}

// head keeps the provider's request id, by either of its names.
func head(response *http.Response, contentType string) call.Head {
	h := http.Header{}
	for _, name := range []string{"X-Request-Id", "Request-Id"} {
		if id := response.Header.Get(name); signalbox.ValidID(id) {
			h.Set(HeaderUpstreamRequestID, id)
		}
	}
	return call.Head{ContentType: contentType, Header: h}
}

func mediaType(h http.Header) string {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return "unknown"
	}
	return kind
}

func isJSON(kind string) bool { return kind == jsonType || strings.HasSuffix(kind, "+json") }

// unary is an answer that has arrived as a whole.
type unary struct {
	head   call.Head
	body   []byte
	report call.Report
	given  bool
}

// Head gives the content type.
func (u *unary) Head() call.Head { return u.head }

// Next gives the body once.
func (u *unary) Next(ctx context.Context) (call.Part, error) {
	if u.given {
		return call.Part{}, io.EOF
	}
	if err := ctx.Err(); err != nil {
		return call.Part{}, errCallerGone()
	}
	u.given = true
	return call.Part{Data: u.body, Terminal: true}, nil
}

// Report is complete from the start.
func (u *unary) Report() call.Report { return u.report }

// Close has nothing to release.
func (u *unary) Close() error { return nil }
