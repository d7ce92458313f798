package storetest

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

var accountTests = map[string]func(*testing.T, Store){
	"posts are summed": func(t *testing.T, s Store) {
		batch := entries(0, 64)
		for i := range batch {
			batch[i].Effects = []signalbox.Effect{
				post("a", signalbox.LedgerEntry{Account: account, Held: 3}),
				post("a", signalbox.LedgerEntry{Account: account, Held: -3, Settled: 2}, signalbox.LedgerEntry{Account: day(i % 7).String(), Held: 1}),
				post("b", signalbox.LedgerEntry{Account: account, Settled: 1}),
			}
		}
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: batch}))
		checkShare(t, read(t, s, "a", account), signalbox.Share{Settled: 128, Held: 10, AllSettled: 192, AllHeld: 10})
		checkShare(t, read(t, s, "b", account), signalbox.Share{Settled: 64, AllSettled: 192, AllHeld: 10})
		checkShare(t, read(t, s, "b", day(6).String()), signalbox.Share{Account: day(6).String(), AllHeld: 9})
	},
	"a reconciliation gives back": func(t *testing.T, s Store) {
		commit(t, s, post("a", signalbox.LedgerEntry{Account: account, Settled: 100}))
		commit(t, s, post("a", signalbox.LedgerEntry{Account: account, Settled: -60}))
		got := draw(t, s, "a", signalbox.Draw{Account: account, Cap: 100, Most: 100})
		checkShare(t, got[0], signalbox.Share{Granted: 100, Settled: 40, AllGranted: 100, AllSettled: 40})
		commit(t, s, post("b", signalbox.LedgerEntry{Account: account, Settled: -5}))
		checkShare(t, read(t, s, "b", account), signalbox.Share{Settled: -5, AllGranted: 100, AllSettled: 35})
	},
	"sums saturate": func(t *testing.T, s Store) {
		for range 2 {
			commit(t, s, post("a", signalbox.LedgerEntry{Account: account, Settled: math.MaxInt64, Held: -math.MaxInt64}))
			commit(t, s, post("b", signalbox.LedgerEntry{Account: account, Settled: math.MaxInt64}))
		}
		got := read(t, s, "a", account)
		if got.Settled != math.MaxInt64 || got.Held > -math.MaxInt64 || got.AllSettled != math.MaxInt64 {
			t.Fatalf("got %+v", got)
		}
		views := must[[]signalbox.AccountView](t)(accounts(t, s, signalbox.AccountFilter{}))
		if len(views) != 1 || views[0].Settled != math.MaxInt64 {
			t.Fatalf("the list has %+v", views)
		}
	},
	"a batch that fails leaves the ledger as it was": func(t *testing.T, s Store) {
		first := entries(0, 1)
		first[0].Effects = []signalbox.Effect{post("a", signalbox.LedgerEntry{Account: account, Held: 1})}
		ok(t, s.Log.Commit(t.Context(), signalbox.Batch{Entries: first, Tiles: []signalbox.Tile{tile(0, 0)}}))
		bad := entries(1, 1)
		bad[0].Effects = []signalbox.Effect{post("a", signalbox.LedgerEntry{Account: account, Held: 1, Closed: true},
			signalbox.LedgerEntry{Account: day(1).String(), Held: 1})}
		if err := s.Log.Commit(t.Context(), signalbox.Batch{Entries: bad, Tiles: []signalbox.Tile{tile(0, 0)}}); err == nil {
			t.Fatal("a tile was written twice")
		}
		checkShare(t, read(t, s, "a", account), signalbox.Share{Held: 1, AllHeld: 1})
		// Nothing may be left of the account that was not made after all.
		for i := range 3 {
			other := day(2 - i).String()
			commit(t, s, post("a", signalbox.LedgerEntry{Account: other, Held: int64(i + 1)}))
			if got := read(t, s, "a", other); got.Held != got.AllHeld || got.Closed || other != account && got.Held != int64(i+1) {
				t.Fatalf("got %+v", got)
			}
		}
		checkShare(t, read(t, s, "a", account), signalbox.Share{Held: 4, AllHeld: 4})
	},
	"lists by filter, in order, in pages": testAccounts,
	"bad pages are refused": func(t *testing.T, s Store) {
		for _, f := range []signalbox.AccountFilter{{Cursor: "x"}, {Limit: -1}, {Limit: signalbox.MaxPage + 1}} {
			_, _, err := s.Ledger.Accounts(t.Context(), f)
			refuses(t, err, signalbox.CodeInvalid)
		}
	},
	"old accounts are forgotten": testForget,
}

