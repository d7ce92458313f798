package ledger

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

// machine drives several books over one naive vault, as replicas of one installation, with every event at any time:
// draws that take long or fail, records that are lost, calls that leave, overruns, new caps, crashes. The model is the
// list of calls and what each has come to; everything is added up anew from it after each step.
type machine struct {
	vault    *vault
	replicas []*replica
	born     int
	now      time.Time
	caps     map[string]int64 // As configured now.
	most     map[string]int64 // The largest cap that was ever configured.
	excess   map[string]int64 // What was billed above holds.
	gone     map[string]int64 // Settled by calls that have ended or crashed.
	whole    bool
}

type replica struct {
	name  string
	book  *book
	calls []*modelCall
	fly   []*account // Of the draws that are being performed.
	want  []signalbox.Draw
}

// modelCall is what the model knows of a call.
type modelCall struct {
	tally  tally
	lines  []budget.Line
	posted []signalbox.LedgerEntry
	ending bool

	durable map[string]int64 // Held by durable records.
	settled map[string]int64 // Known, and not yet in a durable record.
	held    map[string]int64 // By the attempt under way.
	sent    map[string]int64 // The part of settled that is in the record on its way.
	keeps   map[string]int64 // What is held once that record is durable.
}

var machineUnits = map[string]signalbox.Unit{
	"tenant": signalbox.UnitUSD, "agent": signalbox.UnitUSD, "run": signalbox.UnitUSD, "watch": signalbox.UnitUSD,
	"tokens": signalbox.UnitTokens, "steps": signalbox.UnitSteps, "requests": signalbox.UnitRequests,
	"concurrent": signalbox.UnitConcurrent,
}

var (
	gateKeys    = []string{"requests", "concurrent"}
	attemptKeys = []string{"tenant", "agent", "run", "watch", "tokens", "steps"}
)

func newMachine(t *rapid.T) *machine {
	m := &machine{
		vault: newVault(), now: at, caps: map[string]int64{}, most: map[string]int64{}, excess: map[string]int64{},
		gone: map[string]int64{}, whole: rapid.Bool().Draw(t, "whole"),
	}
	for _, key := range append(gateKeys, attemptKeys...) {
		limit := rapid.Int64Range(20, 120).Draw(t, "cap "+key)
		if rapid.IntRange(0, 14).Draw(t, "odd") == 0 {
			limit = rapid.SampledFrom([]int64{-7, 0, 1, MaxAmount, 1<<63 - 1}).Draw(t, "odd cap "+key)
		}
		m.configure(key, limit)
	}
	m.configure("watch", signalbox.NoCap)
	n := 3
	if m.whole {
		n = 1
	}
	for range n {
		m.join()
	}
	return m
}

func (m *machine) configure(key string, limit int64) {
	m.caps[key] = limit
	m.most[key] = max(m.most[key], clamp(limit))
}

func (m *machine) join() {
	name := "local"
	if !m.whole {
		m.born++
		name = fmt.Sprintf("replica %d", m.born)
	}
	m.replicas = append(m.replicas, &replica{name: name, book: newBook(m.whole, 3)})
}

func (m *machine) line(key string, amount int64) budget.Line {
	unit := machineUnits[key]
	if unit != signalbox.UnitUSD && unit != signalbox.UnitTokens {
		amount = 1
	}
	return budget.Line{
		Key: key, Account: signalbox.Account{Name: key, Unit: unit}, Amount: amount,
		Budget: signalbox.Budget{Unit: unit, Max: m.caps[key], KeepOpen: key == "agent"},
	}
}

func (m *machine) replica(t *rapid.T) *replica {
	return m.replicas[rapid.IntRange(0, len(m.replicas)-1).Draw(t, "replica")]
}

// call picks a call of which ok holds, or none.
func (m *machine) call(t *rapid.T, ok func(*modelCall) bool) (*replica, *modelCall) {
	r := m.replica(t)
	var list []*modelCall
	for _, c := range r.calls {
		if ok(c) {
			list = append(list, c)
		}
	}
	if len(list) == 0 {
		t.Skip("no such call")
	}
	return r, list[rapid.IntRange(0, len(list)-1).Draw(t, "call")]
}

