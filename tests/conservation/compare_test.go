package conservation

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/biller"
	"github.com/signalbox/signalbox/tests/harness"
)

// comparison is what the comparison of the books has come to.
type comparison struct {
	billed, settled, reported signalbox.Money
	calls                     int
	bases                     map[signalbox.Basis]int
	faults                    int
}

// String gives the figures.
func (c *comparison) String() string {
	return fmt.Sprintf("billed %s, settled %s, of that %s as reported; attempts by basis: %v", c.billed, c.settled, c.reported, c.bases)
}

// fault reports the first few of many.
func (c *comparison) fault(t *testing.T, format string, args ...any) {
	t.Helper()
	if c.faults++; c.faults <= 20 {
		t.Errorf(format, args...)
	}
}

// compare holds every attempt of the log against the bill for it.
func (b *bench) compare(t *testing.T) *comparison {
	t.Helper()
	c := &comparison{bases: map[signalbox.Basis]int{}}
	bills, runs := b.models.All(), b.tools.Runs()
	b.EachOutcome(t, func(r signalbox.Record) { c.outcome(t, r, bills, runs) })
	for request, left := range bills {
		if len(left) > 0 {
			c.fault(t, "%s was billed for %s, and no record knows of it", request, left[0].Model)
		}
	}
	for mark, n := range runs {
		if n != 0 {
			c.fault(t, "the tool was called %d times more for %s than is on record", n, mark)
		}
	}
	c.plausible(t)
	return c
}

// outcome compares what one call has come to with the bills for it, and takes these off the lists.
func (c *comparison) outcome(t *testing.T, r signalbox.Record, bills map[string][]biller.Order, runs map[string]int) {
	t.Helper()
	c.calls++
	if len(r.Attempts) == 0 && r.Outcome == signalbox.OutcomeCancelled {
		return // Its caller left before it did; were it billed, the bill would be left over.
	}
	if r.What.Cost == nil {
		c.fault(t, "call %s is %s and has no cost", r.Call, r.Outcome)
		return
	}
	sum := signalbox.Money(0)
	for _, a := range r.Attempts {
		c.bases[a.Basis]++
		if a.Cost != nil {
			sum += *a.Cost
		}
		if r.What.Kind == signalbox.KindTool {
			c.tool(t, r, a, runs)
			continue
		}
		bills[r.Context.RequestID] = c.attempt(t, r, a, bills[r.Context.RequestID])
	}
	if c.settled += sum; sum != *r.What.Cost {
		c.fault(t, "call %s costs %s, its attempts %s", r.Call, *r.What.Cost, sum)
	}
}

// plausible makes sure that there was something to compare.
func (c *comparison) plausible(t *testing.T) {
	t.Helper()
	if c.faults > 20 {
		t.Errorf("and %d more", c.faults-20)
	}
	if c.bases[signalbox.BasisReported] == 0 || c.bases[signalbox.BasisEstimated] == 0 || c.bases[signalbox.BasisNone] == 0 {
		t.Errorf("the mix has not every basis: %v", c.bases)
	}
}

