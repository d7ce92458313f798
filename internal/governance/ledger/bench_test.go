package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

// benchLines are the lines of a call under five accounts, of which the last is its own.
func benchLines(n int) [][]budget.Line {
	list := make([][]budget.Line, n)
	for i := range list {
		for k := range 5 {
			name := fmt.Sprintf("account %d", k)
			if k == 4 {
				name = fmt.Sprintf("account %d of %d", k, i)
			}
			a := signalbox.Account{Kind: signalbox.OwnerKey, Tenant: "acme", Name: name, Unit: signalbox.UnitUSD, Per: signalbox.WindowDay, Start: at}
			list[i] = append(list[i], budget.Line{Key: a.String(), Account: a, Budget: usdPerDay(MaxAmount), Amount: 10, ResetAt: at.Add(24 * time.Hour)})
		}
	}
	return list
}

// BenchmarkBook is the decider alone: hold, record, settle, record.
func BenchmarkBook(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("%d accounts", n), func(b *testing.B) {
			v, book, lines := newVault(), newBook(true, 1), benchLines(n)
			f := flow{"acme", "a"}
			once := func(i int) {
				t := &tally{}
				if book.request(at, t, f, patient, lines[i%n:i%n+1]) {
					accounts, draws := book.draws()
					shares, _ := v.Draw(b.Context(), "local", draws)
					book.arrived(at, accounts, shares)
				}
				book.entries(t, false)
				book.booked(t)
				book.spend(t, signalbox.Usage{}, 7)
				book.entries(t, true)
				book.booked(t)
			}
			for i := range n {
				once(i)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				once(i)
				i++
			}
		})
	}
}

// BenchmarkCall is the whole way of a call through the ledger, policy included, without the log.
func BenchmarkCall(b *testing.B) {
	for _, agents := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("%d agents", agents), func(b *testing.B) {
			v := newVault()
			policy := acme(usdPerDay(MaxAmount), signalbox.Budget{Unit: signalbox.UnitConcurrent, Max: 100},
				signalbox.Budget{Unit: signalbox.UnitRequests, Per: signalbox.WindowMinute, Max: MaxAmount})
			tracks := make([]string, agents)
			for i := range tracks {
				tracks[i] = fmt.Sprintf("agent-%d", i)
				policy.Agents = append(policy.Agents, budget.Agent{ID: tracks[i], Budgets: []signalbox.Budget{usdPerDay(MaxAmount)}})
			}
			l := open(b, v, policy, nil)
			tool := perCall(10)
			cost := signalbox.Money(7)
			once := func(i int) {
				tr := track(tracks[i%agents])
				tab, err := l.Open(b.Context(), tr)
				if err != nil {
					b.Fatal(err)
				}
				a := signalbox.Attempt{N: 1}
				if err := tab.Hold(b.Context(), tr, tool, &a); err != nil {
					b.Fatal(err)
				}
				tab.Entries(false)
				tab.Booked()
				a.Cost = &cost
				tab.Spend(&a)
				tab.Leave()
				tab.Entries(true)
				tab.Booked()
			}
			for i := range agents {
				once(i)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				once(i)
				i++
			}
		})
	}
}
