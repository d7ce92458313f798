package server

import (
	"context"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
)

// recover writes an outcome for every call that has an intent and none: the process before this one ended between them.
func (s *Server) recover(ctx context.Context) error {
	open, err := s.data.projector.Running(ctx)
	if err != nil || len(open) == 0 {
		return err
	}
	records, err := s.unended(ctx, open)
	if err != nil {
		return err
	}
	for _, v := range open {
		if _, err := s.data.writer.Append(ctx, s.unknown(records[v.ID])); err != nil {
			return err
		}
	}
	s.options.Logger.WarnContext(ctx, "calls were cut by the last stop; their outcome is recorded as unknown", "calls", len(open))
	return s.data.projector.CatchUp(ctx)
}

// unended reads what the log holds of open calls: the intent of each, with the attempts that were recorded after it.
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
		r, err := audit.Decode(e)
		if err != nil {
			return nil, err
		}
		attempts := append(known.Attempts, r.Attempts...)
		if e.Type == signalbox.RecordIntent {
			*known = r
		}
		known.Attempts = attempts
	}
	return wanted, nil
}

// unknown is the outcome of a call of which only the beginning is known.
func (s *Server) unknown(r *signalbox.Record) signalbox.Record {
	out := *r
	out.Type, out.Time, out.Outcome = signalbox.RecordOutcome, s.options.Now().UTC(), signalbox.OutcomeUnknown
	if n := len(r.Attempts); n > 0 {
		last := r.Attempts[n-1]
		out.Context.Provider, out.Context.Simulated = last.Provider, last.Simulated
		if r.What.Kind == signalbox.KindModel {
			out.Context.ModelName = last.Name
		}
	}
	out.Error = &signalbox.Failure{
		Code:    signalbox.CodeInternal,
		Message: "Signalbox stopped before the outcome of this call was known.",
		Remedy:  "Check with the provider or tool whether the call had an effect before it is repeated.",
	}
	return out
}
