package approval

import (
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// A call that is bound to an approval is admitted by that one, once, and asks people about nothing else.
func TestBound(t *testing.T) {
	d := newDesk(nil)
	bound := func(id string, change func(*call.Track)) error {
		track := toolTrack(arg)
		track.Call.Approval = id
		if change != nil {
			change(track)
		}
		return d.present(track, nil)
	}
	refused := func(err error, want signalbox.Code, text string) {
		t.Helper()
		if e := signalbox.AsError(err); err == nil || e.Code != want || !strings.Contains(e.Message, text) || e.Remedy == "" {
			t.Errorf("got %v, want %s: %s", err, want, text)
		}
	}
	refused(bound("appr_none", nil), signalbox.CodeNotFound, "no approval")
	id := d.ask(t, toolTrack(arg))
	refused(bound(id, nil), signalbox.CodeApprovalRequired, "waits")
	refused(bound(id, func(t *call.Track) { t.Gate.Caller.Tenant = "globex" }), signalbox.CodeNotFound, "no approval")
	d.vote(t, id, "lee", signalbox.VerdictApprove)
	refused(bound(id, func(t *call.Track) { t.Policy.Part[0]++ }), signalbox.CodeConflict, "has changed")
	if err := bound(id, nil); err != nil || len(d.executed) != 1 {
		t.Fatalf("got %v, executed %d", err, len(d.executed))
	}
	refused(bound(id, nil), signalbox.CodeConflict, "used by another call")

	d.minute++
	denied := d.ask(t, toolTrack(arg))
	d.vote(t, denied, "lee", signalbox.VerdictDeny)
	refused(bound(denied, nil), signalbox.CodeForbidden, "was denied")
	refused(bound(id, nil), signalbox.CodeConflict, "used by another call")

	d.minute += 30
	late := d.ask(t, toolTrack(arg))
	d.vote(t, late, "lee", signalbox.VerdictApprove)
	d.minute += 15
	refused(bound(late, nil), signalbox.CodeConflict, "not used in time")
	if len(d.executed) != 1 || len(d.approvals) != 3 {
		t.Errorf("executed %d, asked %d times", len(d.executed), len(d.approvals))
	}
	d.r.set(func() { d.r.dead = true })
	if err := bound(late, nil); code(err) != signalbox.CodeUnavailable {
		t.Errorf("got %v of a store that can not be asked", err)
	}
}

func TestTake(t *testing.T) {
	d := newDesk(nil)
	release, ok, err := d.k.Take(t.Context(), "task x")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, ok, err := d.k.Take(t.Context(), "task x"); ok || err != nil {
		t.Errorf("taken twice: %v, %v", ok, err)
	}
	release()
	if _, ok, err := d.k.Take(t.Context(), "task x"); !ok || err != nil {
		t.Errorf("not taken again: %v, %v", ok, err)
	}
}
