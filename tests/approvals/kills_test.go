package approvals

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// KillsVariable sets how often processes are killed in the long form; defaultKills is the short one.
const (
	KillsVariable = "SIGNALBOX_APPROVAL_KILLS"
	defaultKills  = 15
)

const (
	tellers     = 6               // Callers at once.
	killsInARow = 20              // Of replicas; then they have a respite in which the dead are found to be dead.
	respite     = 7 * time.Second // Two leases and a bit.
	maxLeft     = 300             // Calls that nobody decides: a tenant can not have many more than that at once.
)

// number reads how many of something a variable asks for.
func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is not a number", variable, text)
	}
	return n
}

// fate is what becomes of a call.
type fate int

const (
	made   fate = iota // It is approved by one person and made.
	both               // It needs two.
	denied             // It is denied.
	left               // Nobody decides.
	unmade             // It is approved and not made while processes are killed.
	fates              // How many there are.
)

// story is one call from its question to its end, as its caller and its approvers see it.
type story struct {
	text string
	id   string
	fate fate
	told bool // The caller has the whole answer.
	lost int  // Presentations whose answer broke.
}

// body is what is sent; the model says how many must agree.
func (x *story) body() string {
	if x.fate == both {
		return prompt("two", x.text)
	}
	return prompt("one", x.text)
}

// saga tells stories while processes are killed.
type saga struct {
	*world
	t    *testing.T
	slot atomic.Int64 // Where somebody decides or makes a call right now.
	mu   sync.Mutex
	done []*story
	left int                       // How many of them nobody decides.
	calm atomic.Pointer[time.Time] // When the last process was killed; nil before.
}

// choose takes one fate after another, and lets no more calls wait than there is room for.
func (s *saga) choose(n int) fate {
	f := fate(n % int(fates))
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case f != left:
	case s.left == maxLeft:
		return denied
	default:
		s.left++
	}
	return f
}

// pick gives a process to decide or to make a call at, which is the next to be killed.
func (s *saga) pick() *harness.Instance {
	slot := rand.IntN(s.Size())
	s.slot.Store(int64(slot))
	return s.At(slot)
}

// until tries again until it is done. What fails for long enough after the last kill fails the test: what a dead process
// has claimed is given to others by a leader that has lived for a lease, and while leaders are killed there may be none.
func (s *saga) until(what string, try func() (done bool, said string)) bool {
	said := ""
	for begin := time.Now(); !s.tooLong(begin); time.Sleep(5 * time.Millisecond) {
		done := false
		if done, said = try(); done {
			return true
		}
	}
	s.t.Errorf("%s: %s", what, said)
	return false
}

func (s *saga) tooLong(begin time.Time) bool {
	calm := s.calm.Load()
	return calm != nil && time.Since(begin) > 2*harness.Patience && time.Since(*calm) > 2*harness.Patience
}

// tell tells one story, whose end may not depend on who is killed.
func (s *saga) tell(x *story) {
	if !s.ask(x) {
		return
	}
	s.mu.Lock()
	s.done = append(s.done, x)
	s.mu.Unlock()
	switch x.fate {
	case made:
		_ = s.decide(x, ann, signalbox.ApprovalApproved) && s.present(x)
	case both:
		_ = s.decide(x, ann, signalbox.ApprovalPending) && s.decide(x, bob, signalbox.ApprovalApproved) && s.present(x)
	case denied:
		s.decide(x, bob, signalbox.ApprovalDenied)
	case unmade:
		s.decide(x, bob, signalbox.ApprovalApproved)
	case left, fates:
	}
}

// try makes the call and gives the status and the approval that it waits for.
func (s *saga) try(x *story) (harness.Answer, string, error) {
	a, err := s.pick().TrySend(http.MethodPost, "/v1/chat/completions", harness.Agent, x.body())
	if err != nil || a.Broken != nil {
		return a, "", fmt.Errorf("%w %w", err, a.Broken)
	}
	return a, a.Header.Get("X-Signalbox-Approval"), nil
}

