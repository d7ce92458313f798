package call_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// tab holds the same for every attempt and remembers what was spent.
type tab struct {
	held  signalbox.Money
	usage signalbox.Usage
	spent []signalbox.Attempt
	stand *signalbox.BudgetStand
}

func (b *tab) Hold(_ context.Context, _ *call.Track, c signalbox.Candidate, a *signalbox.Attempt) error {
	usage := b.usage
	a.HeldUsage, a.MaxOutput = &usage, usage.Output
	if c.Price != nil {
		held := b.held
		a.Held = &held
	}
	return nil
}

func (b *tab) Spend(a *signalbox.Attempt)            { b.spent = append(b.spent, *a) }
func (b *tab) Drop()                                 {}
func (b *tab) Entries(bool) []signalbox.LedgerEntry  { return nil }
func (b *tab) Booked()                               {}
func (b *tab) Lost()                                 {}
func (b *tab) Leave()                                {}
func (b *tab) Stand() *signalbox.BudgetStand         { return b.stand }
func (b *tab) Tightest() (call.Balance, bool)        { return call.Balance{}, false }
func withTab(r fixedResolver, b *tab) heldCandidates { return heldCandidates{r, b} }

// heldCandidates gives the track its tab on the way, as the gate does.
type heldCandidates struct {
	fixedResolver
	tab *tab
}

func (r heldCandidates) Resolve(ctx context.Context, t *call.Track) (string, []signalbox.Candidate, error) {
	t.Tab = r.tab
	return r.fixedResolver.Resolve(ctx, t)
}

// tiered costs 1 dollar and 2 dollars per million, and twice as much above 1,000 tokens of input.
func tiered() signalbox.Candidate {
	c := candidate("small", "p")
	c.Price.Tiers = []signalbox.Tier{{Above: 1000, Rates: signalbox.Rates{Input: 2 * signalbox.Dollar, Output: 4 * signalbox.Dollar}}}
	return c
}