func accounts(t *testing.T, s Store, f signalbox.AccountFilter) ([]signalbox.AccountView, error) {
	t.Helper()
	views, _, err := s.Ledger.Accounts(t.Context(), f)
	return views, err
}

// several are accounts of all kinds, in the order of their identities.
func several() []signalbox.Account {
	midnight := start.Truncate(24 * time.Hour)
	usd := func(kind signalbox.OwnerKind, tenant, name, agent string, per signalbox.Window, at time.Time) signalbox.Account {
		return signalbox.Account{Kind: kind, Tenant: tenant, Name: name, Agent: agent, Unit: signalbox.UnitUSD, Per: per, Start: at}
	}
	var none time.Time
	return []signalbox.Account{
		usd(signalbox.OwnerAgent, "acme", "writer", "", signalbox.WindowDay, midnight),
		usd(signalbox.OwnerKey, "acme", "key_1", "", signalbox.WindowDay, midnight.AddDate(0, 0, -1)),
		usd(signalbox.OwnerKey, "acme", "key_1", "", signalbox.WindowDay, midnight),
		usd(signalbox.OwnerKey, "acme-2", "key_2", "", signalbox.WindowDay, midnight),
		usd(signalbox.OwnerPlanned, "acme", "run_1", "", signalbox.WindowRun, none),
		usd(signalbox.OwnerReserve, "acme", "run_1", "", signalbox.WindowRun, none),
		usd(signalbox.OwnerRun, "acme", "run_1", "", signalbox.WindowRun, none),
		usd(signalbox.OwnerRun, "acme", "run_2", "", signalbox.WindowRun, none),
		usd(signalbox.OwnerRun, "globex", "run_1", "", signalbox.WindowRun, none),
		usd(signalbox.OwnerRunAgent, "acme", "run_1", "run_2", signalbox.WindowRun, none),
		usd(signalbox.OwnerTeam, "acme", "cs", "", signalbox.WindowDay, midnight),
		usd(signalbox.OwnerTenant, "acme", "", "", signalbox.WindowMonth, midnight.AddDate(0, 0, -21)),
		usd(signalbox.OwnerTenant, "globex", "", "", signalbox.WindowDay, midnight),
	}
}