func still(c *modelCall) bool { return !c.tally.ask.waiting && c.posted == nil && !c.ending }

func (m *machine) amount(t *rapid.T) int64 {
	if rapid.IntRange(0, 19).Draw(t, "huge") == 0 {
		return rapid.SampledFrom([]int64{MaxAmount - 1, MaxAmount, MaxAmount + 1, 1<<63 - 1}).Draw(t, "amount")
	}
	return rapid.Int64Range(0, 30).Draw(t, "amount")
}

func (m *machine) ask(t *rapid.T, r *replica, c *modelCall, p patience, choices [][]budget.Line) {
	f := flow{"acme", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "agent")}
	r.book.request(m.now, &c.tally, f, p, choices)
}

// arrive opens a call at the gate.
func (m *machine) arrive(t *rapid.T) {
	r, c := m.replica(t), &modelCall{
		durable: map[string]int64{}, settled: map[string]int64{}, held: map[string]int64{},
		sent: map[string]int64{}, keeps: map[string]int64{},
	}
	r.calls = append(r.calls, c)
	var lines []budget.Line
	for _, key := range gateKeys {
		if rapid.Bool().Draw(t, key) {
			lines = append(lines, m.line(key, 1))
		}
	}
	m.ask(t, r, c, brief, [][]budget.Line{lines})
}

// attempt asks for money; one that has not been spent is given up by that.
func (m *machine) attempt(t *rapid.T) {
	r, c := m.call(t, still)
	cost := m.amount(t)
	choices := make([][]budget.Line, rapid.IntRange(1, 2).Draw(t, "choices"))
	for i := range choices {
		for _, key := range attemptKeys {
			if rapid.IntRange(0, 2).Draw(t, key) > 0 {
				choices[i] = append(choices[i], m.line(key, cost))
			}
		}
	}
	m.conclude(c)
	c.lines = nil
	m.ask(t, r, c, rapid.SampledFrom([]patience{probing, patient}).Draw(t, "patience"), choices)
}

// conclude is what a call's unspent attempt comes to in the model.
func (m *machine) conclude(c *modelCall) {
	for key, n := range c.held {
		if gated(machineUnits[key]) {
			continue
		}
		if c.tally.left {
			c.settled[key] += n
		}
		delete(c.held, key)
	}
}

// spend settles an attempt, sometimes with more than was held.
func (m *machine) spend(t *rapid.T) {
	r, c := m.call(t, func(c *modelCall) bool { return still(c) && c.tally.left })
	over := rapid.IntRange(0, 19).Draw(t, "over") == 0
	most := int64(0)
	for _, d := range c.tally.due {
		most = max(most, d.amount)
	}
	cost := rapid.Int64Range(0, min(most, 1000)).Draw(t, "cost")
	if over {
		cost = most + m.amount(t)
		cost = max(cost, 0)
	}
	for _, d := range c.tally.due {
		m.settleDue(c, d, cost)
	}
	r.book.spend(&c.tally, signalbox.Usage{Input: cost}, signalbox.Money(cost))
}

func (m *machine) settleDue(c *modelCall, d due, cost int64) {
	a := c.tally.claims[d.claim].account
	n := budget.AmountOf(a.name.Unit, signalbox.Usage{Input: cost}, signalbox.Money(cost))
	others := a.used() - c.tally.claims[d.claim].counted()
	n = min(n, max(MaxAmount-others-c.settled[a.key], 0)) // What can not be counted is not.
	m.excess[a.key] += max(n-d.amount, 0)
	c.settled[a.key] += n
	c.held[a.key] -= d.amount
}

// record asks for the entries of the next record; commit or lose end it.
func (m *machine) record(t *rapid.T) {
	r, c := m.call(t, still)
	m.entries(t, r, c, rapid.Bool().Draw(t, "ended"))
}

