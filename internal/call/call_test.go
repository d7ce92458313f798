package call_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// memoryLog keeps records; it refuses while broken.
type memoryLog struct {
	mu      sync.Mutex
	records []signalbox.Record
	effects [][]signalbox.Effect // Of each.
	broken  bool
}

func (l *memoryLog) Append(_ context.Context, r signalbox.Record, effects ...signalbox.Effect) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		return 0, signalbox.Errorf(signalbox.CodeUnavailable, "disk full")
	}
	l.records, l.effects = append(l.records, r), append(l.effects, effects)
	return int64(len(l.records) - 1), nil
}

func (l *memoryLog) breakDown(broken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = broken
}

func (l *memoryLog) types() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var types []string
	for _, r := range l.records {
		types = append(types, string(r.Type))
	}
	return strings.Join(types, " ")
}

func (l *memoryLog) last() signalbox.Record { return l.records[len(l.records)-1] }

type hideDigits struct{}

func (hideDigits) Mask(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '#'
		}
		return r
	}, s)
}

// script is an upstream: it gives its parts, then its error (nil: io.EOF).
type script struct {
	parts  []call.Part
	err    error
	report call.Report
	closed bool
}

func (s *script) Head() call.Head     { return call.Head{ContentType: "application/json"} }
func (s *script) Report() call.Report { return s.report }
func (s *script) Close() error        { s.closed = true; return nil }

func (s *script) Next(context.Context) (call.Part, error) {
	if len(s.parts) == 0 {
		if s.err != nil {
			return call.Part{}, s.err
		}
		return call.Part{}, io.EOF
	}
	p := s.parts[0]
	s.parts = s.parts[1:]
	return p, nil
}

type backendFunc func(context.Context, *call.Track, signalbox.Candidate, signalbox.Span) (call.Upstream, error)

func (f backendFunc) Open(ctx context.Context, t *call.Track, c signalbox.Candidate, s signalbox.Span) (call.Upstream, error) {
	return f(ctx, t, c, s)
}

type fixedResolver struct {
	candidates []signalbox.Candidate
	err        error
}

func (r fixedResolver) Resolve(context.Context, *call.Track) (string, []signalbox.Candidate, error) {
	return "route", r.candidates, r.err
}

type bench struct {
	log      *memoryLog
	recorder *call.Recorder
	handler  call.Handler
	ended    []signalbox.Record
	now      time.Time
}

func newBench(r call.Resolver, backends map[string]call.Backend) *bench {
	b := &bench{log: &memoryLog{}, now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	clock := func() time.Time { b.now = b.now.Add(10 * time.Millisecond); return b.now }
	b.recorder = call.NewRecorder(call.RecorderOptions{
		Log: b.log, Masker: hideDigits{}, Now: clock, Ended: func(r signalbox.Record) { b.ended = append(b.ended, r) },
	})
	b.handler = call.Stations{
		Record:  b.recorder.Station,
		Resolve: call.Resolve(map[signalbox.Kind]call.Resolver{signalbox.KindModel: r}),
		Attempt: &call.Attempter{Backends: map[signalbox.Kind]map[string]call.Backend{signalbox.KindModel: backends}, Journal: b.recorder, Now: clock},
	}.Chain()
	return b
}

func modelCall() *signalbox.Call {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	return &signalbox.Call{
		ID: signalbox.NewID(signalbox.CallPrefix, now), Kind: signalbox.KindModel, Protocol: signalbox.ProtocolOpenAIChat,
		Caller: signalbox.Caller{Tenant: "acme"}, Span: signalbox.StartSpan("", "", ""), Received: now,
		Body:  []byte(strings.Repeat("x", 300)),
		Model: &signalbox.ModelRequest{Model: "small", Prompt: "call me at 5551234", Messages: 1, Choices: 1},
	}
}

func candidate(name, provider string) signalbox.Candidate {
	return signalbox.Candidate{
		Name: name, Provider: provider, Upstream: name + "-1",
		Price: &signalbox.Price{Rates: signalbox.Rates{Input: signalbox.Dollar, Output: 2 * signalbox.Dollar}, Source: "test"},
	}
}

func serves(s *script) call.Backend {
	return backendFunc(func(context.Context, *call.Track, signalbox.Candidate, signalbox.Span) (call.Upstream, error) {
		return s, nil
	})
}

func refuses(err *call.AttemptError) call.Backend {
	return backendFunc(func(context.Context, *call.Track, signalbox.Candidate, signalbox.Span) (call.Upstream, error) {
		return nil, err
	})
}

func read(t *testing.T, a call.Answer) (string, error) {
	t.Helper()
	var text strings.Builder
	for {
		p, err := a.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return text.String(), nil
		}
		if err != nil {
			return text.String(), err
		}
		text.Write(p.Data)
	}
}

