package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// Tasks is the part of a store that keeps calls which are made later, in place of their callers. The log's Commit writes it.
type Tasks interface {
	Task(ctx context.Context, id string) (signalbox.Task, error)
	TaskOf(ctx context.Context, approval string) (signalbox.Task, bool, error)
	OpenTasks(ctx context.Context, kind signalbox.TaskKind, tenant, key string) (int, error)
	TasksOf(ctx context.Context, kind signalbox.TaskKind, tenant, key string, now time.Time, limit int) ([]signalbox.Task, error)
	DueTasks(ctx context.Context, now time.Time, limit int) ([]signalbox.Task, error)
	ForgetTasks(ctx context.Context, before time.Time, limit int) (int, error)
}

func tasks(t *testing.T, s Store) Tasks {
	t.Helper()
	d, ok := s.Log.(Tasks)
	if !ok {
		t.Fatalf("%T keeps no tasks", s.Log)
	}
	return d
}

// task is a task with every field set that [signalbox.PutTask] writes; one that has not ended has no such time.
func task(n int, state signalbox.TaskState) signalbox.Task {
	v := signalbox.Task{
		ID: fmt.Sprintf("task_%03d", n), Kind: signalbox.TaskOfApproval, Tenant: "acme", Key: "key_1", Agent: "writer", Server: "files", Tool: "files.write",
		State: state, Approval: fmt.Sprintf("appr_%03d", n), Asked: "call_1", Call: "call_2", Request: "req_1", Run: "run_1",
		Trace: "trace", Created: at(n), Updated: at(n + 1), Expires: at(n + 100),
		Content: &signalbox.Sealed{Key: "sk_1", Data: []byte{0, 0xff, '{', byte(n)}},
	}
	if state.Final() {
		v.Ended = at(n + 2)
	}
	return v
}

// remote is a task that its server works on.
func remote(n int, state signalbox.TaskState) signalbox.Task {
	v := task(n, state)
	v.Kind, v.Approval = signalbox.TaskOfServer, ""
	return v
}

func putTasks(t *testing.T, s Store, all ...signalbox.Task) {
	t.Helper()
	for _, v := range all {
		commit(t, s, signalbox.PutTask{Task: v})
	}
}

func checkTask(t *testing.T, s Store, want signalbox.Task) {
	t.Helper()
	same(t, must[signalbox.Task](t)(tasks(t, s).Task(t.Context(), want.ID)), want)
}

func idOfTask(v signalbox.Task) string { return v.ID }

