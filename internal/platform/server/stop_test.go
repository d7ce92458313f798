package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/platform/store"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// slowProvider streams an answer in OpenAI's format, one event each time it is told to go on.
type slowProvider struct {
	*httptest.Server
	arrived chan struct{} // A request has come.
	goOn    chan struct{}
}

func newSlowProvider(t *testing.T) *slowProvider {
	t.Helper()
	p := &slowProvider{arrived: make(chan struct{}, 16), goOn: make(chan struct{})}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		flush(w)
		p.arrived <- struct{}{}
		const chunk = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":%s}]}` + "\n\n"
		for _, finish := range []string{"null", "null", `"stop"`} {
			select {
			case <-p.goOn:
			case <-r.Context().Done():
				return
			}
			fmt.Fprintf(w, chunk, finish)
			flush(w)
		}
		io.WriteString(w, `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"up","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":3,"total_tokens":13}}`+"\n\ndata: [DONE]\n\n")
	}))
	t.Cleanup(p.Close)
	return p
}

func flush(w http.ResponseWriter) {
	if err := http.NewResponseController(w).Flush(); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func (p *slowProvider) config() string {
	return fmt.Sprintf("providers:\n  slow: {kind: openai_compatible, base_url: %s/v1}\nmodels:\n  slow: {provider: slow, model: up, price: {input: 1, output: 2}}\n", p.URL)
}

// begin starts a stream and returns once the provider works on it.
func (p *slowProvider) begin(t *testing.T, i *instance) *http.Response {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, i.URL()+chatPath, strings.NewReader(chat("slow", true)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+agentKey)
	r.Header.Set("Content-Type", "application/json")
	p.goOnSoon()
	response, err := i.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func (p *slowProvider) goOnSoon() { go func() { p.goOn <- struct{}{} }() }

// A stop lets a stream under way end whole, takes no new connection, and leaves a log whose every record is covered by a
// signed checkpoint, with the stop as the last one.
func TestGracefulStop(t *testing.T) {
	dir, provider := t.TempDir(), newSlowProvider(t)
	i := started(t, dir, someKeys+provider.config())
	response := provider.begin(t, i)
	defer response.Body.Close()
	body := bufio.NewReader(response.Body)
	if first, err := body.ReadString('\n'); err != nil || !strings.Contains(first, "word ") {
		t.Fatalf("%q, %v", first, err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- i.stop() }()
	eventually(t, func() error {
		fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
		late, err := fresh.Get(i.URL() + "/healthz")
		if err == nil {
			late.Body.Close()
			return errors.New("a new connection is still accepted")
		}
		return nil
	})
	select {
	case err := <-stopped:
		t.Fatalf("it stopped under a stream: %v", err)
	default:
	}
	provider.goOnSoon()
	provider.goOnSoon()
	rest, err := io.ReadAll(body)
	if err != nil || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
		t.Errorf("the stream ends with %q, %v", rest, err)
	}
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	db := reopened(t, dir)
	var last []string
	for e, err := range db.Entries(context.Background(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := audit.Decode(e)
		if err != nil {
			t.Fatal(err)
		}
		last = append(last, fmt.Sprintf("%s %s %s", e.Type, r.What.Action, r.Outcome))
	}
	want := []string{"admin policy_changed ", "admin started ", "intent llm_call ", "outcome llm_call ok", "admin stopped "}
	if strings.Join(last, "\n") != strings.Join(want, "\n") {
		t.Errorf("the log holds %q", last)
	}
	checkCovered(t, dir, db)
}

func reopened(t *testing.T, dir string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(context.Background(), filepath.Join(dir, "s.db"), sqlite.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// checkCovered verifies the log and that the newest checkpoint is as large as it.
func checkCovered(t *testing.T, dir string, db *sqlite.DB) {
	t.Helper()
	key, created, err := audit.LoadOrCreateKey(filepath.Join(dir, "s.db"+AuditKeySuffix), "")
	if err != nil || created {
		t.Fatalf("the log's key: %v, created %v", err, created)
	}
	report, err := audit.Verify(context.Background(), db, audit.Options{Verifier: key.Verifier()})
	if err != nil || !report.OK() {
		t.Fatalf("the log does not verify: %v %+v", err, report)
	}
	if report.Checkpoint == nil || report.Checkpoint.Size != report.Size {
		t.Errorf("the last checkpoint is %+v of %d records", report.Checkpoint, report.Size)
	}
}

// Calls that a crash cut off end as unknown at the next start, with every attempt that had left.
func TestRecovery(t *testing.T) {
	dir := t.TempDir()
	db, err := sqlite.Open(context.Background(), filepath.Join(dir, "s.db"), sqlite.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := audit.Restore(context.Background(), db)
	if err != nil {
		t.Fatal(err)
	}
	writer := store.NewWriter(db, audit.NewSequencer(tree), store.Options{})
	began := time.Now().UTC().Add(-time.Minute)
	put := func(n int, typ signalbox.RecordType, kind signalbox.Kind, attempts ...signalbox.Attempt) {
		r := signalbox.Record{
			Type: typ, Call: fmt.Sprintf("call_%026d", n), Time: began, Attempts: attempts,
			Who: signalbox.Who{TenantID: "acme"}, When: signalbox.When{Timestamp: began},
			What:    signalbox.What{Action: signalbox.ActionModelCall, Kind: kind, ToolName: map[signalbox.Kind]string{signalbox.KindTool: "files.read"}[kind]},
			Context: signalbox.Context{ModelName: map[signalbox.Kind]string{signalbox.KindModel: "first"}[kind]},
		}
		if typ == signalbox.RecordOutcome {
			r.Outcome = signalbox.OutcomeOK
		}
		if _, err := writer.Append(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	attempt := func(n int, name string) signalbox.Attempt {
		return signalbox.Attempt{N: n, Name: name, Provider: "p-" + name, Started: began, Basis: signalbox.BasisNone}
	}
	put(1, signalbox.RecordIntent, signalbox.KindModel, attempt(1, "first"))
	put(2, signalbox.RecordIntent, signalbox.KindModel, attempt(1, "first"))
	put(3, signalbox.RecordIntent, signalbox.KindTool, attempt(1, "files.read"))
	put(2, signalbox.RecordOutcome, signalbox.KindModel, attempt(1, "first"))
	put(1, signalbox.RecordAttempt, signalbox.KindModel, attempt(1, "first"), attempt(2, "second"))
	if err := errors.Join(writer.Close(context.Background()), db.Close()); err != nil {
		t.Fatal(err)
	}
	for restart := range 2 {
		i := started(t, dir, someKeys)
		for n, want := range map[int]struct {
			outcome  signalbox.Outcome
			attempts int
			model    string
		}{1: {"unknown", 2, "second"}, 2: {"ok", 1, "first"}, 3: {"unknown", 1, ""}} {
			d := i.detail(fmt.Sprintf("call_%026d", n))
			model := ""
			if d.ModelName != nil {
				model = *d.ModelName
			}
			if d.Outcome != want.outcome || len(d.Detail) != want.attempts || model != want.model {
				t.Errorf("start %d: call %d is %s with %d attempts at %q, want %+v", restart, n, d.Outcome, len(d.Detail), model, want)
			}
			if want.outcome == signalbox.OutcomeUnknown && (d.Error == nil || d.Error.Remedy == "") {
				t.Errorf("call %d has no error", n)
			}
		}
		if err := i.stop(); err != nil {
			t.Fatal(err)
		}
	}
	db = reopened(t, dir)
	outcomes := map[string]int{}
	for e, err := range db.Entries(context.Background(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == signalbox.RecordOutcome {
			outcomes[e.Call]++
		}
	}
	if fmt.Sprint(outcomes) != "map[call_00000000000000000000000001:1 call_00000000000000000000000002:1 call_00000000000000000000000003:1]" {
		t.Errorf("outcomes %v", outcomes)
	}
	checkCovered(t, dir, db)
}

// uncertain is a database whose commits may or may not have become durable, once it is broken.
type uncertain struct {
	store.Committer
	broken chan struct{}
}

func (u uncertain) Commit(ctx context.Context, b signalbox.Batch) error {
	select {
	case <-u.broken:
		return fmt.Errorf("the disk went away: %w", store.ErrUncertain)
	default:
		return u.Committer.Commit(ctx, b)
	}
}

// A log that can not be trusted any more ends the server, with the reason.
func TestFatal(t *testing.T) {
	dir := t.TempDir()
	s, log, err := made(dir, configured(t, dir, someKeys))
	if err != nil {
		t.Fatal(err)
	}
	for n, x := range s.stops { // It looks at the writer that is about to be replaced.
		if x.name == "late outcomes" {
			s.stops = slices.Delete(s.stops, n, n+1)
			if err := x.run(context.Background()); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if err := s.data.writer.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	broken := make(chan struct{})
	tree, err := audit.Restore(t.Context(), s.data.db)
	if err != nil {
		t.Fatal(err)
	}
	sequencer := audit.NewSequencer(tree)
	s.data.writer = store.NewWriter(uncertain{s.data.db, broken}, sequencer, store.Options{})
	ended := make(chan error, 1)
	go func() { ended <- s.Run(context.Background()) }()
	eventually(t, func() error {
		if sequencer.Tree().Size() == tree.Size() {
			return errors.New("it has not started")
		}
		return nil
	})
	close(broken)
	if _, err := s.data.writer.Append(context.Background(), signalbox.Record{Type: signalbox.RecordAdmin, Time: time.Now()}); signalbox.CodeOf(err) != signalbox.CodeUnavailable {
		t.Errorf("the append gives %v", err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, store.ErrUncertain) {
			t.Errorf("Run gives %v", err)
		}
	case <-time.After(patience):
		t.Fatalf("Run does not end:\n%s", log)
	}
	started(t, dir, someKeys) // Nothing holds the database any more.
}