// ask makes the call until it is told what to wait for.
func (s *saga) ask(x *story) bool {
	return s.until(x.text+" is asked for", func() (bool, string) {
		a, id, err := s.try(x)
		if err != nil || id == "" {
			return false, fmt.Sprint(err, a.Body)
		}
		x.id = id
		return true, ""
	})
}

// look reads the approval.
func (s *saga) look(x *story) (a api.Approval, err error) {
	answer, err := s.Next().TrySend(http.MethodGet, "/api/v1/approvals/"+url.PathEscape(x.id), ann, "")
	switch {
	case err != nil:
		return a, err
	case answer.Status == http.StatusNotFound: // It was acknowledged, so it is for ever.
		s.t.Errorf("%s has lost its approval %s", x.text, x.id)
	case answer.Status != http.StatusOK || answer.Broken != nil:
		return a, fmt.Errorf("status %d: %s", answer.Status, answer.Body)
	}
	return a, json.Unmarshal([]byte(answer.Body), &a)
}

// decide says what somebody thinks until that is on record. What is on record may be from a try whose answer was lost.
func (s *saga) decide(x *story, key string, want signalbox.ApprovalState) bool {
	verdict, voter := signalbox.VerdictApprove, key[:3]
	if want == signalbox.ApprovalDenied {
		verdict = signalbox.VerdictDeny
	}
	return s.until(x.text+" is decided", func() (bool, string) {
		a, err := s.pick().TrySend(http.MethodPost, votePath(x.id, verdict), key, `{"reason":"looked at it"}`)
		if err == nil && a.Broken == nil && a.Status == http.StatusOK {
			return true, ""
		}
		now, failed := s.look(x)
		if failed == nil && slices.ContainsFunc(now.Votes, func(v api.ApprovalVote) bool { return v.By == voter }) {
			if now.State != want {
				s.t.Errorf("%s is %s by the vote of %s, not %s", x.text, now.State, voter, want)
			}
			return true, ""
		}
		return false, fmt.Sprint(err, failed, a.Body)
	})
}

// present makes the approved call until it is made: until its answer is there, or its approval is used.
func (s *saga) present(x *story) bool {
	return s.until(x.text+" is made", func() (bool, string) {
		a, id, err := s.try(x)
		switch {
		case err != nil:
			x.lost++
		case a.Status == http.StatusOK:
			x.told = true
			return true, ""
		case id == x.id:
			s.t.Errorf("%s was approved and waits again: %s", x.text, a.Body)
			return true, ""
		case id != "" && x.lost == 0:
			s.t.Errorf("%s was approved and not made, and asks for %s", x.text, id)
			return true, ""
		}
		now, failed := s.look(x)
		return failed == nil && now.Used != nil, fmt.Sprint(err, failed, a.Status, a.Body)
	})
}

// Processes are killed while calls wait, are decided and are made. What is pending stays so, nothing is decided or made
// twice, and what was approved and not made can still be.
func TestKills(t *testing.T) {
	everywhere(t, "approvals: {use_within: 12h}\n", func(t *testing.T, w *world) {
		s := &saga{world: w, t: t}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var all sync.WaitGroup
		for teller := range tellers {
			all.Go(func() {
				for n := teller; ctx.Err() == nil; n++ {
					s.tell(&story{text: fmt.Sprintf("story %d of teller %d", n, teller), fate: s.choose(n)})
				}
			})
		}
		n := number(t, KillsVariable, defaultKills)
		for k := range n {
			time.Sleep(time.Duration(100+rand.IntN(200)) * time.Millisecond)
			if k%killsInARow == killsInARow-1 && w.Size() > 1 {
				time.Sleep(respite)
			}
			slot := int(s.slot.Load())
			w.At(slot).Kill()
			w.Start(t, slot)
		}
		now := time.Now()
		s.calm.Store(&now)
		cancel()
		since := time.Now()
		all.Wait()
		t.Logf("what was under way at the last kill ended %s later", time.Since(since).Round(time.Millisecond))
		t.Logf("%d kills, %d calls that waited", n, len(s.done))
		s.finish(t)
	})
}

