package main

import (
	"cmp"
	"slices"
	"time"
)

// kind is a kind of calls.
type kind int

// The kinds of calls.
const (
	unary    kind = iota
	streamed      // All events come at once, so that several are read and written together.
	slow          // The events come one by one, as a model makes them: each costs a read and a write.
	kindCount
)

// String is the name in the table.
func (k kind) String() string { return [kindCount]string{"unary", "stream", "slow stream"}[k] }

// rate is the calls per second at which latency is measured; 0 leaves it out.
func (k kind) rate() int { return [kindCount]int{rate, streamRate, 0}[k] }

// report is everything that was measured.
type report struct {
	options options
	version string
	startup time.Duration   // Of Signalbox with a new database.
	restart time.Duration   // The same with the records of the load.
	idle    [hopCount]int64 // Anonymous memory before the load, in KiB.
	syncs   []syncs         // By round, as are the rows.
	rows    [kindCount][hopCount][]measurement
}

// row is the medians of a hop with one kind of call.
type row struct {
	measurement
	ratio              float64 // Of its CPU per call to the proxy's.
	lowest, highest    float64 // The same ratio in the best and in the worst round.
	addedP50, addedP99 time.Duration
}

func (r *report) row(k kind, hop int) row {
	list, base, proxy := r.rows[k][hop], r.rows[k][direct], r.rows[k][proxied]
	ratio := func(i int) float64 { return float64(list[i].cpu) / float64(max(proxy[i].cpu, 1)) }
	out := row{
		ratio: r.median(ratio), lowest: r.extreme(ratio, slices.Min), highest: r.extreme(ratio, slices.Max),
		addedP50: median(r, func(i int) time.Duration { return list[i].p50 - base[i].p50 }),
		addedP99: median(r, func(i int) time.Duration { return list[i].p99 - base[i].p99 }),
	}
	out.perSecond = r.median(func(i int) float64 { return list[i].perSecond })
	out.reached = r.median(func(i int) float64 { return list[i].reached })
	out.cpu = median(r, func(i int) time.Duration { return list[i].cpu })
	out.p50 = median(r, func(i int) time.Duration { return list[i].p50 })
	out.p99 = median(r, func(i int) time.Duration { return list[i].p99 })
	for _, m := range list {
		out.memory = max(out.memory, m.memory)
		out.count(m.failed, m.failure)
	}
	return out
}

func (r *report) median(of func(round int) float64) float64 { return median(r, of) }

func (r *report) extreme(of func(round int) float64, pick func([]float64) float64) float64 {
	return pick(collect(len(r.syncs), of))
}

// sync is the median of the rounds.
func (r *report) sync() syncs {
	return syncs{
		median(r, func(i int) time.Duration { return r.syncs[i].p50 }),
		median(r, func(i int) time.Duration { return r.syncs[i].p99 }),
	}
}

// failed counts the calls of all hops that were not answered whole.
func (r *report) failed() (n int64) {
	for _, hops := range r.rows {
		for _, list := range hops {
			for _, m := range list {
				n += m.failed
			}
		}
	}
	return n
}

func collect[T any](rounds int, of func(round int) T) []T {
	all := make([]T, rounds)
	for i := range all {
		all[i] = of(i)
	}
	return all
}

// median is the middle of the rounds.
func median[T cmp.Ordered](r *report, of func(round int) T) T {
	return middle(collect(len(r.syncs), of))
}

// middle is the one in the middle, the lower one of two.
func middle[T cmp.Ordered](all []T) T {
	all = slices.Sorted(slices.Values(all))
	return all[(len(all)-1)/2]
}
