package ledger

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// vault is the naive, obviously right keeper of shares: a map, and sums made anew every time.
type vault struct {
	mu     sync.Mutex
	shares map[string]map[string]*signalbox.Share // By account and replica.
	caps   map[string]int64                       // The largest cap that was drawn under.
	draws  int
	delay  time.Duration
	err    error
}

func newVault() *vault {
	return &vault{shares: map[string]map[string]*signalbox.Share{}, caps: map[string]int64{}}
}

var errDown = errors.New("the database is down")

func (v *vault) Draw(ctx context.Context, replica string, draws []signalbox.Draw) ([]signalbox.Share, error) {
	v.mu.Lock()
	delay := v.delay
	v.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil {
		return nil, v.err
	}
	v.draws++
	out := make([]signalbox.Share, len(draws))
	for i, d := range draws {
		v.draw(replica, d)
		out[i] = v.read(d.Account, replica)
	}
	return out, nil
}

func (v *vault) share(account, replica string) *signalbox.Share {
	if v.shares[account] == nil {
		v.shares[account] = map[string]*signalbox.Share{}
	}
	s := v.shares[account][replica]
	if s == nil {
		s = &signalbox.Share{Account: account}
		v.shares[account][replica] = s
	}
	return s
}

func (v *vault) draw(replica string, d signalbox.Draw) {
	s := v.share(d.Account, replica)
	if d.Most < 0 {
		s.Granted = max(s.Granted+d.Most, min(s.Granted, s.Settled+s.Held))
		return
	}
	if d.Cap == signalbox.NoCap || d.Most == 0 {
		return
	}
	v.caps[d.Account] = max(v.caps[d.Account], d.Cap)
	rest := d.Cap
	for r, o := range v.shares[d.Account] {
		if r != replica {
			rest -= max(o.Granted, o.Settled+o.Held)
		}
	}
	if growth := min(d.Most, rest-s.Granted); growth > 0 && growth >= d.Least {
		s.Granted += growth
	}
}

func (v *vault) read(account, replica string) signalbox.Share {
	out := *v.share(account, replica)
	out.AllGranted, out.AllSettled, out.AllHeld, out.Closed = 0, 0, 0, false
	for _, o := range v.shares[account] {
		out.AllGranted += o.Granted
		out.AllSettled += o.Settled
		out.AllHeld += o.Held
		out.Closed = out.Closed || o.Closed
	}
	return out
}

// post books entries, as the log's writer does.
func (v *vault) post(replica string, entries []signalbox.LedgerEntry) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, e := range entries {
		s := v.share(e.Account, replica)
		s.Held += e.Held
		s.Settled += e.Settled
		s.Closed = s.Closed || e.Closed
	}
}

func (v *vault) total(account string) signalbox.Share {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.read(account, "nobody")
}

// at is an instant in the middle of an hour, a day and a month.
var at = time.Date(2026, 11, 18, 10, 30, 0, 0, time.UTC)

// shortWait is for calls that wait for nothing: long enough for a draw on a busy machine.
const shortWait = 200 * time.Millisecond

const dollar = int64(signalbox.Dollar)

func usdPerDay(limit int64) signalbox.Budget {
	return signalbox.Budget{Unit: signalbox.UnitUSD, Per: signalbox.WindowDay, Max: limit}
}

func policyOf(t testing.TB, o budget.Options) *budget.Policy {
	t.Helper()
	p, err := budget.NewPolicy(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func acme(budgets ...signalbox.Budget) budget.Options {
	return budget.Options{Tenants: []budget.Tenant{{ID: "acme", Budgets: budgets}}}
}

// open makes a ledger over a vault, which is closed with the test.
func open(t testing.TB, v Vault, policy budget.Options, change func(*Options)) *Ledger {
	t.Helper()
	p := policyOf(t, policy)
	o := Options{Vault: v, Policy: func() *budget.Policy { return p }, Now: func() time.Time { return at }, Whole: true}
	if change != nil {
		change(&o)
	}
	l := New(o)
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return l
}

// perCall is a tool whose calls cost a fixed price: a bound that tests can choose.
func perCall(cost int64) signalbox.Candidate {
	return signalbox.Candidate{Name: "s.tool", Provider: "s", Price: &signalbox.Price{Rates: signalbox.Rates{PerCall: signalbox.Money(cost)}}}
}

func track(agent string) *call.Track {
	c := &signalbox.Call{
		ID: "call_" + agent, Kind: signalbox.KindTool, Tool: &signalbox.ToolRequest{Server: "s", Name: "tool"},
		Caller: signalbox.Caller{Tenant: "acme", Key: "support", Agent: agent},
	}
	return call.NewTrack(c)
}

// payer drives one call through its tab, as the stations do.
type caller struct {
	t       testing.TB
	vault   *vault
	ledger  *Ledger
	track   *call.Track
	tab     call.Tab
	attempt signalbox.Attempt
}

func begin(t testing.TB, v *vault, l *Ledger, tr *call.Track) *caller {
	t.Helper()
	tab, err := l.Open(t.Context(), tr)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return &caller{t: t, vault: v, ledger: l, track: tr, tab: tab}
}

func (c *caller) hold(cost int64) error {
	c.attempt = signalbox.Attempt{N: c.attempt.N + 1}
	return c.tab.Hold(c.t.Context(), c.track, perCall(cost), &c.attempt)
}

// leave holds and makes it durable that the attempt leaves.
func (c *caller) leave(cost int64) {
	c.t.Helper()
	if err := c.hold(cost); err != nil {
		c.t.Fatalf("Hold: %v", err)
	}
	c.book(false)
}

func (c *caller) book(ended bool) []signalbox.LedgerEntry {
	entries := c.tab.Entries(ended)
	c.vault.post(c.ledger.Replica, entries)
	c.tab.Booked()
	return entries
}

func (c *caller) spend(cost int64) {
	m := signalbox.Money(cost)
	c.attempt.Cost = &m
	c.tab.Spend(&c.attempt)
}

// end spends and makes the outcome durable.
func (c *caller) end(cost int64) {
	c.spend(cost)
	c.book(true)
}

func code(err error) signalbox.Code { return signalbox.CodeOf(err) }

func accountKey(kind signalbox.OwnerKind, name string, u signalbox.Unit, per signalbox.Window) string {
	start, _ := budget.WindowStart(at, per, time.UTC)
	if per == signalbox.WindowRun || per == signalbox.WindowNone {
		start = time.Time{}
	}
	return signalbox.Account{Kind: kind, Tenant: "acme", Name: name, Unit: u, Per: per, Start: start}.String()
}

func tenantDay() string {
	return accountKey(signalbox.OwnerTenant, "", signalbox.UnitUSD, signalbox.WindowDay)
}

func wantTotal(t *testing.T, v *vault, key string, settled, held int64) {
	t.Helper()
	if got := v.total(key); got.AllSettled != settled || got.AllHeld != held {
		t.Errorf("%s: settled %d, held %d; want %d and %d", key, got.AllSettled, got.AllHeld, settled, held)
	}
}

func wantCode(t *testing.T, err error, want signalbox.Code, words ...string) {
	t.Helper()
	if code(err) != want {
		t.Fatalf("error is %v, want code %s", err, want)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}
