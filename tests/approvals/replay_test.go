package approvals

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/harness"
)

// Replays are made so often: shortReplays in `make test`, longReplays where the long form is asked for.
const (
	shortReplays = 1000
	longReplays  = 10_000
	approvedSets = 10 // Calls of each kind that are approved.
)

// presentation is a request that resembles one that was approved.
type presentation struct {
	key, body string
	header    []string
}

// replays are the ways to present what was approved as something else, or again. Of n calls the nth is presented.
var replays = []struct {
	name string
	of   string // Which calls: used, lapsed or good.
	make func(text string, n int) presentation
}{
	{"again", "used", func(text string, _ int) presentation {
		return presentation{key: harness.Agent, body: prompt("one", text)}
	}},
	{"again, written otherwise", "used", func(text string, _ int) presentation {
		return presentation{key: harness.Agent, body: strings.Replace(prompt("one", text), `,"max_tokens":16`, ` , "max_tokens" : 16`, 1)}
	}},
	{"too late", "lapsed", func(text string, _ int) presentation {
		return presentation{key: harness.Agent, body: prompt("one", text)}
	}},
	{"in another run", "good", func(text string, n int) presentation {
		return presentation{key: harness.Agent, body: prompt("one", text), header: []string{"X-Signalbox-Run", fmt.Sprintf("run-%d", n%5)}}
	}},
	{"of another tenant", "good", func(text string, _ int) presentation {
		return presentation{key: foreign, body: prompt("one", text)}
	}},
	{"with another key", "good", func(text string, _ int) presentation {
		return presentation{key: twin, body: prompt("one", text)}
	}},
	{"on behalf of another user", "good", func(text string, n int) presentation {
		return presentation{key: harness.Agent, body: prompt("one", text), header: []string{"X-Signalbox-User", fmt.Sprintf("user-%d", n%5)}}
	}},
	{"with other arguments", "good", func(text string, n int) presentation {
		return presentation{key: harness.Agent, body: prompt("one", fmt.Sprintf("%s and %d more", text, n%5))}
	}},
	{"with one more argument", "good", func(text string, _ int) presentation {
		return presentation{key: harness.Agent, body: strings.Replace(prompt("one", text), `{"model"`, `{"temperature":1,"model"`, 1)}
	}},
	{"to another model", "good", func(text string, _ int) presentation {
		return presentation{key: harness.Agent, body: prompt("two", text)}
	}},
	{"by another API", "good", func(text string, _ int) presentation {
		return presentation{key: harness.Agent, body: prompt("one", text), header: []string{":path", "/v1/messages"}}
	}},
}

// send makes the request.
func (p presentation) send(i *harness.Instance) (harness.Answer, error) {
	path, header := "/v1/chat/completions", p.header
	if len(header) == 2 && header[0] == ":path" {
		path, header = header[1], nil
	}
	return i.TrySend(http.MethodPost, path, p.key, p.body, header...)
}

// An approval admits exactly the call that it was given for, once, and in time; whoever presents anything else is refused.
func TestReplays(t *testing.T) {
	t.Parallel()
	w := launch(t, sqlite(t), 1, "approvals: {use_within: 1s}\n")
	calls := map[string][]string{}
	w.approveAll(t, calls, "lapsed")
	time.Sleep(1100 * time.Millisecond) // Until they can not be used any more.
	w.Rewrite(t, "use_within: 1s", "use_within: 12h")
	w.At(0).Kill()
	w.Start(t, 0)
	w.approveAll(t, calls, "used", "good")
	for _, text := range calls["used"] {
		w.passes(t, text)
	}
	total := shortReplays
	if os.Getenv(Long) != "" {
		total = longReplays
	}
	before, accepted := len(w.provider.Requests("")), w.replay(t, calls, total)
	if now := len(w.provider.Requests("")); accepted != 0 || now != before {
		t.Errorf("%d of %d presentations were accepted, the provider has seen %d", accepted, total, now-before)
	}
	for _, text := range calls["good"] { // What was presented so often is still good for what it was given for.
		w.passes(t, text)
	}
}

// approveAll has calls of some kinds approved.
func (w *world) approveAll(t *testing.T, calls map[string][]string, kinds ...string) {
	t.Helper()
	for _, kind := range kinds {
		for n := range approvedSets {
			text := fmt.Sprintf("%s %d", kind, n)
			id := asks(t, w.At(0), "/v1/chat/completions", harness.Agent, prompt("one", text))
			w.mustVote(t, ann, id, signalbox.VerdictApprove)
			calls[kind] = append(calls[kind], text)
		}
	}
}

// passes makes an approved call.
func (w *world) passes(t *testing.T, text string) {
	t.Helper()
	if a := w.At(0).Send(t, http.MethodPost, "/v1/chat/completions", harness.Agent, prompt("one", text)); a.Status != http.StatusOK {
		t.Errorf("%s was approved and answers %d: %s", text, a.Status, a.Body)
	}
}

