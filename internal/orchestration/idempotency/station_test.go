package idempotency

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// says checks the code of an error, and its text.
func says(t *testing.T, err error, code signalbox.Code, text string) *signalbox.Error {
	t.Helper()
	e := signalbox.AsError(err)
	if signalbox.CodeOf(err) != code || !strings.Contains(e.Message+" "+e.Remedy, text) {
		t.Fatalf("got %v, want %s with %q", err, code, text)
	}
	return e
}

// calls checks how often the tool was called.
func (w *world) calls(t *testing.T, want int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, made := range w.made {
		n += made
	}
	if n != want || len(w.wrong) > 0 || len(w.claims) > 0 {
		t.Errorf("the tool was called %d times, want %d; %v; claims %v", n, want, w.wrong, w.claims)
	}
}

func TestACallWithoutAKeyIsUntouched(t *testing.T) {
	w := newWorld()
	p := w.process("a")
	for range 2 {
		track := asking("call_1", "", `{}`)
		if _, err := p.present(t, track); err != nil || track.Idempotency != (call.IdempotencyResult{}) {
			t.Errorf("got %v and %+v", err, track.Idempotency)
		}
	}
	w.calls(t, 2)
}

func TestWhatTheFirstCallCameToIsGivenAgain(t *testing.T) {
	failing := func(err error) func(context.Context, *call.Track) (call.Upstream, error) {
		return func(context.Context, *call.Track) (call.Upstream, error) { return nil, err }
	}
	attempt := func(code signalbox.Code, e call.AttemptError) *call.AttemptError {
		e.Err = signalbox.Errorf(code, "It broke.").WithRemedy("Look.")
		return &e
	}
	answering := func(r result) func(context.Context, *call.Track) (call.Upstream, error) {
		return func(context.Context, *call.Track) (call.Upstream, error) { a := r; return &a, nil }
	}
	for name, c := range map[string]struct {
		tool  func(context.Context, *call.Track) (call.Upstream, error)
		first signalbox.Code
		again signalbox.Code
		says  string
		calls int // 1: no other one is made; 2: the key is free.
	}{
		"a result":                             {calls: 1},
		"a result that is too large":           {tool: answering(result{data: strings.Repeat("x", MaxResult+1)}), again: signalbox.CodeConflict, says: "not kept", calls: 1},
		"a question":                           {tool: answering(result{data: `{}`, finish: "asks"}), calls: 2},
		"a failure on the way":                 {tool: failing(attempt(signalbox.CodeUpstream, call.AttemptError{Sent: true})), first: signalbox.CodeUpstream, again: signalbox.CodeUpstream, says: "a new key makes the call anew", calls: 1},
		"a failure in the midst of the answer": {tool: answering(result{err: attempt(signalbox.CodeUpstream, call.AttemptError{})}), first: signalbox.CodeUpstream, again: signalbox.CodeUpstream, says: "It broke.", calls: 1},
		"a time-out":                           {tool: failing(attempt(signalbox.CodeTimeout, call.AttemptError{Sent: true})), first: signalbox.CodeTimeout, again: signalbox.CodeTimeout, says: "call_1", calls: 1},
		"what the server could not do":         {tool: failing(attempt(signalbox.CodeUnavailable, call.AttemptError{Sent: true, HTTPStatus: 503})), first: signalbox.CodeUnavailable, again: signalbox.CodeUnavailable, calls: 1},
		"a cancellation":                       {tool: failing(attempt(signalbox.CodeCancelled, call.AttemptError{Sent: true})), first: signalbox.CodeCancelled, again: signalbox.CodeConflict, says: "was cancelled", calls: 1},
		"an error of ours":                     {tool: failing(errGone), first: signalbox.CodeInternal, again: signalbox.CodeInternal, calls: 1},
		"what was not sent":                    {tool: failing(attempt(signalbox.CodeUpstream, call.AttemptError{})), first: signalbox.CodeUpstream, again: signalbox.CodeUpstream, says: "Look.", calls: 2},
		"what the server has not done":         {tool: failing(attempt(signalbox.CodeInvalid, call.AttemptError{Sent: true, Undone: true})), first: signalbox.CodeInvalid, again: signalbox.CodeInvalid, calls: 2},
		"what the server has turned down":      {tool: failing(attempt(signalbox.CodeRateLimited, call.AttemptError{Sent: true, HTTPStatus: 429})), first: signalbox.CodeRateLimited, again: signalbox.CodeRateLimited, calls: 2},
		"what came too slowly to the server":   {tool: failing(attempt(signalbox.CodeUpstream, call.AttemptError{Sent: true, HTTPStatus: 408})), first: signalbox.CodeUpstream, again: signalbox.CodeUpstream, calls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.tool = c.tool
			a, b := w.process("a"), w.process("b")
			first, second := asking("call_1", "k", `{"a":1}`), asking("call_2", "k", `{"a": 1.0}`)
			want, err := a.present(t, first)
			if signalbox.CodeOf(err) != c.first {
				t.Fatalf("the first call: %v, want %q", err, c.first)
			}
			got, err := b.present(t, second)
			if says(t, err, c.again, c.says); err == nil && got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			w.calls(t, c.calls)
			replayed := ""
			if c.calls == 1 && c.again != signalbox.CodeConflict {
				replayed = "call_1"
			}
			end := w.records[len(w.records)-1]
			if second.Idempotency.ReplayOf != replayed || end.Context.ReplayOf != replayed || end.Call != "call_2" || end.Type != signalbox.RecordOutcome {
				t.Errorf("it is said to be a replay of %q and recorded as one of %q, want %q", second.Idempotency.ReplayOf, end.Context.ReplayOf, replayed)
			}
			if first.Idempotency.Forward == "" || (second.Idempotency.Forward == "") != (c.calls == 1) {
				t.Errorf("servers are given %q and %q", first.Idempotency.Forward, second.Idempotency.Forward)
			}
		})
	}
}