func TestServedCall(t *testing.T) {
	up := &script{
		parts:  []call.Part{{Data: []byte("hello ")}, {Data: []byte("world"), Terminal: true}},
		report: call.Report{Usage: &signalbox.Usage{Input: 1000, Output: 500}, Finish: "stop", Excerpt: "my pin is 1234"},
	}
	b := newBench(fixedResolver{candidates: []signalbox.Candidate{candidate("small", "p")}}, map[string]call.Backend{"p": serves(up)})
	track := call.NewTrack(modelCall())
	track.Call.Claims.Subject = "customer-7"
	a, err := b.handler.Serve(t.Context(), track)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.log.types(); got != "intent" {
		t.Fatalf("before the answer the log holds %q, want the intent", got)
	}
	text, err := read(t, a)
	if err != nil || text != "hello world" {
		t.Fatalf("got %q, %v", text, err)
	}
	if err := a.Close(); err != nil || !up.closed {
		t.Fatalf("close: %v, upstream closed: %v", err, up.closed)
	}
	if got := b.log.types(); got != "intent outcome" {
		t.Fatalf("log holds %q", got)
	}
	rec := b.log.last()
	if rec.Who.SubjectID != "customer-7" || b.log.records[0].Who.SubjectID != "customer-7" {
		t.Errorf("the subject is %q", rec.Who.SubjectID)
	}
	if rec.Outcome != signalbox.OutcomeOK || rec.What.Cost.String() != "0.002" || rec.What.CostBasis != signalbox.BasisReported {
		t.Errorf("outcome %s, cost %v (%s)", rec.Outcome, rec.What.Cost, rec.What.CostBasis)
	}
	if strings.ContainsAny(rec.What.InputSummary, "5") || rec.What.OutputSummary != "my pin is ####" {
		t.Errorf("summaries are not masked: %q, %q", rec.What.InputSummary, rec.What.OutputSummary)
	}
	if s := rec.Stations; s.Resolve != "passed" || s.Attempt != "passed" || s.Policy != "not_run" || s.GuardInput != "not_run" || s.Gate != "not_run" {
		t.Errorf("stations: %+v", *s)
	}
	if len(b.ended) != 1 || b.recorder.InFlight() != 0 {
		t.Errorf("ended %d times, %d in flight", len(b.ended), b.recorder.InFlight())
	}
}

func TestTerminalPartWaitsForTheCommit(t *testing.T) {
	up := &script{parts: []call.Part{{Data: []byte("a")}, {Data: []byte("end"), Terminal: true}}}
	b := newBench(fixedResolver{candidates: []signalbox.Candidate{candidate("small", "p")}}, map[string]call.Backend{"p": serves(up)})
	a, err := b.handler.Serve(t.Context(), call.NewTrack(modelCall()))
	if err != nil {
		t.Fatal(err)
	}
	b.log.breakDown(true)
	text, err := read(t, a)
	if text != "a" || signalbox.CodeOf(err) != signalbox.CodeUnavailable {
		t.Fatalf("got %q, %v; want the terminal part withheld", text, err)
	}
	if _, again := a.Next(t.Context()); signalbox.CodeOf(again) != signalbox.CodeUnavailable {
		t.Errorf("a second Next gives %v", again)
	}
	b.log.breakDown(false)
	if err := b.recorder.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rec := b.log.last(); b.log.types() != "intent outcome" || rec.Outcome != signalbox.OutcomeUnknown || rec.What.Cost == nil {
		t.Errorf("late outcome: %s %s %v", b.log.types(), rec.Outcome, rec.What.Cost)
	}
	if err := b.recorder.Settle(t.Context()); err != nil || len(b.log.records) != 2 {
		t.Errorf("settling twice wrote again: %v, %d records", err, len(b.log.records))
	}
}

func TestNothingLeavesWithoutItsIntent(t *testing.T) {
	opened := false
	b := newBench(fixedResolver{candidates: []signalbox.Candidate{candidate("small", "p")}}, map[string]call.Backend{
		"p": backendFunc(func(context.Context, *call.Track, signalbox.Candidate, signalbox.Span) (call.Upstream, error) {
			opened = true
			return &script{}, nil
		}),
	})
	b.log.breakDown(true)
	_, err := b.handler.Serve(t.Context(), call.NewTrack(modelCall()))
	if signalbox.CodeOf(err) != signalbox.CodeUnavailable || opened {
		t.Fatalf("error %v, backend opened: %v", err, opened)
	}
}

