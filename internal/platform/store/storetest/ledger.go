package storetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// day is an account of a key for one day; the number tells accounts apart.
func day(n int) signalbox.Account {
	return signalbox.Account{
		Kind: signalbox.OwnerKey, Tenant: "acme", Name: fmt.Sprintf("key_%03d", n), Unit: signalbox.UnitUSD,
		Per: signalbox.WindowDay, Start: start.Truncate(24 * time.Hour),
	}
}

var account = day(0).String()

// commit writes one record with these effects.
func commit(t *testing.T, s Store, effects ...signalbox.Effect) {
	t.Helper()
	act(t, s, must[int64](t)(s.Log.Size(t.Context())), effects...)
}

func post(replica string, entries ...signalbox.LedgerEntry) signalbox.Post {
	return signalbox.Post{Replica: replica, Entries: entries}
}

func draw(t *testing.T, s Store, replica string, draws ...signalbox.Draw) []signalbox.Share {
	t.Helper()
	return must[[]signalbox.Share](t)(s.Ledger.Draw(t.Context(), replica, draws))
}

// read gives a replica's share as it is.
func read(t *testing.T, s Store, replica, account string) signalbox.Share {
	t.Helper()
	return draw(t, s, replica, signalbox.Draw{Account: account, Cap: signalbox.NoCap})[0]
}