var taskTests = map[string]func(*testing.T, Store){
	"kept whole, found, replaced": func(t *testing.T, s Store) {
		first, bare := task(1, signalbox.TaskCompleted), signalbox.Task{ID: "task_002", Kind: signalbox.TaskOfServer, State: signalbox.TaskWaiting}
		complete(t, first, "Cancelled")
		commit(t, s, signalbox.PutTask{Task: first}, signalbox.PutTask{Task: bare})
		s = s.Reopen()
		checkTask(t, s, first)
		checkTask(t, s, bare)
		_, err := tasks(t, s).Task(t.Context(), "task_003")
		refuses(t, err, signalbox.CodeNotFound)
	},
	"one of ours becomes its server's": func(t *testing.T, s Store) {
		putTasks(t, s, task(1, signalbox.TaskRunning), remote(1, signalbox.TaskRunning))
		checkTask(t, s, remote(1, signalbox.TaskRunning))
	},
	"what has ended stays as it is": func(t *testing.T, s Store) {
		waiting, ended, late := task(1, signalbox.TaskWaiting), task(1, signalbox.TaskCompleted), task(1, signalbox.TaskFailed)
		late.Content, late.Expires = &signalbox.Sealed{Key: "sk_2", Data: []byte{7}}, at(999)
		putTasks(t, s, waiting, ended, late, waiting)
		checkTask(t, s, ended)
		commit(t, s, signalbox.CancelTask{ID: ended.ID, At: at(5)})
		checkTask(t, s, ended)
	},
	"who asks for its end is not written over, and is the first": func(t *testing.T, s Store) {
		v := task(1, signalbox.TaskWaiting)
		putTasks(t, s, v)
		commit(t, s, signalbox.CancelTask{ID: v.ID, At: at(5).Add(999)}, signalbox.CancelTask{ID: "task_009", At: at(5)})
		v.Cancelled, v.State = at(5), signalbox.TaskRunning
		commit(t, s, signalbox.PutTask{Task: task(1, signalbox.TaskRunning)}, signalbox.CancelTask{ID: v.ID, At: at(6)})
		checkTask(t, s, v)
	},
	"times are whole microseconds, and text is UTF-8": func(t *testing.T, s Store) {
		v := task(1, signalbox.TaskWaiting)
		v.Created, v.Agent = at(1).Add(999).In(time.FixedZone("there", 3600)), "a\xff한"
		putTasks(t, s, v)
		v.Created, v.Agent = at(1), "a\uFFFD한"
		checkTask(t, s, v)
	},
	"the one of an approval has not ended": func(t *testing.T, s Store) {
		find := func(approval, want string) {
			t.Helper()
			v, there, err := tasks(t, s).TaskOf(t.Context(), approval)
			if ok(t, err); there != (want != "") || v.ID != want {
				t.Fatalf("got %q (%v), want %q", v.ID, there, want)
			}
		}
		over, open := task(1, signalbox.TaskCancelled), task(2, signalbox.TaskWaiting)
		over.Approval, open.Approval = "appr_7", "appr_7"
		find("appr_7", "")
		putTasks(t, s, over, task(3, signalbox.TaskWaiting))
		find("appr_7", "")
		putTasks(t, s, open)
		find("appr_7", "task_002")
	},
	"those that have not ended are counted by kind, tenant and key": func(t *testing.T, s Store) {
		foreign, other := task(4, signalbox.TaskWaiting), task(5, signalbox.TaskWaiting)
		foreign.Tenant, other.Key = "globex", "key_2"
		putTasks(t, s, task(1, signalbox.TaskWaiting), task(2, signalbox.TaskRunning), task(3, signalbox.TaskFailed), foreign, other, remote(6, signalbox.TaskRunning))
		count := func(kind signalbox.TaskKind, tenant, key string, want int) {
			t.Helper()
			same(t, must[int](t)(tasks(t, s).OpenTasks(t.Context(), kind, tenant, key)), want)
		}
		count(signalbox.TaskOfApproval, "acme", "", 3)
		count(signalbox.TaskOfApproval, "acme", "key_1", 2)
		count(signalbox.TaskOfServer, "acme", "key_1", 1)
		count(signalbox.TaskOfServer, "acme", "key_2", 0)
		count(signalbox.TaskOfApproval, "a\x00b\xff", "", 0)
	},
	"those of a key are listed by kind, the newest first, until they expire": func(t *testing.T, s Store) {
		other, foreign := remote(5, signalbox.TaskRunning), remote(6, signalbox.TaskRunning)
		other.Key, foreign.Tenant = "key_2", "globex"
		putTasks(t, s, remote(1, signalbox.TaskRunning), remote(2, signalbox.TaskCompleted), task(3, signalbox.TaskWaiting), remote(4, signalbox.TaskFailed), other, foreign)
		list := func(now time.Time, limit int, want ...string) {
			t.Helper()
			found := must[[]signalbox.Task](t)(tasks(t, s).TasksOf(t.Context(), signalbox.TaskOfServer, "acme", "key_1", now, limit))
			if got := idsOf(found, idOfTask); !slices.Equal(got, want) {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
		list(at(101), 10, "task_004", "task_002", "task_001")
		list(at(102), 10, "task_004", "task_001")
		list(at(101), 2, "task_004", "task_002")
	},
	"due are those whose approval is decided, and those that run": testDueTasks,
	"due are those of servers that have expired":                  testDueOfServers,
	"those that nobody finds any more are forgotten":              testForgetTasks,
}

func testDueTasks(t *testing.T, s Store) {
	check := func(limit int, want ...string) {
		t.Helper()
		list := must[[]signalbox.Task](t)(tasks(t, s).DueTasks(t.Context(), start, limit))
		if got := idsOf(list, idOfTask); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		for _, v := range list {
			if v.Content != nil || v.Tool != "files.write" {
				t.Fatalf("got %+v", v)
			}
		}
	}
	check(10)
	var all []signalbox.Task
	for i, state := range signalbox.ApprovalStates() { // task_000 is pending.
		putApprovals(t, s, approval(i, state))
		all = append(all, task(i, signalbox.TaskWaiting))
	}
	running, over := task(10, signalbox.TaskRunning), task(11, signalbox.TaskCompleted)
	running.Approval, over.Approval = "appr_000", "appr_001"
	putTasks(t, s, running, over)
	putTasks(t, s, all...)
	putTasks(t, s, task(12, signalbox.TaskWaiting)) // There is no such approval.
	check(10, "task_001", "task_002", "task_003", "task_004", "task_005", "task_012", "task_010")
	check(2, "task_001", "task_002")
	putApprovals(t, s, approval(0, signalbox.ApprovalApproved))
	check(1, "task_000")
}

func testDueOfServers(t *testing.T, s Store) {
	check := func(now time.Time, want ...string) {
		t.Helper()
		list := must[[]signalbox.Task](t)(tasks(t, s).DueTasks(t.Context(), now, 10))
		if got := idsOf(list, idOfTask); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	erased := remote(3, signalbox.TaskRunning)
	erased.Content = nil
	putTasks(t, s, remote(1, signalbox.TaskRunning), remote(2, signalbox.TaskRunning), erased, remote(4, signalbox.TaskFailed))
	check(at(100), "task_003")
	check(at(101), "task_001", "task_003")
	check(at(102), "task_001", "task_002", "task_003")
}

func testForgetTasks(t *testing.T, s Store) {
	forget := func(before time.Time, limit, want int) {
		t.Helper()
		same(t, must[int](t)(tasks(t, s).ForgetTasks(t.Context(), before, limit)), want)
	}
	open := task(1, signalbox.TaskWaiting)
	putTasks(t, s, open, task(2, signalbox.TaskCompleted), task(3, signalbox.TaskFailed), task(4, signalbox.TaskCancelled))
	forget(at(102), 10, 0)
	forget(at(103), 10, 1)
	forget(at(999), 1, 1)
	forget(at(999), 10, 1)
	forget(at(999), 10, 0)
	checkTask(t, s, open)
	_, err := tasks(t, s).Task(t.Context(), "task_003")
	refuses(t, err, signalbox.CodeNotFound)
}

var taskErasureTests = map[string]func(*testing.T, Store){
	"what an erased subject's keys seal is removed, and does not come back": func(t *testing.T, s Store) {
		commit(t, s, signalbox.PutSubjectKey{Key: subjectKey("sk_1", "acme", 1, 0)}, signalbox.PutSubjectKey{Key: subjectKey("sk_2", "acme", 2, 1)})
		waiting, ended, other := task(1, signalbox.TaskWaiting), task(2, signalbox.TaskCompleted), task(3, signalbox.TaskWaiting)
		other.Content.Key = "sk_2"
		putTasks(t, s, waiting, ended, other)
		putApprovals(t, s, approval(1, signalbox.ApprovalPending), approval(3, signalbox.ApprovalPending))
		commit(t, s, signalbox.DestroySubject{Tenant: "acme", Subject: subject(1), At: start})
		late := waiting
		late.Content = &signalbox.Sealed{Key: "sk_1", Data: []byte{9}}
		putTasks(t, s, late)
		s = s.Reopen()
		waiting.Content, ended.Content = nil, nil
		for _, v := range []signalbox.Task{waiting, ended, other} {
			checkTask(t, s, v)
		}
		same(t, idsOf(must[[]signalbox.Task](t)(tasks(t, s).DueTasks(t.Context(), start, 10)), idOfTask), []string{waiting.ID})
	},
}
