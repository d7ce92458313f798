package storetest

import (
	"context"
	"reflect"
	"testing"

	"github.com/signalbox/signalbox"
)

// Decisions is the part of a store that keeps what people decide. None of it may be lost. The log's Commit writes it.
type Decisions interface {
	Approval(ctx context.Context, id string) (signalbox.Approval, error)
	ApprovalOf(ctx context.Context, tenant string, hash [32]byte) (signalbox.Approval, bool, error)
	Approvals(ctx context.Context, f signalbox.ApprovalFilter) ([]signalbox.Approval, string, error)
	PendingApprovals(ctx context.Context) ([]signalbox.Approval, error)
	Grant(ctx context.Context, id string) (signalbox.Grant, error)
	Grants(ctx context.Context, tenants []string, limit int) ([]signalbox.Grant, error)
	Incident(ctx context.Context, id string) (signalbox.Incident, error)
	Incidents(ctx context.Context, tenants []string, open *bool, limit int, cursor string) ([]signalbox.Incident, string, error)
	PolicyVersion(ctx context.Context, version string) (signalbox.PolicyVersion, error)
	PolicyVersions(ctx context.Context, limit int) ([]signalbox.PolicyVersion, error)
	Session(ctx context.Context, hash [32]byte) (signalbox.Session, bool, error)
	Sessions(ctx context.Context) ([]signalbox.Session, error)
	Pins(ctx context.Context, server string) ([]signalbox.Pin, error)
}

// Claims is how a store lets one at a time change something.
type Claims interface {
	Claim(ctx context.Context, name, holder string) (bool, error)
	Unclaim(ctx context.Context, name, holder string) error
}

// RunDecisions tests what people decide, claims, tasks and idempotency keys, which Run does not touch. The store's Log has to
// be [Decisions], [Claims], [Tasks] and [Idempotency] too.
func RunDecisions(t *testing.T, open func(t *testing.T) Store) {
	t.Helper()
	runGroups(t, open, []group{
		{"approvals", approvalTests},
		{"approvals erased", approvalErasureTests},
		{"grants", grantTests},
		{"policies", policyTests},
		{"incidents", incidentTests},
		{"sessions", sessionTests},
		{"pins", pinTests},
		{"claims", claimTests},
		{"tasks", taskTests},
		{"tasks erased", taskErasureTests},
		{"idempotency", idempotencyTests},
	})
}

func decisions(t *testing.T, s Store) Decisions {
	t.Helper()
	d, ok := s.Log.(Decisions)
	if !ok {
		t.Fatalf("%T keeps no decisions", s.Log)
	}
	return d
}

// complete checks that a fixture has every field set: one that is added and not kept is then noticed. Those that are named
// are left out.
func complete(t *testing.T, v any, but ...string) {
	t.Helper()
	r := reflect.ValueOf(v)
	skip := map[string]bool{}
	for _, name := range but {
		skip[name] = true
	}
	for i := range r.NumField() {
		if name := r.Type().Field(i).Name; r.Field(i).IsZero() && !skip[name] {
			t.Fatalf("the %T of the test has no %s", v, name)
		}
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

// idsOf gives the ids of a list; nil where it is empty.
func idsOf[T any](list []T, id func(T) string) (ids []string) {
	for _, v := range list {
		ids = append(ids, id(v))
	}
	return ids
}
