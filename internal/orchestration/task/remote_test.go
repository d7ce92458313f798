package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
)

// accept makes a task of a server's at the first process, as the outcome of its call does.
func (d *desk) accept(ttl time.Duration) signalbox.Task {
	d.t.Helper()
	c := d.asking("appr_0")
	c.ID = signalbox.NewID(signalbox.CallPrefix, time.Now())
	task, effects, err := d.keepers[0].Accept(c, kim, signalbox.ServerTask{ID: "theirs"}, ttl)
	if err != nil {
		d.t.Fatal(err)
	}
	p := &process{d.world, "process 0"}
	if _, err := p.Append(d.t.Context(), signalbox.Record{Type: signalbox.RecordOutcome, Call: c.ID}, effects...); err != nil {
		d.t.Fatal(err)
	}
	return task
}

func TestAServersTask(t *testing.T) {
	run(t, 2, func(t *testing.T, d *desk) {
		task := d.accept(time.Hour)
		if c := d.came(task.ID, signalbox.TaskRunning); c.Remote == nil || c.Remote.ID != "theirs" || c.User != "kim" {
			t.Fatalf("got %+v", c)
		}
		time.Sleep(time.Minute) // Nobody makes anything of it.
		c := d.came(task.ID, signalbox.TaskRunning)
		var group sync.WaitGroup
		for _, k := range d.keepers {
			group.Go(func() {
				if err := k.Finish(t.Context(), kim, task, c, signalbox.TaskCompleted, nil); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if c := d.came(task.ID, signalbox.TaskCompleted); c.Remote == nil || c.Remote.ID != "theirs" || c.Error != nil {
			t.Errorf("got %+v", c)
		}
		if got, want := d.actions(), []string{"outcome ", "admin task_ended"}; !slices.Equal(got, want) {
			t.Errorf("got records %q, want %q", got, want)
		}
		r := d.records[1]
		if r.What.Detail[DetailKind] != "server" || r.What.Detail[DetailMade] != task.Call || r.What.Detail[DetailState] != "completed" ||
			r.What.ResourceID != task.ID || r.Who.KeyID != "key_1" || r.Who.SubjectID != "customer-9" || r.Context.RunID != "run_1" {
			t.Errorf("its end is recorded as %+v %+v", r.Who, r.What)
		}
		if _, asked := r.What.Detail[DetailAsked]; asked {
			t.Errorf("a call was refused for it: %v", r.What.Detail)
		}
	})
}

func TestAServersTaskFailsInOurWords(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		task := d.accept(time.Hour)
		c := d.came(task.ID, signalbox.TaskRunning)
		if err := d.keepers[0].Finish(t.Context(), kim, task, c, signalbox.TaskFailed, signalbox.Errorf(signalbox.CodeUpstream, "gone")); err != nil {
			t.Fatal(err)
		}
		if c := d.came(task.ID, signalbox.TaskFailed); c.Remote == nil || c.Error == nil || c.Error.Code != signalbox.CodeUpstream {
			t.Errorf("got %+v", c)
		}
		if code := d.records[1].What.Detail[DetailCode]; code != "upstream" {
			t.Errorf("recorded as %q", code)
		}
	})
}

func TestAServersTaskExpires(t *testing.T) {
	run(t, 2, func(t *testing.T, d *desk) {
		task := d.accept(time.Minute)
		time.Sleep(time.Minute - 2*PollEvery)
		d.came(task.ID, signalbox.TaskRunning)
		time.Sleep(4 * PollEvery)
		if c := d.came(task.ID, signalbox.TaskFailed); c.Error == nil || c.Error.Code != signalbox.CodeTimeout {
			t.Errorf("got %+v", c)
		}
		if got, want := d.actions(), []string{"outcome ", "admin task_ended"}; !slices.Equal(got, want) {
			t.Errorf("got records %q, want %q", got, want)
		}
	})
}

func TestAServersTaskIsCancelledByWhoMadeIt(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		task := d.accept(time.Hour)
		eve := kim
		eve.User = "eve"
		if err := d.keepers[0].Cancel(t.Context(), eve, "files", task.ID); signalbox.CodeOf(err) != signalbox.CodeNotFound {
			t.Errorf("cancelled by somebody else: %v", err)
		}
		for range 2 {
			if err := d.keepers[0].Cancel(t.Context(), kim, "files", task.ID); err != nil {
				t.Fatal(err)
			}
		}
		d.came(task.ID, signalbox.TaskRunning) // It ends when the server says so.
		if d.get(task.ID).Cancelled.IsZero() || !slices.Equal(d.actions(), []string{"outcome ", "admin task_cancelled"}) {
			t.Errorf("got %+v, %q", d.get(task.ID), d.actions())
		}
	})
}