func TestFallback(t *testing.T) {
	overloaded := &call.AttemptError{Err: signalbox.Errorf(signalbox.CodeUpstream, "overloaded"), HTTPStatus: 529, Next: true, Sent: true}
	up := &script{parts: []call.Part{{Data: []byte("ok"), Terminal: true}}, report: call.Report{Usage: &signalbox.Usage{Input: 10, Output: 10}}}
	b := newBench(fixedResolver{candidates: []signalbox.Candidate{candidate("big", "p"), candidate("small", "q")}},
		map[string]call.Backend{"p": refuses(overloaded), "q": serves(up)})
	a, err := b.handler.Serve(t.Context(), call.NewTrack(modelCall()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, a); err != nil {
		t.Fatal(err)
	}
	if got := b.log.types(); got != "intent attempt outcome" {
		t.Errorf("log holds %q", got)
	}
	rec := b.log.last()
	if rec.Context.ModelName != "small" || len(rec.Attempts) != 2 || rec.Attempts[0].Code != "upstream" || rec.Attempts[0].HTTPStatus != 529 {
		t.Errorf("record: model %q, attempts %+v", rec.Context.ModelName, rec.Attempts)
	}
	if got := rec.What.Cost.String(); got != "0.00003" {
		t.Errorf("cost %s: a refused attempt bills nothing", got)
	}
}

func TestEndings(t *testing.T) {
	final := &call.AttemptError{Err: signalbox.Errorf(signalbox.CodeInvalid, "bad field"), HTTPStatus: 400, Sent: true}
	silent := &call.AttemptError{Err: signalbox.Errorf(signalbox.CodeTimeout, "no first byte"), Sent: true, Next: true}
	one := fixedResolver{candidates: []signalbox.Candidate{candidate("small", "p"), candidate("next", "p")}}
	tests := []struct {
		name     string
		resolver fixedResolver
		backend  call.Backend
		outcome  signalbox.Outcome
		code     signalbox.Code
		records  string
		basis    signalbox.Basis
	}{
		{
			"a refusal by a station is denied and has no intent",
			fixedResolver{err: signalbox.Errorf(signalbox.CodeForbidden, "no")},
			nil, signalbox.OutcomeDenied, signalbox.CodeForbidden, "outcome", signalbox.BasisNone,
		},
		{
			"a foreign error is internal and a failure",
			fixedResolver{},
			nil,
			signalbox.OutcomeDenied, signalbox.CodeNotFound, "outcome", signalbox.BasisNone,
		},
		{
			"an upstream that can not be asked what it has is a failure",
			fixedResolver{err: signalbox.Errorf(signalbox.CodeUpstream, "not reachable")},
			nil, signalbox.OutcomeFailed, signalbox.CodeUpstream, "outcome", signalbox.BasisNone,
		},
		{
			"so is one that is too slow to say it",
			fixedResolver{err: signalbox.Errorf(signalbox.CodeTimeout, "too slow")},
			nil, signalbox.OutcomeFailed, signalbox.CodeTimeout, "outcome", signalbox.BasisNone,
		},
		{"the upstream's no to the request is final", one, refuses(final), signalbox.OutcomeFailed, signalbox.CodeInvalid, "intent outcome", signalbox.BasisNone},
		{"silence after sending is tried elsewhere and counted", one, refuses(silent), signalbox.OutcomeFailed, signalbox.CodeTimeout, "intent attempt outcome", signalbox.BasisEstimated},
		{
			"a panic means no, and it may have left", one,
			backendFunc(func(context.Context, *call.Track, signalbox.Candidate, signalbox.Span) (call.Upstream, error) {
				panic("boom")
			}),
			signalbox.OutcomeFailed, signalbox.CodeInternal, "intent outcome", signalbox.BasisEstimated,
		},
		{"an answer without an end is a failure", one, serves(&script{parts: []call.Part{{Data: []byte("half")}}, report: call.Report{OutputBytes: 30}}), signalbox.OutcomeFailed, signalbox.CodeUpstream, "intent outcome", signalbox.BasisEstimated},
		{"an answer that breaks is a failure", one, serves(&script{err: signalbox.Errorf(signalbox.CodeTimeout, "idle")}), signalbox.OutcomeFailed, signalbox.CodeTimeout, "intent outcome", signalbox.BasisEstimated},
		{"a caller who leaves has cancelled", one, serves(&script{err: context.Canceled}), signalbox.OutcomeCancelled, signalbox.CodeCancelled, "intent outcome", signalbox.BasisEstimated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(tt.resolver, map[string]call.Backend{"p": tt.backend})
			a, err := b.handler.Serve(t.Context(), call.NewTrack(modelCall()))
			if err == nil {
				_, err = read(t, a)
			}
			if got := signalbox.CodeOf(err); got != tt.code {
				t.Errorf("code %s, want %s (%v)", got, tt.code, err)
			}
			rec := b.log.last()
			if b.log.types() != tt.records || rec.Outcome != tt.outcome || rec.What.CostBasis != tt.basis {
				t.Errorf("log %q, outcome %s, basis %s", b.log.types(), rec.Outcome, rec.What.CostBasis)
			}
			if rec.Error == nil || rec.Error.Code != tt.code {
				t.Errorf("recorded error %+v", rec.Error)
			}
		})
	}
}

