package upstream

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/mirror"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// censor writes "x" for "kim", and lets nothing pass that has "stop" in it.
type censor struct{}

var errStopped = signalbox.Errorf(signalbox.CodeBlocked, "The guard has stopped it.")

func (censor) pass(doc []byte) ([]byte, error) {
	if bytes.Contains(doc, []byte("stop")) {
		return nil, errStopped
	}
	return bytes.ReplaceAll(doc, []byte("kim"), []byte("x")), nil
}

func (c censor) ToServer(doc []byte) ([]byte, error) { return c.pass(doc) }
func (c censor) ToCaller(doc []byte) ([]byte, error) { return c.pass(doc) }
func (censor) Report() *signalbox.Guarded            { return nil }

// spying is a guard that lets everything pass, and notes what it was shown.
type spying struct{ seen *[]string }

func (s spying) ToServer(doc []byte) ([]byte, error) {
	*s.seen = append(*s.seen, string(doc))
	return doc, nil
}

func (spying) ToCaller(doc []byte) ([]byte, error) { return doc, nil }
func (spying) Report() *signalbox.Guarded          { return nil }

// listener keeps what he is told, and answers what he is asked.
type listener struct {
	told   []string
	answer string
	terms  Terms
}

func (l *listener) Terms() Terms                 { return l.terms }
func (l *listener) Progressed(params json.Value) { l.told = append(l.told, string(params)) }
func (l *listener) Logged(params json.Value)     { l.told = append(l.told, string(params)) }

func (l *listener) Elicited(params json.Value) { l.told = append(l.told, string(params)) }

func (l *listener) Ask(_ context.Context, _ string, params json.Value) (json.Value, error) {
	l.told = append(l.told, string(params))
	if l.answer == "" {
		return nil, errors.New("nobody is there")
	}
	return json.Value(l.answer), nil
}

func (*listener) Tasked(signalbox.ServerTask, time.Duration) {}

func guardedTrack() *call.Track {
	t := call.NewTrack(&signalbox.Call{Tool: &signalbox.ToolRequest{}})
	t.Guard.Beside = censor{}
	return t
}

func TestGuardedCallerHearsWhatPasses(t *testing.T) {
	l := &listener{}
	_, c := withGuard(WithCaller(t.Context(), l), guardedTrack())
	for _, params := range []string{`{"progressToken":"kim","message":"kim"}`, `{"progressToken":1,"progress":2}`, `{"message":"stop"}`, `[]`, `{"progressToken":1,"More":"kim","more":1}`, `{"more":"stop"}`} {
		c.Progressed(json.Value(params))
	}
	for _, params := range []string{`{"level":"info","data":{"kim":"kim"}}`, `{"data":"stop"}`} {
		c.Logged(json.Value(params))
	}
	for _, params := range []string{`{"elicitationId":"kim"}`, `{"elicitationId":"stop"}`} {
		c.Elicited(json.Value(params))
	}
	want := []string{`{"progressToken":"kim","message":"x"}`, `{"progressToken":1,"progress":2}`, `{"progressToken":1,"More":"x","more":1}`, `{"level":"info","data":{"x":"x"}}`, `{"elicitationId":"x"}`}
	if !slices.Equal(l.told, want) {
		t.Errorf("heard %q, want %q", l.told, want)
	}
}

func TestGuardedCallerIsAskedWhatPasses(t *testing.T) {
	cases := map[string]struct {
		question, answer string
		asked            []string
		got              string
		stopped          bool
	}{
		"both pass":             {`{"message":"kim?"}`, `{"action":"accept","content":{"who":"kim"}}`, []string{`{"message":"x?"}`}, `{"action":"accept","content":{"who":"x"}}`, false},
		"the question does not": {`{"message":"stop"}`, `{}`, nil, "", true},
		"the answer does not":   {`{}`, `{"content":"stop"}`, []string{`{}`}, "", true},
		"there is no answer":    {`{}`, "", []string{`{}`}, "", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := &listener{answer: tc.answer}
			_, c := withGuard(WithCaller(t.Context(), l), guardedTrack())
			got, err := c.Ask(t.Context(), "elicitation/create", json.Value(tc.question))
			if string(got) != tc.got || !slices.Equal(l.told, tc.asked) || errors.Is(err, errStopped) != tc.stopped || (err == nil) != (tc.got != "") {
				t.Errorf("got %s and %v, asked %q", got, err, l.told)
			}
		})
	}
}

func TestNobodyIsGuardedWithoutAGuard(t *testing.T) {
	l := &listener{}
	if _, c := withGuard(WithCaller(t.Context(), l), call.NewTrack(&signalbox.Call{})); c != Caller(l) {
		t.Errorf("got %v", c)
	}
	if _, c := withGuard(t.Context(), guardedTrack()); c != nil {
		t.Errorf("got %v of nobody", c)
	}
	terms := Terms{Responses: json.Value(`"kim stop"`)}
	if _, err := guardTerms(call.NewTrack(&signalbox.Call{}), nil, &terms); err != nil || string(terms.Responses) != `"kim stop"` {
		t.Errorf("got %s, %v", terms.Responses, err)
	}
}

