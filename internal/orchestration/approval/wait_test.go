package approval

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
)

// timed is a desk whose clock is that of the bubble.
func timed() *desk {
	d := &desk{world: newWorld()}
	d.r, d.k = newReplica(d.world, "one", time.Now, nil)
	return d
}

func TestWaitEndsWithTheDecision(t *testing.T) {
	for name, decides := range map[string]func(*desk, string) time.Duration{
		"here": func(d *desk, id string) time.Duration {
			_, _ = d.k.Vote(context.Background(), person("lee"), id, signalbox.VerdictApprove, "", "api")
			return 0
		},
		"elsewhere, and we are told": func(d *desk, id string) time.Duration {
			_, other := newReplica(d.world, "two", time.Now, nil)
			_, _ = other.Vote(context.Background(), person("lee"), id, signalbox.VerdictApprove, "", "api")
			d.k.Changed()
			return 0
		},
		"elsewhere, and nobody tells": func(d *desk, id string) time.Duration {
			_, other := newReplica(d.world, "two", time.Now, nil)
			_, _ = other.Vote(context.Background(), person("lee"), id, signalbox.VerdictApprove, "", "api")
			return WaitPoll
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := timed()
				id := d.ask(t, toolTrack(arg))
				var ended time.Time
				go func() {
					a, err := d.k.Wait(t.Context(), id)
					if err != nil || a.State != signalbox.ApprovalApproved {
						t.Errorf("got %+v, %v", a, err)
					}
					ended = time.Now()
				}()
				d.k.Changed() // Something else has changed.
				time.Sleep(7 * time.Second)
				synctest.Wait()
				if !ended.IsZero() {
					t.Fatal("it ended before the decision")
				}
				decided := time.Now()
				most := decides(d, id)
				time.Sleep(time.Minute)
				synctest.Wait()
				if got := ended.Sub(decided); ended.IsZero() || got > most {
					t.Errorf("it ended %v after the decision", got)
				}
				if len(d.k.watchers) != 0 {
					t.Errorf("%d watchers are left", len(d.k.watchers))
				}
			})
		})
	}
}

func TestWaitEndsWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := timed()
		id := d.ask(t, toolTrack(arg))
		ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second)
		defer cancel()
		from := time.Now()
		a, err := d.k.Wait(ctx, id)
		if err != nil || a.ID != id || a.State != signalbox.ApprovalPending || time.Since(from) != 45*time.Second {
			t.Errorf("got %+v, %v after %v", a, err, time.Since(from))
		}
		if _, err := d.k.Wait(t.Context(), "appr_none"); code(err) != signalbox.CodeNotFound {
			t.Errorf("got %v", err)
		}
	})
}

// The leader sweeps each second: approvals are escalated and expire at their time, and waiting calls are told.
func TestSweepInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := timed()
		var escalated []time.Duration
		from := time.Now()
		d.k.o.Escalated = func(a signalbox.Approval) { escalated = append(escalated, time.Since(from)) }
		id := d.ask(t, toolTrack(arg))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for ctx.Err() == nil {
				select {
				case <-tick.C:
					if err := d.k.Sweep(ctx); err != nil {
						t.Error(err)
					}
				case <-ctx.Done():
				}
			}
		}()
		a, err := d.k.Wait(t.Context(), id)
		if took := time.Since(from); err != nil || a.State != signalbox.ApprovalExpired || took < time.Hour || took > time.Hour+2*time.Second {
			t.Errorf("got %+v, %v after %v", a, err, took)
		}
		if len(escalated) != 1 || escalated[0] < 10*time.Minute || escalated[0] > 10*time.Minute+2*time.Second {
			t.Errorf("escalated after %v", escalated)
		}
		cancel()
		synctest.Wait()
	})
}

func TestSweepStopsWithItsContext(t *testing.T) {
	d := newDesk(nil)
	d.ask(t, toolTrack(arg))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.k.Sweep(ctx); code(err) != signalbox.CodeCancelled {
		t.Errorf("got %v", err)
	}
}

// Who finds the approval claimed waits for a bounded time, and longer from try to try.
func TestRetriesTakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := timed()
		id := d.ask(t, toolTrack(arg))
		name := signalbox.Approval{ID: id}.ClaimKey()
		d.claims[name] = "two"
		from := time.Now()
		_, err := d.k.Vote(t.Context(), person("lee"), id, signalbox.VerdictApprove, "", "api")
		if took := time.Since(from); code(err) != signalbox.CodeConflict || took < ClaimWait || took > ClaimWait+MaxPause {
			t.Errorf("got %v after %v", err, took)
		}
		go func() {
			time.Sleep(time.Second)
			d.fence("two")
		}()
		if a := d.vote(t, id, "lee", signalbox.VerdictApprove); a.State != signalbox.ApprovalApproved {
			t.Errorf("got %+v", a)
		}
	})
}

func TestSubscribersAreToldTogether(t *testing.T) {
	d := newDesk(nil)
	changed, cancel := d.k.Subscribe()
	d.ask(t, toolTrack(arg))
	d.ask(t, toolTrack(`{}`))
	select {
	case <-changed:
	default:
		t.Error("nobody was told")
	}
	select {
	case <-changed:
		t.Error("told twice")
	default:
	}
	cancel()
	d.ask(t, toolTrack(`[]`))
	select {
	case <-changed:
		t.Error("told after the end")
	default:
	}
}
