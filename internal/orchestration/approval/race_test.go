package approval

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// interleavings is how many random sequences are tried. SIGNALBOX_INTERLEAVINGS sets another number.
func interleavings(t *testing.T) int64 {
	t.Helper()
	s := os.Getenv("SIGNALBOX_INTERLEAVINGS")
	if s == "" {
		return 1000
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatalf("SIGNALBOX_INTERLEAVINGS: %v", err)
	}
	return n
}

// setChecks sets how many sequences rapid draws in a test.
func setChecks(t *testing.T, n int64) {
	t.Helper()
	was := flag.Lookup("rapid.checks").Value.String()
	if err := flag.Set("rapid.checks", strconv.FormatInt(n, 10)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set("rapid.checks", was) })
}

// act is one thing that somebody does.
type act struct {
	kind    int
	call    int // Which of the calls it is about.
	replica int
	voter   int
	deny    bool
	fault   fault
}

const (
	actPresent = iota
	actRefused // Presented, and refused by the ledger.
	actVote
	actWithdraw
	actSweep
	actStale
	actLater // Some minutes pass.
	actFence // The dead are fenced.
	acts
)

func drawAct(t *rapid.T) act {
	v := rapid.Uint64Range(0, 1<<40-1).Draw(t, "act")
	take := func(n uint64) int { x := v % n; v /= n; return int(x) }
	kinds := []int{
		actPresent, actPresent, actPresent, actPresent, actPresent, actPresent, actPresent, actPresent, actRefused,
		actVote, actVote, actVote, actVote, actVote, actVote, actWithdraw, actSweep, actStale, actLater, actFence,
	}
	a := act{kind: kinds[take(uint64(len(kinds)))], replica: take(replicas), voter: take(4), deny: take(10) == 0}
	a.call = []int{0, 0, 0, 0, 1, 1, 2}[take(7)]
	if take(12) == 0 {
		a.fault = fault(take(4))
	}
	return a
}

const (
	calls    = 3 // The last is the first in another tenant.
	replicas = 2
)

// game is one sequence: some workers act on some replicas at once.
type game struct {
	*world
	clock   atomic.Int64 // Minutes.
	tick    atomic.Int64
	stale   [calls]atomic.Bool
	current [calls]atomic.Pointer[string] // Id of the newest approval.
	slots   [replicas]atomic.Pointer[process]
	births  atomic.Int64

	history  sync.Mutex
	ops      []porcupine.Operation
	executed []execution
	dead     []string
}

type process struct {
	replica *replica
	keeper  *Keeper
}

type execution struct{ id, approval, tenant, arguments string }

// Of the calls: what they would send, for whom, and their hashes.
var (
	arguments = [calls]string{`{"path":"/srv/0","n":9007199254740992}`, `{"path":"/srv/0","n":9007199254740993}`, `{"path":"/srv/0","n":9007199254740992}`}
	tenants   = [calls]string{"acme", "acme", "globex"}
	hashes    = func() (list [calls][32]byte) {
		for i := range list {
			list[i], _ = Hash(track(i))
		}
		return list
	}()
)

func track(i int) *call.Track {
	t := toolTrack(arguments[i])
	t.Policy.Require.Approvers, t.Gate.Caller.Tenant = 1+i%2, tenants[i]
	return t
}

func newGame() *game {
	g := &game{world: newWorld()}
	g.keep, g.world.committed = false, g.committed
	for i := range g.slots {
		g.born(i)
	}
	return g
}

// born puts a new process into a slot. The one before is dead, or only thought to be.
func (g *game) born(slot int) *process {
	name := fmt.Sprint("replica ", g.births.Add(1))
	r, k := newReplica(g.world, name, func() time.Time { return at(int(g.clock.Load())) }, func(o *Options) {
		o.Current = func(a signalbox.Approval) bool { return !g.stale[which(a)].Load() }
	})
	k.pause = func(context.Context, time.Duration) { runtime.Gosched() }
	p := &process{r, k}
	if old := g.slots[slot].Swap(p); old != nil {
		g.history.Lock()
		defer g.history.Unlock()
		g.dead = append(g.dead, old.replica.name)
	}
	return p
}

// which gives the call that an approval is about.
func which(a signalbox.Approval) int {
	for i, h := range hashes {
		if h == a.Hash && tenants[i] == a.Tenant {
			return i
		}
	}
	panic("an approval of nothing")
}

// step is one operation as somebody saw it.
type step struct {
	kind   string // created, required, admitted, refused, voted, withdrawn or ended.
	id     string
	by     string
	state  signalbox.ApprovalState // After it.
	minute int64                   // When it began.
	useBy  time.Time
	needs  int
}

