package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// grant is a break-glass grant with every field set.
func grant(n int) signalbox.Grant {
	return signalbox.Grant{
		ID: fmt.Sprintf("grant_%03d", n), Tenant: "acme", Agent: "writer", Tool: "files.*", Reason: "\"한글\" \x00", By: "key_1 kim",
		From: at(n), Until: at(n + 60), Ended: at(n + 30), EndedBy: "key_2", Reviewed: at(n + 90), Reviewer: "key_3", Review: "fine",
		Overdue: at(n + 80),
	}
}

func idOfGrant(g signalbox.Grant) string { return g.ID }

var grantTests = map[string]func(*testing.T, Store){
	"kept whole, found, replaced": func(t *testing.T, s Store) {
		given := signalbox.Grant{ID: "grant_002", Tenant: "globex", From: at(1), Until: at(2), Reason: "a\xffb"}
		complete(t, grant(1))
		commit(t, s, signalbox.PutGrant{Grant: grant(1)}, signalbox.PutGrant{Grant: given})
		s = s.Reopen()
		d := decisions(t, s)
		given.Reason = "a\uFFFDb"
		for _, want := range []signalbox.Grant{grant(1), given} {
			same(t, must[signalbox.Grant](t)(d.Grant(t.Context(), want.ID)), want)
		}
		given.Ended, given.EndedBy = at(3), "key_9"
		commit(t, s, signalbox.PutGrant{Grant: given})
		same(t, must[signalbox.Grant](t)(d.Grant(t.Context(), given.ID)), given)
		_, err := d.Grant(t.Context(), "grant_003")
		refuses(t, err, signalbox.CodeNotFound)
	},
	"listed newest first, of tenants": func(t *testing.T, s Store) {
		other := grant(2)
		other.Tenant = "globex"
		for _, g := range []signalbox.Grant{grant(3), other, grant(1), grant(3)} {
			commit(t, s, signalbox.PutGrant{Grant: g})
		}
		check := func(tenants []string, limit int, want ...string) {
			t.Helper()
			got := must[[]signalbox.Grant](t)(decisions(t, s).Grants(t.Context(), tenants, limit))
			same(t, idsOf(got, idOfGrant), want)
		}
		check(nil, 0, "grant_001", "grant_002", "grant_003")
		check(nil, 2, "grant_001", "grant_002")
		check([]string{"acme"}, 9, "grant_001", "grant_003")
		check([]string{"globex", "none"}, 9, "grant_002")
		check([]string{}, 9)
		for _, limit := range []int{-1, signalbox.MaxPage + 1} {
			_, err := decisions(t, s).Grants(t.Context(), nil, limit)
			refuses(t, err, signalbox.CodeInvalid)
		}
	},
}

func policy(n int) signalbox.PolicyVersion {
	return signalbox.PolicyVersion{
		Version: fmt.Sprintf("sha256:%016x", n), Time: at(n), Text: fmt.Sprintf("permit agent %d\npermit \"한글\"\n", n),
	}
}

var policyTests = map[string]func(*testing.T, Store){
	"kept once, with the first time": func(t *testing.T, s Store) {
		complete(t, policy(1))
		commit(t, s, signalbox.PutPolicyVersion{Version: policy(1)})
		later := policy(1)
		later.Time, later.Text = at(99), "other"
		commit(t, s, signalbox.PutPolicyVersion{Version: later})
		s = s.Reopen()
		d := decisions(t, s)
		same(t, must[signalbox.PolicyVersion](t)(d.PolicyVersion(t.Context(), policy(1).Version)), policy(1))
		_, err := d.PolicyVersion(t.Context(), policy(2).Version)
		refuses(t, err, signalbox.CodeNotFound)
	},
	"listed newest first, without their texts": func(t *testing.T, s Store) {
		var want []signalbox.PolicyVersion
		for _, n := range []int{2, 1, 3} {
			commit(t, s, signalbox.PutPolicyVersion{Version: policy(n)})
			v := policy(n)
			v.Text = ""
			want = append([]signalbox.PolicyVersion{v}, want...)
		}
		commit(t, s, signalbox.PutPolicyVersion{Version: policy(2)}) // In force again.
		same(t, must[[]signalbox.PolicyVersion](t)(decisions(t, s).PolicyVersions(t.Context(), 0)), want)
		same(t, must[[]signalbox.PolicyVersion](t)(decisions(t, s).PolicyVersions(t.Context(), 2)), want[:2])
		_, err := decisions(t, s).PolicyVersions(t.Context(), -1)
		refuses(t, err, signalbox.CodeInvalid)
	},
}

