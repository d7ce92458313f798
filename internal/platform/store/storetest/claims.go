package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/signalbox/signalbox"
)

func claimsOf(t *testing.T, s Store) Claims {
	t.Helper()
	c, ok := s.Log.(Claims)
	if !ok {
		t.Fatalf("%T has no claims", s.Log)
	}
	return c
}

func claims(t *testing.T, c Claims, name, holder string, want bool) {
	t.Helper()
	if got := must[bool](t)(c.Claim(t.Context(), name, holder)); got != want {
		t.Fatalf("%s claims %q: %v, want %v", holder, name, got, want)
	}
}

var claimTests = map[string]func(*testing.T, Store){
	"one holder at a time": func(t *testing.T, s Store) {
		c := claimsOf(t, s)
		claims(t, c, "a", "one", true)
		claims(t, c, "a", "two", false)
		claims(t, c, "b \x00\xff", "two", true)
		claims(t, c, "a", "one", true) // Its own.
		claims(t, c, "a", "two", false)
		ok(t, c.Unclaim(t.Context(), "a", "two")) // Not its own.
		claims(t, c, "a", "two", false)
		ok(t, c.Unclaim(t.Context(), "a", "one"))
		ok(t, c.Unclaim(t.Context(), "a", "one"))
		claims(t, c, "a", "two", true)
		claims(t, c, "a", "one", false)
		claims(t, c, "b \x00\xff", "one", false)
	},
	"those of a process that is gone are dropped": func(t *testing.T, s Store) {
		claims(t, claimsOf(t, s), "a", "one", true)
		claims(t, claimsOf(t, s.Reopen()), "a", "two", true)
	},
	"whoever gives up leaves no claim": func(t *testing.T, s Store) {
		c := claimsOf(t, s)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		mine, err := c.Claim(over, "a", "one")
		if refuses(t, err, signalbox.CodeTimeout); mine {
			t.Fatal("a claim and an error")
		}
		claims(t, c, "a", "two", true)
		ok(t, c.Unclaim(over, "a", "two"))
		claims(t, c, "a", "one", true)
	},
	"never two holders, however many try": func(t *testing.T, s Store) {
		StormClaims(t, claimsOf(t, s))
	},
}

// StormClaims has 50 goroutines claim the same few names, each over one of the handles, and checks that no name ever has two
// holders.
func StormClaims(t *testing.T, handles ...Claims) {
	t.Helper()
	const goroutines, names, wins = 50, 3, 4
	var held [names]atomic.Int64
	var group sync.WaitGroup
	for g := range goroutines {
		c, holder := handles[g%len(handles)], fmt.Sprint("holder ", g/len(handles)) // The same names at each handle.
		random := rand.New(rand.NewPCG(uint64(g), 7))                               //nolint:gosec // A fixed sequence is wanted.
		group.Go(func() {
			for won := 0; won < wins && !t.Failed(); {
				n := random.IntN(names)
				mine, err := hold(t.Context(), c, fmt.Sprint("name ", n), holder, &held[n])
				if err != nil {
					t.Error(err)
				}
				if mine {
					won++
				}
			}
		})
	}
	group.Wait()
}

// hold claims a name, looks whether anybody else has it, and gives it back.
func hold(ctx context.Context, c Claims, name, holder string, held *atomic.Int64) (bool, error) {
	mine, err := c.Claim(ctx, name, holder)
	if err != nil || !mine {
		return false, err
	}
	if n := held.Add(1); n != 1 {
		err = fmt.Errorf("%q has %d holders", name, n)
	}
	again, failed := c.Claim(ctx, name, holder)
	if failed == nil && !again {
		failed = fmt.Errorf("%q was lost by claiming it again", name)
	}
	held.Add(-1)
	if err == nil {
		err = failed
	}
	if failed := c.Unclaim(ctx, name, holder); err == nil {
		err = failed
	}
	return true, err
}