// committed notes what no caller is told of, or did not live to be told.
func (g *game) committed(old, now signalbox.Approval, lost bool) {
	i, s := which(now), step{id: now.ID, state: now.State, minute: g.clock.Load(), needs: now.Require.Approvers, useBy: now.UseBy}
	from := g.tick.Add(1)
	switch {
	case old.ID == "":
		s.kind = "created"
		g.current[i].Store(&now.ID)
	case now.State == signalbox.ApprovalExpired, now.State == signalbox.ApprovalStale:
		s.kind = "ended"
	case !lost:
		return
	case len(now.Votes) > len(old.Votes):
		s.kind, s.by = "voted", now.Votes[len(now.Votes)-1].By
	case now.State == signalbox.ApprovalWithdrawn:
		s.kind = "withdrawn"
	case !now.Used.IsZero():
		s.kind = "admitted"
		s.minute = int64(now.Used.Sub(start) / time.Minute)
	default: // It was escalated, which changes nothing for anybody here.
		return
	}
	g.note(i, int(from)+1000, from, s) // Nobody's: a client of its own.
}

func (g *game) note(call, client int, from int64, s step) {
	to := g.tick.Add(1)
	g.history.Lock()
	defer g.history.Unlock()
	g.ops = append(g.ops, porcupine.Operation{ClientId: client, Input: call, Call: from, Output: s, Return: to})
}

// act does one thing.
func (g *game) act(ctx context.Context, worker int, a act) {
	p := g.slots[a.replica].Load()
	if p.replica.gone() {
		p = g.born(a.replica)
	}
	if a.fault != faultNone {
		p.replica.set(func() { p.replica.fault = a.fault })
	}
	switch a.kind {
	case actPresent, actRefused:
		g.present(ctx, worker, p, a)
	case actVote:
		g.vote(ctx, worker, p, a)
	case actWithdraw:
		g.withdraw(ctx, worker, p, a)
	case actSweep:
		_ = p.keeper.Sweep(ctx)
	case actStale:
		g.stale[a.call].Store(!g.stale[a.call].Load())
	case actLater:
		g.clock.Add(int64(4 + 8*a.voter))
	case actFence:
		g.fenceThose(a)
	}
}

// fenceThose fences the dead, and sometimes one that lives.
func (g *game) fenceThose(a act) {
	if a.deny {
		g.born(a.replica)
	}
	g.history.Lock()
	dead := g.dead
	g.dead = nil
	g.history.Unlock()
	for _, name := range dead {
		g.fence(name)
	}
}

var errNoMoney = signalbox.Errorf(signalbox.CodeBudgetExhausted, "no money")

func (g *game) present(ctx context.Context, worker int, p *process, a act) {
	t := track(a.call)
	t.Call.ID = fmt.Sprintf("call_%d_%d", worker, g.tick.Add(1))
	var refuse error
	if a.kind == actRefused {
		refuse = errNoMoney
	}
	next := upstream(p.replica, refuse, func(t *call.Track) {
		g.history.Lock()
		defer g.history.Unlock()
		g.executed = append(g.executed, execution{t.Call.ID, t.Approval.ID, t.Gate.Caller.Tenant, string(t.Call.Tool.Arguments)})
	})
	s, from := step{minute: g.clock.Load()}, g.tick.Add(1)
	_, err := p.keeper.Station()(next).Serve(ctx, t)
	s.id = t.Approval.ID
	switch signalbox.CodeOf(err) {
	case "":
		s.kind = "admitted"
	case signalbox.CodeApprovalRequired:
		s.kind, s.id = "required", signalbox.AsError(err).Approval
	case signalbox.CodeBudgetExhausted:
		s.kind = "refused"
	default:
		return
	}
	g.note(a.call, worker, from, s)
}

func (g *game) vote(ctx context.Context, worker int, p *process, a act) {
	id := g.current[a.call].Load()
	if id == nil {
		return
	}
	v := Voter{By: fmt.Sprint("key_", a.voter), Key: fmt.Sprint("key_", a.voter), User: fmt.Sprint("user_", a.voter), Role: signalbox.RoleApprover, Tenant: tenants[a.call]}
	if a.voter == 3 {
		v.User = "kim" // Who has asked.
	}
	verdict := signalbox.VerdictApprove
	if a.deny {
		verdict = signalbox.VerdictDeny
	}
	from := g.tick.Add(1)
	n, err := p.keeper.Vote(ctx, v, *id, verdict, "", "api")
	if err == nil {
		g.note(a.call, worker, from, step{kind: "voted", id: *id, by: v.By, state: n.State, useBy: n.UseBy})
	}
}

func (g *game) withdraw(ctx context.Context, worker int, p *process, a act) {
	id := g.current[a.call].Load()
	if id == nil {
		return
	}
	from := g.tick.Add(1)
	if _, err := p.keeper.Withdraw(ctx, Voter{By: "key_a", Key: "key_a", Tenant: tenants[a.call]}, *id, ""); err == nil {
		g.note(a.call, worker, from, step{kind: "withdrawn", id: *id})
	}
}

// one is all approvals of one call as somebody would see them who sees everything at once: the newest.
type one struct {
	id     string
	state  signalbox.ApprovalState
	used   bool
	voters string
	needs  int
	useBy  time.Time
}

