package task

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// desk is a world with processes that run, in made-up time.
type desk struct {
	*world
	t       *testing.T
	keepers []*Keeper

	told     sync.Mutex
	reported []string
}

// run runs a test with processes.
func run(t *testing.T, processes int, test func(t *testing.T, d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{world: newWorld(), t: t}
		for n := range processes {
			d.start(fmt.Sprint("process ", n))
		}
		test(t, d)
		d.locked(func() {
			if len(d.wrong) > 0 {
				t.Error(d.wrong)
			}
		})
	})
}

// start starts a process, which is stopped with the test.
func (d *desk) start(name string) *Keeper {
	k := d.process(name, func(err error) {
		d.told.Lock()
		defer d.told.Unlock()
		d.reported = append(d.reported, err.Error())
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); k.Run(ctx) }()
	d.t.Cleanup(func() {
		cancel()
		<-done
		now, end := context.WithCancel(context.Background())
		end()
		k.Stop(now)
	})
	d.keepers = append(d.keepers, k)
	return k
}

// open opens a task of a new approval at the first process.
func (d *desk) open(approval string) signalbox.Task {
	d.t.Helper()
	task, err := d.keepers[0].Open(d.t.Context(), d.asking(approval), kim, approval)
	if err != nil {
		d.t.Fatal(err)
	}
	return task
}

// came asks what a task came to, and wants a state of it.
func (d *desk) came(id string, want signalbox.TaskState) signalbox.TaskContent {
	d.t.Helper()
	synctest.Wait()
	task, c, err := d.keepers[len(d.keepers)-1].Get(d.t.Context(), kim, "files", id)
	if err != nil || task.State != want {
		d.t.Fatalf("got %+v, %+v, %v, want %s", task, c, err, want)
	}
	return c
}

func (d *desk) ran(approval string, want int) {
	d.t.Helper()
	d.locked(func() {
		if d.made[approval] != want {
			d.t.Errorf("the call of %s was made %d times, want %d", approval, d.made[approval], want)
		}
	})
}

func TestMadeOnceWhenItIsApproved(t *testing.T) {
	run(t, 3, func(t *testing.T, d *desk) {
		task := d.open("appr_1")
		if again := d.open("appr_1"); again.ID != task.ID {
			t.Errorf("opened twice for one approval: %s, %s", task.ID, again.ID)
		}
		if of, found, err := d.keepers[1].Of(t.Context(), kim, "appr_1"); err != nil || !found || of.ID != task.ID {
			t.Errorf("the task of the approval is %q (%v, %v)", of.ID, found, err)
		}
		if c := d.came(task.ID, signalbox.TaskWaiting); c.Error != nil || c.Result != "" {
			t.Errorf("got %+v", c)
		}
		d.decide("appr_1", signalbox.ApprovalApproved)
		if c := d.came(task.ID, signalbox.TaskCompleted); c.Result != `{"content":[]}` || c.Body != "" || c.Source != "" {
			t.Errorf("got %+v", c)
		}
		time.Sleep(time.Minute)
		d.ran("appr_1", 1)
		if _, found, err := d.keepers[1].Of(t.Context(), kim, "appr_1"); found || err != nil {
			t.Errorf("one that has ended is found (%v)", err)
		}
		want := []string{"admin task_opened", "intent ", "outcome "}
		if got := d.actions(); !slices.Equal(got, want) {
			t.Errorf("got records %q, want %q", got, want)
		}
	})
}

func TestTheCallIsThatOfItsCaller(t *testing.T) {
	k := newWorld().process("one", nil)
	asked := newWorld().asking("appr_1")
	asked.IdempotencyKey = "once"
	c, err := contentOf(asked, kim)
	if err != nil {
		t.Fatal(err)
	}
	task := signalbox.Task{ID: "task_1", Server: "files", Approval: "appr_1", Request: "req_1", Trace: asked.Span.TraceID}
	made, err := k.call(task, c)
	if err != nil {
		t.Fatal(err)
	}
	span := asked.Span
	span.SpanID = made.Span.SpanID
	if made.Span != span || made.Span.SpanID == asked.Span.SpanID || made.ID == asked.ID || made.Approval != "appr_1" {
		t.Errorf("got %+v", made)
	}
	if made.Caller != asked.Caller || made.Claims.Subject != "customer-9" || *made.Claims.Step != 3 || made.Source != asked.Source ||
		made.RequestID != "req_1" || string(made.Body) != body || made.Protocol != asked.Protocol || made.Tool.ID() != "files.write" || made.IdempotencyKey != "once" {
		t.Errorf("got %+v", made)
	}
}

