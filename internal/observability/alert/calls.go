package alert

import (
	"context"
	"hash/maphash"
	"sync"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// shardCount spreads the calls over locks; calls of one run share one.
const shardCount = 32

// entry is a call under way.
type entry struct {
	id, tenant, run string
	cancel          context.CancelCauseFunc
	running         signalbox.Money // What it has cost so far beyond what is settled.
}

// subject is a tenant's run, or the whole tenant where the run is "".
type subject struct{ tenant, run string }

// registry knows the calls under way, and what those of a run have cost that is not settled.
type registry struct {
	seed   maphash.Seed
	shards [shardCount]*shard
}

type shard struct {
	mu    sync.Mutex
	calls map[string]*entry
	runs  map[subject]*spending
}

// spending is what streams of a run have cost so far.
type spending struct {
	sum     signalbox.Money
	account string // The text of the run's account.
}

func newRegistry() registry {
	r := registry{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i] = &shard{calls: map[string]*entry{}, runs: map[subject]*spending{}}
	}
	return r
}

// shard gives the shard of a run's calls, or of a call without a run.
func (r *registry) shard(tenant, run, id string) *shard {
	h := maphash.String(r.seed, id)
	if run != "" {
		h = maphash.String(r.seed, run) ^ maphash.String(r.seed, tenant)
	}
	return r.shards[h%shardCount]
}

func (r *registry) add(c *entry) {
	s := r.shard(c.tenant, c.run, c.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[c.id] = c
}

// remove takes a call out; further removals change nothing.
func (r *registry) remove(c *entry) {
	s := r.shard(c.tenant, c.run, c.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls[c.id] == c {
		delete(s.calls, c.id)
		s.spend(c, 0)
	}
}

// progress sets what a call has cost beyond what is settled, and gives the run's account with the sum over its calls. A
// call that is not under way counts only in this answer.
func (r *registry) progress(t *call.Track, cost signalbox.Money) (account string, sum signalbox.Money) {
	tenant, run := t.Gate.Caller.Tenant, t.Gate.Run
	s := r.shard(tenant, run, t.Call.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.calls[t.Call.ID]
	if !ok {
		if p := s.runs[subject{tenant, run}]; p != nil {
			return p.account, p.sum.Plus(cost)
		}
		return runAccount(tenant, run), cost
	}
	s.spend(c, max(cost, 0))
	p := s.runs[subject{tenant, run}]
	if p == nil { // Nothing was spent.
		return runAccount(tenant, run), 0
	}
	return p.account, p.sum
}

// ended forgets what a call has cost while it ran, and gives the sum of its run's others.
func (r *registry) ended(tenant, run, id string) signalbox.Money {
	s := r.shard(tenant, run, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.calls[id]; ok {
		s.spend(c, 0)
	}
	if p := s.runs[subject{tenant, run}]; run != "" && p != nil {
		return p.sum
	}
	return 0
}

// spend sets what a call has cost.
func (s *shard) spend(c *entry, cost signalbox.Money) {
	if cost == c.running {
		return
	}
	k := subject{c.tenant, c.run}
	p := s.runs[k]
	if p == nil {
		p = &spending{account: runAccount(c.tenant, c.run)}
		s.runs[k] = p
	}
	p.sum = p.sum - c.running + cost
	c.running = cost
	if p.sum == 0 {
		delete(s.runs, k)
	}
}

// halt ends the calls of a run, or of a tenant where run is "".
func (r *registry) halt(tenant, run string, cause error) {
	shards := r.shards[:]
	if run != "" {
		shards = []*shard{r.shard(tenant, run, "")}
	}
	for _, s := range shards {
		for _, cancel := range s.of(tenant, run) {
			cancel(cause)
		}
	}
}

// of gives what ends the calls of a run or tenant.
func (s *shard) of(tenant, run string) []context.CancelCauseFunc {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []context.CancelCauseFunc
	for _, c := range s.calls {
		if c.tenant == tenant && (run == "" || c.run == run) {
			all = append(all, c.cancel)
		}
	}
	return all
}

// stop ends one call.
func (r *registry) stop(tenant, run, id string, cause error) {
	s := r.shard(tenant, run, id)
	s.mu.Lock()
	c := s.calls[id]
	s.mu.Unlock()
	if c != nil {
		c.cancel(cause)
	}
}

func (r *registry) count() int64 {
	n := int64(0)
	for _, s := range r.shards {
		s.mu.Lock()
		n += int64(len(s.calls))
		s.mu.Unlock()
	}
	return n
}