func TestSettlingWithAHold(t *testing.T) {
	usage := func(in, out int64) *signalbox.Usage { return &signalbox.Usage{Input: in, Output: out} }
	end := []call.Part{{Data: []byte("end"), Terminal: true}}
	some := []call.Part{{Data: []byte("some")}}
	broke := signalbox.Errorf(signalbox.CodeTimeout, "idle")
	attemptError := func(status int, sent, undone bool) call.Backend {
		return refuses(&call.AttemptError{Err: broke, HTTPStatus: status, Sent: sent, Undone: undone})
	}
	tests := []struct {
		name     string
		backend  call.Backend
		external bool
		choices  int
		usage    *signalbox.Usage
		cost     string // "" is none.
		basis    signalbox.Basis
	}{
		{"reported", serves(&script{parts: end, report: call.Report{Usage: usage(900, 50)}}), false, 1, usage(900, 50), "0.001", signalbox.BasisReported},
		{"reported above the hold is booked in full", serves(&script{parts: end, report: call.Report{Usage: usage(3000, 600)}}), false, 1, usage(3000, 600), "0.0084", signalbox.BasisReported},
		{"whole without usage: a token per byte and its overhead, off the hold", serves(&script{parts: end, report: call.Report{OutputBytes: 68}}), false, 1, usage(2000, 100), "0.005200001", signalbox.BasisEstimated},
		{"whole without usage: overhead per choice", serves(&script{parts: end, report: call.Report{OutputBytes: 36}}), false, 2, usage(2000, 100), "0.005200001", signalbox.BasisEstimated},
		{"whole without usage is never above the hold", serves(&script{parts: end, report: call.Report{OutputBytes: 9000}}), false, 1, usage(2000, 500), "0.006", signalbox.BasisEstimated},
		{"whole with usage that can not be true", serves(&script{parts: end, report: call.Report{Usage: usage(-1, 1), OutputBytes: 68}}), false, 1, usage(2000, 100), "0.005200001", signalbox.BasisEstimated},
		{"whole with hidden output counts all of it", serves(&script{parts: end, report: call.Report{OutputBytes: 1, Hidden: true}}), false, 1, usage(2000, 500), "0.006", signalbox.BasisEstimated},
		{"whole with an early reading only", serves(&script{parts: end, report: call.Report{OutputBytes: 68, Early: usage(800, 1)}}), false, 1, usage(800, 100), "0.001", signalbox.BasisEstimated},
		{"broken counts what was held", serves(&script{parts: some, err: broke, report: call.Report{OutputBytes: 3}}), false, 1, usage(2000, 500), "0.006", signalbox.BasisEstimated},
		{"broken behind its final usage", serves(&script{parts: some, err: broke, report: call.Report{Usage: usage(900, 50)}}), false, 1, usage(900, 50), "0.001", signalbox.BasisReported},
		{"broken with its input reported", serves(&script{parts: some, err: broke, report: call.Report{Early: usage(900, 1)}}), false, 1, usage(900, 500), "0.0019", signalbox.BasisEstimated},
		{"broken with input that can grow", serves(&script{parts: some, err: broke, report: call.Report{Early: usage(900, 1)}}), true, 1, usage(2000, 500), "0.006", signalbox.BasisEstimated},
		{"broken with more output than was held", serves(&script{parts: some, err: broke, report: call.Report{Early: usage(900, 600)}}), false, 1, usage(900, 600), "0.0021", signalbox.BasisEstimated},
		{"left by its caller", serves(&script{parts: some, err: context.Canceled}), false, 1, usage(2000, 500), "0.006", signalbox.BasisEstimated},
		{"cut without an end", serves(&script{parts: some}), false, 1, usage(2000, 500), "0.006", signalbox.BasisEstimated},
		{"silent after sending", attemptError(0, true, false), false, 1, usage(2000, 500), "0.006", signalbox.BasisEstimated},
		{"a good status without an answer", attemptError(200, true, false), false, 1, usage(2000, 500), "0.006", signalbox.BasisEstimated},
		{"an error status", attemptError(500, true, false), false, 1, nil, "", signalbox.BasisNone},
		{"a redirect", attemptError(302, true, false), false, 1, nil, "", signalbox.BasisNone},
		{"never sent", attemptError(0, false, false), false, 1, nil, "", signalbox.BasisNone},
		{"sent and not acted upon", attemptError(0, true, true), false, 1, nil, "", signalbox.BasisNone},
		{"a panic while it is sent", backendFunc(func(context.Context, *call.Track, signalbox.Candidate, signalbox.Span) (call.Upstream, error) {
			panic("boom")
		}), false, 1, usage(2000, 500), "0.006", signalbox.BasisEstimated},
		{"a panic in the middle", backendFunc(func(context.Context, *call.Track, signalbox.Candidate, signalbox.Span) (call.Upstream, error) {
			return &panics{}, nil
		}), false, 1, usage(2000, 500), "0.006", signalbox.BasisEstimated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stand := &signalbox.BudgetStand{Account: "tenant acme", Max: 9, Before: 5, After: 4}
			held := &tab{held: 6_000_000, usage: *usage(2000, 500), stand: stand}
			b := newBench(withTab(fixedResolver{candidates: []signalbox.Candidate{tiered()}}, held), map[string]call.Backend{"p": tt.backend})
			c := modelCall()
			c.Model.External, c.Model.Choices = tt.external, tt.choices
			a, err := b.handler.Serve(t.Context(), call.NewTrack(c))
			if err == nil {
				_, err = read(t, a)
				if closed := a.Close(); closed != nil {
					t.Error(closed)
				}
			}
			if len(held.spent) != 1 {
				t.Fatalf("spent %d times (%v)", len(held.spent), err)
			}
			got := held.spent[0]
			if show(got.Usage) != show(tt.usage) || money(got.Cost) != tt.cost || got.Basis != tt.basis {
				t.Errorf("got %s, %q, %s; want %s, %q, %s", show(got.Usage), money(got.Cost), got.Basis, show(tt.usage), tt.cost, tt.basis)
			}
			if rec := b.log.last(); rec.Outcome == "" || show(rec.What.Tokens) != show(tt.usage) {
				t.Errorf("the record has %s %s", rec.Outcome, show(rec.What.Tokens))
			}
			if b.log.last().Budget != stand || b.log.records[0].Budget != nil {
				t.Error("the budget's stand is not in the outcome, or not only there")
			}
		})
	}
}

// panics is an upstream that breaks the process's rules in the middle of its answer.
type panics struct{ script }

func (*panics) Next(context.Context) (call.Part, error) { panic("boom") }

func show(u *signalbox.Usage) string {
	if u == nil {
		return "none"
	}
	return fmt.Sprintf("%+v", *u)
}

func money(m *signalbox.Money) string {
	if m == nil {
		return ""
	}
	return m.String()
}

