package replicas

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

// traffic is a mix of what callers do.
func traffic(client, call int) fleet.Ask {
	a := fleet.Ask{
		Prompt: fmt.Sprintf("out=%d pace=2ms", 1+call%40), MaxTokens: 64, Stream: call%2 == 0, Anthropic: client%2 == 0,
		Run: fmt.Sprintf("r%d", client), Agent: "worker",
	}
	switch call % 10 {
	case 3:
		a.Prompt += " one.status=500"
	case 5:
		a.Prompt += " one.cut"
	case 7:
		a.Prompt += " silent"
	}
	return a
}

// succeeded waits for another leader than before, and logs how long that took.
func succeeded(t *testing.T, c *pgx.Conn, names map[string]int, before int64, how string) (slot int, term int64) {
	t.Helper()
	since := time.Now()
	harness.Eventually(t, func() error {
		if slot, term = leader(t, c, names); term <= before {
			return fmt.Errorf("still term %d", term)
		}
		return nil
	})
	t.Logf("after the leader was %s, replica %d leads after %s", how, slot, time.Since(since).Round(10*time.Millisecond))
	return slot, term
}

// placed waits until a call that is made now at a replica has its place in the log and in its projections.
func placed(t *testing.T, f *fleet.Fleet, slot int) {
	t.Helper()
	answer := fleet.Ask{Prompt: "out=2"}.Send(t, f.At(slot))
	if answer.Status != http.StatusOK {
		t.Fatalf("replica %d answers %d: %s", slot, answer.Status, answer.Body)
	}
	f.At(slot).Call(t, answer.Header.Get("X-Signalbox-Call"))
}

// The leader is killed, and the next one frozen until the others have fenced it: records go on being placed and signed,
// no call is lost, and the frozen one does no harm when it thaws.
func TestLeadersDie(t *testing.T) {
	f, p := launch(t)
	c, names := connect(t, f.Database), map[string]int{}
	for n := range replicas {
		name(t, f, n, names)
	}
	var l fleet.Load
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(ctx, f, 6, traffic)
	}()

	first, term := leader(t, c, names)
	f.At(first).Kill()
	second, term := succeeded(t, c, names, term, "killed")
	placed(t, f, second)
	f.Start(t, first)
	name(t, f, first, names)

	if err := f.At(second).Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	third, _ := succeeded(t, c, names, term, "frozen")
	placed(t, f, third)
	harness.Eventually(t, func() error { return fenced(t, c, second, names) })
	if err := f.At(second).Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	select {
	case <-f.At(second).Exited():
		t.Logf("the frozen replica found out that it is fenced, and ended, after %s", time.Since(since).Round(10*time.Millisecond))
	case <-time.After(harness.Patience):
		t.Fatal("the frozen replica goes on, though it can commit nothing")
	}
	if !strings.Contains(f.At(second).Stderr(), "declared this one") {
		t.Error("the frozen replica does not say why it has ended")
	}
	f.Start(t, second)
	placed(t, f, second)
	cancel()
	<-done
	check(t, f, &l, p.Count())
}

// fenced reports nil once a process is among the fenced.
func fenced(t *testing.T, c *pgx.Conn, slot int, names map[string]int) error {
	t.Helper()
	for id, of := range names {
		var n int
		if err := c.QueryRow(t.Context(), "SELECT count(*) FROM signalbox.replicas WHERE id = $1 AND fenced IS NOT NULL", id).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if of == slot && n > 0 {
			return nil
		}
	}
	return fmt.Errorf("replica %d is not fenced", slot)
}

// check looks at what is left in the end: nothing that was acknowledged is missing, every call has its one outcome, the
// log verifies, the ledger is what its records say, and the projections are what they would be anew.
func check(t *testing.T, f *fleet.Fleet, l *fleet.Load, served int) {
	t.Helper()
	f.Settled(t)
	outcomes := f.Outcomes(t)
	l.Check(t, outcomes)
	unknown := 0
	for _, r := range outcomes {
		if r.Outcome == signalbox.OutcomeUnknown {
			unknown++
		}
	}
	t.Logf("%d calls, %d acknowledged and all found, %d cut, %d other errors, %d outcomes unknown; the provider served %d",
		len(outcomes), l.Acknowledged(), l.Cut.Load(), l.Others.Load(), unknown, served)
	if l.Acknowledged() == 0 || l.Cut.Load() == 0 {
		t.Error("the storm was none: there must be answers and broken connections")
	}
	f.Verify(t)
	f.SameAsLedger(t)
	rebuiltEqualsLive(t, f)
}