func TestTasksOfServersAreListedForWhoMadeThem(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		first, second := d.accept(time.Hour), d.accept(time.Hour)
		d.open("appr_1")
		list := func(who signalbox.Caller, server string) string {
			t.Helper()
			found, contents, err := d.keepers[0].List(t.Context(), who, server)
			if err != nil || len(found) != len(contents) {
				t.Fatal(found, contents, err)
			}
			ids := make([]string, 0, len(found))
			for _, task := range found {
				ids = append(ids, task.ID)
			}
			slices.Sort(ids)
			return strings.Join(ids, " ")
		}
		both := []string{first.ID, second.ID}
		slices.Sort(both)
		eve, other := kim, kim
		eve.User, other.Agent = "eve", "reader"
		if got := list(kim, "files") + "|" + list(kim, "") + "|" + list(kim, "mail") + list(eve, "") + list(other, ""); got != strings.Join(both, " ")+"|"+strings.Join(both, " ")+"|" {
			t.Errorf("got %q, want %q", got, both)
		}
		d.locked(func() { d.unsealing = true })
		if _, _, err := d.keepers[0].List(t.Context(), kim, ""); signalbox.CodeOf(err) != signalbox.CodeUnavailable {
			t.Errorf("what can not be read is left out: %v", err)
		}
		d.locked(func() { d.unsealing, d.erased = false, true })
		if got := list(kim, ""); got != "" {
			t.Errorf("what was erased is listed: %q", got)
		}
		d.locked(func() { d.erased, d.broken = false, true })
		if _, _, err := d.keepers[0].List(t.Context(), kim, ""); !errors.Is(err, errGone) {
			t.Errorf("a store that can not be read: %v", err)
		}
	})
}

func TestRoomForTasksOfServers(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		for n := range MaxRemote - 1 {
			d.locked(func() {
				id := fmt.Sprint("task_", n)
				d.tasks[id] = signalbox.Task{
					ID: id, Kind: signalbox.TaskOfServer, Tenant: "acme", Key: "key_1", State: signalbox.TaskRunning,
					Expires: time.Now().Add(time.Hour), Content: &signalbox.Sealed{},
				}
			})
		}
		for _, want := range []bool{true, false} {
			if room, err := d.keepers[0].Room(t.Context(), kim); err != nil || room != want {
				t.Errorf("got %v, %v, want %v", room, err, want)
			}
			d.accept(time.Hour)
		}
		other := kim
		other.Key = "key_2"
		if room, err := d.keepers[0].Room(t.Context(), other); err != nil || !room {
			t.Errorf("another key has no room: %v", err)
		}
	})
}

func TestTheTaskOfACall(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		task := d.accept(time.Hour)
		made, c, err := d.keepers[0].Made(t.Context(), kim, task.Call)
		if err != nil || made.ID != task.ID || c.Remote == nil || c.Remote.ID != "theirs" {
			t.Errorf("got %+v, %+v, %v", made, c, err)
		}
		d.locked(func() { // Its server has made it of the call of a task of ours, which keeps its name.
			ours := d.tasks[task.ID]
			ours.Call = "call_made"
			d.tasks[task.ID] = ours
		})
		if made, _, err = d.keepers[0].Made(t.Context(), kim, "call_made"); err != nil || made.ID != task.ID {
			t.Errorf("of a task of ours: got %+v, %v", made, err)
		}
		other := kim
		other.Key = "key_2"
		for name, who := range map[string]signalbox.Caller{"call_none": kim, task.Call: other, "call_made": other} {
			if _, _, err := d.keepers[0].Made(t.Context(), who, name); signalbox.CodeOf(err) != signalbox.CodeNotFound {
				t.Errorf("%s for %s: %v", name, who.Key, err)
			}
		}
	})
}

