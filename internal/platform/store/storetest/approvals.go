package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

// approval is an approval with every field set.
func approval(n int, state signalbox.ApprovalState) signalbox.Approval {
	return signalbox.Approval{
		ID: fmt.Sprintf("appr_%03d", n), Tenant: "acme", Hash: [32]byte{byte(n), 31: 0xff}, State: state, Asked: at(n),
		Expires: at(n + 1), Decided: at(n + 2), UseBy: at(n + 3), Used: at(n + 4), UsedBy: "call_2", Call: "call_1", Trace: "trace",
		Run: "run_1", Agent: "writer", Key: "key_1", Kind: signalbox.KindTool, Tool: "files.write",
		Does: signalbox.OperationDelete, Risk: signalbox.RiskHigh,
		Require: signalbox.Requirement{Approvers: 2, Role: signalbox.RoleApprover}, Policy: "sha256:0123456789abcdef",
		Rule: "tiers.high \"한글\" \x00", Bound: pointer(signalbox.Money(1 << 60)),
		Votes: []signalbox.Vote{
			{
				By: "key_2", User: "kim", Role: signalbox.RoleApprover, Verdict: signalbox.VerdictApprove, Reason: "as agreed",
				At: at(n + 1), Via: "console",
			},
			{By: "https://idp alice", Role: signalbox.RoleAdmin, Verdict: signalbox.VerdictDeny, At: at(n + 2), Via: "link"},
		},
		Escalate: at(n + 5), Previous: "appr_000", Edited: "appr_999",
		Content: &signalbox.Sealed{Key: "sk_1", Data: []byte{0, 0xff, '{', byte(n)}},
	}
}

// asked is an approval with as little as there can be.
func asked(n int, state signalbox.ApprovalState) signalbox.Approval {
	return signalbox.Approval{ID: fmt.Sprintf("appr_%03d", n), Hash: [32]byte{byte(n)}, State: state, Asked: at(n)}
}

func putApprovals(t *testing.T, s Store, all ...signalbox.Approval) {
	t.Helper()
	for _, a := range all {
		commit(t, s, signalbox.PutApproval{Approval: a})
	}
}

func idOfApproval(a signalbox.Approval) string { return a.ID }

func checkApproval(t *testing.T, s Store, want signalbox.Approval) {
	t.Helper()
	same(t, must[signalbox.Approval](t)(decisions(t, s).Approval(t.Context(), want.ID)), want)
}

var approvalTests = map[string]func(*testing.T, Store){
	"kept whole, found, replaced": func(t *testing.T, s Store) {
		first, bare := approval(1, signalbox.ApprovalApproved), asked(2, signalbox.ApprovalPending)
		complete(t, first)
		commit(t, s, signalbox.PutApproval{Approval: first}, signalbox.PutApproval{Approval: bare})
		s = s.Reopen()
		checkApproval(t, s, first)
		checkApproval(t, s, bare)
		now := approval(1, signalbox.ApprovalStale)
		now.Tenant, now.Agent, now.Tool, now.Run, now.Votes, now.Content, now.Used = "globex", "a", "t", "", nil, nil, time.Time{}
		commit(t, s, signalbox.PutApproval{Approval: first}, signalbox.PutApproval{Approval: now}) // The last word counts.
		checkApproval(t, s, now)
		_, err := decisions(t, s).Approval(t.Context(), "appr_003")
		refuses(t, err, signalbox.CodeNotFound)
	},
	"times are whole microseconds, and text is UTF-8": func(t *testing.T, s Store) {
		a := asked(1, signalbox.ApprovalPending)
		a.Asked, a.Rule = at(1).Add(999).In(time.FixedZone("there", 3600)), "a\xffb"
		a.Votes = []signalbox.Vote{{By: "key_1", Verdict: signalbox.VerdictDeny, Reason: "\xff", At: at(2).Add(1)}}
		putApprovals(t, s, a)
		a.Asked, a.Rule, a.Votes[0].Reason, a.Votes[0].At = at(1), "a\uFFFDb", "\uFFFD", at(2)
		checkApproval(t, s, a)
	},
	"nothing is kept of a batch that fails": func(t *testing.T, s Store) {
		e := entriesOf(0, signalbox.PutApproval{Approval: asked(1, signalbox.ApprovalPending)})
		err := s.Log.Commit(t.Context(), signalbox.Batch{Entries: e, Tiles: []signalbox.Tile{tile(0, 0), tile(0, 0)}})
		if err == nil {
			t.Fatal("a tile was written twice")
		}
		_, err = decisions(t, s).Approval(t.Context(), "appr_001")
		refuses(t, err, signalbox.CodeNotFound)
	},
	"the one of a hash is the newest, whatever became of it": testApprovalOf,
	"pending ones are those of all tenants, oldest first": func(t *testing.T, s Store) {
		d := decisions(t, s)
		if got := must[[]signalbox.Approval](t)(d.PendingApprovals(t.Context())); len(got) != 0 {
			t.Fatalf("got %+v", got)
		}
		late, other := approval(5, signalbox.ApprovalPending), approval(3, signalbox.ApprovalPending)
		other.Tenant = "globex"
		putApprovals(t, s, other, approval(4, signalbox.ApprovalDenied), approval(6, signalbox.ApprovalPending), late)
		putApprovals(t, s, approval(6, signalbox.ApprovalExpired), other) // What is replaced keeps its place.
		same(t, must[[]signalbox.Approval](t)(d.PendingApprovals(t.Context())), []signalbox.Approval{other, late})
	},
	"lists by filter, newest first, in pages": testApprovals,
	"bad pages are refused": func(t *testing.T, s Store) {
		for _, f := range []signalbox.ApprovalFilter{{Cursor: "x"}, {Cursor: "-1"}, {Limit: -1}, {Limit: signalbox.MaxPage + 1}} {
			_, _, err := decisions(t, s).Approvals(t.Context(), f)
			refuses(t, err, signalbox.CodeInvalid)
		}
	},
}

