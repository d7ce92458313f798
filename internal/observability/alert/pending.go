package alert

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/signalbox/signalbox"
)

// Bounds of what waits to be written.
const (
	// MaxPending is how many alerts wait for the log one by one. Beyond it they are merged: one alert for each tenant and
	// rule, that with the highest value, which says how many there were.
	MaxPending = 4096
	// MaxPendingBrakes is the same for alerts that set a brake. A brake whose alert was merged holds in this process only.
	MaxPendingBrakes = 1 << 14
	// maxMerged bounds the merged alerts; beyond it they are merged over all tenants and rules.
	maxMerged = 4096
)

// item is an alert that waits to be written.
type item struct {
	Raised
	more int64 // Further alerts that were merged into it.
}

// text is the alert's text, with what was merged.
func (i item) text() string {
	if i.more == 0 {
		return i.Alert.Text
	}
	return fmt.Sprintf("%s %d more alerts of this kind were raised while the log was slow.", i.Alert.Text, i.more)
}

// pending is the queue before the log.
type pending struct {
	mu     *sync.Mutex
	queue  []item
	braked int // Items of the queue that set a brake.
	merged map[[2]string]item
	inHand int
	counts Stats
	wake   chan struct{}
}

func newPending() pending {
	return pending{mu: &sync.Mutex{}, merged: map[[2]string]item{}, wake: make(chan struct{}, 1)}
}

// put queues an alert; it never blocks.
func (p *pending) put(i item) {
	p.mu.Lock()
	p.counts.Raised++
	switch {
	case i.Brake != nil && p.braked < MaxPendingBrakes:
		p.braked++
		p.queue = append(p.queue, i)
	case i.Brake == nil && len(p.queue)-p.braked < MaxPending:
		p.queue = append(p.queue, i)
	default:
		p.merge(i)
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// merge keeps of several alerts the one with the highest value, and how many there were.
func (p *pending) merge(i item) {
	if i.Brake != nil {
		p.counts.Unwritten++
		i.Brake = nil
	}
	k := [2]string{i.Alert.Tenant, i.Alert.Rule}
	old, ok := p.merged[k]
	if !ok && len(p.merged) >= maxMerged {
		k = [2]string{}
		old, ok = p.merged[k]
	}
	if !ok {
		p.merged[k] = i
		return
	}
	p.counts.Merged++
	more := old.more + i.more + 1
	if i.Alert.Value > old.Alert.Value {
		old = i
	}
	old.more = more
	p.merged[k] = old
}

// take gives the next alert to write, which must be given to done; false where nothing waits.
func (p *pending) take() (item, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) > 0 {
		i := p.queue[0]
		p.queue[0] = item{}
		p.queue = p.queue[1:]
		if i.Brake != nil {
			p.braked--
		}
		p.inHand = 1
		return i, true
	}
	if len(p.merged) == 0 {
		return item{}, false
	}
	k := slices.SortedFunc(maps.Keys(p.merged), func(a, b [2]string) int { return strings.Compare(a[0]+"\x00"+a[1], b[0]+"\x00"+b[1]) })[0]
	i := p.merged[k]
	delete(p.merged, k)
	p.inHand = 1
	return i, true
}

// note counts.
func (p *pending) note(count func(s *Stats)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	count(&p.counts)
}

// done says that the alert in hand is written or given up.
func (p *pending) done(ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inHand = 0
	if ok {
		p.counts.Written++
		return
	}
	p.counts.Failed++
}

func (p *pending) stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.counts
	s.Pending = int64(len(p.queue) + len(p.merged) + p.inHand)
	return s
}

// channelsOf gives who is told of an alert.
func channelsOf(r Raised, all []string) []string {
	switch {
	case r.Alert.Action == signalbox.ActionLog:
		return nil
	case len(r.Channels) > 0:
		return r.Channels
	}
	return all
}