func TestWhatEndsWithoutACall(t *testing.T) {
	for state, code := range map[signalbox.ApprovalState]signalbox.Code{
		signalbox.ApprovalDenied: signalbox.CodeForbidden, signalbox.ApprovalExpired: signalbox.CodeConflict,
		signalbox.ApprovalStale: signalbox.CodeConflict, signalbox.ApprovalWithdrawn: signalbox.CodeConflict,
	} {
		run(t, 2, func(t *testing.T, d *desk) {
			task := d.open("appr_1")
			d.decide("appr_1", state)
			if c := d.came(task.ID, signalbox.TaskFailed); c.Error == nil || c.Error.Code != code {
				t.Errorf("%s: got %+v", state, c)
			}
			d.ran("appr_1", 0)
			if got := d.actions(); !slices.Equal(got, []string{"admin task_opened", "admin task_ended"}) {
				t.Errorf("%s: got records %q", state, got)
			}
		})
	}
}

func TestRefusedByAStation(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		d.refusing = signalbox.Errorf(signalbox.CodeForbidden, "the key was revoked")
		task := d.open("appr_1")
		d.decide("appr_1", signalbox.ApprovalApproved)
		if c := d.came(task.ID, signalbox.TaskFailed); c.Error == nil || c.Error.Message != "the key was revoked" {
			t.Errorf("got %+v", c)
		}
		d.ran("appr_1", 0)
	})
}

func TestTooLarge(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		c := d.asking("appr_1")
		c.Body = make([]byte, MaxRequest+1)
		if _, err := d.keepers[0].Open(t.Context(), c, kim, "appr_1"); signalbox.CodeOf(err) != signalbox.CodeTooLarge {
			t.Errorf("a large request: %v", err)
		}
		d.tool = func(context.Context) (string, error) { return strings.Repeat("x", MaxResult+1), nil }
		task := d.open("appr_2")
		d.decide("appr_2", signalbox.ApprovalApproved)
		if c := d.came(task.ID, signalbox.TaskFailed); c.Error.Code != signalbox.CodeTooLarge || c.Result != "" {
			t.Errorf("a large result: %+v", c)
		}
		d.ran("appr_2", 1)
	})
}

func TestBounds(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		for n := range MaxOpen {
			d.open(fmt.Sprint("appr_", n))
		}
		_, err := d.keepers[0].Open(t.Context(), d.asking("appr_more"), kim, "appr_more")
		if signalbox.CodeOf(err) != signalbox.CodeRateLimited {
			t.Errorf("got %v", err)
		}
		d.tool = func(context.Context) (string, error) { time.Sleep(time.Second); return "{}", nil }
		for n := range 3 * MaxMade {
			d.decide(fmt.Sprint("appr_", n), signalbox.ApprovalApproved)
		}
		time.Sleep(5 * time.Second)
		for n := range 3 * MaxMade {
			d.ran(fmt.Sprint("appr_", n), 1)
		}
		d.locked(func() {
			if d.peak != MaxMade {
				t.Errorf("%d calls were made at once, want %d", d.peak, MaxMade)
			}
		})
	})
}

func TestToldToNobodyElse(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		task, k := d.open("appr_1"), d.keepers[0]
		for name, change := range map[string]func(*signalbox.Caller){
			"tenant": func(c *signalbox.Caller) { c.Tenant = "globex" }, "key": func(c *signalbox.Caller) { c.Key = "key_2" },
			"agent": func(c *signalbox.Caller) { c.Agent = "reader" }, "user": func(c *signalbox.Caller) { c.User = "" },
		} {
			who := kim
			change(&who)
			_, _, err := k.Get(t.Context(), who, "files", task.ID)
			_, _, unknown := k.Get(t.Context(), kim, "files", "task_none")
			if signalbox.CodeOf(err) != signalbox.CodeNotFound || err.Error() != unknown.Error() {
				t.Errorf("another %s: %v, not %v", name, err, unknown)
			}
			if err := k.Cancel(t.Context(), who, "files", task.ID); signalbox.CodeOf(err) != signalbox.CodeNotFound {
				t.Errorf("another %s cancels: %v", name, err)
			}
			if _, found, err := k.Of(t.Context(), who, "appr_1"); found || err != nil {
				t.Errorf("another %s is told of the task of the approval: %v", name, err)
			}
			if _, err := k.Open(t.Context(), d.asking("appr_1"), who, "appr_1"); signalbox.CodeOf(err) != signalbox.CodeNotFound {
				t.Errorf("another %s opens: %v", name, err)
			}
		}
		if _, _, err := k.Get(t.Context(), kim, "desk", task.ID); signalbox.CodeOf(err) != signalbox.CodeNotFound {
			t.Errorf("another server: %v", err)
		}
		d.came(task.ID, signalbox.TaskWaiting)
	})
}

