package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/internal/platform/store/storetest"
)

func claims(t *testing.T, db *postgres.DB, name, holder string, want bool) {
	t.Helper()
	if got, err := db.Claim(t.Context(), name, holder); err != nil || got != want {
		t.Errorf("%s claims %s: %v, %v; want %v", holder, name, got, err, want)
	}
}

func TestClaimsOfThreeReplicas(t *testing.T) {
	url := postgrestest.Database(t)
	var handles []storetest.Claims
	for range 3 {
		handles = append(handles, replica(t, url, postgres.Options{}))
	}
	storetest.StormClaims(t, handles...)
	if n := scalar[int](t, url, "SELECT count(*) FROM signalbox.claims"); n != 0 {
		t.Errorf("%d claims are left", n)
	}
}

// A holder of the same name at another replica is another holder.
func TestClaimsBelongToTheReplica(t *testing.T) {
	url := postgrestest.Database(t)
	one := replica(t, url, postgres.Options{Replica: "one"})
	two := replica(t, url, postgres.Options{Replica: "two"})
	claims(t, one, "a", "holder", true)
	claims(t, two, "a", "holder", false)
	if err := two.Unclaim(t.Context(), "a", "holder"); err != nil {
		t.Error(err)
	}
	claims(t, two, "a", "holder", false)
	claims(t, one, "a", "holder", true)
	stranger := opened(t, url, postgres.Options{Replica: "three"})
	defer stranger.Close()
	if _, err := stranger.Claim(t.Context(), "b", "holder"); signalbox.CodeOf(err) != signalbox.CodeInternal {
		t.Errorf("a process that has not joined claims: %v", err)
	}
}

func TestClaimsOfAReplicaThatIsGone(t *testing.T) {
	url := postgrestest.Database(t)
	one := replica(t, url, postgres.Options{Replica: "one"})
	two := replica(t, url, postgres.Options{Replica: "two"})
	for _, name := range []string{"a", "b"} {
		claims(t, two, name, "holder", true)
	}
	if err := two.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	claims(t, one, "a", "other", true)
	if err := two.Unclaim(t.Context(), "a", "holder"); err != nil { // It is not its own any more.
		t.Error(err)
	}
	claims(t, one, "a", "third", false)
	if err := one.Forget(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	if n := scalar[int](t, url, "SELECT count(*) FROM signalbox.claims WHERE name = 'b'"); n != 0 {
		t.Error("a forgotten replica still has a claim")
	}
	claims(t, one, "b", "other", true)
}

// A replica that is frozen for longer than the lease loses its claims to whoever asks; what it does with them afterwards is
// not committed.
func TestClaimsOfAFencedReplica(t *testing.T) {
	url := postgrestest.Database(t)
	leader := replica(t, url, postgres.Options{Lease: 2 * time.Second})
	leads(t, leader)
	silent := joined(t, url, postgres.Options{})
	defer silent.Close()
	w := newWriter(t, silent)
	a := signalbox.Approval{ID: "appr_1", Tenant: "acme", State: signalbox.ApprovalPending, Asked: time.Now()}
	appendCall(t, w, "call_1", signalbox.RecordAdmin, signalbox.PutApproval{Approval: a})
	claims(t, silent, a.ClaimKey(), "silent", true)
	claims(t, leader, a.ClaimKey(), "leader", false)
	silent.StopBeating()
	eventually(t, "the silent one is fenced", func() bool { return len(fenced(t, leader)) == 1 })
	claims(t, leader, a.ClaimKey(), "leader", true) // At once.
	if _, err := silent.Claim(t.Context(), a.ClaimKey(), "silent"); !errors.Is(err, postgres.ErrFenced) {
		t.Errorf("the fenced one claims: %v", err)
	}
	<-silent.Fenced()
	a.State = signalbox.ApprovalApproved
	_, err := w.Append(t.Context(), record("call_2", signalbox.RecordAdmin), signalbox.PutApproval{Approval: a})
	if !errors.Is(err, postgres.ErrFenced) {
		t.Errorf("the fenced one writes: %v", err)
	}
	if err := silent.Unclaim(t.Context(), a.ClaimKey(), "silent"); err != nil {
		t.Error(err)
	}
	claims(t, leader, a.ClaimKey(), "another", false)
	if got, err := leader.Approval(t.Context(), a.ID); err != nil || got.State != signalbox.ApprovalPending {
		t.Errorf("the approval is %s, %v", got.State, err)
	}
}

// What is changed under a claim counts up by one at a time, although one of the replicas is fenced in the middle of it: a
// change that was acknowledged is never written over by one that has not seen it.
func TestChangesUnderClaimsAreNotLost(t *testing.T) {
	url := postgrestest.Database(t)
	leader := replica(t, url, postgres.Options{Lease: 2 * time.Second})
	leads(t, leader)
	silent := joined(t, url, postgres.Options{})
	defer silent.Close()
	a := signalbox.Approval{ID: "appr_1", Tenant: "acme", State: signalbox.ApprovalPending, Asked: time.Now(), UsedBy: "0"}
	appendCall(t, newWriter(t, leader), "call_1", signalbox.RecordAdmin, signalbox.PutApproval{Approval: a})
	c := counters{t: t}
	ctx, stop := context.WithCancel(t.Context())
	for _, db := range []*postgres.DB{leader, silent, replica(t, url, postgres.Options{})} {
		w := newWriter(t, db)
		for g := range 6 {
			c.group.Go(func() { c.count(ctx, db, w, a, fmt.Sprint("holder ", g)) })
		}
	}
	eventually(t, "it is counted", func() bool { return c.done.Load() > 20 })
	silent.StopBeating()
	eventually(t, "the silent one is fenced", func() bool { return len(fenced(t, leader)) == 1 })
	from := c.done.Load()
	eventually(t, "it is still counted", func() bool { return c.done.Load() > from+20 || t.Failed() })
	stop()
	c.group.Wait()
	got, err := leader.Approval(t.Context(), a.ID)
	if err != nil || got.UsedBy != strconv.FormatInt(c.done.Load(), 10) {
		t.Errorf("%d changes were acknowledged, and the last one says %q (%v)", c.done.Load(), got.UsedBy, err)
	}
}

type counters struct {
	t     *testing.T
	group sync.WaitGroup
	done  atomic.Int64
}

// count adds one under the claim, over and over, until ctx ends or the replica is fenced.
func (c *counters) count(ctx context.Context, db *postgres.DB, w *store.Writer, a signalbox.Approval, holder string) {
	background := context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		mine, err := db.Claim(background, a.ClaimKey(), holder)
		if errors.Is(err, postgres.ErrFenced) {
			return
		}
		if err != nil {
			c.t.Error(err)
			return
		}
		if !mine {
			time.Sleep(time.Millisecond)
			continue
		}
		if err := c.add(background, db, w, a.ID); err != nil {
			if !errors.Is(err, postgres.ErrFenced) {
				c.t.Error(err)
			}
			return // The claim is lost with the replica.
		}
		if err := db.Unclaim(background, a.ClaimKey(), holder); err != nil {
			c.t.Error(err)
			return
		}
	}
}

func (c *counters) add(ctx context.Context, db *postgres.DB, w *store.Writer, id string) error {
	a, err := db.Approval(ctx, id)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(a.UsedBy)
	if err != nil {
		return err
	}
	a.UsedBy = strconv.Itoa(n + 1)
	if _, err = w.Append(ctx, record("call_"+a.UsedBy, signalbox.RecordAdmin), signalbox.PutApproval{Approval: a}); err == nil {
		c.done.Add(1)
	}
	return err
}