func TestACallThatIsRefusedBeforeItsIntentLeavesTheKey(t *testing.T) {
	w := newWorld()
	p := w.process("a")
	pending := signalbox.Errorf(signalbox.CodeApprovalRequired, "wait")
	p.approval = func(call.Handler) call.Handler {
		return call.HandlerFunc(func(context.Context, *call.Track) (call.Answer, error) { return nil, pending })
	}
	_, err := p.present(t, asking("call_1", "k", `{}`))
	says(t, err, signalbox.CodeApprovalRequired, "wait")
	p.approval = nil
	if _, err := p.present(t, asking("call_2", "k", `{"other":1}`)); err != nil {
		t.Fatal(err)
	}
	w.calls(t, 1)
}

func TestAnIntentThatIsNotWrittenLeavesTheKey(t *testing.T) {
	w := newWorld()
	p := w.process("a")
	w.lost = signalbox.RecordIntent
	_, err := p.present(t, asking("call_1", "k", `{}`))
	says(t, err, signalbox.CodeUnavailable, "lost")
	w.lost = ""
	if _, err := p.present(t, asking("call_2", "k", `{}`)); err != nil {
		t.Fatal(err)
	}
	w.calls(t, 1)
}

// An outcome that is not written is not known, and neither is what could not be sealed.
func TestWhatIsNotKnownIsNotRepeated(t *testing.T) {
	for name, breaks := range map[string]func(*world){
		"the outcome is lost":        func(w *world) { w.lost = signalbox.RecordOutcome },
		"the result is not sealed":   func(w *world) { w.sealed = true },
		"the process dies meanwhile": nil,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			a, b := w.process("a"), w.process("b")
			if breaks != nil {
				breaks(w)
				_, _ = a.present(t, asking("call_1", "k", `{}`)) // Whether it is told of the loss is not for this test.
			} else {
				w.tool = func(context.Context, *call.Track) (call.Upstream, error) { panic("killed") }
				w.lost = signalbox.RecordOutcome
				_, _ = a.present(t, asking("call_1", "k", `{}`))
			}
			w.lost, w.sealed, w.tool = "", false, nil
			_, err := b.present(t, asking("call_2", "k", `{}`))
			says(t, err, signalbox.CodeConflict, "call_1 with this idempotency key was begun, and its outcome is not known")
			w.calls(t, 1)
		})
	}
}

func TestWhatCanNotBeGivenAgain(t *testing.T) {
	for name, c := range map[string]struct {
		breaks func(*world)
		code   signalbox.Code
		says   string
	}{
		"erased":         {func(w *world) { w.erased = true }, signalbox.CodeConflict, "erased"},
		"sealed":         {func(w *world) { w.sealed = true }, signalbox.CodeUnavailable, "master key"},
		"of other calls": {func(w *world) { w.move() }, signalbox.CodeInternal, ""},
		"unreadable":     {func(w *world) { w.lost = signalbox.RecordAdmin }, signalbox.CodeInternal, ""},
		"unclaimed":      {func(w *world) { w.lost = signalbox.RecordAttempt }, signalbox.CodeInternal, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			p := w.process("a")
			if _, err := p.present(t, asking("call_1", "k", `{}`)); err != nil {
				t.Fatal(err)
			}
			c.breaks(w)
			track := asking("call_2", "k", `{}`)
			_, err := p.present(t, track)
			says(t, err, c.code, c.says)
			if track.Idempotency.ReplayOf != "" {
				t.Error("it is said to be a replay")
			}
			w.calls(t, 1)
		})
	}
}

// move puts what was kept in another place.
func (w *world) move() {
	for slot, u := range w.uses {
		u.Content.Data = append([]byte("elsewhere"), u.Content.Data...)
		w.uses[slot] = u
	}
}

func TestArgumentsOfNoFormAreRefused(t *testing.T) {
	w := newWorld()
	_, err := w.process("a").present(t, asking("call_1", "k", `{`))
	says(t, err, signalbox.CodeInvalid, "canonical")
	w.calls(t, 0)
}

