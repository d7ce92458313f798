package approval

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

const arg = `{"path":"/srv/a"}`

func TestAskedApprovedUsedOnce(t *testing.T) {
	var asked, decided []string
	d := newDesk(func(o *Options) {
		o.Asked = func(a signalbox.Approval) { asked = append(asked, a.ID) }
		o.Decided = func(a signalbox.Approval) { decided = append(decided, a.ID) }
	})
	first := toolTrack(arg)
	id := d.ask(t, first)
	if got := first.Approval; got.Status != signalbox.StatusDenied || got.ID != id || got.State != signalbox.ApprovalPending || got.Effects != nil {
		t.Fatalf("the track has %+v", got)
	}
	if again := d.ask(t, toolTrack(` { "path" : "/srv/a" } `)); again != id {
		t.Fatalf("the same call asks again: %s and %s", id, again)
	}
	d.vote(t, id, "lee", signalbox.VerdictApprove)
	d.minute = 5
	second := toolTrack(arg)
	if err := d.present(second, errNoMoney); code(err) != signalbox.CodeBudgetExhausted || !d.get(id).Used.IsZero() {
		t.Fatalf("refused by the ledger: %v, used %v", err, d.get(id).Used)
	}
	if err := d.present(second, nil); err != nil {
		t.Fatal(err)
	}
	got := second.Approval
	if got.Status != signalbox.StatusPassed || got.ID != id || got.State != signalbox.ApprovalApproved || got.By != "https://id.example lee" {
		t.Fatalf("the track has %+v", got)
	}
	if a := d.get(id); a.UsedBy != second.Call.ID || !a.Used.Equal(at(5)) {
		t.Fatalf("used by %q at %v", a.UsedBy, a.Used)
	}
	if next := d.ask(t, toolTrack(arg)); next == id || !slices.Equal(asked, []string{id, next}) || !slices.Equal(decided, []string{id}) {
		t.Fatalf("asked %v, decided %v", asked, decided)
	}
	if len(d.executed) != 1 || len(d.claims) != 0 || d.wrong != nil {
		t.Fatalf("executed %v, claims %v, wrong %v", d.executed, d.claims, d.wrong)
	}
}

