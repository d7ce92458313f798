package idempotency

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/harness"
)

// tasks is the capability of a client that need not stay.
const tasks = `"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}`

func TestOneKeyMakesOneCall(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		t.Run("given again", func(t *testing.T) { testGivenAgain(t, w) })
		t.Run("something else, somebody else", func(t *testing.T) { testOthers(t, w) })
		t.Run("many at once", func(t *testing.T) { testManyAtOnce(t, w) })
		t.Run("people are asked first", func(t *testing.T) { testApproval(t, w) })
		t.Run("a task", func(t *testing.T) { testTask(t, w) })
		t.Run("erased with its subject", func(t *testing.T) { testErased(t, w) })
		w.At(0).Complete(t)
	})
}

func testGivenAgain(t *testing.T, w *world) {
	first := call(t, w.Next(), request{mark: "a", key: `"key-a"`})
	first.good(t, "")
	again := []*reply{
		call(t, w.Next(), request{mark: "a", key: "key-a"}),
		call(t, w.Next(), request{mark: "a", key: "key-a", joint: true}),
		call(t, w.Next(), request{mark: "a", meta: `"signalbox/idempotency-key":"key-a"`}),
	}
	for _, r := range again {
		r.good(t, first.call)
	}
	failed := call(t, w.Next(), request{mark: "f", key: "key-f", fail: true})
	second := call(t, w.Next(), request{mark: "f", key: "key-f", fail: true})
	if !failed.Result.IsError || !second.Result.IsError || second.replayOf != failed.call {
		t.Errorf("what the tool could not do: %s\n%s", failed.body, second.body)
	}
	w.ran(t, "a", 1)
	w.ran(t, "f", 1)
	detail := w.At(0).Call(t, again[0].call)
	if detail.ReplayOf == nil || *detail.ReplayOf != first.call || detail.Outcome != signalbox.OutcomeOK || detail.Attempts != 0 ||
		detail.CostEstimate != nil && strings.Trim(*detail.CostEstimate, "0.") != "" {
		t.Errorf("the record of what was given again: %+v", detail)
	}
	if detail := w.At(0).Call(t, first.call); detail.ReplayOf != nil || detail.Attempts != 1 {
		t.Errorf("the record of the first: %+v", detail)
	}
}

func testOthers(t *testing.T, w *world) {
	first := call(t, w.Next(), request{mark: "b", key: "key-b"})
	other := call(t, w.Next(), request{mark: "b2", key: "key-b"})
	other.refused(t, "conflict", first.call)
	if detail := w.At(0).Call(t, other.call); detail.Outcome != signalbox.OutcomeDenied || detail.Error == nil || detail.ReplayOf != nil {
		t.Errorf("the record of what was refused: %+v", detail)
	}
	call(t, w.Next(), request{mark: "b3", key: "key-b", secret: twin}).good(t, "") // Another's key is another one.
	call(t, w.Next(), request{mark: "b4", key: "a b"}).refused(t, "invalid", "visible characters")
	call(t, w.Next(), request{mark: "b4", key: "x", meta: `"signalbox/idempotency-key":"y"`}).refused(t, "invalid", "not the one")
	for mark, want := range map[string]int{"b": 1, "b2": 0, "b3": 1, "b4": 0} {
		w.ran(t, mark, want)
	}
}

// testManyAtOnce sends one call from many callers at once, until all are answered.
func testManyAtOnce(t *testing.T, w *world) {
	const callers = 24
	var all sync.WaitGroup
	calls := make([]string, callers)
	for n := range callers {
		all.Go(func() {
			for {
				r, err := send(w.Next(), request{mark: "m", key: "key-m", wait: 30})
				switch {
				case err != nil:
					t.Error(err)
					return
				case r.code() == "conflict" && r.retryAfter == "1" && strings.Contains(r.body, "is under way"):
					continue
				case r.code() != "":
					t.Error(r.body)
					return
				}
				if calls[n] = r.replayOf; r.replayOf == "" {
					calls[n] = r.call
				}
				return
			}
		})
	}
	all.Wait()
	if slices.Sort(calls); calls[0] == "" || calls[0] != calls[callers-1] {
		t.Errorf("they were answered with different calls: %v", slices.Compact(calls))
	}
	w.ran(t, "m", 1)
}