// While a call is under way others are told to come back; when it is over they get what it came to.
func TestWhileACallIsUnderWay(t *testing.T) {
	w := newWorld()
	begun, end := make(chan struct{}), make(chan struct{})
	w.tool = func(context.Context, *call.Track) (call.Upstream, error) {
		close(begun)
		<-end
		return &result{data: `{"n":1}`}, nil
	}
	a, b := w.process("a"), w.process("b")
	var first sync.WaitGroup
	first.Go(func() {
		if got, err := a.present(t, asking("call_1", "k", `{}`)); err != nil || got != `{"n":1}` {
			t.Errorf("the first call: %s, %v", got, err)
		}
	})
	<-begun
	_, err := b.present(t, asking("call_2", "k", `{}`))
	if e := says(t, err, signalbox.CodeConflict, "call_1 with this idempotency key is under way"); e.RetryAfter != Comeback {
		t.Errorf("it is to come back after %s", e.RetryAfter)
	}
	_, err = b.present(t, asking("call_3", "k", `{"b":2}`))
	says(t, err, signalbox.CodeConflict, "something else")
	close(end)
	first.Wait()
	if got, err := b.present(t, asking("call_4", "k", `{}`)); err != nil || got != `{"n":1}` {
		t.Errorf("after it: %s, %v", got, err)
	}
	w.calls(t, 1)
}

// The call of a task keeps what it comes to beside, and is not answered with what another call came to.
func TestTheCallOfATask(t *testing.T) {
	w := newWorld()
	p := w.process("a")
	track := asking("call_1", "k", `{}`)
	track.Call.Approval = "appr_1"
	var told []string
	track.Begun = func() []signalbox.Effect { told = append(told, "begun"); return nil }
	track.Ended = func(result []byte, err error) []signalbox.Effect {
		told = append(told, fmt.Sprint("ended ", string(result), err))
		return nil
	}
	track.Over = func() { told = append(told, "over") }
	if _, err := p.present(t, track); err != nil || strings.Join(told, ", ") != `begun, ended {"content":[]}<nil>, over` {
		t.Errorf("got %q (%v)", told, err)
	}
	second := asking("call_2", "k", `{}`)
	second.Call.Approval = "appr_2"
	_, err := p.present(t, second)
	says(t, err, signalbox.CodeConflict, "was used by the call call_1")
	w.calls(t, 1)
}

func TestTheCallOfATaskWaitsForWhoOnlyLooks(t *testing.T) {
	for name, c := range map[string]struct {
		held time.Duration
		gone bool // The process stops meanwhile.
		code signalbox.Code
	}{
		"a moment":    {held: 3 * ClaimPause},
		"too long":    {held: 2 * ClaimWait, code: signalbox.CodeConflict},
		"as it stops": {held: 2 * ClaimWait, gone: true, code: signalbox.CodeCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				p := w.process("a")
				track := asking("call_1", "k", `{}`)
				track.Call.Approval = "appr_1"
				slot := Slot(track.Gate.Caller, "k")
				release, _, _ := w.process("b").Take(t.Context(), signalbox.Idempotency{Slot: slot}.ClaimKey())
				time.AfterFunc(c.held, release)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.gone {
					time.AfterFunc(ClaimPause/2, cancel)
				}
				answer, err := p.chain.Serve(ctx, track)
				if got := signalbox.CodeOf(err); got != c.code {
					t.Errorf("got %v, want %q", err, c.code)
				}
				if err == nil {
					_, err = call.ReadAll(ctx, answer)
				}
				time.Sleep(2 * ClaimWait)
				w.calls(t, map[bool]int{true: 1}[c.code == ""])
				_ = err // Checked by its code.
			})
		})
	}
}

// However often one request is sent, at however many processes at once, and whichever of them die: the tool acts once at the
// most, and all who are answered are answered alike.
func TestManyPresentationsMakeOneCall(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld()
		dies := rapid.Bool().Draw(rt, "the first one dies")
		if dies {
			w.lost = signalbox.RecordOutcome
		}
		processes := []*process{w.process("a"), w.process("b"), w.process("c")}
		of := rapid.SliceOfN(rapid.IntRange(0, 2), 1, 12).Draw(rt, "presentations")
		answers := make([]string, len(of))
		var all sync.WaitGroup
		for i, n := range of {
			all.Go(func() {
				got, err := processes[n].present(t, asking(fmt.Sprintf("call_%d", i), "k", `{}`))
				if code := signalbox.CodeOf(err); err != nil && code != signalbox.CodeConflict && code != signalbox.CodeUnavailable {
					t.Errorf("got %v", err)
				}
				answers[i] = got
			})
		}
		all.Wait()
		w.lost = ""
		got, err := processes[0].present(t, asking("call_last", "k", `{}`))
		if (signalbox.CodeOf(err) == signalbox.CodeConflict) != dies || !dies && got != `{"content":[]}` {
			rt.Fatalf("in the end: %q, %v", got, err)
		}
		for _, a := range answers {
			if a != "" && a != got {
				rt.Fatalf("somebody was answered %q", a)
			}
		}
		w.calls(t, 1)
	})
}
