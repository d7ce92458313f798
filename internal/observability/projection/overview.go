package projection

import (
	"context"

	"github.com/signalbox/signalbox"
)

// Reader is what an overview is read from. It is safe for concurrent use.
type Reader interface {
	Costs(ctx context.Context, q signalbox.CostQuery) ([]signalbox.CostRow, error)
	Latencies(ctx context.Context, q signalbox.CostQuery) ([]signalbox.LatencyRollup, error)
	RunningCount(ctx context.Context, tenants []string) (int64, error)
	Progress(ctx context.Context) (signalbox.Progress, error)
}

// Overview gives what happened in the range of the query, by the hour. It reads rollups only. Of one tool or server it does
// not say what is under way.
func Overview(ctx context.Context, r Reader, q signalbox.CostQuery) (signalbox.Overview, error) {
	q.By, q.Bucket = "", signalbox.BucketHour
	var o signalbox.Overview
	var err error
	// First: what is read after it is at least as new as it says.
	if o.Progress, err = r.Progress(ctx); err != nil {
		return o, err
	}
	if o.Hours, err = r.Costs(ctx, q); err != nil {
		return o, err
	}
	for _, h := range o.Hours {
		o.Totals = o.Totals.Plus(h.Totals)
	}
	if q.Tool == "" && q.Server == "" {
		if o.Running, err = r.RunningCount(ctx, q.Tenants); err != nil {
			return o, err
		}
	}
	rollups, err := r.Latencies(ctx, q)
	if err != nil {
		return o, err
	}
	o.Latency, err = Latency(rollups...)
	return o, err
}

// ToolUse is what happened to calls of one tool.
type ToolUse struct {
	signalbox.Totals
	Latency signalbox.Latency
}

// Tools gives what happened in the range of the query to the tools of its server, by their ids. It reads rollups only.
func Tools(ctx context.Context, r Reader, q signalbox.CostQuery) (map[string]ToolUse, error) {
	q.By, q.Bucket = signalbox.FacetTool, signalbox.BucketTotal
	rows, err := r.Costs(ctx, q)
	if err != nil {
		return nil, err
	}
	rollups, err := r.Latencies(ctx, q)
	if err != nil {
		return nil, err
	}
	byTool := map[string][]signalbox.LatencyRollup{}
	for _, l := range rollups {
		byTool[l.Tool] = append(byTool[l.Tool], l)
	}
	uses := make(map[string]ToolUse, len(rows))
	for _, row := range rows {
		use := ToolUse{Totals: row.Totals}
		if use.Latency, err = Latency(byTool[row.Key]...); err != nil {
			return nil, err
		}
		uses[row.Key] = use
	}
	return uses, nil
}

// Latency merges distributions and reads their quantiles.
func Latency(rollups ...signalbox.LatencyRollup) (signalbox.Latency, error) {
	var s sketch
	for _, r := range rollups {
		if err := s.merge(r.Sketch); err != nil {
			return signalbox.Latency{}, err
		}
	}
	return s.latency()
}
