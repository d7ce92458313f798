package approval

import (
	"context"
	"slices"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// chain is the real stations around the keeper's, in front of a tool.
type chain struct {
	*desk
	handler call.Handler
	tab     *purse
	tool    *tool
}

// purse is a tab that can be empty.
type purse struct {
	call.Tab
	empty bool
}

func (p *purse) Hold(context.Context, *call.Track, signalbox.Candidate, *signalbox.Attempt) error {
	if p.empty {
		return errNoMoney
	}
	return nil
}

func (p *purse) Spend(*signalbox.Attempt)             {}
func (p *purse) Drop()                                {}
func (p *purse) Entries(bool) []signalbox.LedgerEntry { return nil }
func (p *purse) Booked()                              {}
func (p *purse) Lost()                                {}
func (p *purse) Leave()                               {}
func (p *purse) Stand() *signalbox.BudgetStand        { return nil }

// tool answers, or fails so that the next candidate is tried.
type tool struct {
	fails  int
	opened []string
}

func (b *tool) Open(_ context.Context, t *call.Track, c signalbox.Candidate, _ signalbox.Span) (call.Upstream, error) {
	b.opened = append(b.opened, t.Call.ID+" "+c.Name)
	if len(b.opened) <= b.fails {
		return nil, &call.AttemptError{Err: signalbox.Errorf(signalbox.CodeUpstream, "down"), Next: true, Sent: true}
	}
	return &answer{}, nil
}

type answer struct{}

func (*answer) Head() call.Head                         { return call.Head{} }
func (*answer) Report() call.Report                     { return call.Report{} }
func (*answer) Close() error                            { return nil }
func (*answer) Next(context.Context) (call.Part, error) { return call.Part{Terminal: true}, nil }

func newChain() *chain {
	c := &chain{desk: newDesk(nil), tab: &purse{}, tool: &tool{}}
	recorder := call.NewRecorder(call.RecorderOptions{Log: c.r, Masker: hideDigits{}, Now: c.k.now})
	c.handler = call.Stations{
		Record: recorder.Station, Approval: c.k.Station(),
		Attempt: &call.Attempter{
			Backends: map[signalbox.Kind]map[string]call.Backend{signalbox.KindTool: {"p": c.tool}}, Journal: recorder, Now: c.k.now,
		},
	}.Chain()
	return c
}

func (c *chain) call() (*call.Track, call.Answer, error) {
	t := toolTrack(arg)
	t.Tab = c.tab
	t.Resolve.Candidates = []signalbox.Candidate{{Name: "first", Provider: "p", Schema: [32]byte{7}}, {Name: "second", Provider: "p", Schema: [32]byte{7}}}
	a, err := c.handler.Serve(context.Background(), t)
	return t, a, err
}

func (c *chain) types() (list []string) {
	for _, r := range c.records {
		list = append(list, string(r.Type)+" "+r.Context.ApprovalStatus)
	}
	return list
}

// The approval is used up by the first intent, and by nothing before it; the answer needs no claim.
func TestThroughTheStations(t *testing.T) {
	c := newChain()
	c.tool.fails = 1
	_, _, err := c.call()
	id := signalbox.AsError(err).Approval
	if code(err) != signalbox.CodeApprovalRequired || id == "" {
		t.Fatalf("got %v", err)
	}
	c.vote(t, id, "lee", signalbox.VerdictApprove)
	c.tab.empty = true
	if _, _, err := c.call(); code(err) != signalbox.CodeBudgetExhausted || !c.get(id).Used.IsZero() || len(c.claims) != 0 {
		t.Fatalf("without money: %v, used %v, claims %v", err, c.get(id).Used, c.claims)
	}
	c.tab.empty = false
	track, answer, err := c.call()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.claims) != 0 || c.get(id).UsedBy != track.Call.ID {
		t.Fatalf("while the answer runs: claims %v, used by %q", c.claims, c.get(id).UsedBy)
	}
	if _, _, err := c.call(); code(err) != signalbox.CodeApprovalRequired || signalbox.AsError(err).Approval == id {
		t.Fatalf("a second one while the first is answered: %v", err)
	}
	if _, err := answer.Next(t.Context()); err != nil || answer.Close() != nil {
		t.Fatal(err)
	}
	want := []string{
		"admin pending", "outcome pending", "admin approved", // Asked, refused, voted.
		"outcome approved",                    // Without money.
		"intent approved", "attempt approved", // The first candidate, the second.
		"admin pending", "outcome pending", "outcome approved",
	}
	if got := c.types(); !slices.Equal(got, want) || len(c.tool.opened) != 2 || c.wrong != nil {
		t.Fatalf("got %q, opened %q, wrong %v", got, c.tool.opened, c.wrong)
	}
	last := c.records[len(c.records)-1]
	if last.Outcome != signalbox.OutcomeOK || last.Context.ApprovalID != id || last.Context.ApprovedBy != "https://id.example lee" ||
		last.Stations.Approval != signalbox.StatusPassed {
		t.Errorf("the outcome says %+v, %+v", last.Context, last.Stations)
	}
	if refused := c.records[1]; refused.Outcome != signalbox.OutcomeDenied || refused.Stations.Approval != signalbox.StatusDenied || refused.Context.ApprovalID != id {
		t.Errorf("the refusal says %+v, %+v", refused.Context, refused.Stations)
	}
}