// replay makes so many presentations and counts those that are not refused for want of an approval.
func (w *world) replay(t *testing.T, calls map[string][]string, total int) int {
	t.Helper()
	var accepted atomic.Int64
	var all sync.WaitGroup
	next := make(chan int)
	for range 8 {
		all.Go(func() {
			for n := range next {
				way := replays[n%len(replays)]
				list := calls[way.of]
				text := list[n/len(replays)%len(list)]
				a, err := way.make(text, n/len(replays)/len(list)).send(w.At(0))
				if err != nil || a.Status != http.StatusConflict || !strings.Contains(a.Body, "approval_required") {
					accepted.Add(1)
					t.Errorf("%q presented %s answers %d, %v: %s", text, way.name, a.Status, err, a.Body)
				}
			}
		})
	}
	since := time.Now()
	for n := range total {
		next <- n
	}
	close(next)
	all.Wait()
	t.Logf("%d presentations in %d ways took %s", total, len(replays), time.Since(since).Round(time.Millisecond))
	return int(accepted.Load())
}

// Calls under a permission with a limit share it over all processes.
func TestRateLimitOfAPermission(t *testing.T) {
	const limit, callers = 7, 12
	everywhere(t, "", func(t *testing.T, w *world) {
		w.Rewrite(t, `resources: ["*"]}]}}
  - {id: other`, `resources: ["*"], rate_limit: {max_per_minute: 7}}]}}
  - {id: other`, "policy:\n", "approvals: {tiers: {medium: {approvers: 0}}}\npolicy:\n")
		for n := range w.Size() {
			w.At(n).Kill()
			w.Start(t, n)
		}
		begin := time.Now()
		var refused, ran atomic.Int64
		var all sync.WaitGroup
		for n := range callers {
			c := connect(t, w.At(n%w.Size()))
			all.Go(func() {
				for k := range 4 {
					got, err := c.run(t, fmt.Sprintf("caller %d call %d", n, k))
					switch {
					case err == nil && got == "done":
						ran.Add(1)
					case err != nil:
						wantError(t, err, "rate_limited", `.permissions.tools[0].rate_limit"`, "signalbox.yml:")
						refused.Add(1)
					}
				}
			})
		}
		all.Wait()
		minutes := int64(time.Now().Truncate(time.Minute).Sub(begin.Truncate(time.Minute))/time.Minute) + 1
		executed := 0
		for _, n := range w.tools.Runs() {
			executed += n
		}
		if n := int64(executed); n != ran.Load() || n < limit || n > limit*minutes || refused.Load() == 0 {
			t.Errorf("within %d minutes of the clock %d calls ran (%d were answered well) and %d were refused; the limit is %d", minutes, n, ran.Load(), refused.Load(), limit)
		}
	})
}

// Nobody decides: people are told again, once, and are told nothing more when somebody has decided. A receiver that is
// down holds no call up, and is told when it is back.
func TestEscalation(t *testing.T) {
	everywhere(t, "approvals: {escalate_after: 2s, channels: [ops]}\n", func(t *testing.T, w *world) {
		body, quick := prompt("one", "nobody decides"), prompt("one", "decided at once")
		soon := asks(t, w.Next(), "/v1/chat/completions", harness.Agent, quick)
		w.mustVote(t, ann, soon, signalbox.VerdictApprove)
		id := asks(t, w.Next(), "/v1/chat/completions", harness.Agent, body)
		first, again := w.receiver.told(t, id, false), w.receiver.told(t, id, true)
		if first.Risk != signalbox.RiskMedium || first.Approvers != 1 || first.TenantID != "acme" || first.AgentID != "writer" || again.Link == "" {
			t.Errorf("the messages are %+v and %+v", first, again)
		}
		w.receiver.turn(true)
		for n := range 20 {
			text := fmt.Sprintf("while nobody is told %d", n)
			mine := asks(t, w.Next(), "/v1/chat/completions", harness.Agent, prompt("one", text))
			w.mustVote(t, bob, mine, signalbox.VerdictApprove)
			if a := w.Send(t, http.MethodPost, "/v1/chat/completions", harness.Agent, prompt("one", text)); a.Status != http.StatusOK {
				t.Errorf("while the receiver is down a call answers %d: %s", a.Status, a.Body)
			}
		}
		missed := asks(t, w.Next(), "/v1/chat/completions", harness.Agent, prompt("one", "missed"))
		harness.Eventually(t, func() error {
			w.receiver.mu.Lock()
			defer w.receiver.mu.Unlock()
			if w.receiver.refused == 0 {
				return fmt.Errorf("the receiver was not tried while it is down")
			}
			return nil
		})
		w.receiver.turn(false)
		w.receiver.told(t, missed, false)
		if a := w.approval(t, id); a.State != signalbox.ApprovalPending || len(a.Votes) != 0 {
			t.Errorf("an absence has decided: %+v", a)
		}
		w.notEscalated(t, soon)
	})
}

// notEscalated checks that nobody was told again of what was decided in time.
func (w *world) notEscalated(t *testing.T, id string) {
	t.Helper()
	w.receiver.mu.Lock()
	defer w.receiver.mu.Unlock()
	for _, p := range w.receiver.approvals {
		if p.ID == id && p.Escalated {
			t.Errorf("%s was decided and is escalated", id)
		}
	}
}