// depart makes it durable that a held attempt leaves.
func (m *machine) depart(t *rapid.T) {
	r, c := m.call(t, func(c *modelCall) bool { return still(c) && len(c.tally.due) > 0 && !c.tally.left })
	m.entries(t, r, c, false)
	m.write(r, c)
}

func (m *machine) entries(t *rapid.T, r *replica, c *modelCall, ended bool) {
	c.ending = ended
	if c.ending {
		m.conclude(c)
	}
	if n := c.held["requests"]; n > 0 {
		c.settled["requests"] += n
		delete(c.held, "requests")
	}
	c.posted = append([]signalbox.LedgerEntry{}, r.book.entries(&c.tally, c.ending)...) // Not nil: a record without entries is on its way too.
	m.checkEntries(t, c)
	for key := range machineUnits {
		c.sent[key], c.keeps[key] = c.settled[key], c.held[key]
	}
}

// checkEntries compares the entries with what the model says the record must book.
func (m *machine) checkEntries(t *rapid.T, c *modelCall) {
	got := map[string]signalbox.LedgerEntry{}
	for _, e := range c.posted {
		got[e.Account] = e
	}
	for key, unit := range machineUnits {
		if unit == signalbox.UnitConcurrent {
			continue
		}
		e := got[key]
		if e.Held != c.held[key]-c.durable[key] || e.Settled != c.settled[key] {
			t.Fatalf("entry of %s is %+v; held %d of which %d durable, settled %d", key, e, c.held[key], c.durable[key], c.settled[key])
		}
		delete(got, key)
	}
	if len(got) > 0 {
		t.Fatalf("entries of accounts that must not have any: %v", got)
	}
}

func (m *machine) commit(t *rapid.T) {
	r, c := m.call(t, func(c *modelCall) bool { return c.posted != nil })
	m.write(r, c)
}

func (m *machine) write(r *replica, c *modelCall) {
	m.vault.post(r.name, c.posted)
	m.land(c)
	r.book.booked(&c.tally)
	m.finish(r, c)
}

// land makes a record durable in the model.
func (m *machine) land(c *modelCall) {
	for key := range machineUnits {
		if machineUnits[key] == signalbox.UnitConcurrent {
			continue
		}
		c.durable[key] = c.keeps[key]
		c.settled[key] -= c.sent[key]
		m.gone[key] += c.sent[key]
	}
	c.posted = nil
}

func (m *machine) lose(t *rapid.T) {
	r, c := m.call(t, func(c *modelCall) bool { return c.posted != nil && (!c.ending || !anyHeld(c.durable)) })
	if !c.tally.left {
		for key := range c.held {
			if !gated(machineUnits[key]) {
				delete(c.held, key)
			}
		}
	}
	c.posted = nil
	if c.ending {
		c.settled, c.held = map[string]int64{}, map[string]int64{}
	}
	r.book.lost(&c.tally)
	m.finish(r, c)
}

func anyHeld(m map[string]int64) bool {
	for _, n := range m {
		if n != 0 {
			return true
		}
	}
	return false
}

func (m *machine) finish(r *replica, c *modelCall) {
	if !c.ending {
		return
	}
	for i := range r.calls {
		if r.calls[i] == c {
			r.calls = append(r.calls[:i:i], r.calls[i+1:]...)
			return
		}
	}
}

// launch begins a batch of draws; deliver ends it.
func (m *machine) launch(t *rapid.T) {
	r := m.replica(t)
	if r.fly != nil {
		t.Skip("one batch at a time")
	}
	r.fly, r.want = r.book.draws()
}

// draw performs draws at once.
func (m *machine) draw(t *rapid.T) {
	for _, r := range m.replicas {
		for n := 0; r.fly == nil; n++ {
			if n > 1000 {
				t.Fatalf("%s draws without end", r.name)
			}
			accounts, draws := r.book.draws()
			if len(draws) == 0 {
				break
			}
			shares, err := m.vault.Draw(context.Background(), r.name, draws)
			if err != nil {
				t.Fatal(err)
			}
			r.book.arrived(m.now, accounts, shares)
		}
	}
}

