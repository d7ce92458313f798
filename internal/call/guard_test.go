package call_test

import (
	"context"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// looked is a guard's report.
type looked struct{ call.Beside }

func (looked) Report() *signalbox.Guarded {
	return &signalbox.Guarded{Output: &signalbox.GuardSide{Action: signalbox.GuardBlock, Unseen: 1}}
}

// blocking is an answer that a guard does not let pass.
type blocking struct{ call.Answer }

func (b blocking) Next(ctx context.Context) (call.Part, error) {
	if part, err := b.Answer.Next(ctx); err != nil {
		return part, err
	}
	return call.Part{}, signalbox.Errorf(signalbox.CodeBlocked, "The guard has stopped the call.")
}

func guardStation(next call.Handler) call.Handler {
	return call.HandlerFunc(func(ctx context.Context, t *call.Track) (call.Answer, error) {
		t.Guard = call.GuardResult{Input: signalbox.StatusPassed, Output: signalbox.StatusDenied, Beside: looked{}}
		if t.Call.Tool != nil {
			t.Guard.Arguments = []byte(`{"to":"[email]"}`)
		}
		answer, err := next.Serve(ctx, t)
		if err != nil {
			return nil, err
		}
		return blocking{answer}, nil
	})
}

// A call whose answer is blocked was made: it costs what it costs, and its attempt has served.
func TestBlockedAnswer(t *testing.T) {
	up := &script{
		parts:  []call.Part{{Data: []byte("secret"), Terminal: true}},
		report: call.Report{Usage: &signalbox.Usage{Input: 1000, Output: 500}},
	}
	b := newBench(nil, nil)
	handler := call.Stations{
		Record:  b.recorder.Station,
		Resolve: call.Resolve(map[signalbox.Kind]call.Resolver{signalbox.KindTool: fixedResolver{candidates: []signalbox.Candidate{candidate("files.send", "p")}}}),
		Guard:   guardStation,
		Attempt: &call.Attempter{
			Backends: map[signalbox.Kind]map[string]call.Backend{signalbox.KindTool: {"p": serves(up)}}, Journal: b.recorder, Now: b.recorder.Now,
		},
	}.Chain()
	c := modelCall()
	c.Kind, c.Model, c.Tool = signalbox.KindTool, nil, &signalbox.ToolRequest{Server: "files", Name: "send", Arguments: []byte(`{"to":"kim"}`)}
	track := call.NewTrack(c)
	if got := track.Tool(); got != c.Tool {
		t.Errorf("got %v before the guard", got)
	}
	answer, err := handler.Serve(t.Context(), track)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := read(t, answer); text != "" || signalbox.CodeOf(err) != signalbox.CodeBlocked {
		t.Errorf("got %q, %v", text, err)
	}
	if got := track.Tool(); string(got.Arguments) != `{"to":"[email]"}` || got.ID() != "files.send" || string(c.Tool.Arguments) != `{"to":"kim"}` {
		t.Errorf("got %s of %s", got.Arguments, c.Tool.Arguments)
	}
	rec := b.log.last()
	if rec.Outcome != signalbox.OutcomeBlocked || rec.Stations.Attempt != signalbox.StatusPassed || rec.Stations.GuardOutput != signalbox.StatusDenied || rec.What.Cost.String() == "0" {
		t.Errorf("outcome %s, %+v, cost %v", rec.Outcome, *rec.Stations, rec.What.Cost)
	}
	if g := rec.Context.Guard; g == nil || g.Output == nil || g.Output.Unseen != 1 {
		t.Errorf("the guard is recorded as %+v", g)
	}
	if !strings.Contains(rec.What.InputSummary, "[email]") || strings.Contains(rec.What.InputSummary, "kim") {
		t.Errorf("the summary is %q", rec.What.InputSummary)
	}
}