// decide approves as one and another would, who are ann and the admin.
func decide(t *testing.T, w *world, approval string) {
	t.Helper()
	for _, who := range []string{ann, harness.Admin} {
		a := w.Send(t, http.MethodPost, "/api/v1/approvals/"+approval+"/approve", who, `{"reason":"looked at it"}`)
		if a.Status != http.StatusOK {
			t.Fatalf("status %d: %s", a.Status, a.Body)
		}
	}
}

// A call that waits for people has not used its key.
func testApproval(t *testing.T, w *world) {
	waiting := make(chan *reply, 1)
	go func() {
		r, err := send(w.At(0), request{mark: "ask-1", key: "key-ask-1"})
		if err != nil {
			t.Error(err)
		}
		waiting <- r
	}()
	decide(t, w, pending(t, w, "ask-1"))
	first := <-waiting
	first.good(t, "")
	call(t, w.Next(), request{mark: "ask-1", key: "key-ask-1"}).good(t, first.call)
	w.ran(t, "ask-1", 1)
}

// pending waits for the approval of a call.
func pending(t *testing.T, w *world, mark string) (id string) {
	t.Helper()
	harness.Eventually(t, func() error {
		a := w.Send(t, http.MethodGet, "/api/v1/approvals?state=pending", ann, "")
		if i := strings.Index(a.Body, "appr_"); i >= 0 && strings.Contains(a.Body, mark) {
			id = a.Body[i : i+len("appr_")+26]
			return nil
		}
		return fmt.Errorf("nothing waits: %s", a.Body)
	})
	return id
}

// A call that becomes a task is the same task whenever it is sent again, and its result once that has ended.
func testTask(t *testing.T, w *world) {
	r := request{mark: "ask-2", key: "key-ask-2", wait: 200, meta: tasks}
	first := call(t, w.Next(), r)
	again := call(t, w.Next(), r)
	if first.Result.Type != "task" || first.Result.Task == "" || again.Result.Task != first.Result.Task {
		t.Fatalf("first: %s; again: %s", first.body, again.body)
	}
	i := strings.Index(first.Result.Message, "appr_")
	decide(t, w, first.Result.Message[i:i+len("appr_")+26])
	harness.Eventually(t, func() error {
		again = call(t, w.Next(), r)
		switch {
		case again.Result.Type == "task" && again.Result.Task == first.Result.Task:
			return fmt.Errorf("it is still %s", again.Result.Status)
		case again.code() == "conflict" && again.retryAfter != "": // Between its looks.
			return fmt.Errorf("it is under way")
		case len(again.Result.Content) != 1: // Made by this presentation, where it was faster than the task, or given again.
			t.Fatalf("got %s", again.body)
		}
		return nil
	})
	w.ran(t, "ask-2", 1)
}

func testErased(t *testing.T, w *world) {
	first := call(t, w.Next(), request{mark: "e", key: "key-e"})
	first.good(t, "")
	a := w.Send(t, http.MethodPost, "/api/v1/subjects/kim/erasure?tenant=acme", harness.Admin, `{"reason":"asked for"}`)
	if a.Status != http.StatusOK {
		t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	harness.Eventually(t, func() error { // Replicas learn of it.
		if r := call(t, w.Next(), request{mark: "e", key: "key-e"}); r.code() != "conflict" || !strings.Contains(r.body, "erased") {
			return fmt.Errorf("got %s", r.body)
		}
		return nil
	})
	w.ran(t, "e", 1)
}

// A process that is killed while a call is under way leaves a key that nobody can use: whether the tool has acted, only the
// tool knows.
func TestAKilledCallIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	w := launch(t, "sqlite:"+t.TempDir()+"/s.db", 1)
	r := request{mark: "k", key: "key-k", wait: 2000}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := send(w.At(0), r); err == nil {
			t.Error("the call was answered by a process that is dead")
		}
	}()
	harness.Eventually(t, func() error {
		if w.tools.Runs()["k"] == 0 {
			return fmt.Errorf("the tool was not called")
		}
		return nil
	})
	w.At(0).Kill()
	<-done
	w.Start(t, 0)
	for range 3 {
		call(t, w.At(0), r).refused(t, "conflict", "nobody knows whether the tool has acted")
	}
	w.ran(t, "k", 1)
	w.At(0).Complete(t)
}
