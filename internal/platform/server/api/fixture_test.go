package api_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/gate"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/governance/budget"
	"github.com/signalbox/signalbox/internal/governance/runs"
	"github.com/signalbox/signalbox/internal/observability/projection"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/platform/store"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite/sqlitetest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if checks := flag.Lookup("rapid.checks"); slow && checks.Value.String() == checks.DefValue {
		if err := checks.Value.Set("12"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// start is when the tests' clock stands; it is not at the beginning of an hour, a minute or a second.
var start = time.Date(2026, 11, 22, 9, 58, 7, 123_456_000, time.UTC)

// site is the control API over a real database, a real writer, the real gate and real projections.
type site struct {
	t         failer
	mu        sync.Mutex
	at        time.Time // What the clock shows; the site's goroutines read it too.
	db        *sqlite.DB
	sequencer *audit.Sequencer
	writer    *store.Writer
	projector *projection.Projector
	ring      *gate.Keyring
	refusals  *gate.Refusals
	mux       *http.ServeMux
	verified  int
	broken    bool // Exports break off at their end.
	people    *people
	pins      pins
}

// failer is what testing.TB and rapid.T have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// secretOf is the API key of a role in a tenant.
func secretOf(tenant string, role signalbox.Role) string {
	return fmt.Sprintf("secret-of-the-%s-of-%s", role, tenant)
}

// tenants of the site; each has a key for each role.
var tenants = []string{"acme", "globex", "initech"}

func staticKeys(t failer) []signalbox.Key {
	t.Helper()
	var keys []signalbox.Key
	for _, tenant := range tenants {
		for _, role := range signalbox.Roles() {
			key, err := gate.StaticKey(signalbox.Key{ID: tenant + "-" + string(role), Tenant: tenant, Role: role}, secretOf(tenant, role))
			if err != nil {
				t.Fatalf("static key: %v", err)
			}
			keys = append(keys, key)
		}
	}
	return keys
}

// open starts a site on a new database.
func open(t testing.TB) *site {
	t.Helper()
	s, closeIt := openAt(t, filepath.Join(t.TempDir(), "s.db"))
	t.Cleanup(closeIt)
	return s
}

// now is the site's clock.
func (s *site) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *site) setClock(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = at
}