func TestCancelledBeforeItsCall(t *testing.T) {
	run(t, 2, func(t *testing.T, d *desk) {
		task := d.open("appr_1")
		for range 2 {
			if err := d.keepers[1].Cancel(t.Context(), kim, "files", task.ID); err != nil {
				t.Fatal(err)
			}
		}
		d.came(task.ID, signalbox.TaskCancelled)
		d.decide("appr_1", signalbox.ApprovalApproved) // Whatever comes of the approval.
		time.Sleep(time.Minute)
		d.came(task.ID, signalbox.TaskCancelled)
		d.ran("appr_1", 0)
		if got := d.actions(); !slices.Equal(got, []string{"admin task_opened", "admin task_cancelled"}) {
			t.Errorf("got records %q", got)
		}
	})
}

func TestCancelledWhileItsCallIsUnderWay(t *testing.T) {
	run(t, 2, func(t *testing.T, d *desk) {
		d.tool = func(ctx context.Context) (string, error) { <-ctx.Done(); return "", nil }
		task := d.open("appr_1")
		d.decide("appr_1", signalbox.ApprovalApproved)
		d.came(task.ID, signalbox.TaskRunning)
		for range 2 {
			if err := d.keepers[1].Cancel(t.Context(), kim, "files", task.ID); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(PollEvery)
		if c := d.came(task.ID, signalbox.TaskCancelled); c.Error == nil || !strings.Contains(c.Error.Message, "not known") {
			t.Errorf("got %+v", c)
		}
		if err := d.keepers[1].Cancel(t.Context(), kim, "files", task.ID); err != nil {
			t.Errorf("cancelled once more: %v", err)
		}
		d.ran("appr_1", 1)
	})
}

// A process that is gone after the intent leaves a task that runs. Whoever can claim it ends it.
func TestAProcessIsGone(t *testing.T) {
	for _, when := range []signalbox.RecordType{signalbox.RecordIntent, signalbox.RecordOutcome} {
		run(t, 1, func(t *testing.T, d *desk) {
			task := d.open("appr_1")
			d.locked(func() { d.lostAt = when })
			d.decide("appr_1", signalbox.ApprovalApproved)
			if c := d.came(task.ID, signalbox.TaskFailed); !strings.Contains(c.Error.Message, "not known") {
				t.Errorf("%s: got %+v", when, c)
			}
			d.locked(func() {
				if d.made["appr_1"] > 1 {
					t.Errorf("made %d times", d.made["appr_1"])
				}
			})
		})
		run(t, 1, func(t *testing.T, d *desk) {
			d.tool = func(ctx context.Context) (string, error) { <-ctx.Done(); return "", nil }
			task := d.open("appr_1")
			d.decide("appr_1", signalbox.ApprovalApproved)
			d.came(task.ID, signalbox.TaskRunning)
			d.locked(func() { d.lostAt = when; delete(d.claims, task.ClaimKey()) }) // As the store does.
			d.start("another")
			d.came(task.ID, signalbox.TaskFailed)
			d.ran("appr_1", 1)
			d.locked(func() { d.wrong = nil }) // The one that is gone writes without its claim, which the store refuses.
		})
	}
}

func TestTheLogCanNotBeWritten(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		task := d.open("appr_1")
		d.locked(func() { d.broken = true })
		d.decide("appr_1", signalbox.ApprovalApproved)
		time.Sleep(2 * PollEvery)
		d.came(task.ID, signalbox.TaskWaiting)
		d.ran("appr_1", 0)
		if len(d.reported) == 0 {
			t.Error("nobody was told")
		}
		if err := d.keepers[0].Cancel(t.Context(), kim, "files", task.ID); signalbox.CodeOf(err) != signalbox.CodeUnavailable {
			t.Errorf("cancelled: %v", err)
		}
		d.locked(func() { d.broken = false })
		time.Sleep(PollEvery)
		d.came(task.ID, signalbox.TaskCompleted)
		d.ran("appr_1", 1)
	})
}

