package api_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// auditRecords are outcomes of refused calls, one an hour, that differ in all that can be asked for.
func auditRecords(t *testing.T, s *site) {
	t.Helper()
	for i := range 12 {
		at := start.Add(time.Duration(i) * time.Hour)
		r := signalbox.Record{
			Type: signalbox.RecordOutcome, Call: fmt.Sprintf("call_%d", i), Time: at, Outcome: signalbox.OutcomeDenied,
			Who: signalbox.Who{
				TenantID: tenants[i%3], UserID: fmt.Sprintf("user-%d", i%2), SubjectID: fmt.Sprintf("subject-%d", i%4), AgentID: fmt.Sprintf("agent-%d", i%3),
			},
			What:     signalbox.What{Action: []string{signalbox.ActionModelCall, signalbox.ActionToolCall}[i%2], Kind: signalbox.KindTool},
			When:     signalbox.When{Timestamp: at},
			Context:  signalbox.Context{RunID: fmt.Sprintf("run_%d", i%6), RiskLevel: []string{"low", "high"}[i%2]},
			Stations: &signalbox.Stations{GuardInput: signalbox.StatusDenied},
			Budget:   &signalbox.BudgetStand{Account: "usd/day/tenant=acme", Max: 5_000_000_000, Before: 1_500_000_000, After: 1_500_000_000},
		}
		if _, err := s.writer.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAuditQuery(t *testing.T) {
	s := open(t)
	auditRecords(t, s)
	auditor := secretOf("acme", signalbox.RoleAuditor)
	hour := func(n int) string { return start.Add(time.Duration(n) * time.Hour).Format(time.RFC3339Nano) }
	tests := map[string]struct {
		query []string
		want  []int64
	}{
		"all":     {nil, []int64{11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}},
		"tenant":  {[]string{"tenant", "globex"}, []int64{10, 7, 4, 1}},
		"user":    {[]string{"user", "user-1"}, []int64{11, 9, 7, 5, 3, 1}},
		"subject": {[]string{"subject", "subject-3"}, []int64{11, 7, 3}},
		"agent":   {[]string{"agent", "agent-0"}, []int64{9, 6, 3, 0}},
		"action":  {[]string{"action", "tool_call", "tenant", "acme"}, []int64{9, 3}},
		"risk":    {[]string{"risk", "high", "agent", "agent-1"}, []int64{7, 1}},
		"run":     {[]string{"run", "run_2"}, []int64{8, 2}},
		"call":    {[]string{"call", "call_5"}, []int64{5}},
		"from":    {[]string{"from", hour(9)}, []int64{11, 10, 9}},
		"to":      {[]string{"to", hour(2)}, []int64{1, 0}},
		"between": {[]string{"from", hour(3), "to", hour(5)}, []int64{4, 3}},
		"nothing": {[]string{"agent", "agent-9"}, []int64{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, limit := range []string{"1", "3", "500"} {
				got := []int64{}
				for cursor := ""; ; {
					page := get[api.Page[api.Record]](s, "/audit", auditor, append([]string{"limit", limit, "cursor", cursor}, test.query...)...)
					for _, r := range page.Items {
						got = append(got, r.Index)
					}
					if page.Next == nil {
						break
					}
					cursor = *page.Next
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("limit %s: got %v, want %v", limit, got, test.want)
				}
			}
		})
	}
}

func TestOneRecordWithItsLeaf(t *testing.T) {
	s := open(t)
	auditRecords(t, s)
	auditor := secretOf("acme", signalbox.RoleAuditor)
	e, err := s.db.Entry(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	d := get[api.RecordDetail](s, "/audit/4", auditor)
	leaf, err := base64.StdEncoding.DecodeString(d.LeafData)
	if err != nil || tlog.RecordHash(leaf) != tlog.Hash(e.Leaf) || d.LeafHash != tlog.Hash(e.Leaf).String() {
		t.Errorf("got leaf %s of %s (%v)", d.LeafHash, leaf, err)
	}
	digest := audit.ContentDigest(e)
	if d.ContentSHA256 != base64.StdEncoding.EncodeToString(digest[:]) || d.TreeSize != 0 || d.Content != "" || d.SealedBy != nil {
		t.Errorf("got %+v", d)
	}
	if d.Stations == nil || d.Stations.GuardInput != signalbox.StatusDenied || d.Budget == nil || d.Budget.Before == "" {
		t.Errorf("stations %+v, budget %+v", d.Stations, d.Budget)
	}
	if a := s.ask(http.MethodGet, "/api/v1/audit/12", auditor, ""); a.status != http.StatusNotFound {
		t.Errorf("status %d for a record that is not there", a.status)
	}
	for _, role := range []signalbox.Role{signalbox.RoleAgent, signalbox.RoleDeveloper, signalbox.RoleApprover} {
		for _, path := range []string{"/api/v1/audit", "/api/v1/audit/4"} {
			if a := s.ask(http.MethodGet, path, secretOf("acme", role), ""); a.status != http.StatusForbidden {
				t.Errorf("%s %s: status %d", role, path, a.status)
			}
		}
	}
}
