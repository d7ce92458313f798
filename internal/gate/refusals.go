package gate

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// Bounds of what is counted of requests without a valid key.
const (
	// MaxSources is how many sources of one minute are told apart; all further ones share [OtherSources].
	MaxSources = 256
	// MaxMinutes is how many minutes wait for the log while it can not be written; later refusals are then added to the
	// newest of them.
	MaxMinutes = 60
	// MaxReasons is how many different reasons of one source and minute are kept.
	MaxReasons = 3
)

// OtherSources stands for the sources beyond [MaxSources].
const OtherSources = "other"

// Refusals counts requests without a valid key by source and minute and writes one record for each such count. A source
// is an IPv4 address or an IPv6 network of 64 bits, which is what one customer of a provider gets.
type Refusals struct {
	log    call.Log
	now    func() time.Time
	logger *slog.Logger

	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	minutes map[time.Time]map[string]*bucket // By minute and source.
	total   int64
}

type bucketKey struct {
	minute time.Time
	source string
}

type bucket struct {
	count   int64
	last    time.Time
	reasons []string
}

// flushTimeout bounds the last writing at [Refusals.Close].
const flushTimeout = 5 * time.Second

// StartRefusals starts counting, and a goroutine that writes the counts of every minute that is over. Close stops it.
func StartRefusals(log call.Log, now func() time.Time, logger *slog.Logger) *Refusals {
	ctx, stop := context.WithCancel(context.Background())
	f := &Refusals{
		log: log, now: now, logger: logger,
		minutes: map[time.Time]map[string]*bucket{}, stop: stop, done: make(chan struct{}),
	}
	go f.run(ctx)
	return f
}

// Count counts one refusal. It never waits.
func (f *Refusals) Count(source, reason string) {
	now := f.now().UTC()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total++
	b := f.bucket(now.Truncate(time.Minute), network(source))
	b.count++
	b.last = now
	if len(b.reasons) < MaxReasons && !slices.Contains(b.reasons, reason) {
		b.reasons = append(b.reasons, reason)
	}
}

// Total is how many requests were refused since the start.
func (f *Refusals) Total() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.total
}

// bucket finds or makes the bucket of a minute and source within the bounds.
func (f *Refusals) bucket(minute time.Time, source string) *bucket {
	if f.minutes[minute] == nil && len(f.minutes) >= MaxMinutes {
		minute, source = newest(f.minutes), OtherSources
	}
	sources := f.minutes[minute]
	if sources == nil {
		sources = map[string]*bucket{}
		f.minutes[minute] = sources
	}
	if sources[source] == nil && len(sources) >= MaxSources {
		source = OtherSources
	}
	if sources[source] == nil {
		sources[source] = &bucket{}
	}
	return sources[source]
}

// run writes what is over shortly after each minute.
func (f *Refusals) run(ctx context.Context) {
	defer close(f.done)
	for {
		now := f.now()
		timer := time.NewTimer(now.Truncate(time.Minute).Add(time.Minute).Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		if err := f.flush(ctx, f.now().UTC().Truncate(time.Minute)); err != nil {
			f.logger.WarnContext(ctx, "refusals are not recorded yet; they are kept and tried again in a minute", "error", err)
		}
	}
}

// Close stops the goroutine and writes everything that was counted. The error says that some of it could not be written.
func (f *Refusals) Close() error {
	f.stop()
	<-f.done
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	return f.flush(ctx, f.now().UTC().Add(time.Hour))
}

// flush writes the buckets of the minutes before the given one, the oldest first. What could not be written stays.
func (f *Refusals) flush(ctx context.Context, before time.Time) error {
	for _, key := range f.due(before) {
		b := f.remove(key)
		if b == nil {
			continue
		}
		if _, err := f.log.Append(ctx, f.record(key, b)); err != nil {
			f.restore(key, b)
			return err
		}
	}
	return nil
}

func (f *Refusals) due(before time.Time) []bucketKey {
	f.mu.Lock()
	defer f.mu.Unlock()
	var keys []bucketKey
	for minute, sources := range f.minutes {
		if !minute.Before(before) {
			continue
		}
		for source := range sources {
			keys = append(keys, bucketKey{minute, source})
		}
	}
	slices.SortFunc(keys, func(a, b bucketKey) int {
		return cmp.Or(a.minute.Compare(b.minute), strings.Compare(a.source, b.source))
	})
	return keys
}

// remove takes a bucket out, so that a count that comes while it is being written is not lost with it.
func (f *Refusals) remove(key bucketKey) *bucket {
	f.mu.Lock()
	defer f.mu.Unlock()
	sources := f.minutes[key.minute]
	b := sources[key.source]
	delete(sources, key.source)
	if len(sources) == 0 {
		delete(f.minutes, key.minute)
	}
	return b
}

// restore puts a bucket back that could not be written.
func (f *Refusals) restore(key bucketKey, b *bucket) {
	f.mu.Lock()
	defer f.mu.Unlock()
	into := f.bucket(key.minute, key.source)
	into.count += b.count
	into.last = later(into.last, b.last)
	for _, reason := range into.reasons {
		if len(b.reasons) < MaxReasons && !slices.Contains(b.reasons, reason) {
			b.reasons = append(b.reasons, reason)
		}
	}
	into.reasons = b.reasons
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (f *Refusals) record(key bucketKey, b *bucket) signalbox.Record {
	detail := map[string]string{
		"source": key.source, "count": strconv.FormatInt(b.count, 10),
		"minute": key.minute.Format(time.RFC3339), "reasons": strings.Join(b.reasons, " "),
	}
	if b.last.Sub(key.minute) >= time.Minute {
		detail["until"] = b.last.Format(time.RFC3339)
	}
	return signalbox.Record{
		Type: signalbox.RecordAdmin, Time: f.now().UTC(),
		Who:  signalbox.Who{Source: key.source},
		What: signalbox.What{Action: signalbox.ActionRefusals, Detail: detail},
		When: signalbox.When{Timestamp: key.minute},
	}
}

// network is what a source is counted as.
func network(source string) string {
	addr, err := netip.ParseAddr(source)
	if err != nil || !addr.Is6() {
		return source
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return source
	}
	return prefix.String()
}

func newest(minutes map[time.Time]map[string]*bucket) time.Time {
	var last time.Time
	for m := range minutes {
		if m.After(last) {
			last = m
		}
	}
	return last
}