func checkShare(t *testing.T, got, want signalbox.Share) {
	t.Helper()
	if want.Account == "" {
		want.Account = account
	}
	if got != want {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

var drawTests = map[string]func(*testing.T, Store){
	"nothing is known of a new account": func(t *testing.T, s Store) {
		checkShare(t, read(t, s, "a", account), signalbox.Share{})
		if views, _, err := s.Ledger.Accounts(t.Context(), signalbox.AccountFilter{}); err != nil || len(views) != 0 {
			t.Fatalf("reading made %v (%v)", views, err)
		}
	},
	"growth within the cap, over replicas": func(t *testing.T, s Store) {
		for _, step := range []struct {
			replica          string
			limit, least, up int64
			granted, all     int64
		}{
			{"a", 100, 1, 60, 60, 60},
			{"b", 100, 41, 60, 0, 60}, // Less than least.
			{"b", 100, 0, 60, 40, 100},
			{"a", 100, 0, 1, 60, 100},
			{"a", 0, 1, 1, 60, 100},
			{"a", -5, 1, 1, 60, 100},
			{"a", signalbox.NoCap, 1, 1, 60, 100},
			{"b", 100, 0, -15, 25, 85},
			{"b", 100, 0, -math.MaxInt64, 0, 60},
			{"b", 100, 0, math.MinInt64, 0, 60},
			{"a", math.MaxInt64, 1, math.MaxInt64, math.MaxInt64, math.MaxInt64},
			{"b", math.MaxInt64, 0, math.MaxInt64, 0, math.MaxInt64},
		} {
			got := draw(t, s, step.replica, signalbox.Draw{Account: account, Cap: step.limit, Least: step.least, Most: step.up})
			checkShare(t, got[0], signalbox.Share{Granted: step.granted, AllGranted: step.all})
		}
	},
	"each draw is decided by itself, in order": func(t *testing.T, s Store) {
		other := day(1).String()
		got := draw(t, s, "a",
			signalbox.Draw{Account: account, Cap: 10, Least: 5, Most: 7}, signalbox.Draw{Account: other, Cap: 3, Least: 4, Most: 4},
			signalbox.Draw{Account: account, Cap: 10, Least: 1, Most: 7},
		)
		checkShare(t, got[0], signalbox.Share{Granted: 7, AllGranted: 7})
		checkShare(t, got[1], signalbox.Share{Account: other})
		checkShare(t, got[2], signalbox.Share{Granted: 10, AllGranted: 10})
		if got := draw(t, s, "a"); len(got) != 0 {
			t.Fatalf("no draws gave %v", got)
		}
	},
	"what is settled or held is never given back": func(t *testing.T, s Store) {
		draw(t, s, "a", signalbox.Draw{Account: account, Cap: 100, Most: 100})
		commit(t, s, post("a", signalbox.LedgerEntry{Account: account, Held: 30, Settled: 20}))
		got := draw(t, s, "a", signalbox.Draw{Account: account, Cap: 100, Most: -100})
		checkShare(t, got[0], signalbox.Share{Granted: 50, Settled: 20, Held: 30, AllGranted: 50, AllSettled: 20, AllHeld: 30})
		got = draw(t, s, "b", signalbox.Draw{Account: account, Cap: 100, Least: 50, Most: 90})
		checkShare(t, got[0], signalbox.Share{Granted: 50, AllGranted: 100, AllSettled: 20, AllHeld: 30})
	},
	"an overrun takes room from all": func(t *testing.T, s Store) {
		draw(t, s, "a", signalbox.Draw{Account: account, Cap: 100, Most: 10})
		commit(t, s, post("a", signalbox.LedgerEntry{Account: account, Settled: 70}))
		got := draw(t, s, "b", signalbox.Draw{Account: account, Cap: 100, Most: 100})
		checkShare(t, got[0], signalbox.Share{Granted: 30, AllGranted: 40, AllSettled: 70})
		got = draw(t, s, "a", signalbox.Draw{Account: account, Cap: 120, Least: 1, Most: 15})
		checkShare(t, got[0], signalbox.Share{Granted: 85, Settled: 70, AllGranted: 115, AllSettled: 70})
	},
	"closed and opened again": func(t *testing.T, s Store) {
		commit(t, s, post("a", signalbox.LedgerEntry{Account: account, Settled: 5, Closed: true}))
		s = s.Reopen()
		got := draw(t, s, "b", signalbox.Draw{Account: account, Cap: 100, Most: 10})
		checkShare(t, got[0], signalbox.Share{AllSettled: 5, Closed: true})
		commit(t, s, signalbox.OpenAccount{Account: account})
		commit(t, s, signalbox.OpenAccount{Account: "key acme none - usd day -"})
		got = draw(t, s, "b", signalbox.Draw{Account: account, Cap: 100, Most: 10})
		checkShare(t, got[0], signalbox.Share{Granted: 10, AllGranted: 10, AllSettled: 5})
		commit(t, s, post("a", signalbox.LedgerEntry{Account: account, Closed: true}), signalbox.OpenAccount{Account: account},
			post("a", signalbox.LedgerEntry{Account: account, Closed: true}))
		if got := read(t, s, "a", account); !got.Closed {
			t.Fatal("the last word of a batch was that the account is closed")
		}
		// A closed account still takes room back.
		got = draw(t, s, "b", signalbox.Draw{Account: account, Cap: 100, Most: -4})
		checkShare(t, got[0], signalbox.Share{Granted: 6, AllGranted: 6, AllSettled: 5, Closed: true})
	},
	"everything is kept over a restart": func(t *testing.T, s Store) {
		draw(t, s, "a", signalbox.Draw{Account: account, Cap: 100, Most: 60})
		commit(t, s, post("a", signalbox.LedgerEntry{Account: account, Held: 12}))
		commit(t, s, post("a", signalbox.LedgerEntry{Account: account, Held: -12, Settled: 9}))
		draw(t, s, "b", signalbox.Draw{Account: account, Cap: 100, Most: 60})
		s = s.Reopen()
		checkShare(t, read(t, s, "a", account), signalbox.Share{Granted: 60, Settled: 9, AllGranted: 100, AllSettled: 9})
		checkShare(t, read(t, s, "b", account), signalbox.Share{Granted: 40, AllGranted: 100, AllSettled: 9})
	},
	"many replicas never pass the cap": testStorm,
}

// testStorm lets replicas draw, use and give back at once. Whatever the order, what the shares take stays within the cap.
func testStorm(t *testing.T, s Store) {
	const replicas, rounds, limit = 8, 40, 1000
	accounts := []string{account, day(1).String(), day(2).String()}
	var used sync.Mutex // The log has one writer.
	var group sync.WaitGroup
	for r := range replicas {
		replica, random := fmt.Sprint("r", r), rand.New(rand.NewPCG(uint64(r), 7)) //nolint:gosec // A fixed sequence is wanted.
		group.Go(func() {
			for range rounds {
				var draws []signalbox.Draw
				for _, i := range random.Perm(len(accounts)) {
					draws = append(draws, signalbox.Draw{
						Account: accounts[i], Cap: limit, Least: random.Int64N(50), Most: random.Int64N(400) - 150,
					})
				}
				shares, err := s.Ledger.Draw(t.Context(), replica, draws)
				if err != nil {
					t.Error(err)
					return
				}
				used.Lock()
				err = use(t, s, replica, shares, random)
				used.Unlock()
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	if t.Failed() {
		return
	}
	checkCap(t, s, limit, replicas, accounts)
}

// use settles a part of what is free, and checks the totals that the draw has told of.
func use(t *testing.T, s Store, replica string, shares []signalbox.Share, random *rand.Rand) error {
	var entries []signalbox.LedgerEntry
	for _, share := range shares {
		if share.AllGranted > 1000 {
			return fmt.Errorf("%d are granted of a cap of 1000", share.AllGranted)
		}
		if free := share.Granted - share.Settled - share.Held; free > 0 {
			entries = append(entries, signalbox.LedgerEntry{Account: share.Account, Settled: random.Int64N(free/8 + 1)})
		}
	}
	size, err := s.Log.Size(t.Context())
	if err != nil {
		return err
	}
	e := entriesOf(size, post(replica, entries...))
	return s.Log.Commit(t.Context(), signalbox.Batch{Entries: e})
}

func entriesOf(index int64, effects ...signalbox.Effect) []signalbox.Entry {
	e := entries(index, 1)
	e[0].Effects = effects
	return e
}

func checkCap(t *testing.T, s Store, limit int64, replicas int, accounts []string) {
	t.Helper()
	for _, a := range accounts {
		var taken, granted int64
		var last signalbox.Share
		for r := range replicas {
			last = read(t, s, fmt.Sprint("r", r), a)
			taken += max(last.Granted, last.Settled+last.Held)
			granted += last.Granted
		}
		if taken > limit || granted != last.AllGranted {
			t.Fatalf("the shares of %s take %d of %d; %d are granted, %d in all", a, taken, limit, granted, last.AllGranted)
		}
		if last.AllSettled == 0 {
			t.Fatalf("nothing was settled on %s: the storm did nothing", a)
		}
	}
}
