package alert

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
)

func halt(id, run string, until time.Time) signalbox.Brake {
	return signalbox.Brake{ID: id, Kind: signalbox.BrakeHalt, Tenant: "acme", Run: run, Until: until, Reason: "for a test"}
}

// refused reports whether a call of the run is refused.
func refused(t *testing.T, r *rig, run string) bool {
	t.Helper()
	_, leave, err := r.Enter(t.Context(), track("call_probe", run))
	leave()
	return signalbox.CodeOf(err) == signalbox.CodeFrozen
}

func TestBrakesOfTheStore(t *testing.T) {
	r := newRig(t)
	defer r.stop(t)
	ctx, leave, err := r.Enter(t.Context(), track("call_1", "r"))
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	other, leaveOther, err := r.Enter(t.Context(), track("call_2", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer leaveOther()
	now := time.Now()
	lifted := halt("alert_4", "u", time.Time{})
	lifted.Lifted = now
	throttle := signalbox.Brake{ID: "alert_3", Kind: signalbox.BrakeThrottle, Tenant: "acme", Run: "t"}
	list := []signalbox.Brake{halt("alert_1", "r", time.Time{}), halt("alert_2", "s", now.Add(-time.Second)), throttle, lifted}
	r.Sync(list)
	frozenFor(ctx, t, "alert_1", "for a test")
	for run, want := range map[string]bool{"r": true, "s": false, "t": false, "u": false, "": false} {
		if got := refused(t, r, run); got != want {
			t.Errorf("calls of run %q are refused: %v, want %v", run, got, want)
		}
	}
	if !r.Throttled("acme", "t") {
		t.Error("the throttled run is not")
	}
	r.Sync([]signalbox.Brake{halt("alert_5", "", now.Add(time.Hour)), throttle})
	frozenFor(other, t, `Tenant "acme" is halted by alert alert_5`)
	if !refused(t, r, "r") || !refused(t, r, "") {
		t.Error("calls of a halted tenant are served")
	}
	r.Sync(nil)
	if refused(t, r, "r") || r.Throttled("acme", "t") || r.Stats().Brakes != 0 {
		t.Error("brakes that were lifted hold")
	}
}

func TestABrakeOfThisProcessIsKeptUntilTheStoreCanHaveIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ladder()...)
		r.ledger.settle(runAccount("acme", "r"), 11*usd)
		r.log.gate = make(chan struct{})
		r.Ended(outcome("call_1", "r", usd))
		for range 3 {
			r.Sync(nil)
			if !refused(t, r, "r") {
				t.Fatal("a brake that is not written yet is gone")
			}
		}
		close(r.log.gate)
		synctest.Wait()
		r.Sync(nil) // May have been read before the alert was written.
		if !refused(t, r, "r") {
			t.Fatal("a brake that was just written is gone")
		}
		r.Sync(nil)
		if refused(t, r, "r") {
			t.Fatal("a brake that the store does not have holds")
		}
		r.stop(t)
	})
}

func TestABrakeThatTheStoreHadIsTheStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, ladder()...)
		r.ledger.settle(runAccount("acme", "r"), 11*usd)
		r.Ended(outcome("call_1", "r", usd))
		synctest.Wait()
		var list []signalbox.Brake
		for _, p := range r.log.alerts() {
			if p.Brake != nil {
				list = append(list, *p.Brake)
			}
		}
		r.Sync(list)
		if !refused(t, r, "r") {
			t.Fatal("the brake is gone")
		}
		r.Sync(nil)
		if refused(t, r, "r") {
			t.Fatal("the store has lifted the brake, and it holds")
		}
		r.stop(t)
	})
}

func TestLift(t *testing.T) {
	r := newRig(t)
	defer r.stop(t)
	r.Sync([]signalbox.Brake{halt("alert_1", "r", time.Time{}), halt("alert_2", "r", time.Time{}), halt("alert_3", "s", time.Time{})})
	r.Lift("alert_1")
	if !refused(t, r, "r") {
		t.Error("another brake of the run was lifted too")
	}
	r.Lift("alert_2")
	r.Lift("alert_2")
	if refused(t, r, "r") || !refused(t, r, "s") || r.Stats().Brakes != 1 {
		t.Error("not exactly one run is halted")
	}
}

func TestABrakeThatAddsNothingIsNotSet(t *testing.T) {
	now := midnight
	forever, tomorrow, tonight := time.Time{}, now.Add(24*time.Hour), now.Add(12*time.Hour)
	tests := []struct {
		name        string
		first, then time.Time
		after       time.Duration
		set         bool
	}{
		{"the same", forever, forever, 0, false},
		{"a shorter one", tomorrow, tonight, 0, false},
		{"a longer one", tonight, tomorrow, 0, true},
		{"for ever after a day", tomorrow, forever, 0, true},
		{"a day after for ever", forever, tomorrow, 0, false},
		{"after the first has ended", tonight, tonight.Add(time.Hour), 12 * time.Hour, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBrakes()
			if !b.set(halt("a", "r", tt.first), now) {
				t.Fatal("the first is not set")
			}
			if got := b.set(halt("b", "r", tt.then), now.Add(tt.after)); got != tt.set {
				t.Errorf("set: %v, want %v", got, tt.set)
			}
			if throttle := (signalbox.Brake{ID: "c", Kind: signalbox.BrakeThrottle, Tenant: "acme", Run: "r"}); !b.set(throttle, now) {
				t.Error("one of another kind is not set")
			}
			n := 0
			for _, list := range b.known {
				n += len(list)
			}
			if int64(n) != b.count.Load() {
				t.Errorf("counts %d of %d", b.count.Load(), n)
			}
		})
	}
}

func TestRememberedAlertsAreNotRaisedAgain(t *testing.T) {
	first := newRig(t, ladder()...)
	first.ledger.settle(runAccount("acme", "r"), 11*usd)
	first.Ended(outcome("call_1", "r", usd))
	first.stop(t)
	var known []signalbox.Alert
	for _, p := range first.log.alerts() {
		known = append(known, p.Alert)
	}
	// The process starts again; meanwhile an operator has lifted the halt.
	r := newRig(t, ladder()...)
	r.ledger.settle(runAccount("acme", "r"), 12*usd)
	r.Remember(known)
	r.Ended(outcome("call_2", "r", usd))
	if refused(t, r, "r") {
		t.Error("the run is halted again")
	}
	r.stop(t)
	if n := len(r.log.alerts()); n != 0 {
		t.Errorf("%d alerts are raised again", n)
	}
}