func testAccounts(t *testing.T, s Store) {
	all := several()
	for i, a := range all {
		commit(t, s, post("b", signalbox.LedgerEntry{Account: a.String(), Settled: int64(i), Held: 1}),
			post("a", signalbox.LedgerEntry{Account: a.String(), Settled: 1, Closed: i == 2}))
	}
	draw(t, s, "a", signalbox.Draw{Account: all[2].String(), Cap: 50, Most: 50})
	draw(t, s, "c", signalbox.Draw{Account: all[3].String(), Cap: 50, Most: 7})
	want := make([]signalbox.AccountView, len(all))
	for i, a := range all {
		want[i] = signalbox.AccountView{Account: a, Settled: int64(i) + 1, Held: 1}
	}
	want[2].Closed, want[3].Granted = true, 7
	midnight := start.Truncate(24 * time.Hour)
	for name, c := range map[string]struct {
		filter signalbox.AccountFilter
		want   []int
	}{
		"all":              {signalbox.AccountFilter{}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		"no tenant":        {signalbox.AccountFilter{Tenants: []string{}}, nil},
		"a tenant":         {signalbox.AccountFilter{Tenants: []string{"acme"}}, []int{0, 1, 2, 4, 5, 6, 7, 9, 10, 11}},
		"two tenants":      {signalbox.AccountFilter{Tenants: []string{"globex", "acme-2"}}, []int{3, 8, 12}},
		"a tenant twice":   {signalbox.AccountFilter{Tenants: []string{"acme-2", "acme-2"}}, []int{3}},
		"a kind":           {signalbox.AccountFilter{Kind: signalbox.OwnerRun}, []int{6, 7, 8}},
		"a kind of one":    {signalbox.AccountFilter{Kind: signalbox.OwnerRun, Tenants: []string{"globex"}}, []int{8}},
		"an unknown kind":  {signalbox.AccountFilter{Kind: "user"}, nil},
		"a run":            {signalbox.AccountFilter{Run: "run_1"}, []int{4, 5, 6, 8, 9}},
		"a run of one":     {signalbox.AccountFilter{Run: "run_1", Tenants: []string{"acme"}}, []int{4, 5, 6, 9}},
		"a run's agents":   {signalbox.AccountFilter{Run: "run_1", Kind: signalbox.OwnerRunAgent}, []int{9}},
		"a run, not a key": {signalbox.AccountFilter{Run: "key_1", Kind: signalbox.OwnerKey}, nil},
		"since":            {signalbox.AccountFilter{Since: midnight}, []int{0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12}},
		"since later":      {signalbox.AccountFilter{Since: midnight.Add(time.Second), Tenants: []string{"acme"}}, []int{4, 5, 6, 7, 9}},
	} {
		for _, size := range []int{0, 1, 3} {
			c.filter.Limit, c.filter.Cursor = size, ""
			var chosen []signalbox.AccountView
			for _, i := range c.want {
				chosen = append(chosen, want[i])
			}
			if got := pages(t, s, c.filter); !reflect.DeepEqual(got, chosen) {
				t.Fatalf("%s by %d:\ngot  %+v\nwant %+v", name, size, got, chosen)
			}
		}
	}
}

// pages follows a list to its end.
func pages(t *testing.T, s Store, f signalbox.AccountFilter) (all []signalbox.AccountView) {
	t.Helper()
	for {
		page, next, err := s.Ledger.Accounts(t.Context(), f)
		ok(t, err)
		if f.Limit > 0 && (len(page) > f.Limit || next != "" && len(page) < f.Limit) {
			t.Fatalf("a page of %d has %d accounts, and next is %q", f.Limit, len(page), next)
		}
		all = append(all, page...)
		if f.Cursor = next; next == "" {
			return all
		}
	}
}

func testForget(t *testing.T, s Store) {
	all := several()
	concurrent := signalbox.Account{Kind: signalbox.OwnerKey, Tenant: "acme", Name: "key_9", Unit: signalbox.UnitConcurrent}
	for i, a := range all {
		held := int64(0)
		if i == 0 || i == 6 {
			held = 1
		}
		commit(t, s, post("b", signalbox.LedgerEntry{Account: a.String(), Settled: 5}),
			post("a", signalbox.LedgerEntry{Account: a.String(), Settled: 1, Held: held, Closed: i == 2}))
	}
	draw(t, s, "a", signalbox.Draw{Account: concurrent.String(), Cap: 50, Most: 50})
	commit(t, s, signalbox.PutRun{Run: run("run_2", signalbox.RunHalted)}, signalbox.PutRun{Run: run("run_1", signalbox.RunEnded)})
	forget := func(before time.Time, limit, want int) {
		t.Helper()
		if got := must[int](t)(s.Ledger.ForgetAccounts(t.Context(), before, limit)); got != want {
			t.Fatalf("forgot %d accounts of before %v, want %d", got, before, want)
		}
	}
	midnight := start.Truncate(24 * time.Hour)
	forget(midnight, 100, 0) // Yesterday may have been a longer day.
	forget(midnight.Add(26*time.Hour), 2, 2)
	forget(midnight.Add(26*time.Hour), 100, 3)
	forget(midnight.AddDate(100, 0, 0), 100, 5)
	left := must[[]signalbox.AccountView](t)(accounts(t, s, signalbox.AccountFilter{}))
	var got []signalbox.Account
	for _, v := range left {
		got = append(got, v.Account)
	}
	if want := []signalbox.Account{all[0], concurrent, all[6], all[7]}; !reflect.DeepEqual(got, want) {
		t.Fatalf("left are %+v, want %+v", got, want)
	}
	checkShare(t, read(t, s, "a", all[2].String()), signalbox.Share{Account: all[2].String()})
	draw(t, s, "a", signalbox.Draw{Account: concurrent.String(), Cap: 50, Most: -50})
	commit(t, s, signalbox.PutRun{Run: run("run_2", signalbox.RunEnded)}, post("a",
		signalbox.LedgerEntry{Account: all[0].String(), Held: -1}, signalbox.LedgerEntry{Account: all[6].String(), Held: -1}))
	forget(midnight.AddDate(100, 0, 0), 100, 4)
}