func openAt(t failer, file string) (*site, func()) {
	t.Helper()
	s := &site{t: t, at: start}
	clock := s.now
	ctx := context.Background()
	sqlitetest.Prepare(t, file)
	var err error
	if s.db, err = sqlite.Open(ctx, file, sqlite.Options{Now: clock, ReadTimeout: time.Minute}); err != nil {
		t.Fatalf("open: %v", err)
	}
	tree, err := audit.Restore(ctx, s.db)
	if err != nil {
		t.Fatalf("restore: %v", err)
	}
	s.sequencer = audit.NewSequencer(tree)
	s.writer = store.NewWriter(s.db, s.sequencer, store.Options{})
	s.projector = projection.New(s.db, s.db.Views(), projection.Options{Decode: audit.Decode})
	if s.ring, err = gate.NewKeyring(staticKeys(t)...); err != nil {
		t.Fatalf("keyring: %v", err)
	}
	s.refusals = gate.StartRefusals(s.writer, clock, slog.New(slog.DiscardHandler))
	s.people = newPeople(clock)
	s.pins = newPins(s, clock)
	s.serve(clock)
	return s, func() {
		if err := s.refusals.Close(); err != nil {
			t.Errorf("close refusals: %v", err)
		}
		if err := s.writer.Close(ctx); err != nil {
			t.Errorf("close writer: %v", err)
		}
		if err := s.db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func (s *site) serve(clock func() time.Time) {
	open := gate.NewSessions(gate.SessionsOptions{Keys: s.ring, Log: noLog{}, Store: s.db, Now: clock, Secure: true})
	door := gate.NewDoor(gate.DoorOptions{Keys: s.ring, Refusals: s.refusals, Sessions: open, Now: clock})
	views := s.db.Views()
	s.mux = http.NewServeMux()
	api.New(s.mux, api.Options{
		Views: views, Traces: views, Records: s.db, Decode: audit.Decode, Now: clock, Version: "test",
		Auth: door, Sessions: logins{door, open}, Keys: keyring{s.ring, gate.NewIssuer(s.ring, s.writer, clock, func() []string { return tenants })},
		Overview: func(ctx context.Context, q signalbox.CostQuery) (signalbox.Overview, error) {
			return projection.Overview(ctx, views, q)
		},
		Verify: func(context.Context) (api.VerifyReport, error) {
			s.verified++
			return api.VerifyReport{OK: true, Findings: []api.Finding{}}, nil
		},
		AuditStatus: func(context.Context) (api.AuditStatus, error) {
			return api.AuditStatus{Tree: api.AuditTree{Origin: "signalbox/test", Keys: []api.AuditKey{}}, Anchors: []api.AuditAnchor{}}, nil
		},
		Health: func(context.Context) api.Health {
			return api.Health{Components: []api.Component{{Name: "log"}, {Name: "mcp vault", Server: "vault"}, {Name: "mcp files", Server: "files"}}}
		},
		Prices: func() []api.Price { return []api.Price{} },
		Runs: runs.New(runs.Options{
			Log: s.writer, Store: s.db, Check: budget.CheckPlan, Now: clock, Idle: func() time.Duration { return time.Hour },
		}),
		Approvals: s.people.approvals, Policy: s.people, BreakGlass: grants{s.people}, Incidents: incidents{s.people}, Pins: s.pins,
		Servers: declared{}, ToolUses: func(ctx context.Context, q signalbox.CostQuery) (map[string]projection.ToolUse, error) {
			return projection.Tools(ctx, views, q)
		},
		Search:       search,
		OpenSessions: openSessions{s.people}, Stopping: s.people.stopping,
		Providers: func() []api.LoginProvider { return []api.LoginProvider{{ID: "corp", Issuer: "https://id.example"}} },
		Subjects:  nobody{}, Archives: nowhere{}, Export: s.export,
		RunView: views.RunByID, Accounts: accounts{s.db}, Alerts: alerts{s.db, s.writer}, Tenants: func() []string { return tenants },
		ServesTo: func(server, tenant string) bool { return server != "vault" || tenant == "globex" },
		Reconcile: func(_ context.Context, _ signalbox.Caller, call string, cost signalbox.Money) (*signalbox.Money, bool, error) {
			if call == "call_gone" {
				return nil, false, signalbox.Errorf(signalbox.CodeNotFound, "There is no such call.").WithField("call_id")
			}
			was := signalbox.Dollar
			return &was, was != cost, nil
		},
	})
}

// accounts and alerts do what the server's wiring does, as far as the API itself is concerned.
type accounts struct{ db *sqlite.DB }

func (x accounts) List(ctx context.Context, f api.AccountFilter) ([]api.Standing, string, error) {
	views, next, err := x.db.Accounts(ctx, signalbox.AccountFilter{
		Tenants: f.Tenants, Kind: f.Kind, Run: f.Run, Cursor: f.Cursor, Limit: f.Limit,
	})
	list := make([]api.Standing, len(views))
	for i, v := range views {
		list[i] = api.Standing{AccountView: v, Budget: signalbox.Budget{Max: 1000}}
	}
	return list, next, err
}

func (x accounts) Reopen(ctx context.Context, _ signalbox.Caller, account string) (api.Standing, error) {
	views, err := x.db.FindAccounts(ctx, []string{account})
	if err != nil || len(views) == 0 {
		return api.Standing{}, errors.Join(err, signalbox.Errorf(signalbox.CodeNotFound, "There is no such account."))
	}
	return api.Standing{AccountView: views[0]}, nil
}

type alerts struct {
	*sqlite.DB
	log *store.Writer
}

func (x alerts) LiftBrake(ctx context.Context, by signalbox.Caller, b signalbox.Brake) (signalbox.Brake, error) {
	b.Lifted, b.By = start, by.Key
	_, err := x.log.Append(ctx, signalbox.Record{
		Type: signalbox.RecordAdmin, Time: start, What: signalbox.What{Action: signalbox.ActionBrakeLifted},
	}, signalbox.LiftBrake{ID: b.ID, At: b.Lifted, By: b.By})
	return b, err
}

// logins and keyring do what the server's wiring does.
type logins struct {
	door *gate.Door
	open *gate.Sessions
}

// noLog keeps the ends of sessions out of the log.
type noLog struct{}

func (noLog) Append(context.Context, signalbox.Record, ...signalbox.Effect) (int64, error) {
	return 0, nil
}

func (l logins) Secret(w http.ResponseWriter, r *http.Request, secret string) (signalbox.Key, error) {
	return l.door.Authenticate(w, &http.Request{RemoteAddr: r.RemoteAddr, Header: http.Header{"X-Api-Key": {secret}}})
}

func (l logins) Open(w http.ResponseWriter, r *http.Request, key signalbox.Key) (time.Time, error) {
	session, cookie, err := l.open.OpenKey(r.Context(), key, gate.Source(r.RemoteAddr))
	if err == nil {
		http.SetCookie(w, cookie)
	}
	return session.Expires, err
}

func (l logins) Close(w http.ResponseWriter, r *http.Request) error {
	token := ""
	if c, err := r.Cookie(gate.SessionCookie); err == nil {
		token = c.Value
	}
	cookie, err := l.open.Close(r.Context(), token, gate.Source(r.RemoteAddr))
	if err == nil {
		http.SetCookie(w, cookie)
	}
	return err
}

type keyring struct {
	ring *gate.Keyring
	*gate.Issuer
}

func (k keyring) List() []signalbox.Key { return k.ring.List() }

// write appends records in one transaction, past the writer, which must be idle, and projects them.
func (s *site) write(records ...signalbox.Record) {
	s.t.Helper()
	entries := make([]signalbox.Entry, 0, len(records))
	for _, r := range records {
		e, err := s.sequencer.Encode(r)
		if err != nil {
			s.t.Fatalf("encode: %v", err)
		}
		entries = append(entries, e)
	}
	b, err := s.sequencer.Sequence(entries)
	if err != nil {
		s.t.Fatalf("sequence: %v", err)
	}
	if err := s.db.Commit(context.Background(), b); err != nil {
		s.t.Fatalf("commit: %v", err)
	}
	s.sequencer.Committed(b)
	if err := s.projector.CatchUp(context.Background()); err != nil {
		s.t.Fatalf("project: %v", err)
	}
}

// answer is what the API said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask makes a request with a key ("" for none) and pairs of header names and values.
func (s *site) ask(method, path, key, body string, header ...string) answer {
	s.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	q := httptest.NewRequest(method, path, r)
	if body != "" {
		q.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		q.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, q)
	return answer{w.Code, w.Header(), w.Body.Bytes()}
}

// get asks for a good answer and decodes it strictly.
func get[T any](s *site, path, key string, query ...string) T {
	s.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	a := s.ask(http.MethodGet, "/api/v1"+path+"?"+values.Encode(), key, "")
	var v T
	if a.status != http.StatusOK {
		s.t.Fatalf("GET %s?%s answers %d: %s", path, values.Encode(), a.status, a.body)
	}
	if err := json.UnmarshalKnown(a.body, &v); err != nil {
		s.t.Fatalf("GET %s: %v: %s", path, err, a.body)
	}
	return v
}

var (
	admin   = secretOf("acme", signalbox.RoleAdmin)
	auditor = secretOf("acme", signalbox.RoleAuditor)
	agent   = secretOf("acme", signalbox.RoleAgent)
)

// sample is a call to be recorded.
type sample struct {
	n        int
	tenant   string
	team     string
	agent    string
	run      string
	trace    string
	parent   string
	model    string // "" for a tool's call.
	tool     string
	outcome  signalbox.Outcome // "" while it runs.
	at       time.Duration     // After start.
	attempts int               // 0 is one.
	unpriced bool
}

func (c sample) id() string { return fmt.Sprintf("call_%026d", c.n) }

func (c sample) span() string { return fmt.Sprintf("%016x", c.n+1) }

func hex32(n int) string { return fmt.Sprintf("%032x", n+1) }

// records are what the log holds of the call.
func (c sample) records() []signalbox.Record {
	r := c.record()
	if c.outcome == signalbox.OutcomeDenied {
		return []signalbox.Record{c.end(r, 0)}
	}
	intent := r
	intent.Type, intent.Attempts = signalbox.RecordIntent, []signalbox.Attempt{c.attempt(1)}
	if c.outcome == "" {
		return []signalbox.Record{intent}
	}
	return []signalbox.Record{intent, c.end(r, max(1, c.attempts))}
}

func (c sample) record() signalbox.Record {
	at := start.Add(c.at)
	step := int64(c.n)
	r := signalbox.Record{
		Call: c.id(), Time: at,
		Who:  signalbox.Who{TenantID: c.tenant, Team: c.team, AgentID: c.agent, KeyID: c.tenant + "-agent", Role: signalbox.RoleAgent},
		What: signalbox.What{Action: signalbox.ActionModelCall, Kind: signalbox.KindModel, InputSummary: "asked by " + c.tenant},
		When: signalbox.When{Timestamp: at, TraceID: c.trace, SpanID: c.span(), ParentSpanID: c.parent},
		Context: signalbox.Context{
			RequestID: fmt.Sprintf("req-%d-of-%s", c.n, c.tenant), RunID: c.run, StepIndex: &step, ModelName: c.model,
			Protocol: signalbox.ProtocolOpenAIChat, PolicyRule: "rule of " + c.tenant, ApprovalID: "appr_1", ApprovedBy: "ann, bob", BreakGlass: "grant_1",
		},
	}
	if c.model == "" {
		r.What.Action, r.What.Kind, r.What.ToolName = signalbox.ActionToolCall, signalbox.KindTool, c.tool
		r.Context.Protocol = signalbox.ProtocolMCP
	} else {
		r.Context.Provider = "provider-of-" + c.model
	}
	return r
}

func (c sample) attempt(n int) signalbox.Attempt {
	return signalbox.Attempt{
		N: n, Name: c.model + c.tool, Provider: "provider-of-" + c.model, Upstream: "up", SpanID: fmt.Sprintf("%08x%08x", n, c.n+1),
		Started: start.Add(c.at), Basis: signalbox.BasisNone,
	}
}

// end is the outcome after so many attempts, of which the last one serves a call that ended well.
func (c sample) end(r signalbox.Record, attempts int) signalbox.Record {
	r.Type, r.Outcome, r.Time = signalbox.RecordOutcome, c.outcome, r.Time.Add(250*time.Millisecond)
	r.When.DurationMS = 250
	r.Stations = &signalbox.Stations{Gate: signalbox.StatusPassed}
	for n := 1; n <= attempts; n++ {
		r.Attempts = append(r.Attempts, c.attempt(n))
	}
	if c.outcome != signalbox.OutcomeOK {
		r.Error = &signalbox.Failure{Code: signalbox.CodeUpstream, Message: "broken", Remedy: "Retry."}
	}
	r.What.CostBasis = signalbox.BasisNone
	if attempts == 0 {
		return r
	}
	last := &r.Attempts[attempts-1]
	r.What.Tokens = &signalbox.Usage{Input: 100, Output: 20, CacheRead: 40}
	last.Usage, last.Basis = r.What.Tokens, signalbox.BasisReported
	r.What.CostBasis = signalbox.BasisReported
	if c.unpriced {
		last.Basis, r.What.CostBasis = signalbox.BasisUnpriced, signalbox.BasisUnpriced
		return r
	}
	cost := signalbox.Money(1_250)
	r.What.Cost, last.Cost = &cost, &cost
	last.Rates, last.RateSource = &signalbox.Rates{Input: signalbox.Dollar, Output: 2 * signalbox.Dollar}, "test"
	return r
}

// all gives the records of many calls, in order.
func all(calls ...sample) []signalbox.Record {
	var records []signalbox.Record
	for _, c := range calls {
		records = append(records, c.records()...)
	}
	return records
}
