package overshoot

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/harness"
)

// The accounts of a storm: one tenant with a cap, and caps per run and per agent below it.
const (
	runs   = 20
	agents = 10
)

// callsPerKill is how many calls are served between two kills.
const callsPerKill = 150

// fleet is a number of processes over one database.
type fleet struct {
	config string
	slots  []atomic.Pointer[harness.Instance]
	dirs   []string
	kills  atomic.Int64
}

// launch starts n processes.
func launch(t *testing.T, config string, n int) *fleet {
	f := &fleet{config: config, slots: make([]atomic.Pointer[harness.Instance], n)}
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "audit.key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(root, "audit.key")) // The first process makes it.
	f.config = strings.ReplaceAll(config, "@ROOT@", root)
	for i := range n {
		f.dirs = append(f.dirs, filepath.Join(root, fmt.Sprint(i)))
		if err := os.Mkdir(f.dirs[i], 0o700); err != nil {
			t.Fatal(err)
		}
		f.start(t, i)
	}
	t.Cleanup(func() {
		for i := range f.slots {
			if x := f.slots[i].Load(); x != nil {
				x.Stop()
				if t.Failed() {
					t.Logf("process %d:\n%s", i, x.Stderr())
				}
			}
		}
	})
	return f
}

func (f *fleet) start(t *testing.T, slot int) {
	x, err := harness.Launch(harness.Options{Whole: f.config, Dir: f.dirs[slot]})
	if err != nil {
		t.Fatal(err)
	}
	f.slots[slot].Store(x)
}

// any gives a process that is running, or was a moment ago.
func (f *fleet) any() *harness.Instance { return f.slots[rand.IntN(len(f.slots))].Load() }

// harass kills a process and starts it again whenever the provider has served some calls since the last time, until ctx
// ends. How fast the machine is does not matter.
func (f *fleet) harass(ctx context.Context, t *testing.T, b *biller) {
	for last := 0; ctx.Err() == nil; pause(ctx, 50*time.Millisecond) {
		served := b.served()
		if served < last+callsPerKill {
			continue
		}
		slot := rand.IntN(len(f.slots))
		f.slots[slot].Load().Kill()
		f.kills.Add(1)
		f.start(t, slot)
		last = b.served()
	}
}

// settled waits until no call is open any more, and stops nothing.
func (f *fleet) settled(t *testing.T) {
	harness.Eventually(t, func() error {
		var o struct {
			Running int64 `json:"running"`
		}
		if err := f.any().TryGet("/overview", nil, &o); err != nil {
			return err
		}
		if o.Running > 0 {
			return fmt.Errorf("%d calls are open", o.Running)
		}
		return nil
	})
}

// accounts reads all accounts, by the names of the biller.
func (f *fleet) accounts(t *testing.T) map[string]account {
	all := map[string]account{}
	for cursor := ""; ; {
		var page struct {
			Items []account `json:"items"`
			Next  *string   `json:"next"`
		}
		f.any().Get(t, "/accounts", url.Values{"limit": {"500"}, "current": {"false"}, "cursor": {cursor}}, &page)
		for _, a := range page.Items {
			if a.Unit == "usd" && a.Cap != nil {
				all[a.name()] = a
			}
		}
		if page.Next == nil {
			return all
		}
		cursor = *page.Next
	}
}

// account is an account as the control API shows it.
type account struct {
	Kind    string  `json:"kind"`
	Run     string  `json:"run_id"`
	Agent   string  `json:"agent_id"`
	Unit    string  `json:"unit"`
	Cap     *string `json:"cap"`
	Settled string  `json:"settled"`
	Held    string  `json:"held"`
}

func (a account) name() string {
	switch a.Kind {
	case "run":
		return "run " + a.Run
	case "agent":
		return "agent " + a.Agent
	}
	return a.Kind
}

func money(t *testing.T, s string) signalbox.Money {
	t.Helper()
	m, err := signalbox.ParseMoney(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// clients calls from many goroutines at once until ctx ends or the money does.
func (f *fleet) clients(ctx context.Context, n int, one func(ctx context.Context, c int)) {
	var wg sync.WaitGroup
	for c := range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				one(ctx, c)
			}
		})
	}
	wg.Wait()
}