func TestHeldWithoutAPrice(t *testing.T) {
	held := &tab{usage: signalbox.Usage{Input: 100, Output: 50}}
	c := candidate("small", "p")
	c.Price = nil
	up := &script{err: errors.New("gone")}
	b := newBench(withTab(fixedResolver{candidates: []signalbox.Candidate{c}}, held), map[string]call.Backend{"p": serves(up)})
	a, err := b.handler.Serve(t.Context(), call.NewTrack(modelCall()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, a); err == nil {
		t.Fatal("the answer ended well")
	}
	if got := held.spent[0]; got.Basis != signalbox.BasisUnpriced || got.Cost != nil || *got.Usage != held.usage {
		t.Errorf("got %s, %s, %s", got.Basis, money(got.Cost), show(got.Usage))
	}
}

func TestToolsArePaidPerCall(t *testing.T) {
	broke := signalbox.Errorf(signalbox.CodeUpstream, "broke")
	end := []call.Part{{Terminal: true}}
	tests := []struct {
		name    string
		backend call.Backend
		cost    string
	}{
		{"served", serves(&script{parts: end}), "0.002"},
		{"the tool reports a failure", serves(&script{parts: end, report: call.Report{Finish: "tool_error"}}), "0.002"},
		{"sent and broke", refuses(&call.AttemptError{Err: broke, Sent: true}), "0.002"},
		{"refused by the server", refuses(&call.AttemptError{Err: broke, Sent: true, Undone: true}), ""},
		{"not reached", refuses(&call.AttemptError{Err: broke}), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			held := &tab{held: 2_000_000}
			c := candidate("files.read", "p")
			c.Price = &signalbox.Price{Rates: signalbox.Rates{PerCall: 2_000_000}, Source: "config"}
			s := &call.Attempter{
				Backends: map[signalbox.Kind]map[string]call.Backend{signalbox.KindTool: {"p": tt.backend}},
				Journal:  quiet{}, Now: time.Now,
			}
			track := call.NewTrack(&signalbox.Call{Kind: signalbox.KindTool, Tool: &signalbox.ToolRequest{Server: "files", Name: "read"}})
			track.Tab, track.Resolve.Candidates = held, []signalbox.Candidate{c}
			if a, err := s.Serve(t.Context(), track); err == nil {
				if _, err := read(t, a); err != nil {
					t.Error(err)
				}
			}
			if got := held.spent[0]; money(got.Cost) != tt.cost || got.Usage != nil {
				t.Errorf("got %q, %s; want %q", money(got.Cost), show(got.Usage), tt.cost)
			}
		})
	}
}

type quiet struct{}

func (quiet) Begin(context.Context, *call.Track, *signalbox.Attempt) error { return nil }

// growing is a stream whose report grows with what is read.
type growing struct {
	script
	ratio int // Bytes of a part per byte of output.
}

func (g *growing) Next(ctx context.Context) (call.Part, error) {
	p, err := g.script.Next(ctx)
	g.report.OutputBytes += int64(len(p.Data) / g.ratio)
	return p, err
}

func TestProgress(t *testing.T) {
	parts := make([]call.Part, 0, 101)
	for range 100 {
		parts = append(parts, call.Part{Data: []byte(strings.Repeat("x", 300))})
	}
	parts = append(parts, call.Part{Terminal: true})
	tests := []struct {
		name  string
		ratio int
		early *signalbox.Usage
		first string
		most  int
	}{
		{"all is output", 1, nil, "0.0015", 14},
		{"mostly not", 10, nil, "0.0015", 1},
		{"with input that was reported", 1, &signalbox.Usage{Input: 400, Output: 900}, "0.0022", 14},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			up := &growing{script: script{parts: parts, report: call.Report{Early: tt.early}}, ratio: tt.ratio}
			var told []string
			s := &call.Attempter{
				Backends: map[signalbox.Kind]map[string]call.Backend{signalbox.KindModel: {"p": backendFunc(
					func(context.Context, *call.Track, signalbox.Candidate, signalbox.Span) (call.Upstream, error) {
						return up, nil
					})}},
				Journal: quiet{}, Now: time.Now,
				Progress: func(_ *call.Track, a *signalbox.Attempt, cost signalbox.Money) {
					if a.Name != "small" {
						t.Errorf("told of attempt %q", a.Name)
					}
					told = append(told, cost.String())
				},
			}
			track := call.NewTrack(modelCall())
			track.Resolve.Candidates = []signalbox.Candidate{candidate("small", "p")}
			a, err := s.Serve(t.Context(), track)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := read(t, a); err != nil {
				t.Fatal(err)
			}
			if len(told) == 0 || len(told) > tt.most || told[0] != tt.first {
				t.Errorf("told %v; want at most %d, the first %s", told, tt.most, tt.first)
			}
		})
	}
}
