package approval

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// at is a time of the tests, in minutes.
func at(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }

// question is what is asked in the tests: by the key "key_a" of the agent "writer", on kim's behalf.
func question(approvers int) signalbox.Approval {
	return signalbox.Approval{
		ID: "appr_1", Tenant: "acme", Hash: [32]byte{1}, Key: "key_a", Agent: "writer", Tool: "files.delete",
		Require: signalbox.Requirement{Approvers: approvers, Role: signalbox.RoleApprover},
	}
}

func decide(t *testing.T, a signalbox.Approval, events ...Event) signalbox.Approval {
	t.Helper()
	for _, e := range events {
		var err error
		if a, err = Decide(a, e); err != nil {
			t.Fatalf("%+v: %v", e, err)
		}
	}
	return a
}

func asked(t *testing.T, approvers int) signalbox.Approval {
	t.Helper()
	return decide(t, signalbox.Approval{}, Ask{Approval: question(approvers), At: at(0), Expire: time.Hour, Escalate: 10 * time.Minute})
}

func person(name string) Voter {
	return Voter{By: "https://id.example " + name, User: name, Key: "person:id:" + name, Role: signalbox.RoleApprover, Tenant: "acme"}
}

func says(name string, v signalbox.Verdict, minute int) Vote {
	return Vote{By: person(name), Verdict: v, Via: "api", At: at(minute), UseWithin: 15 * time.Minute, User: "kim"}
}

// nobodys is the vote of a key or link without a user.
func nobodys(by string, v signalbox.Verdict, minute int) Vote {
	vote := says("", v, minute)
	vote.By.By, vote.By.Key = by, by
	return vote
}

func yes(name string, minute int) Vote { return says(name, signalbox.VerdictApprove, minute) }

func with(v Vote, change func(*Vote)) Vote { change(&v); return v }

func use(minute int) Use {
	return Use{Call: "call_2", Tenant: "acme", Hash: [32]byte{1}, At: at(minute)}
}