// finish checks what everything came to, and then decides and makes what was left.
func (s *saga) finish(t *testing.T) {
	t.Helper()
	s.Settled(t) // What is durable is in the log only once a leader has given it its place.
	s.compare(t, s.executions(), s.book(t))
	for _, x := range s.done {
		switch a := s.approval(t, x.id); {
		case x.fate == left && (a.State != signalbox.ApprovalPending || a.Arguments == nil || *a.Arguments != x.body()):
			t.Errorf("%s was left pending and is %+v", x.text, a)
		case x.fate == left:
			s.mustVote(t, ann, x.id, signalbox.VerdictApprove)
			fallthrough
		case x.fate == unmade:
			if !s.present(x) || !x.told {
				t.Errorf("%s was approved and could not be made", x.text)
			}
		}
	}
	s.Settled(t)
	s.compare(t, s.executions(), s.book(t))
	s.SameAsLedger(t)
	s.Verify(t)
}

// executions counts what the provider was sent, by prompt.
func (s *saga) executions() map[string]int {
	count := map[string]int{}
	for _, r := range s.provider.Requests("") {
		var body struct {
			Messages []struct {
				Content string `json:"content"`
			} `json:"messages"`
		}
		if err := json.Unmarshal(r.Body, &body); err != nil || len(body.Messages) != 1 {
			s.t.Errorf("the provider was sent %s: %v", r.Body, err)
			continue
		}
		count[body.Messages[0].Content]++
	}
	return count
}

// entries is what the log says of one approval.
type entries struct{ asked, decided, votes, intents int }

// book reads the log.
func (s *saga) book(t *testing.T) map[string]*entries {
	t.Helper()
	all := map[string]*entries{}
	of := func(id string) *entries {
		if all[id] == nil {
			all[id] = &entries{}
		}
		return all[id]
	}
	s.EachRecord(t, func(r signalbox.Record) {
		e := of(r.Context.ApprovalID)
		switch {
		case r.Type == signalbox.RecordIntent:
			e.intents++
		case r.What.Action == signalbox.ActionApprovalRequested:
			e.asked++
		case r.What.Action == signalbox.ActionApprovalVoted, r.What.Action == signalbox.ActionApprovalEnded:
			e.votes++
			if r.What.Detail["state"] != string(signalbox.ApprovalPending) {
				e.decided++
			}
		}
	})
	return all
}

// compare holds what callers and approvers saw against what was executed and what is in the log.
func (s *saga) compare(t *testing.T, executed map[string]int, book map[string]*entries) {
	t.Helper()
	intents := 0
	for _, x := range s.done {
		e, a := book[x.id], s.approval(t, x.id)
		if e == nil {
			t.Errorf("%s: the log knows nothing of %s", x.text, x.id)
			continue
		}
		intents += e.intents
		decided := 0
		if a.State != signalbox.ApprovalPending {
			decided = 1
		}
		used := 0
		if a.Used != nil {
			used = 1
		}
		if e.asked != 1 || e.decided != decided || e.votes != len(a.Votes) || e.intents != used {
			t.Errorf("%s is %s, used %d, with %d votes; the log has %+v", x.text, a.State, used, len(a.Votes), *e)
		}
		n := executed[x.text]
		if n > used || x.told && n != 1 || (x.fate == made || x.fate == both) && used != 1 {
			t.Errorf("%s was executed %d times, told %t, used %d", x.text, n, x.told, used)
		}
	}
	for id, e := range book {
		if id == "" && e.intents > 0 || e.intents > 1 || e.decided > 1 {
			t.Errorf("the approval %q has %+v in the log", id, *e)
		}
	}
	if intents == 0 {
		t.Error("nothing was made: the test has compared nothing")
	}
}