func testApprovalOf(t *testing.T, s Store) {
	d, hash := decisions(t, s), [32]byte{7}
	put := func(n int, state signalbox.ApprovalState, change func(*signalbox.Approval)) {
		t.Helper()
		a := approval(n, state)
		a.Hash, a.Used = hash, time.Time{}
		if change != nil {
			change(&a)
		}
		putApprovals(t, s, a)
	}
	check := func(want string) {
		t.Helper()
		a, there, err := d.ApprovalOf(t.Context(), "acme", hash)
		if ok(t, err); there != (want != "") || a.ID != want {
			t.Fatalf("got %q (%v), want %q", a.ID, there, want)
		}
	}
	check("")
	put(1, signalbox.ApprovalPending, func(a *signalbox.Approval) { a.Tenant = "globex" })
	put(2, signalbox.ApprovalPending, func(a *signalbox.Approval) { a.Hash[31] = 1 })
	check("")
	for n, state := range signalbox.ApprovalStates() {
		put(10+n, state, nil)
		check(fmt.Sprintf("appr_%03d", 10+n))
	}
	put(12, signalbox.ApprovalDenied, nil) // Which does not make it newer.
	check("appr_015")
	put(20, signalbox.ApprovalApproved, func(a *signalbox.Approval) { a.Used = at(1) })
	check("appr_020")
	put(21, signalbox.ApprovalDenied, nil)
	check("appr_021")
}

func testApprovals(t *testing.T, s Store) {
	all := make([]signalbox.Approval, 6)
	for i := range all {
		all[i] = approval(i, signalbox.ApprovalPending)
	}
	all[1].Tenant, all[1].Run = "globex", ""
	all[2].State, all[3].State = signalbox.ApprovalDenied, signalbox.ApprovalApproved
	all[4].Agent, all[4].Run = "other", "run_2"
	all[5].Tool = "files.read"
	putApprovals(t, s, all...)
	putApprovals(t, s, all[0])
	for name, c := range map[string]struct {
		filter signalbox.ApprovalFilter
		want   []int
	}{
		"all":         {signalbox.ApprovalFilter{}, []int{5, 4, 3, 2, 1, 0}},
		"no tenant":   {signalbox.ApprovalFilter{Tenants: []string{}}, nil},
		"tenants":     {signalbox.ApprovalFilter{Tenants: []string{"globex", "none", "a\x00b\xff"}}, []int{1}},
		"pending":     {signalbox.ApprovalFilter{States: []signalbox.ApprovalState{signalbox.ApprovalPending}}, []int{5, 4, 1, 0}},
		"pending of":  {signalbox.ApprovalFilter{States: []signalbox.ApprovalState{signalbox.ApprovalPending}, Tenants: []string{"acme"}}, []int{5, 4, 0}},
		"states":      {signalbox.ApprovalFilter{States: []signalbox.ApprovalState{signalbox.ApprovalDenied, signalbox.ApprovalApproved}}, []int{3, 2}},
		"no state":    {signalbox.ApprovalFilter{States: []signalbox.ApprovalState{}}, nil},
		"an agent":    {signalbox.ApprovalFilter{Agent: "other"}, []int{4}},
		"a tool":      {signalbox.ApprovalFilter{Tool: "files.write", Tenants: []string{"acme"}}, []int{4, 3, 2, 0}},
		"a run":       {signalbox.ApprovalFilter{Run: "run_1"}, []int{5, 3, 2, 0}},
		"all of them": {signalbox.ApprovalFilter{Run: "run_2", Agent: "other", Tool: "files.read"}, nil},
	} {
		for _, size := range []int{0, 1, 4} {
			c.filter.Limit, c.filter.Cursor = size, ""
			var want []string
			for _, i := range c.want {
				want = append(want, all[i].ID)
			}
			t.Logf("%s by %d", name, size)
			same(t, approvalPages(t, s, c.filter), want)
		}
	}
}