func TestATaskThatCanNotBeKept(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		for _, id := range []string{"", strings.Repeat("x", MaxHandle+1)} {
			if _, _, err := d.keepers[0].Accept(d.asking("appr_0"), kim, signalbox.ServerTask{ID: id}, 0); signalbox.CodeOf(err) != signalbox.CodeUpstream {
				t.Errorf("one with a name of %d bytes: %v", len(id), err)
			}
		}
		nobody := d.asking("appr_0")
		nobody.ID = ""
		if _, _, err := d.keepers[0].Accept(nobody, kim, signalbox.ServerTask{ID: "x"}, 0); signalbox.CodeOf(err) != signalbox.CodeInternal {
			t.Errorf("one of no call: %v", err)
		}
		task := d.accept(time.Hour)
		c := d.came(task.ID, signalbox.TaskRunning)
		d.locked(func() { d.unsealing = true })
		if _, _, err := d.keepers[0].Accept(d.asking("appr_0"), kim, signalbox.ServerTask{ID: "x"}, 0); !errors.Is(err, errGone) {
			t.Errorf("one that can not be sealed: %v", err)
		}
		if err := d.keepers[0].Finish(t.Context(), kim, task, c, signalbox.TaskCompleted, nil); !errors.Is(err, errGone) {
			t.Errorf("an end that can not be sealed: %v", err)
		}
		d.locked(func() { d.unsealing = false })
		if err := d.keepers[0].Finish(t.Context(), kim, task, c, signalbox.TaskWaiting, nil); signalbox.CodeOf(err) != signalbox.CodeInternal {
			t.Errorf("an end that is none: %v", err)
		}
		if err := d.keepers[0].Finish(t.Context(), kim, signalbox.Task{ID: "task_9"}, c, signalbox.TaskFailed, nil); signalbox.CodeOf(err) != signalbox.CodeNotFound {
			t.Errorf("an end of none: %v", err)
		}
	})
}

// A call that people had to agree to may become a task of its server: the task that its caller knows goes on.
func TestATaskOfOursBecomesItsServers(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		d.tool = func(context.Context) (string, error) { return "task theirs", nil }
		task := d.open("appr_1")
		d.decide("appr_1", signalbox.ApprovalApproved)
		synctest.Wait()
		if c := d.came(task.ID, signalbox.TaskRunning); c.Remote == nil || c.Remote.ID != "theirs" || c.Body != "" {
			t.Fatalf("got %+v", c)
		}
		if now := d.get(task.ID); now.Kind != signalbox.TaskOfServer || now.Call == "" {
			t.Errorf("got %+v", now)
		}
		time.Sleep(3 * PollEvery)
		c := d.came(task.ID, signalbox.TaskRunning)
		if err := d.keepers[0].Finish(t.Context(), kim, task, c, signalbox.TaskCompleted, nil); err != nil {
			t.Fatal(err)
		}
		d.came(task.ID, signalbox.TaskCompleted)
		d.ran("appr_1", 1)
		if len(d.reported) > 0 {
			t.Error(d.reported)
		}
	})
}

// What the server calls it can not be sealed: nobody will find it, and nobody makes the call again.
func TestATaskOfAServerThatIsLost(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		d.tool = func(context.Context) (string, error) {
			d.locked(func() { d.unsealing = true })
			return "task theirs", nil
		}
		task := d.open("appr_1")
		d.decide("appr_1", signalbox.ApprovalApproved)
		synctest.Wait()
		d.locked(func() { d.unsealing = false })
		time.Sleep(2 * PollEvery)
		if c := d.came(task.ID, signalbox.TaskFailed); c.Error == nil || c.Error.Code != signalbox.CodeInternal {
			t.Errorf("got %+v", c)
		}
		d.ran("appr_1", 1)
		if len(d.reported) == 0 {
			t.Error("nobody was told")
		}
	})
}

func TestATaskOfAServerWithoutAName(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		d.tool = func(context.Context) (string, error) { return "task ", nil }
		task := d.open("appr_1")
		d.decide("appr_1", signalbox.ApprovalApproved)
		synctest.Wait()
		if c := d.came(task.ID, signalbox.TaskFailed); c.Error == nil || c.Error.Code != signalbox.CodeUpstream {
			t.Errorf("got %+v", c)
		}
	})
}