// attempt compares one attempt at a model with its bill, and gives the bills of the request that are left.
func (c *comparison) attempt(t *testing.T, r signalbox.Record, a signalbox.Attempt, bills []biller.Order) []biller.Order {
	t.Helper()
	var bill biller.Order // One that never arrived costs nothing.
	arrived := false
	for i, o := range bills {
		if o.Model == a.Upstream {
			bill, arrived = o, true
			bills = append(bills[:i:i], bills[i+1:]...)
			break
		}
	}
	c.billed += bill.Cost
	cost, held := signalbox.Money(0), signalbox.Money(0)
	if a.Cost != nil {
		cost = *a.Cost
	}
	if a.Held != nil {
		held = *a.Held
	}
	at := fmt.Sprintf("%s, attempt %d at %s (%q, %s, arrived %t)", r.Context.RequestID, a.N, a.Name, bill.Prompt, a.Basis, arrived)
	switch a.Basis {
	case signalbox.BasisReported:
		c.reported += cost
		if cost != bill.Cost || *a.Usage != bill.Usage {
			c.fault(t, "%s: settled %s for %+v, billed %s for %+v", at, cost, *a.Usage, bill.Cost, bill.Usage)
		}
	case signalbox.BasisEstimated:
		if cost < bill.Cost || cost > held {
			c.fault(t, "%s: billed %s, settled %s, held %s", at, bill.Cost, cost, held)
		}
	case signalbox.BasisNone:
		if bill.Cost != 0 || cost != 0 {
			c.fault(t, "%s: billed %s, settled %s", at, bill.Cost, cost)
		}
	case signalbox.BasisHeld, signalbox.BasisUnpriced:
		c.fault(t, "%s: nothing died and everything has a price", at)
	}
	if served := a.Code == "" && r.Outcome == signalbox.OutcomeOK; served && !bill.Wish.Silent && a.Basis != signalbox.BasisReported {
		c.fault(t, "%s: its usage was told to the end, and not taken", at)
	}
	return bills
}

// tool compares one call of the tool with how often it ran.
func (c *comparison) tool(t *testing.T, r signalbox.Record, a signalbox.Attempt, runs map[string]int) {
	t.Helper()
	mark := r.Context.RequestID
	c.billed += toolPrice
	if runs[mark] != 1 || a.Cost == nil || *a.Cost != toolPrice || a.Held == nil || *a.Held != toolPrice {
		c.fault(t, "%s: the tool ran %d times; settled %v, held %v", mark, runs[mark], a.Cost, a.Held)
	}
	runs[mark]--
}

// total compares the sum over the log with the ledger's accounts, with the totals of the console, and with the report.
func (b *bench) total(t *testing.T, c *comparison) {
	t.Helper()
	perRun := signalbox.Money(0)
	for _, a := range b.Accounts(t) {
		switch {
		case a.Account.Unit != signalbox.UnitUSD:
		case a.Account.Kind == signalbox.OwnerTenant && signalbox.Money(a.Settled) != c.settled:
			t.Errorf("the tenant's account has %s, the log %s", signalbox.Money(a.Settled), c.settled)
		case a.Account.Kind == signalbox.OwnerRun:
			perRun += signalbox.Money(a.Settled)
		}
	}
	if perRun == 0 || perRun >= c.settled {
		t.Errorf("the runs' accounts have %s of %s", perRun, c.settled)
	}
	for _, by := range []string{"tenant", "agent", "model", "tool", "provider"} {
		var costs api.Costs
		b.Next().Get(t, "/costs", url.Values{"by": {by}, "from": {time.Now().Add(-6 * time.Hour).UTC().Format(time.RFC3339)}}, &costs)
		sum := signalbox.Money(0)
		for _, line := range costs.Totals {
			m, err := signalbox.ParseMoney(line.Cost)
			if err != nil {
				t.Fatal(err)
			}
			sum += m
		}
		if sum != c.settled {
			t.Errorf("costs by %s add up to %s, the log to %s", by, sum, c.settled)
		}
	}
	for _, by := range []string{"tenant", "agent", "run", "model", "tool"} {
		b.report(t, by, c)
	}
}

// report runs the command that people read.
func (b *bench) report(t *testing.T, by string, c *comparison) {
	t.Helper()
	i := b.Next()
	r := harness.Run(t, b.Root, i.Env(harness.Auditor), "cost", "report", "--by", by, "-o", "json")
	var report struct {
		Items []api.CostTotal `json:"items"`
		Total api.CostFigures `json:"total"`
	}
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil || r.Code != 0 {
		t.Fatalf("cost report ends with %d, %v: %s%s", r.Code, err, r.Stdout, r.Stderr)
	}
	if report.Total.Cost != c.settled.String() || report.Total.Calls != int64(c.calls) || len(report.Items) == 0 {
		t.Errorf("the report by %s has %s of %d calls, the log %s of %d", by, report.Total.Cost, report.Total.Calls, c.settled, c.calls)
	}
}
