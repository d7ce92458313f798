package approval

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// desk is one process with its keeper, and a clock in minutes.
type desk struct {
	*world
	r        *replica
	k        *Keeper
	minute   int
	executed []string
	refused  int
}

func newDesk(change func(*Options)) *desk {
	d := &desk{world: newWorld()}
	d.r, d.k = newReplica(d.world, "one", func() time.Time { return at(d.minute) }, change)
	d.k.pause = func(context.Context, time.Duration) {}
	return d
}

// present makes a call; refused says why what is behind the station refuses it.
func (d *desk) present(t *call.Track, refused error) error {
	_, err := d.k.Station()(upstream(d.r, refused, func(t *call.Track) { d.executed = append(d.executed, t.Call.ID) })).Serve(context.Background(), t)
	return err
}

// ask presents a call for the first time and gives the id of its approval.
func (d *desk) ask(t *testing.T, track *call.Track) string {
	t.Helper()
	e := signalbox.AsError(d.present(track, nil))
	if e.Code != signalbox.CodeApprovalRequired || e.Approval == "" || e.Code.Retryable() || e.Remedy == "" {
		t.Fatalf("got %+v", e)
	}
	return e.Approval
}

func (d *desk) vote(t *testing.T, id, name string, v signalbox.Verdict) signalbox.Approval {
	t.Helper()
	a, err := d.k.Vote(t.Context(), person(name), id, v, "looks right, ask 555", "api")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// refuse presents a call that must not be executed.
func (d *desk) refuse(t *testing.T, change func(*call.Track)) {
	t.Helper()
	track, before := toolTrack(arg), len(d.executed)
	change(track)
	if err := d.present(track, nil); code(err) != signalbox.CodeApprovalRequired || len(d.executed) != before {
		t.Fatalf("got %v", err)
	}
	d.refused++
}

// forget keeps the tests short: what has ended is taken out of the world.
func (d *desk) forget() {
	for id, a := range d.approvals {
		if a.State != signalbox.ApprovalPending {
			delete(d.approvals, id)
		}
	}
	d.order = slices.DeleteFunc(d.order, func(id string) bool { return d.approvals[id].ID == "" })
	d.records = nil
}

func code(err error) signalbox.Code { return signalbox.CodeOf(err) }