func TestGuardHeaders(t *testing.T) {
	kim := mirror.Encode("kím kim")
	terms := Terms{Headers: http.Header{"Mcp-Param-A": {"ann"}, "Mcp-Param-B": {kim}, "Mcp-Param-C": {"ann", "kim"}}}
	if _, err := guardTerms(guardedTrack(), nil, &terms); err != nil {
		t.Fatal(err)
	}
	if want := (http.Header{"Mcp-Param-A": {"ann"}}); !reflect.DeepEqual(terms.Headers, want) {
		t.Errorf("got %v, want %v", terms.Headers, want)
	}
	var seen []string
	spy := call.NewTrack(&signalbox.Call{Tool: &signalbox.ToolRequest{}})
	spy.Guard.Beside = spying{&seen}
	terms.Headers = http.Header{"Mcp-Param-Api-Key": {"hunter2"}}
	if _, err := guardTerms(spy, nil, &terms); err != nil || !slices.Equal(seen, []string{`{"Api-Key":"hunter2"}`}) {
		t.Errorf("the guard was shown %q, %v: what it is called may tell that it is a secret", seen, err)
	}
	terms.Headers = http.Header{"Mcp-Param-D": {"stop"}}
	if _, err := guardTerms(guardedTrack(), nil, &terms); !errors.Is(err, errStopped) {
		t.Errorf("got %v, want %v", err, errStopped)
	}
}

func TestGuardSpan(t *testing.T) {
	span := signalbox.Span{TraceID: "kim", State: "a=kim", Baggage: "user=kim"}
	for name, tc := range map[string]struct {
		track          *call.Track
		state, baggage string
		want           signalbox.Span
		stopped        bool
	}{
		"nobody looks":         {call.NewTrack(&signalbox.Call{}), "a=kim", "user=kim", span, false},
		"both pass":            {guardedTrack(), "a=1", "user=2", signalbox.Span{TraceID: "kim", State: "a=1", Baggage: "user=2"}, false},
		"something is masked":  {guardedTrack(), "a=1", "user=kim", signalbox.Span{TraceID: "kim", State: "a=1"}, false},
		"the state is, too":    {guardedTrack(), "a=kim", "", signalbox.Span{TraceID: "kim"}, false},
		"something is stopped": {guardedTrack(), "", "user=stop", signalbox.Span{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := guardSpan(tc.track, signalbox.Span{TraceID: "kim", State: tc.state, Baggage: tc.baggage})
			if tc.stopped != errors.Is(err, errStopped) || !tc.stopped && !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestGuardTerms(t *testing.T) {
	cases := map[string]struct {
		meta, responses, wantMeta, wantResponses string
		stopped                                  bool
	}{
		"they pass":             {`{"acme/for":"kim","Acme/for":1}`, `{"q":{"content":"kim"}}`, `{"acme/for":"x","Acme/for":1}`, `{"q":{"content":"x"}}`, false},
		"there are none":        {`{}`, ``, `{}`, ``, false},
		"answers do not pass":   {`{}`, `{"q":"stop"}`, ``, ``, true},
		"_meta does not either": {`{"a":"stop"}`, ``, ``, ``, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			root, err := json.Parse([]byte(tc.meta), json.Limits{CaseVariants: true})
			if err != nil {
				t.Fatal(err)
			}
			members, _ := root.Object()
			terms := Terms{}
			if tc.responses != "" {
				terms.Responses = json.Value(tc.responses)
			}
			list, err := guardTerms(guardedTrack(), members.All(), &terms)
			if tc.stopped {
				if !errors.Is(err, errStopped) {
					t.Errorf("got %v", err)
				}
				return
			}
			var o rpc.Object
			for _, m := range list {
				o.Add(m.Name, m.Value.Bytes())
			}
			if err != nil || string(o.Bytes()) != tc.wantMeta || string(terms.Responses) != tc.wantResponses {
				t.Errorf("got %s and %s, %v", o.Bytes(), terms.Responses, err)
			}
		})
	}
}

func TestGuardError(t *testing.T) {
	track := guardedTrack()
	shown, blocked := guardError(track, &rpc.Error{Code: -32000, Message: "no kim", Data: json.Value(`{"hint":"kim"}`)})
	var e *rpc.Error
	if !errors.As(shown, &e) || e.Message != "no x" || string(e.Data) != `{"hint":"x"}` || blocked != nil {
		t.Errorf("got %v, %v", shown, blocked)
	}
	for _, answered := range []*rpc.Error{{Code: -32602, Message: "stop"}, {Code: -32602, Message: "a", Data: json.Value(`"stop"`)}} {
		failed := (&Server{Config: Config{ID: "s"}}).guardedError(t.Context(), track, answered)
		if !errors.Is(failed.Err, errStopped) || !failed.Sent || !failed.Undone {
			t.Errorf("got %+v", failed)
		}
	}
	other := errors.New("the connection broke")
	if shown, blocked := guardError(track, other); !errors.Is(shown, other) || blocked != nil {
		t.Errorf("got %v, %v", shown, blocked)
	}
}