func TestLives(t *testing.T) {
	for _, tt := range []struct {
		name      string
		approvers int
		events    []Event
		state     signalbox.ApprovalState
		check     func(a signalbox.Approval) bool
	}{
		{"asked", 1, nil, signalbox.ApprovalPending, func(a signalbox.Approval) bool {
			return a.Asked.Equal(at(0)) && a.Expires.Equal(at(60)) && a.Escalate.Equal(at(10)) && a.Decided.IsZero()
		}},
		{"one of one approves", 1, []Event{yes("lee", 5)}, signalbox.ApprovalApproved, func(a signalbox.Approval) bool {
			return a.Decided.Equal(at(5)) && a.UseBy.Equal(at(20)) && len(a.Votes) == 1 && a.Votes[0].By == "https://id.example lee"
		}},
		{"one without a user and one with", 2, []Event{nobodys("key_1", signalbox.VerdictApprove, 5), yes("lee", 6)}, signalbox.ApprovalApproved, nil},
		{"one with a user and one without", 2, []Event{yes("lee", 5), nobodys("channel:ops", signalbox.VerdictApprove, 6)}, signalbox.ApprovalApproved, nil},
		{"two without a user, of whom one denies", 2, []Event{nobodys("key_1", signalbox.VerdictApprove, 5), nobodys("key_2", signalbox.VerdictDeny, 6)}, signalbox.ApprovalDenied, nil},
		{"one of two approves", 2, []Event{yes("lee", 5)}, signalbox.ApprovalPending, func(a signalbox.Approval) bool { return a.UseBy.IsZero() }},
		{"two of two approve", 2, []Event{yes("lee", 5), yes("max", 6)}, signalbox.ApprovalApproved, func(a signalbox.Approval) bool { return a.UseBy.Equal(at(21)) }},
		{"one denies", 2, []Event{yes("lee", 5), says("max", signalbox.VerdictDeny, 6)}, signalbox.ApprovalDenied, func(a signalbox.Approval) bool { return a.UseBy.IsZero() && a.Decided.Equal(at(6)) }},
		{"an admin approves", 1, []Event{with(yes("lee", 5), func(v *Vote) { v.By.Role = signalbox.RoleAdmin })}, signalbox.ApprovalApproved, nil},
		{"the erased can be denied", 1, []Event{with(says("lee", signalbox.VerdictDeny, 5), func(v *Vote) { v.Unseen = true })}, signalbox.ApprovalDenied, nil},
		{"expired", 1, []Event{Expire{at(60)}}, signalbox.ApprovalExpired, nil},
		{"stale", 1, []Event{Stale{at(1)}}, signalbox.ApprovalStale, nil},
		{"escalated", 1, []Event{Escalate{at(10)}}, signalbox.ApprovalPending, func(a signalbox.Approval) bool { return a.Escalate.IsZero() }},
		{"withdrawn by the user", 1, []Event{Withdraw{By: person("Kim"), User: "kim", At: at(1)}}, signalbox.ApprovalWithdrawn, nil},
		{"withdrawn by the key", 1, []Event{Withdraw{By: Voter{By: "key_a", Key: "key_a", Tenant: "acme"}, At: at(1)}}, signalbox.ApprovalWithdrawn, nil},
		{"withdrawn by an admin", 1, []Event{Withdraw{By: Voter{By: "x", Role: signalbox.RoleAdmin, Tenant: "acme"}, At: at(1)}}, signalbox.ApprovalWithdrawn, nil},
		{"used", 1, []Event{yes("lee", 5), use(19)}, signalbox.ApprovalApproved, func(a signalbox.Approval) bool { return a.Used.Equal(at(19)) && a.UsedBy == "call_2" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := decide(t, asked(t, tt.approvers), tt.events...)
			if a.State != tt.state || tt.check != nil && !tt.check(a) {
				t.Fatalf("got %+v", a)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	given := []Event{yes("lee", 5)}
	for _, tt := range []struct {
		name      string
		approvers int
		before    []Event
		event     Event
		code      signalbox.Code
		says      string
	}{
		{"asked twice", 1, nil, Ask{Approval: question(1), At: at(1), Expire: 1}, signalbox.CodeConflict, "there already"},
		{"by the key that asked", 1, nil, with(yes("lee", 1), func(v *Vote) { v.By.Key = "key_a" }), signalbox.CodeForbidden, "asks"},
		{"by the name of the key that asked", 1, nil, with(yes("lee", 1), func(v *Vote) { v.By.By = "key_a" }), signalbox.CodeForbidden, "asks"},
		{"by the user who asked", 1, nil, yes("kim", 1), signalbox.CodeForbidden, "asks"},
		{"by the user who asked, in capitals", 1, nil, yes("KIM", 1), signalbox.CodeForbidden, "asks"},
		{"by a key of the agent", 1, nil, with(yes("lee", 1), func(v *Vote) { v.By.Agent = "writer" }), signalbox.CodeForbidden, "asks"},
		{"by an admin who asked", 1, nil, with(yes("kim", 1), func(v *Vote) { v.By.Role = signalbox.RoleAdmin }), signalbox.CodeForbidden, "asks"},
		{"denied by who asked", 1, nil, says("kim", signalbox.VerdictDeny, 1), signalbox.CodeForbidden, "withdraw"},
		{"without the role", 1, nil, with(yes("lee", 1), func(v *Vote) { v.By.Role = signalbox.RoleOperator }), signalbox.CodeForbidden, `"approver"`},
		{"of another tenant", 1, nil, with(yes("lee", 1), func(v *Vote) { v.By.Tenant, v.By.Role = "globex", signalbox.RoleAdmin }), signalbox.CodeNotFound, "no approval"},
		{"by nobody", 1, nil, with(yes("lee", 1), func(v *Vote) { v.By.By = "" }), signalbox.CodeInternal, "needs"},
		{"without a time to use it", 1, nil, with(yes("lee", 1), func(v *Vote) { v.UseWithin = 0 }), signalbox.CodeInternal, "needs"},
		{"with another verdict", 1, nil, says("lee", "maybe", 1), signalbox.CodeInvalid, "maybe"},
		{"with a long reason", 1, nil, with(yes("lee", 1), func(v *Vote) { v.Reason = strings.Repeat("x", MaxReason+1) }), signalbox.CodeInvalid, "2001"},
		{"twice", 2, given, yes("lee", 6), signalbox.CodeConflict, "already"},
		{"twice with another key", 2, given, with(yes("lee", 6), func(v *Vote) { v.By.By = "key_lee" }), signalbox.CodeConflict, "already"},
		{"without a user, after another without one", 2, []Event{nobodys("key_1", signalbox.VerdictApprove, 5)}, nobodys("channel:ops", signalbox.VerdictApprove, 6), signalbox.CodeConflict, "count as one person"},
		{"too late", 1, nil, yes("lee", 60), signalbox.CodeConflict, "expired"},
		{"unseen", 1, nil, with(yes("lee", 1), func(v *Vote) { v.Unseen = true }), signalbox.CodeConflict, "shown"},
		{"after the end", 1, given, yes("max", 6), signalbox.CodeConflict, "final"},
		{"withdrawn by another", 1, nil, Withdraw{By: person("lee"), User: "kim", At: at(1)}, signalbox.CodeForbidden, "Only"},
		{"withdrawn by another tenant", 1, nil, Withdraw{By: Voter{By: "key_a", Key: "key_a", Tenant: "globex", Role: signalbox.RoleAdmin}}, signalbox.CodeNotFound, "no approval"},
		{"withdrawn after the end", 1, given, Withdraw{By: person("kim"), User: "kim", At: at(6)}, signalbox.CodeConflict, "final"},
		{"expired before its time", 1, nil, Expire{at(59)}, signalbox.CodeConflict, "not expired"},
		{"expired after the end", 1, given, Expire{at(60)}, signalbox.CodeConflict, "final"},
		{"stale after the end", 1, given, Stale{at(6)}, signalbox.CodeConflict, "final"},
		{"escalated before its time", 1, nil, Escalate{at(9)}, signalbox.CodeConflict, "not to be"},
		{"escalated twice", 1, []Event{Escalate{at(10)}}, Escalate{at(11)}, signalbox.CodeConflict, "not to be"},
		{"escalated after the end", 1, given, Escalate{at(11)}, signalbox.CodeConflict, "final"},
		{"used while pending", 1, nil, use(1), signalbox.CodeConflict, "pending"},
		{"used after the denial", 1, []Event{says("lee", signalbox.VerdictDeny, 5)}, use(6), signalbox.CodeConflict, "denied"},
		{"used twice", 1, append(slices.Clone(given), use(6)), use(7), signalbox.CodeConflict, "already"},
		{"used too late", 1, given, use(20), signalbox.CodeConflict, "until"},
		{"used for another call", 1, given, Use{Call: "call_2", Tenant: "acme", Hash: [32]byte{2}, At: at(6)}, signalbox.CodeConflict, "another call"},
		{"used by another tenant", 1, given, Use{Call: "call_2", Tenant: "globex", Hash: [32]byte{1}, At: at(6)}, signalbox.CodeNotFound, "no approval"},
		{"used by no call", 1, given, Use{Tenant: "acme", Hash: [32]byte{1}, At: at(6)}, signalbox.CodeConflict, "without an id"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := decide(t, asked(t, tt.approvers), tt.before...)
			got, err := Decide(a, tt.event)
			e := signalbox.AsError(err)
			if err == nil || e.Code != tt.code || !strings.Contains(e.Message+e.Remedy, tt.says) || e.Remedy == "" {
				t.Fatalf("got %v", err)
			}
			if !reflect.DeepEqual(got, a) {
				t.Fatalf("it has changed: %+v", got)
			}
		})
	}
}

func TestWhatIsNotThere(t *testing.T) {
	for _, e := range []Event{yes("lee", 1), Withdraw{By: person("kim")}, Expire{at(1)}, Stale{at(1)}, Escalate{at(1)}, use(1)} {
		if _, err := Decide(signalbox.Approval{}, e); signalbox.CodeOf(err) != signalbox.CodeNotFound {
			t.Errorf("%T: got %v", e, err)
		}
	}
}

func TestWhatCanNotBeAsked(t *testing.T) {
	for name, change := range map[string]func(*Ask){
		"no id":        func(e *Ask) { e.Approval.ID = "" },
		"no tenant":    func(e *Ask) { e.Approval.Tenant = "" },
		"no call":      func(e *Ask) { e.Approval.Hash = [32]byte{} },
		"no approvers": func(e *Ask) { e.Approval.Require.Approvers = 0 },
		"no time":      func(e *Ask) { e.Expire = 0 },
		"an end of it": func(e *Ask) { e.Escalate = -1 },
	} {
		e := Ask{Approval: question(1), At: at(0), Expire: time.Hour}
		change(&e)
		if _, err := Decide(signalbox.Approval{}, e); signalbox.CodeOf(err) != signalbox.CodeInternal {
			t.Errorf("%s: got %v", name, err)
		}
	}
	a := question(1)
	a.State, a.Votes, a.Used, a.UseBy = signalbox.ApprovalApproved, []signalbox.Vote{{}}, at(1), at(2)
	got := decide(t, signalbox.Approval{}, Ask{Approval: a, At: at(0), Expire: time.Hour})
	if got.State != signalbox.ApprovalPending || got.Votes != nil || !got.Used.IsZero() || !got.UseBy.IsZero() || !got.Escalate.IsZero() {
		t.Errorf("what is asked begins as %+v", got)
	}
}

func TestRoleThatNobodyNamed(t *testing.T) {
	q := question(1)
	q.Require.Role = ""
	a := decide(t, signalbox.Approval{}, Ask{Approval: q, At: at(0), Expire: time.Hour}, yes("lee", 1))
	if a.State != signalbox.ApprovalApproved {
		t.Fatalf("got %+v", a)
	}
}

// drawVoter gives anybody: those who asked, those of other tenants, with any role.
func drawVoter(t *rapid.T) Voter {
	if rapid.IntRange(0, 2).Draw(t, "proper") > 0 {
		return person(rapid.SampledFrom([]string{"lee", "max", "eva", "ida"}).Draw(t, "name"))
	}
	names := rapid.SampledFrom([]string{"", "kim", "KIM", "lee", "max", "eva"})
	return Voter{
		By: rapid.SampledFrom([]string{"key_a", "key_b", "key_c", "key_d"}).Draw(t, "by"), User: names.Draw(t, "user"),
		Key:   rapid.SampledFrom([]string{"", "key_a", "key_b", "key_c"}).Draw(t, "key"),
		Agent: rapid.SampledFrom([]string{"", "writer", "reader"}).Draw(t, "agent"),
		Role:  rapid.SampledFrom(signalbox.Roles()).Draw(t, "role"), Tenant: rapid.SampledFrom([]string{"acme", "acme", "acme", "globex"}).Draw(t, "tenant"),
	}
}

func drawEvent(t *rapid.T, now time.Time) Event {
	tenant := rapid.SampledFrom([]string{"acme", "acme", "acme", "globex"})
	switch rapid.IntRange(0, 9).Draw(t, "event") {
	case 0, 1, 2, 3:
		return Vote{
			By: drawVoter(t), Verdict: rapid.SampledFrom([]signalbox.Verdict{"approve", "approve", "approve", "deny", "x"}).Draw(t, "verdict"),
			At: now, UseWithin: 15 * time.Minute, User: "kim", Unseen: rapid.IntRange(0, 9).Draw(t, "unseen") == 0,
		}
	case 4:
		return Withdraw{By: drawVoter(t), At: now, User: "kim"}
	case 5:
		return Expire{now}
	case 6:
		if rapid.IntRange(0, 3).Draw(t, "stale") == 0 {
			return Stale{now}
		}
		return Escalate{now}
	}
	return Use{
		Call: rapid.SampledFrom([]string{"call_1", "call_2"}).Draw(t, "call"), Tenant: tenant.Draw(t, "tenant"), At: now,
		Hash: [32]byte{rapid.SampledFrom([]byte{1, 1, 1, 2}).Draw(t, "hash")},
	}
}

func TestDecisionsKeepTheRules(t *testing.T) {
	ends := map[signalbox.ApprovalState]int{}
	setChecks(t, 1000)
	rapid.Check(t, func(t *rapid.T) {
		a, err := Decide(signalbox.Approval{}, Ask{
			Approval: question(rapid.IntRange(1, 3).Draw(t, "approvers")), At: at(0), Expire: time.Hour, Escalate: 10 * time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		now := at(0)
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.IntRange(0, 8).Draw(t, "minutes")) * time.Minute)
			e := drawEvent(t, now)
			before := fmt.Sprintf("%+v", a)
			n, err := Decide(a, e)
			if fmt.Sprintf("%+v", a) != before {
				t.Fatalf("%+v changed what it was given", e)
			}
			if err != nil {
				if !reflect.DeepEqual(n, a) {
					t.Fatalf("%+v failed and changed it", e)
				}
				continue
			}
			rules(t, a, e, n)
			a = n
		}
		ends[a.State]++
	})
	for _, s := range signalbox.ApprovalStates() {
		if ends[s] == 0 {
			t.Errorf("none of %v ended %s: the events are too tame", ends, s)
		}
	}
}

// rules checks one step that has happened.
func rules(t *rapid.T, a signalbox.Approval, e Event, n signalbox.Approval) {
	if a.State != signalbox.ApprovalPending && n.State != a.State {
		t.Fatalf("%+v: %s became %s", e, a.State, n.State)
	}
	if n.State == signalbox.ApprovalApproved {
		if got := countable(n); got < n.Require.Approvers {
			t.Fatalf("approved by %d of %d: %+v", got, n.Require.Approvers, n.Votes)
		}
	}
	if slices.ContainsFunc(n.Votes, func(v signalbox.Vote) bool { return v.Verdict == signalbox.VerdictDeny }) != (n.State == signalbox.ApprovalDenied) {
		t.Fatalf("%s with %+v", n.State, n.Votes)
	}
	switch e := e.(type) {
	case Use:
		if a.State != signalbox.ApprovalApproved || !a.Used.IsZero() || !e.At.Before(a.UseBy) || e.Hash != a.Hash || e.Tenant != a.Tenant {
			t.Fatalf("%+v used %+v", e, a)
		}
	case Vote:
		v := e.By
		if v.Tenant != a.Tenant || strings.EqualFold(v.User, "kim") || v.Key == a.Key || v.By == a.Key || v.Agent == a.Agent {
			t.Fatalf("%+v has voted", v)
		}
		if e.Unseen && e.Verdict == signalbox.VerdictApprove || !e.At.Before(a.Expires) {
			t.Fatalf("%+v counted", e)
		}
	case Withdraw:
		if e.By.Tenant != a.Tenant {
			t.Fatalf("%+v of another tenant", e)
		}
	}
}

// countable counts different people of the role who have approved, all without a user as one.
func countable(a signalbox.Approval) int {
	by, users, n := map[string]bool{}, map[string]bool{}, 0
	for _, v := range a.Votes {
		user := strings.ToLower(v.User)
		if v.Verdict != signalbox.VerdictApprove || by[v.By] || users[user] || v.Role != signalbox.RoleApprover && v.Role != signalbox.RoleAdmin {
			continue
		}
		by[v.By], users[user] = true, true
		n++
	}
	return n
}