// incident is an incident with every field set.
func incident(n int) signalbox.Incident {
	return signalbox.Incident{
		ID: fmt.Sprintf("inc_%03d", n), Tenant: "acme", Call: "call_1", Run: "run_1", Tool: "files.write", Agent: "writer", Write: true,
		Severity: signalbox.RiskHigh, Text: "\"한글\" \x00", Opened: at(n), OpenedBy: "key_1", Closed: at(n + 60), ClosedBy: "key_2",
		Resolution: "restored",
	}
}

func idOfIncident(i signalbox.Incident) string { return i.ID }

var incidentTests = map[string]func(*testing.T, Store){
	"kept whole, found, replaced": func(t *testing.T, s Store) {
		open := signalbox.Incident{ID: "inc_002", Tenant: "globex", Run: "run_2", Opened: at(1), Text: "a\xffb"}
		complete(t, incident(1))
		commit(t, s, signalbox.PutIncident{Incident: incident(1)}, signalbox.PutIncident{Incident: open})
		s = s.Reopen()
		d := decisions(t, s)
		open.Text = "a\uFFFDb"
		for _, want := range []signalbox.Incident{incident(1), open} {
			same(t, must[signalbox.Incident](t)(d.Incident(t.Context(), want.ID)), want)
		}
		open.Closed, open.ClosedBy = at(3), "key_9"
		commit(t, s, signalbox.PutIncident{Incident: open})
		same(t, must[signalbox.Incident](t)(d.Incident(t.Context(), open.ID)), open)
		_, err := d.Incident(t.Context(), "inc_003")
		refuses(t, err, signalbox.CodeNotFound)
	},
	"listed by filter, newest first, in pages": testIncidents,
	"bad pages are refused": func(t *testing.T, s Store) {
		for _, limit := range []int{-1, signalbox.MaxPage + 1} {
			_, _, err := decisions(t, s).Incidents(t.Context(), nil, nil, limit, "")
			refuses(t, err, signalbox.CodeInvalid)
		}
		_, _, err := decisions(t, s).Incidents(t.Context(), nil, nil, 0, "x")
		refuses(t, err, signalbox.CodeInvalid)
	},
}

func testIncidents(t *testing.T, s Store) {
	for n := range 6 {
		i := incident(n)
		if n%2 == 0 {
			i.Closed = time.Time{}
		}
		if n > 3 {
			i.Tenant = "globex"
		}
		commit(t, s, signalbox.PutIncident{Incident: i})
	}
	for name, c := range map[string]struct {
		tenants []string
		open    *bool
		want    []int
	}{
		"all":             {nil, nil, []int{5, 4, 3, 2, 1, 0}},
		"open":            {nil, pointer(true), []int{4, 2, 0}},
		"closed":          {nil, pointer(false), []int{5, 3, 1}},
		"of a tenant":     {[]string{"globex", "none"}, nil, []int{5, 4}},
		"open, of acme":   {[]string{"acme"}, pointer(true), []int{2, 0}},
		"of no tenant":    {[]string{}, nil, nil},
		"of a tenant not": {[]string{"none"}, pointer(true), nil},
	} {
		for _, size := range []int{0, 1, 4} {
			var want, got []string
			for _, n := range c.want {
				want = append(want, incident(n).ID)
			}
			for cursor, more := "", true; more; more = cursor != "" {
				page, next, err := decisions(t, s).Incidents(t.Context(), c.tenants, c.open, size, cursor)
				ok(t, err)
				got, cursor = append(got, idsOf(page, idOfIncident)...), next
			}
			t.Logf("%s by %d", name, size)
			same(t, got, want)
		}
	}
}