func TestTheResultCanNotBeSealed(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		d.tool = func(context.Context) (string, error) { d.locked(func() { d.unsealing = true }); return "{}", nil }
		task := d.open("appr_1")
		d.decide("appr_1", signalbox.ApprovalApproved)
		synctest.Wait()
		if _, _, err := d.keepers[0].Get(t.Context(), kim, "files", task.ID); signalbox.CodeOf(err) != signalbox.CodeUnavailable {
			t.Errorf("got %v", err)
		}
		if _, err := d.keepers[0].Open(t.Context(), d.asking("appr_2"), kim, "appr_2"); signalbox.CodeOf(err) != signalbox.CodeUnavailable {
			t.Errorf("opened: %v", err)
		}
		d.locked(func() { d.unsealing = false })
		time.Sleep(PollEvery)
		if c := d.came(task.ID, signalbox.TaskFailed); !strings.Contains(c.Error.Message, "not known") {
			t.Errorf("got %+v", c)
		}
		d.ran("appr_1", 1)
	})
}

func TestErased(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		task, done := d.open("appr_1"), d.open("appr_2")
		d.decide("appr_2", signalbox.ApprovalApproved)
		d.came(done.ID, signalbox.TaskCompleted)
		d.locked(func() { d.erased = true })
		d.decide("appr_1", signalbox.ApprovalApproved)
		for _, id := range []string{task.ID, done.ID} {
			if c := d.came(id, signalbox.TaskFailed); !strings.Contains(c.Error.Message, "erased") || c.Result != "" {
				t.Errorf("got %+v", c)
			}
		}
		if d.get(task.ID).State != signalbox.TaskFailed {
			t.Errorf("it is kept as %+v", d.get(task.ID))
		}
		d.ran("appr_1", 0)
	})
}

func TestWhatIsKeptIsNoRequest(t *testing.T) {
	run(t, 1, func(t *testing.T, d *desk) {
		c := d.asking("appr_1")
		c.Body = []byte("no JSON")
		task, err := d.keepers[0].Open(t.Context(), c, kim, "appr_1")
		if err != nil {
			t.Fatal(err)
		}
		d.decide("appr_1", signalbox.ApprovalApproved)
		d.came(task.ID, signalbox.TaskFailed)
		d.ran("appr_1", 0)
	})
}

// A process that stops lets its calls end for a while, and gives the rest up; what was not begun is left to others.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{world: newWorld(), t: t}
		d.tool = func(ctx context.Context) (string, error) {
			select {
			case <-time.After(10 * time.Second):
			case <-ctx.Done():
			}
			return "{}", nil
		}
		k := d.start("one")
		ends, cut := d.open("appr_1"), d.open("appr_2")
		d.decide("appr_1", signalbox.ApprovalApproved)
		time.Sleep(8 * time.Second)
		d.decide("appr_2", signalbox.ApprovalApproved)
		d.came(cut.ID, signalbox.TaskRunning)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		k.Stop(ctx)
		d.came(ends.ID, signalbox.TaskCompleted)
		if c := d.came(cut.ID, signalbox.TaskFailed); !strings.Contains(c.Error.Message, "not known") {
			t.Errorf("got %+v", c)
		}
		left := d.open("appr_3")
		d.decide("appr_3", signalbox.ApprovalApproved)
		time.Sleep(2 * PollEvery)
		d.came(left.ID, signalbox.TaskWaiting)
		d.start("two")
		time.Sleep(2 * PollEvery)
		d.came(left.ID, signalbox.TaskCompleted)
		d.ran("appr_3", 1)
	})
}

// What is not begun when its process stops is not ended by it.
func TestStopBeforeTheIntent(t *testing.T) {
	d := &desk{world: newWorld(), t: t}
	k := d.process("one", func(error) {})
	task, err := k.Open(t.Context(), d.asking("appr_1"), kim, "appr_1")
	if err != nil {
		t.Fatal(err)
	}
	d.decide("appr_1", signalbox.ApprovalApproved)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopping)
	track := call.NewTrack(d.asking("appr_2"))
	track.Ended = func(result []byte, err error) []signalbox.Effect {
		return k.ended(ctx, task, signalbox.TaskContent{}, result, err)
	}
	if got := track.Ended(nil, signalbox.Errorf(signalbox.CodeCancelled, "cut")); got != nil {
		t.Errorf("it was ended: %+v", got)
	}
	ctx, cancel = context.WithCancelCause(t.Context())
	cancel(errUnwanted)
	put, ok := k.ended(ctx, task, signalbox.TaskContent{}, nil, signalbox.Errorf(signalbox.CodeCancelled, "cut"))[0].(signalbox.PutTask)
	if !ok || put.Task.State != signalbox.TaskCancelled {
		t.Errorf("not wanted any more: %+v", put)
	}
}