func approvalPages(t *testing.T, s Store, f signalbox.ApprovalFilter) (ids []string) {
	t.Helper()
	for {
		page, next, err := decisions(t, s).Approvals(t.Context(), f)
		ok(t, err)
		if f.Limit > 0 && len(page) > f.Limit {
			t.Fatalf("a page of %d has %d", f.Limit, len(page))
		}
		ids = append(ids, idsOf(page, idOfApproval)...)
		if f.Cursor = next; next == "" {
			return ids
		}
	}
}

var approvalErasureTests = map[string]func(*testing.T, Store){
	"what an erased subject's keys seal is removed, and nothing else": func(t *testing.T, s Store) {
		commit(t, s, signalbox.PutSubjectKey{Key: subjectKey("sk_1", "acme", 1, 0)}, signalbox.PutSubjectKey{Key: subjectKey("sk_2", "acme", 1, 1)},
			signalbox.PutSubjectKey{Key: subjectKey("sk_3", "acme", 2, 1)}, signalbox.PutSubjectKey{Key: subjectKey("sk_4", "globex", 1, 1)})
		all := make([]signalbox.Approval, 5)
		for i := range all {
			all[i] = approval(i, signalbox.ApprovalPending)
			all[i].Content.Key = fmt.Sprint("sk_", i)
		}
		all[0].Content = nil
		putApprovals(t, s, all...)
		commit(t, s, signalbox.DestroySubject{Tenant: "acme", Subject: subject(1), At: start})
		for i := range all[1:3] {
			all[i+1].Content, all[i+1].Hash = nil, [32]byte{}
		}
		s = s.Reopen()
		for _, a := range all {
			checkApproval(t, s, a)
		}
	},
	"the call can not be found by its hash any more, which says what was in it to who can guess": func(t *testing.T, s Store) {
		pending, denied := approval(1, signalbox.ApprovalPending), approval(2, signalbox.ApprovalDenied)
		pending.Content.Key, denied.Content.Key = "sk_1", "sk_1"
		commit(t, s, signalbox.PutSubjectKey{Key: subjectKey("sk_1", "acme", 1, 0)})
		putApprovals(t, s, pending, denied)
		commit(t, s, signalbox.DestroySubject{Tenant: "acme", Subject: subject(1), At: start})
		for _, a := range []signalbox.Approval{pending, denied} {
			if found, ok, err := decisions(t, s).ApprovalOf(t.Context(), a.Tenant, a.Hash); ok || err != nil {
				t.Errorf("got %+v, %v", found, err)
			}
		}
	},
	"who has read it before does not bring it back": func(t *testing.T, s Store) {
		a := approval(1, signalbox.ApprovalPending)
		a.Content.Key = "sk_1"
		commit(t, s, signalbox.PutSubjectKey{Key: subjectKey("sk_1", "acme", 1, 0)})
		putApprovals(t, s, a)
		commit(t, s, signalbox.DestroySubject{Tenant: "acme", Subject: subject(1), At: start})
		a.State = signalbox.ApprovalDenied
		putApprovals(t, s, a)
		a.Content, a.Hash = nil, [32]byte{}
		checkApproval(t, s, a)
	},
	"in one batch": func(t *testing.T, s Store) {
		a := approval(1, signalbox.ApprovalPending)
		commit(t, s, signalbox.PutSubjectKey{Key: subjectKey("sk_1", "acme", 1, 0)}, signalbox.PutApproval{Approval: a},
			signalbox.DestroySubject{Tenant: "acme", Subject: subject(1), At: start})
		a.Content, a.Hash = nil, [32]byte{}
		checkApproval(t, s, a)
	},
}