func (o one) step(s step) (bool, one) {
	pending, minute := o.state == signalbox.ApprovalPending, at(int(s.minute))
	mine := o.id == s.id
	given := mine && o.state == signalbox.ApprovalApproved && !o.used
	switch s.kind {
	case "created":
		free := !pending && (o.state != signalbox.ApprovalApproved || o.used || !minute.Before(o.useBy))
		return free, one{id: s.id, state: signalbox.ApprovalPending, needs: s.needs}
	case "required":
		return mine && pending, o
	case "admitted":
		ok := given && minute.Before(o.useBy)
		o.used = true
		return ok, o
	case "refused":
		return given, o
	case "voted":
		return o.vote(s, mine && pending)
	case "withdrawn":
		o.state = signalbox.ApprovalWithdrawn
		return mine && pending, o
	case "ended":
		o.state = s.state
		return mine && pending, o
	}
	return false, o
}

func (o one) vote(s step, can bool) (bool, one) {
	can = can && s.by != "key_3" && s.by != "key_a" && !strings.Contains(o.voters, s.by)
	o.voters += s.by + " "
	switch {
	case s.state == signalbox.ApprovalDenied:
		o.state = s.state
	case strings.Count(o.voters, " ") >= o.needs:
		o.state, o.useBy = signalbox.ApprovalApproved, s.useBy
	}
	return can && o.state == s.state, o
}

var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, calls)
		for _, o := range history {
			parts[o.Input.(int)] = append(parts[o.Input.(int)], o)
		}
		return parts
	},
	Init: func() any { return one{} },
	Step: func(state, _, out any) (bool, any) {
		return state.(one).step(out.(step))
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("call %v: %+v", in, out) },
}

// check says what is wrong once everybody is done; "" where nothing is.
func (g *game) check(ctx context.Context) string {
	for i := range g.slots {
		g.fenceIfDead(g.slots[i].Load())
	}
	g.fenceThose(act{})
	switch used := map[string]bool{}; {
	case len(g.wrong) > 0:
		return strings.Join(g.wrong, "\n")
	case len(g.claims) > 0:
		return fmt.Sprintf("claims are left: %v", g.claims)
	case !porcupine.CheckOperations(model, g.ops):
		return "no order of what was seen explains it"
	default:
		for _, e := range g.executed {
			if wrong := g.judge(e, used); wrong != "" {
				return wrong
			}
		}
	}
	return g.allEnd(ctx)
}

func (g *game) fenceIfDead(p *process) {
	if p.replica.gone() {
		g.fence(p.replica.name)
	}
}

// judge says what is wrong with an execution.
func (g *game) judge(e execution, used map[string]bool) string {
	a := g.approvals[e.approval]
	shown, state := New(Options{Sealer: plainSealer{g.world}}).Content(a)
	switch {
	case a.State != signalbox.ApprovalApproved || a.UsedBy != e.id || a.Tenant != e.tenant || state != "":
		return fmt.Sprintf("%+v was executed by %+v", e, a)
	case shown.Arguments != e.arguments:
		return fmt.Sprintf("%q was executed, %q was approved", e.arguments, shown.Arguments)
	case used[a.ID]:
		return fmt.Sprintf("%s was used twice", a.ID)
	}
	used[a.ID] = true
	return ""
}

// allEnd says which approvals nobody can end any more.
func (g *game) allEnd(ctx context.Context) string {
	g.clock.Add(1000)
	g.world.committed = nil
	_, k := newReplica(g.world, "last", func() time.Time { return at(int(g.clock.Load())) }, nil)
	if err := k.Sweep(ctx); err != nil {
		return err.Error()
	}
	for _, a := range g.approvals {
		if a.State == signalbox.ApprovalPending {
			return "never ends: " + a.ID
		}
	}
	return ""
}

// TestInterleavings plays random sequences on real goroutines. Nothing is executed that was not approved as it is, nothing
// is used twice, and what each worker saw is what one store without replicas could have shown.
func TestInterleavings(t *testing.T) {
	want := interleavings(t)
	setChecks(t, want)
	var sequences, operations, executed int64
	rapid.Check(t, func(r *rapid.T) {
		plans := rapid.SliceOfN(rapid.SliceOfN(rapid.Custom(drawAct), 3, 10), 3, 3).Draw(r, "plans")
		g := newGame()
		var wg sync.WaitGroup
		for worker, plan := range plans {
			wg.Go(func() {
				for _, a := range plan {
					g.act(t.Context(), worker, a)
				}
			})
		}
		wg.Wait()
		if wrong := g.check(t.Context()); wrong != "" {
			r.Fatalf("%s\n%+v", wrong, g.ops)
		}
		sequences, operations, executed = sequences+1, operations+int64(len(g.ops)), executed+int64(len(g.executed))
	})
	t.Logf("%d sequences, %d operations, %d calls executed", sequences, operations, executed)
	if sequences < want || executed < sequences/10 {
		t.Errorf("%d of %d sequences executed %d calls", sequences, want, executed)
	}
}