func TestCallsThatNeedNobody(t *testing.T) {
	d := newDesk(nil)
	track := toolTrack(arg)
	track.Policy.Require.Approvers = 0
	h := d.k.Station()(call.HandlerFunc(func(context.Context, *call.Track) (call.Answer, error) { return nil, nil }))
	if n := testing.AllocsPerRun(100, func() { _, _ = h.Serve(t.Context(), track) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if !reflect.DeepEqual(track.Approval, call.ApprovalResult{}) || d.reads != 0 {
		t.Errorf("the track has %+v after %d reads", track.Approval, d.reads)
	}
}

func TestWhatAnApprovalSays(t *testing.T) {
	bound := signalbox.Money(42)
	d := newDesk(func(o *Options) { o.Bound = func(*call.Track) *signalbox.Money { return &bound } })
	old := d.ask(t, toolTrack(arg))
	d.vote(t, old, "lee", signalbox.VerdictApprove)
	track := toolTrack(`{"path":"/srv/b"}`)
	a := d.get(d.ask(t, track))
	want := signalbox.Approval{
		ID: a.ID, Tenant: "acme", Hash: hash(t, track), State: signalbox.ApprovalPending, Asked: at(0), Expires: at(60), Call: track.Call.ID,
		Trace: "trace_1", Run: "run_1", Agent: "writer", Key: "key_a", Kind: signalbox.KindTool, Tool: "files.delete",
		Does: signalbox.OperationDelete, Risk: signalbox.RiskHigh, Require: signalbox.Requirement{Approvers: 1, Role: signalbox.RoleApprover},
		Policy: "sha256:1", Rule: "risk high", Bound: &bound, Escalate: at(10), Previous: old, Content: a.Content,
	}
	if !reflect.DeepEqual(a, want) {
		t.Errorf("got\n%+v\nwant\n%+v", a, want)
	}
	c, state := d.k.Content(a)
	if state != signalbox.ContentOpen || !reflect.DeepEqual(c, signalbox.ApprovalContent{User: "kim", Subject: "sam", Arguments: `{"path":"/srv/b"}`, Resources: []string{"/srv/a"}}) {
		t.Errorf("its content is %+v, %q", c, state)
	}
	if a.Content.Key != "acme\nsam" {
		t.Errorf("sealed for %q", a.Content.Key)
	}
	a.ID = "appr_other"
	if _, state := d.k.Content(a); state != signalbox.ContentSealed {
		t.Errorf("as another's: %q", state)
	}
}

func TestPreviousOfNoAgent(t *testing.T) {
	d := newDesk(nil)
	nobody := func(arguments string) *call.Track {
		track := toolTrack(arguments)
		track.Gate.Caller.Agent, track.Policy.Why, track.Policy.Require.Role, track.Call.Claims.Subject = "", "", "", ""
		return track
	}
	own := d.ask(t, nobody(arg))
	d.vote(t, own, "lee", signalbox.VerdictApprove)
	d.vote(t, d.ask(t, toolTrack(arg)), "lee", signalbox.VerdictApprove)
	a := d.get(d.ask(t, nobody(`{}`)))
	if a.Previous != own || a.Rule == "" || a.Require.Role != signalbox.RoleApprover || a.Content.Key != "acme\nkim" {
		t.Errorf("got %+v, want the previous %s", a, own)
	}
}

func TestRecords(t *testing.T) {
	d := newDesk(nil)
	id := d.ask(t, toolTrack(arg))
	d.vote(t, id, "lee", signalbox.VerdictDeny)
	other := d.ask(t, toolTrack(arg))
	if _, err := d.k.Withdraw(t.Context(), Voter{By: "key_a", Tenant: "acme"}, other, "not needed, see 7"); err != nil {
		t.Fatal(err)
	}
	d.minute = 1
	d.ask(t, toolTrack(arg))
	for _, d.minute = range []int{20, 90} {
		if err := d.k.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"approval_request", "approval_vote", "approval_request", "approval_ended", "approval_request", "approval_escalated", "approval_ended"}
	if got := d.actions(); !slices.Equal(got, want) {
		t.Fatalf("got %v", got)
	}
	for i, r := range d.records {
		if r.Type != signalbox.RecordAdmin || r.Who.TenantID != "acme" || r.Context.RunID != "run_1" || r.When.TraceID != "trace_1" ||
			r.What.ResourceID == "" || r.Context.ApprovalID != r.What.ResourceID || r.Call != "" || r.What.ToolName != "files.delete" {
			t.Errorf("record %d: %+v", i, r)
		}
	}
	asked, vote, withdrawn, expired := d.records[0], d.records[1], d.records[3], d.records[6]
	if asked.Who.UserID != "kim" || asked.Who.KeyID != "key_a" || asked.What.Detail[DetailApprovers] != "1" || asked.Context.ApprovalStatus != "pending" {
		t.Errorf("asked: %+v", asked)
	}
	if vote.Who.UserID != "lee" || vote.Who.SubjectID != "sam" || vote.Who.KeyID != "person:id:lee" || vote.Who.Role != signalbox.RoleApprover ||
		vote.What.Detail[DetailReason] != "looks right, ask ###" || vote.What.Detail[DetailVerdict] != "deny" || vote.Context.ApprovalStatus != "rejected" {
		t.Errorf("vote: %+v", vote)
	}
	if withdrawn.Who.KeyID != "key_a" || withdrawn.What.Detail[DetailState] != "withdrawn" ||
		withdrawn.What.Detail[DetailReason] != "not needed, see #" {
		t.Errorf("withdrawn: %+v", withdrawn)
	}
	if expired.Who != (signalbox.Who{TenantID: "acme"}) || expired.What.Detail[DetailState] != "expired" {
		t.Errorf("expired: %+v", expired)
	}
	if got := d.get(id).Votes[0].Reason; got != "looks right, ask ###" {
		t.Errorf("the reason is kept as %q", got)
	}
}

func TestVotesThatDoNotCount(t *testing.T) {
	d := newDesk(nil)
	id := d.ask(t, toolTrack(arg))
	_, absent := d.k.Vote(t.Context(), person("lee"), "appr_none", signalbox.VerdictApprove, "", "api")
	stranger := person("lee")
	stranger.Tenant = "globex"
	_, foreign := d.k.Vote(t.Context(), stranger, id, signalbox.VerdictApprove, "", "api")
	if code(absent) != signalbox.CodeNotFound || strings.ReplaceAll(foreign.Error(), id, "appr_none") != absent.Error() {
		t.Errorf("what is another tenant's can be told from what is not there: %v, %v", absent, foreign)
	}
	if _, err := d.k.Withdraw(t.Context(), stranger, id, ""); code(err) != signalbox.CodeNotFound {
		t.Errorf("withdrawn by another tenant: %v", err)
	}
	if _, err := d.k.Vote(t.Context(), person("kim"), id, signalbox.VerdictApprove, "", "api"); code(err) != signalbox.CodeForbidden {
		t.Errorf("by who asked: %v", err)
	}
	if _, err := d.k.Withdraw(t.Context(), person("lee"), id, ""); code(err) != signalbox.CodeForbidden {
		t.Errorf("withdrawn by another: %v", err)
	}
	if _, err := d.k.Withdraw(t.Context(), person("kim"), id, strings.Repeat("x", MaxReason+1)); code(err) != signalbox.CodeInvalid {
		t.Errorf("withdrawn at length: %v", err)
	}
	if a := d.get(id); a.State != signalbox.ApprovalPending || a.Votes != nil || len(d.claims) != 0 {
		t.Errorf("got %+v, claims %v", a, d.claims)
	}
}

func TestWhatLapsesCanNotBeApproved(t *testing.T) {
	current := true
	d := newDesk(func(o *Options) { o.Current = func(signalbox.Approval) bool { return current } })
	for state, happens := range map[signalbox.ApprovalState]func(){
		signalbox.ApprovalStale:   func() { current = false },
		signalbox.ApprovalExpired: func() { d.minute += 60 },
	} {
		id := d.ask(t, toolTrack(arg))
		happens()
		if _, err := d.k.Vote(t.Context(), person("lee"), id, signalbox.VerdictApprove, "", "api"); code(err) != signalbox.CodeConflict || !strings.Contains(err.Error(), string(state)) {
			t.Errorf("%s: got %v", state, err)
		}
		if got := d.get(id).State; got != state {
			t.Errorf("it is %s, not %s", got, state)
		}
		current = true
	}
}

func TestErasedContent(t *testing.T) {
	d := newDesk(nil)
	id := d.ask(t, toolTrack(arg))
	d.keys["acme\nsam"] = true
	if _, state := d.k.Content(d.get(id)); state != signalbox.ContentErased {
		t.Errorf("content %q", state)
	}
	if _, state := d.k.Content(signalbox.Approval{}); state != signalbox.ContentErased {
		t.Errorf("without content: %q", state)
	}
	if _, err := d.k.Vote(t.Context(), person("lee"), id, signalbox.VerdictApprove, "", "api"); code(err) != signalbox.CodeConflict {
		t.Errorf("approved unseen: %v", err)
	}
	if a := d.vote(t, id, "lee", signalbox.VerdictDeny); a.State != signalbox.ApprovalDenied {
		t.Errorf("got %+v", a)
	}
}

func TestMovedContent(t *testing.T) {
	d := newDesk(nil)
	id, other := d.ask(t, toolTrack(arg)), d.ask(t, toolTrack(`{}`))
	a := d.get(id)
	a.Content = d.get(other).Content
	d.approvals[id] = a
	if _, err := d.k.Vote(t.Context(), person("lee"), id, signalbox.VerdictApprove, "", "api"); code(err) != signalbox.CodeInternal {
		t.Errorf("approved with another's arguments: %v", err)
	}
	if _, err := d.k.Withdraw(t.Context(), person("kim"), id, ""); code(err) != signalbox.CodeInternal {
		t.Errorf("withdrawn: %v", err)
	}
}

func TestAnExpiredOneIsAskedAnew(t *testing.T) {
	d := newDesk(nil)
	id := d.ask(t, toolTrack(arg))
	d.minute = 60 // Nobody has swept.
	next := d.ask(t, toolTrack(arg))
	if next == id || d.get(id).State != signalbox.ApprovalExpired || d.get(next).State != signalbox.ApprovalPending {
		t.Fatalf("%s is %s, %s is %s", id, d.get(id).State, next, d.get(next).State)
	}
	d.vote(t, next, "lee", signalbox.VerdictApprove)
	d.minute = 60 + 15
	if third := d.ask(t, toolTrack(arg)); third == next || len(d.executed) != 0 {
		t.Fatalf("an approval was used after its time: %v", d.executed)
	}
}

func TestClaimsOfOthers(t *testing.T) {
	d := newDesk(nil)
	id := d.ask(t, toolTrack(arg))
	d.claims[signalbox.Approval{ID: id}.ClaimKey()] = "two"
	_, err := d.k.Vote(t.Context(), person("lee"), id, signalbox.VerdictApprove, "", "api")
	if e := signalbox.AsError(err); e.Code != signalbox.CodeConflict || e.Remedy == "" {
		t.Errorf("got %v", err)
	}
	d.minute = 70
	if err := d.k.Sweep(t.Context()); err != nil || d.get(id).State != signalbox.ApprovalPending {
		t.Errorf("the sweep did not leave it: %v, %s", err, d.get(id).State)
	}
	d.fence("two")
	if err := d.k.Sweep(t.Context()); err != nil || d.get(id).State != signalbox.ApprovalExpired {
		t.Errorf("after fencing: %v, %s", err, d.get(id).State)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	id = d.ask(t, toolTrack(arg))
	d.claims[signalbox.Approval{ID: id}.ClaimKey()] = "two"
	if _, err := d.k.Vote(ctx, person("lee"), id, signalbox.VerdictApprove, "", "api"); code(err) != signalbox.CodeCancelled {
		t.Errorf("whoever went away: %v", err)
	}
}

// A process dies between its claim and the intent: once it is fenced, another admits the call, once.
func TestDeathBeforeTheIntent(t *testing.T) {
	d := newDesk(nil)
	id := d.ask(t, toolTrack(arg))
	d.vote(t, id, "lee", signalbox.VerdictApprove)
	d.r.set(func() { d.r.fault = faultDies })
	if err := d.present(toolTrack(arg), nil); code(err) != signalbox.CodeUnavailable || len(d.executed) != 0 || len(d.claims) != 1 {
		t.Fatalf("got %v, executed %v, claims %v", err, d.executed, d.claims)
	}
	d.r, d.k = newReplica(d.world, "two", func() time.Time { return at(d.minute) }, nil)
	d.k.pause = func(context.Context, time.Duration) {}
	if err := d.present(toolTrack(arg), nil); code(err) != signalbox.CodeConflict || len(d.executed) != 0 {
		t.Fatalf("before fencing: %v", err)
	}
	d.fence("one")
	if err := d.present(toolTrack(arg), nil); err != nil || len(d.executed) != 1 || d.get(id).UsedBy != d.executed[0] {
		t.Fatalf("after fencing: %v, executed %v", err, d.executed)
	}
}

// mute is a store that does not take claims back while it is mute, or can not be asked at all.
type mute struct {
	*replica
	claims, all bool
}

var errStore = errors.New("the store is away")

func (m *mute) Unclaim(ctx context.Context, name, holder string) error {
	if m.claims {
		return errStore
	}
	return m.replica.Unclaim(ctx, name, holder)
}

func (m *mute) Approval(ctx context.Context, id string) (signalbox.Approval, error) {
	if m.all {
		return signalbox.Approval{}, errStore
	}
	return m.replica.Approval(ctx, id)
}

func TestClaimsThatTheStoreDidNotTakeBack(t *testing.T) {
	d := newDesk(nil)
	m := &mute{replica: d.r}
	d.k.o.Store = m
	id := d.ask(t, toolTrack(arg))
	m.claims = true
	for _, name := range []string{"lee", "max"} { // The second finds what the first has left.
		if a, err := d.k.Vote(t.Context(), person(name), id, signalbox.VerdictApprove, "", "api"); name == "lee" && err != nil || name == "max" && !errors.Is(err, errStore) {
			t.Fatalf("%s: %+v, %v", name, a, err)
		}
	}
	if err := d.k.Sweep(t.Context()); !errors.Is(err, errStore) || len(d.claims) != 1 {
		t.Fatalf("got %v, claims %v", err, d.claims)
	}
	m.claims = false
	if err := d.k.Sweep(t.Context()); err != nil || len(d.claims) != 0 || len(d.k.left) != 0 || len(d.k.held) != 0 {
		t.Fatalf("got %v, claims %v", err, d.claims)
	}
}

func TestStoreAway(t *testing.T) {
	d := newDesk(nil)
	id := d.ask(t, toolTrack(arg))
	d.vote(t, id, "lee", signalbox.VerdictApprove)
	other := d.ask(t, toolTrack(`{}`))
	d.k.o.Store = &mute{replica: d.r, all: true}
	track := toolTrack(arg)
	if err := d.present(track, nil); !errors.Is(err, errStore) || track.Approval.Status != signalbox.StatusFailed {
		t.Errorf("present: %v, %+v", err, track.Approval)
	}
	if _, err := d.k.Wait(t.Context(), other); !errors.Is(err, errStore) {
		t.Errorf("wait: %v", err)
	}
	d.minute = 70
	if err := d.k.Sweep(t.Context()); !errors.Is(err, errStore) {
		t.Errorf("sweep: %v", err)
	}
	d.k.o.Store = d.r
	d.r.set(func() { d.r.dead = true })
	if err := d.present(toolTrack(arg), nil); code(err) != signalbox.CodeUnavailable {
		t.Errorf("dead: %v", err)
	}
	if err := d.k.Sweep(t.Context()); code(err) != signalbox.CodeUnavailable {
		t.Errorf("dead sweep: %v", err)
	}
}

func TestLogAway(t *testing.T) {
	d := newDesk(nil)
	d.r.set(func() { d.r.fault = faultLog })
	track := toolTrack(arg)
	if err := d.present(track, nil); code(err) != signalbox.CodeUnavailable || track.Approval.ID != "" || len(d.approvals) != 0 {
		t.Fatalf("got %v, %+v", err, track.Approval)
	}
	id := d.ask(t, toolTrack(arg))
	d.r.set(func() { d.r.fault = faultLog })
	if _, err := d.k.Vote(t.Context(), person("lee"), id, signalbox.VerdictApprove, "", "api"); code(err) != signalbox.CodeUnavailable || d.get(id).Votes != nil {
		t.Fatalf("got %v", err)
	}
	d.vote(t, id, "lee", signalbox.VerdictApprove)
	d.r.set(func() { d.r.fault = faultLog })
	if err := d.present(toolTrack(arg), nil); code(err) != signalbox.CodeUnavailable || !d.get(id).Used.IsZero() || len(d.executed) != 0 {
		t.Fatalf("got %v", err)
	}
	if err := d.present(toolTrack(arg), nil); err != nil || len(d.executed) != 1 {
		t.Fatalf("got %v", err)
	}
}

func TestBounds(t *testing.T) {
	d := newDesk(nil)
	large := toolTrack(`{"a":"` + strings.Repeat("x", MaxArguments) + `"}`)
	if err := d.present(large, nil); code(err) != signalbox.CodeTooLarge || large.Approval.Status != signalbox.StatusDenied {
		t.Errorf("got %v", err)
	}
	for i := range MaxPending {
		d.ask(t, toolTrack(fmt.Sprintf(`{"n":%d}`, i)))
	}
	err := signalbox.AsError(d.present(toolTrack(arg), nil))
	if err.Code != signalbox.CodeRateLimited || err.RetryAfter == 0 || err.Remedy == "" {
		t.Errorf("got %v", err)
	}
	globex := toolTrack(arg)
	globex.Gate.Caller.Tenant = "globex"
	d.ask(t, globex)
	d.minute = 61
	if err := d.k.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.ask(t, toolTrack(arg))
}

// Made again after its denial, a call is refused in the words of the denial, and nobody is asked or told.
func TestPauseAfterADenial(t *testing.T) {
	told, denied := 0, 10*time.Minute
	d := newDesk(func(o *Options) {
		o.Asked = func(signalbox.Approval) { told++ }
		o.Settings = func() Settings {
			return Settings{ExpireAfter: time.Hour, UseWithin: 15 * time.Minute, DeniedFor: denied}
		}
	})
	id := d.ask(t, toolTrack(arg))
	d.minute = 5
	d.vote(t, id, "lee", signalbox.VerdictDeny)
	d.minute = 14
	records := len(d.records)
	for range 3 {
		track := toolTrack(arg)
		e := signalbox.AsError(d.present(track, nil))
		if e.Code != signalbox.CodeForbidden || e.Approval != "" || e.RetryAfter != time.Minute ||
			!strings.Contains(e.Message, id) || !strings.Contains(e.Message, "looks right, ask ###") ||
			!strings.Contains(e.Remedy, at(15).Format(time.RFC3339)) {
			t.Fatalf("got %+v", e)
		}
		if want := (call.ApprovalResult{Status: signalbox.StatusDenied, ID: id, State: signalbox.ApprovalDenied}); !reflect.DeepEqual(track.Approval, want) {
			t.Errorf("the track says %+v", track.Approval)
		}
	}
	if told != 1 || len(d.approvals) != 1 || len(d.records) != records || len(d.executed) != 0 || len(d.claims) != 0 {
		t.Errorf("told %d times, approvals %v, records %v", told, d.order, d.actions())
	}
	other := d.ask(t, toolTrack(`{}`)) // Another call is not denied.
	d.vote(t, other, "lee", signalbox.VerdictDeny)
	denied = 0
	d.ask(t, toolTrack(`{}`))
	denied = 10 * time.Minute
	d.minute = 15
	if next := d.ask(t, toolTrack(arg)); next == id || told != 4 {
		t.Errorf("after the pause: %s, told %d", next, told)
	}
}

// What was decided after a denial counts, however long a pause the configuration gives now.
func TestOnlyTheLastDecisionPauses(t *testing.T) {
	denied := time.Duration(0)
	d := newDesk(func(o *Options) {
		o.Settings = func() Settings {
			return Settings{ExpireAfter: time.Hour, UseWithin: 15 * time.Minute, DeniedFor: denied}
		}
	})
	d.vote(t, d.ask(t, toolTrack(arg)), "lee", signalbox.VerdictDeny)
	d.vote(t, d.ask(t, toolTrack(arg)), "lee", signalbox.VerdictApprove)
	denied = time.Hour
	if err := d.present(toolTrack(arg), nil); err != nil || len(d.executed) != 1 {
		t.Fatalf("executed %v, %v", d.executed, err)
	}
	d.ask(t, toolTrack(arg))
}