func TestCloseBeforeTheEndIsCancelled(t *testing.T) {
	up := &script{parts: []call.Part{{Data: []byte("a")}, {Data: []byte("b")}}, report: call.Report{OutputBytes: 31}}
	b := newBench(fixedResolver{candidates: []signalbox.Candidate{candidate("small", "p")}}, map[string]call.Backend{"p": serves(up)})
	a, err := b.handler.Serve(t.Context(), call.NewTrack(modelCall()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	rec := b.log.last()
	if b.log.types() != "intent outcome" || rec.Outcome != signalbox.OutcomeCancelled {
		t.Fatalf("log %q, outcome %s", b.log.types(), rec.Outcome)
	}
	if want := (signalbox.Usage{Input: 100, Output: 11}); *rec.What.Tokens != want {
		t.Errorf("estimated %+v, want %+v", *rec.What.Tokens, want)
	}
}

func TestTooManyLostOutcomesCloseTheDoor(t *testing.T) {
	b := newBench(fixedResolver{candidates: []signalbox.Candidate{candidate("small", "p")}}, map[string]call.Backend{
		"p": backendFunc(func(context.Context, *call.Track, signalbox.Candidate, signalbox.Span) (call.Upstream, error) {
			return &script{parts: []call.Part{{Terminal: true}}}, nil
		}),
	})
	for range call.MaxLost {
		b.log.breakDown(false)
		a, err := b.handler.Serve(t.Context(), call.NewTrack(modelCall()))
		if err != nil {
			t.Fatal(err)
		}
		b.log.breakDown(true)
		if _, err := a.Next(t.Context()); err == nil {
			t.Fatal("the answer ended well without its outcome")
		}
	}
	b.log.breakDown(false)
	if _, err := b.handler.Serve(t.Context(), call.NewTrack(modelCall())); signalbox.CodeOf(err) != signalbox.CodeUnavailable {
		t.Fatalf("got %v, want unavailable", err)
	}
	if err := b.recorder.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.handler.Serve(t.Context(), call.NewTrack(modelCall())); err != nil {
		t.Fatalf("after settling: %v", err)
	}
}

func TestNoContentLeavesSizesOnly(t *testing.T) {
	b := newBench(fixedResolver{candidates: []signalbox.Candidate{candidate("small", "p")}}, map[string]call.Backend{
		"p": serves(&script{parts: []call.Part{{Terminal: true}}, report: call.Report{Excerpt: "words"}}),
	})
	b.recorder.NoContent = true
	a, err := b.handler.Serve(t.Context(), call.NewTrack(modelCall()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, a); err != nil {
		t.Fatal(err)
	}
	if w := b.log.last().What; w.InputSummary != "300 bytes, 1 messages, 0 tools" || w.OutputSummary != "" {
		t.Errorf("summaries %q and %q", w.InputSummary, w.OutputSummary)
	}
}

// Outcomes are settled once each, also where the regular settling and that of the stop come together.
func TestSettlingAtTheSameTime(t *testing.T) {
	b := newBench(fixedResolver{candidates: []signalbox.Candidate{candidate("small", "p")}}, map[string]call.Backend{
		"p": backendFunc(func(context.Context, *call.Track, signalbox.Candidate, signalbox.Span) (call.Upstream, error) {
			return &script{parts: []call.Part{{Terminal: true}}}, nil
		}),
	})
	const lost = 300
	for range lost {
		b.log.breakDown(false)
		a, err := b.handler.Serve(t.Context(), call.NewTrack(modelCall()))
		if err != nil {
			t.Fatal(err)
		}
		b.log.breakDown(true)
		if _, err := a.Next(t.Context()); err == nil {
			t.Fatal("the answer ended well without its outcome")
		}
	}
	b.log.breakDown(false)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := b.recorder.Settle(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	outcomes := map[string]int{}
	for _, r := range b.log.records {
		if r.Type == signalbox.RecordOutcome {
			outcomes[r.Call]++
		}
	}
	for id, n := range outcomes {
		if n != 1 {
			t.Errorf("call %s has %d outcomes", id, n)
		}
	}
	if len(outcomes) != lost {
		t.Errorf("%d of %d outcomes were written", len(outcomes), lost)
	}
}
