package server

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// recover writes an outcome for every call that has an intent and none: the process before this one ended between them.
func (s *Server) recover(ctx context.Context) error {
	return s.recoverCalls(ctx, func(replica string) bool { return replica == signalbox.LocalReplica || replica == "" })
}

// recoverCalls writes an outcome for every open call of replicas that are gone.
func (s *Server) recoverCalls(ctx context.Context, gone func(replica string) bool) error {
	open, err := s.data.projector.Running(ctx)
	if err != nil || len(open) == 0 {
		return err
	}
	records, err := s.unended(ctx, open)
	if err != nil {
		return err
	}
	var cut []*signalbox.Record
	for _, v := range open {
		if r := records[v.ID]; r != nil && r.Call != "" && gone(r.Context.Replica) {
			cut = append(cut, r)
		}
	}
	if len(cut) == 0 {
		return nil
	}
	if err := s.endUnknown(ctx, cut); err != nil {
		return err
	}
	s.options.Logger.WarnContext(ctx, "calls were cut when their process ended; their outcome is recorded as unknown", "calls", len(cut))
	return s.data.projector.CatchUp(ctx)
}

// recoverAtOnce bounds the outcomes that are written at once: they share transactions.
const recoverAtOnce = 256

// endUnknown writes outcomes for calls of which the latest records are given. After an error some may be written.
func (s *Server) endUnknown(ctx context.Context, cut []*signalbox.Record) error {
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(recoverAtOnce)
	for _, r := range cut {
		all.Go(func() error {
			out := s.unknown(r)
			_, err := s.data.writer.Append(ctx, out, signalbox.Post{Replica: r.Context.Replica, Entries: out.Ledger})
			return err
		})
	}
	return all.Wait()
}

// unended reads what the log holds of calls that are open in the projections: the latest record of each, with what it holds
// in the ledger by all of its records. It leaves out those whose outcome the log does hold: the projections pass over one
// whose content was destroyed before they came to it.
func (s *Server) unended(ctx context.Context, open []signalbox.CallView) (map[string]*signalbox.Record, error) {
	wanted := map[string]*signalbox.Record{}
	from := open[0].First()
	for _, v := range open {
		wanted[v.ID] = &signalbox.Record{}
		from = min(from, v.First())
	}
	for e, err := range s.data.db.Entries(ctx, from) {
		if err != nil {
			return nil, err
		}
		known, ok := wanted[e.Call]
		if !ok {
			continue
		}
		if e.Type == signalbox.RecordOutcome {
			delete(wanted, e.Call)
			continue
		}
		r, err := s.data.vault.Decode(e)
		if err != nil {
			return nil, err
		}
		r.Ledger = addUp(known.Ledger, r.Ledger)
		*known = r
	}
	return wanted, nil
}

// addUp gives what is held after further entries, in the order in which accounts came up.
func addUp(held, further []signalbox.LedgerEntry) []signalbox.LedgerEntry {
next:
	for _, e := range further {
		for i := range held {
			if held[i].Account == e.Account {
				held[i].Held += e.Held
				continue next
			}
		}
		held = append(held, signalbox.LedgerEntry{Account: e.Account, Held: e.Held})
	}
	return held
}

// unknown is the outcome of a call of which only the beginning is known. Everything that it held counts as used, until
// it is reconciled.
func (s *Server) unknown(r *signalbox.Record) signalbox.Record {
	out := *r
	out.Type, out.Time, out.Outcome = signalbox.RecordOutcome, s.options.Now().UTC(), signalbox.OutcomeUnknown
	out.Ledger = nil
	for _, e := range r.Ledger {
		if e.Held != 0 {
			out.Ledger = append(out.Ledger, signalbox.LedgerEntry{Account: e.Account, Held: -e.Held, Settled: e.Held})
		}
	}
	out.Attempts = append([]signalbox.Attempt(nil), r.Attempts...)
	if n := len(out.Attempts); n > 0 {
		last := &out.Attempts[n-1]
		out.Context.Provider, out.Context.Simulated = last.Provider, last.Simulated
		if r.What.Kind == signalbox.KindModel {
			out.Context.ModelName = last.Name
		}
		if last.Held != nil {
			last.Cost, last.Usage, last.Basis = last.Held, last.HeldUsage, signalbox.BasisHeld
		}
	}
	out.What.Tokens, out.What.Cost, out.What.CostBasis = sums(out.Attempts)
	out.Error = &signalbox.Failure{
		Code:    signalbox.CodeInternal,
		Message: "Signalbox stopped before the outcome of this call was known.",
		Remedy:  "Check with the provider or tool whether the call had an effect before it is repeated; `signalbox cost reconcile` corrects its cost.",
	}
	return out
}

// sums gives what attempts have used in all, as the record station does for calls that end by themselves.
func sums(attempts []signalbox.Attempt) (*signalbox.Usage, *signalbox.Money, signalbox.Basis) {
	t := call.Track{Attempts: attempts}
	cost, basis := t.Cost()
	return t.Usage(), cost, basis
}