func (m *machine) deliver(t *rapid.T) {
	r := m.replica(t)
	if r.fly == nil {
		t.Skip("nothing under way")
	}
	fly := r.fly
	r.fly = nil
	shares, err := m.vault.Draw(context.Background(), r.name, r.want)
	if err != nil {
		t.Fatal(err)
	}
	switch rapid.IntRange(0, 9).Draw(t, "answer") {
	case 0: // Done, but nobody knows.
		r.book.failed(m.now, fly, errDown)
	default:
		r.book.arrived(m.now, fly, shares)
	}
}

func (m *machine) pass(t *rapid.T) {
	steps := []time.Duration{time.Millisecond, 60 * time.Millisecond, time.Second, time.Hour, 24 * time.Hour, -24 * time.Hour}
	m.now = m.now.Add(rapid.SampledFrom(steps).Draw(t, "step"))
	for _, r := range m.replicas {
		r.book.tick(m.now)
	}
}

func (m *machine) withdraw(t *rapid.T) {
	r, c := m.call(t, func(c *modelCall) bool { return c.tally.ask.waiting })
	r.book.withdraw(m.now, &c.tally, rapid.Bool().Draw(t, "left"))
	if c.tally.ask.waiting {
		t.Fatal("a call that was withdrawn waits")
	}
}

// crash ends a replica. It is fenced: what its calls hold in durable records is settled in full, the rest of its shares
// goes back. Where it is the only one it comes back under its name, else another one joins.
func (m *machine) crash(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "dice") > 0 {
		t.Skip("not now")
	}
	i := rapid.IntRange(0, len(m.replicas)-1).Draw(t, "replica")
	r := m.replicas[i]
	for _, c := range r.calls {
		var entries []signalbox.LedgerEntry
		for key, n := range c.durable {
			if n != 0 {
				entries = append(entries, signalbox.LedgerEntry{Account: key, Held: -n, Settled: n})
				m.gone[key] += n
			}
		}
		m.vault.post(r.name, entries)
	}
	if !m.whole {
		for _, shares := range m.vault.shares {
			if s := shares[r.name]; s != nil {
				s.Granted = min(s.Granted, s.Settled+s.Held)
			}
		}
	}
	m.replicas = append(m.replicas[:i:i], m.replicas[i+1:]...)
	m.join()
}

func (m *machine) reload(t *rapid.T) {
	key := rapid.SampledFrom([]string{"tenant", "agent", "run", "tokens"}).Draw(t, "account")
	m.configure(key, rapid.Int64Range(0, 200).Draw(t, "cap"))
	for _, r := range m.replicas {
		r.book.replan()
	}
}

func (m *machine) wanted(t *rapid.T) {
	m.replica(t).book.wantedElsewhere(m.now, append(attemptKeys, gateKeys...))
}

func TestBooksKeepEveryCap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		t.Repeat(map[string]func(*rapid.T){
			"": m.check, "arrive": m.arrive, "draw": m.draw, "draw again": m.draw, "depart": m.depart,
			"depart too": m.depart, "spend too": m.spend, "attempt": m.attempt, "attempt again": m.attempt, "spend": m.spend,
			"record": m.record, "commit": m.commit, "commit another": m.commit, "lose": m.lose, "launch": m.launch,
			"deliver": m.deliver, "pass": m.pass, "withdraw": m.withdraw, "crash": m.crash, "reload": m.reload,
			"wanted": m.wanted, "reread": func(t *rapid.T) { m.replica(t).book.reread() },
			"leave": func(t *rapid.T) {
				r, c := m.call(t, still)
				r.book.leave(&c.tally)
				r.book.run()
				c.held["concurrent"] = 0
			},
			"drop": func(t *rapid.T) {
				r, c := m.call(t, func(c *modelCall) bool { return still(c) && !c.tally.left })
				m.conclude(c)
				r.book.drop(&c.tally)
			},
		})
	})
}
