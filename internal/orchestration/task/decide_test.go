package task

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

func at(minutes int) time.Time {
	return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

func fresh() signalbox.Task {
	return signalbox.Task{ID: "task_1", Tenant: "acme", Server: "files", Approval: "appr_1"}
}

// in is a task in a state.
func in(state signalbox.TaskState) signalbox.Task {
	t := fresh()
	t.Kind = signalbox.TaskOfApproval
	t.State, t.Created, t.Updated, t.Expires, t.Content = state, at(0), at(0), at(120), &signalbox.Sealed{}
	return t
}

func states() []signalbox.TaskState {
	return []signalbox.TaskState{
		signalbox.TaskWaiting, signalbox.TaskRunning, signalbox.TaskCompleted, signalbox.TaskFailed, signalbox.TaskCancelled,
	}
}

func TestOpen(t *testing.T) {
	dirty := fresh()
	dirty.State, dirty.Call, dirty.Ended, dirty.Cancelled = signalbox.TaskCompleted, "call_1", at(1), at(1)
	got, err := Decide(signalbox.Task{}, Open{Task: dirty, At: at(5), Until: at(65)})
	want := fresh()
	want.Kind = signalbox.TaskOfApproval
	want.State, want.Created, want.Updated, want.Expires = signalbox.TaskWaiting, at(5), at(5), at(125)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got, _ := Decide(signalbox.Task{}, Open{Task: fresh(), At: at(5), Until: at(1)}); !got.Expires.Equal(at(65)) {
		t.Errorf("that of an approval which is over is kept until %s", got.Expires)
	}
	for name, change := range map[string]func(*signalbox.Task){
		"id": func(t *signalbox.Task) { t.ID = "" }, "tenant": func(t *signalbox.Task) { t.Tenant = "" },
		"server": func(t *signalbox.Task) { t.Server = "" }, "approval": func(t *signalbox.Task) { t.Approval = "" },
	} {
		bare := fresh()
		change(&bare)
		if got, err := Decide(signalbox.Task{}, Open{Task: bare, At: at(5)}); err == nil || got.ID != "" {
			t.Errorf("opened without its %s: %+v", name, got)
		}
	}
	if got, err := Decide(in(signalbox.TaskRunning), Open{Task: fresh(), At: at(5)}); err == nil || got.State != signalbox.TaskRunning {
		t.Errorf("opened twice: %+v", got)
	}
}

// remote is a task that its server works on.
func remote(state signalbox.TaskState) signalbox.Task {
	t := in(state)
	t.Kind, t.Call = signalbox.TaskOfServer, "call_1"
	return t
}

func TestAccept(t *testing.T) {
	dirty := fresh()
	dirty.State, dirty.Approval, dirty.Call, dirty.Ended, dirty.Cancelled = signalbox.TaskCompleted, "", "call_1", at(1), at(1)
	got, err := Decide(signalbox.Task{}, Accept{Task: dirty, At: at(5), Until: at(65)})
	want := fresh()
	want.Kind, want.State, want.Approval, want.Call = signalbox.TaskOfServer, signalbox.TaskRunning, "", "call_1"
	want.Created, want.Updated, want.Expires = at(5), at(5), at(65)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for name, change := range map[string]func(*signalbox.Task){
		"id": func(t *signalbox.Task) { t.ID = "" }, "tenant": func(t *signalbox.Task) { t.Tenant = "" },
		"server": func(t *signalbox.Task) { t.Server = "" }, "call": func(t *signalbox.Task) { t.Call = "" },
	} {
		bare := dirty
		change(&bare)
		if got, err := Decide(signalbox.Task{}, Accept{Task: bare, At: at(5)}); err == nil || got.ID != "" {
			t.Errorf("accepted without its %s: %+v", name, got)
		}
	}
	if got, err := Decide(remote(signalbox.TaskRunning), Accept{Task: dirty, At: at(5)}); err == nil || got.State != signalbox.TaskRunning {
		t.Errorf("accepted twice: %+v", got)
	}
}

func TestHand(t *testing.T) {
	for _, state := range states() {
		got, err := Decide(in(state), Hand{At: at(7), Until: at(60)})
		want := in(state)
		if state == signalbox.TaskRunning {
			want.Kind, want.Updated, want.Expires = signalbox.TaskOfServer, at(7), at(60)
		}
		if (err == nil) != (state == signalbox.TaskRunning) || !reflect.DeepEqual(got, want) {
			t.Errorf("one that is %s: %+v, %v", state, got, err)
		}
	}
	if got, err := Decide(remote(signalbox.TaskRunning), Hand{At: at(7), Until: at(60)}); err == nil {
		t.Errorf("handed twice: %+v", got)
	}
}

func TestLifetime(t *testing.T) {
	for ttl, want := range map[time.Duration]time.Duration{
		-1: MaxLife, 0: MaxLife, 1: 1, time.Hour: time.Hour, MaxLife: MaxLife, MaxLife + 1: MaxLife,
	} {
		if got := Lifetime(ttl); got != want {
			t.Errorf("of %s: got %s, want %s", ttl, got, want)
		}
	}
}

func TestBegin(t *testing.T) {
	for _, state := range states() {
		got, err := Decide(in(state), Begin{Call: "call_2", At: at(7)})
		if state != signalbox.TaskWaiting {
			if err == nil || !reflect.DeepEqual(got, in(state)) {
				t.Errorf("one that is %s was begun: %+v", state, got)
			}
			continue
		}
		want := in(signalbox.TaskRunning)
		want.Call, want.Updated = "call_2", at(7)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	if _, err := Decide(in(signalbox.TaskWaiting), Begin{At: at(7)}); err == nil {
		t.Error("begun without a call")
	}
}

func TestEnd(t *testing.T) {
	for _, from := range states() {
		for _, to := range states() {
			got, err := Decide(in(from), End{State: to, At: at(7)})
			may := to.Final() && (from == signalbox.TaskRunning || from == signalbox.TaskWaiting && to != signalbox.TaskCompleted)
			if may != (err == nil) || may && got.State != to || !may && !reflect.DeepEqual(got, in(from)) {
				t.Errorf("from %s to %s: %+v, %v", from, to, got, err)
			}
			if may && (!got.Ended.Equal(at(7)) || !got.Updated.Equal(at(7)) || !got.Expires.Equal(at(120))) {
				t.Errorf("from %s to %s: %+v", from, to, got)
			}
		}
	}
	if got, _ := Decide(in(signalbox.TaskRunning), End{State: signalbox.TaskFailed, At: at(100)}); !got.Expires.Equal(at(160)) {
		t.Errorf("one that ends late is kept until %s", got.Expires)
	}
}

func TestNext(t *testing.T) {
	approved := signalbox.Approval{ID: "appr_1", State: signalbox.ApprovalApproved, UseBy: at(30)}
	used, late := approved, approved
	used.Used, late.UseBy = at(1), at(10)
	of := func(state signalbox.ApprovalState) signalbox.Approval {
		return signalbox.Approval{ID: "appr_1", State: state}
	}
	erased := in(signalbox.TaskWaiting)
	erased.Content = nil
	slow, gone := remote(signalbox.TaskRunning), remote(signalbox.TaskRunning)
	slow.Expires, gone.Content = at(10), nil
	for name, c := range map[string]struct {
		task     signalbox.Task
		approval signalbox.Approval
		unknown  bool
		want     Step
		code     signalbox.Code
		says     string
	}{
		"it has ended":            {task: in(signalbox.TaskCompleted), approval: approved, want: Wait},
		"it runs":                 {task: in(signalbox.TaskRunning), approval: approved, want: Fail, code: signalbox.CodeInternal, says: "whether the tool has acted is not known"},
		"the server works on it":  {task: remote(signalbox.TaskRunning), unknown: true, want: Wait},
		"the server has ended it": {task: remote(signalbox.TaskFailed), unknown: true, want: Wait},
		"the server is too late":  {task: slow, unknown: true, want: Fail, code: signalbox.CodeTimeout, says: "time of the task is over"},
		"the server's was erased": {task: gone, unknown: true, want: Fail, code: signalbox.CodeConflict, says: "erased"},
		"it was erased":           {task: erased, approval: approved, want: Fail, code: signalbox.CodeConflict, says: "erased"},
		"there is no approval":    {task: in(signalbox.TaskWaiting), unknown: true, want: Fail, code: signalbox.CodeConflict, says: "no approval"},
		"nobody has decided":      {task: in(signalbox.TaskWaiting), approval: of(signalbox.ApprovalPending), want: Wait},
		"approved":                {task: in(signalbox.TaskWaiting), approval: approved, want: Make},
		"approved, used":          {task: in(signalbox.TaskWaiting), approval: used, want: Fail, code: signalbox.CodeConflict, says: "used by another call"},
		"approved, and too late":  {task: in(signalbox.TaskWaiting), approval: late, want: Fail, code: signalbox.CodeConflict, says: "in time"},
		"denied":                  {task: in(signalbox.TaskWaiting), approval: of(signalbox.ApprovalDenied), want: Fail, code: signalbox.CodeForbidden, says: "denied"},
		"expired":                 {task: in(signalbox.TaskWaiting), approval: of(signalbox.ApprovalExpired), want: Fail, code: signalbox.CodeConflict, says: "expired"},
		"stale":                   {task: in(signalbox.TaskWaiting), approval: of(signalbox.ApprovalStale), want: Fail, code: signalbox.CodeConflict, says: "void"},
		"withdrawn":               {task: in(signalbox.TaskWaiting), approval: of(signalbox.ApprovalWithdrawn), want: Fail, code: signalbox.CodeConflict, says: "withdrawn"},
		"in a state nobody knows": {task: in(signalbox.TaskWaiting), approval: of("lost"), want: Fail, code: signalbox.CodeInternal, says: "no state"},
	} {
		step, err := Next(c.task, c.approval, !c.unknown, at(10))
		if step != c.want || (step == Fail) != (err != nil) || signalbox.CodeOf(err) != c.code || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %d, %v", name, step, err)
		}
		if err != nil && signalbox.AsError(err).Remedy == "" {
			t.Errorf("%s: %v has no remedy", name, err)
		}
	}
}

func TestCame(t *testing.T) {
	gone := signalbox.Errorf(signalbox.CodeCancelled, "gone")
	broken := signalbox.Errorf(signalbox.CodeUpstream, "broken")
	for name, c := range map[string]struct {
		result    int
		err       error
		cancelled bool
		state     signalbox.TaskState
		says      string
	}{
		"well":                             {result: MaxResult, state: signalbox.TaskCompleted},
		"well, though it was cancelled":    {result: 1, cancelled: true, state: signalbox.TaskCompleted},
		"more than is kept":                {result: MaxResult + 1, state: signalbox.TaskFailed, says: "The call was made"},
		"cancelled":                        {err: gone, cancelled: true, state: signalbox.TaskCancelled, says: "gone"},
		"given up by a process that stops": {err: gone, state: signalbox.TaskFailed, says: "not known"},
		"broken":                           {err: broken, state: signalbox.TaskFailed, says: "broken"},
		"broken, and cancelled":            {err: broken, cancelled: true, state: signalbox.TaskFailed, says: "broken"},
	} {
		state, err := Came(make([]byte, c.result), c.err, c.cancelled)
		if state != c.state || (c.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %s, %v", name, state, err)
		}
	}
}
