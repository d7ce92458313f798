package upstream

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// handedOver is the answer to an act that is the caller's own to carry out.
func handedOver() *result {
	return &result{data: json.Value(`{"content":[]}`), report: call.Report{Finish: rpc.TypeComplete}}
}

// result is the answer of a tool.
type result struct {
	data   json.Value
	report call.Report
	given  bool
}

// newResult looks into a result. One of a type that we do not know is an error: we can not carry it on. The caller, who may be
// nil, is told of a task that the server has made as it was offered.
func newResult(server string, data json.Value, offer taskOffer, caller Caller) (*result, error) {
	var r struct {
		Type    string       `json:"resultType"`
		IsError bool         `json:"isError"`
		Content []json.Value `json:"content"`
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, &call.AttemptError{Sent: true, Err: signalbox.Errorf(signalbox.CodeUpstream,
			"The MCP server %q gave a result that is none.", server).
			WithRemedy("Check the server; the tool may have acted.").WithCause(err)}
	}
	task, ttl, err := offer.taskIn(server, r.Type, data)
	switch {
	case err != nil:
		return nil, err
	case task != nil && caller != nil:
		caller.Tasked(*task, ttl)
		fallthrough
	case task != nil:
		return &result{data: data, report: call.Report{OutputBytes: int64(len(data)), Finish: rpc.TypeTask}}, nil
	}
	if r.Type != "" && r.Type != rpc.TypeComplete && r.Type != rpc.TypeInputRequired {
		return nil, notCarried(server, r.Type)
	}
	report := call.Report{OutputBytes: int64(len(data)), Excerpt: excerpt(r.Content), Finish: rpc.TypeComplete}
	if r.Type == rpc.TypeInputRequired {
		report.Finish = rpc.TypeInputRequired
	}
	if r.IsError {
		report.Finish = FinishToolError
	}
	return &result{data: data, report: report}, nil
}

func notCarried(server, kind string) error {
	return &call.AttemptError{Sent: true, Err: signalbox.Errorf(signalbox.CodeNotImplemented,
		"The MCP server %q answered with a result of type %q, which Signalbox does not carry here.", server, rpc.Clip(kind)).
		WithRemedy("Use a tool that answers at once.")}
}

// FinishToolError is the finish reason of a call that was carried out and whose tool reports a failure. The call is ok:
// the caller got the tool's answer.
const FinishToolError = "tool_error"

// excerpt gives the beginning of the text of a result.
func excerpt(content []json.Value) string {
	var b strings.Builder
	for _, raw := range content {
		var text struct {
			Text string `json:"text"`
		}
		if json.Unmarshal(raw, &text) != nil || text.Text == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		if b.WriteString(text.Text); b.Len() >= signalbox.MaxExcerpt {
			return strings.ToValidUTF8(b.String()[:signalbox.MaxExcerpt], "")
		}
	}
	return b.String()
}

// Head describes the answer.
func (r *result) Head() call.Head {
	return call.Head{ContentType: "application/json", Header: http.Header{}}
}

// Next gives the result, once.
func (r *result) Next(context.Context) (call.Part, error) {
	if r.given {
		return call.Part{}, io.EOF
	}
	r.given = true
	return call.Part{Data: r.data, Terminal: true}, nil
}

// Close does nothing: the result is here.
func (r *result) Close() error { return nil }

// Report tells what is known of the attempt.
func (r *result) Report() call.Report { return r.report }
