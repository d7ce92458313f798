package faults

import (
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/upstream"
)

// checkRecord: the record tells the same story as the answer.
func (b bench) checkRecord(t *testing.T, c cell, a harness.Answer, served bool) {
	t.Helper()
	id := a.Header.Get("X-Signalbox-Call")
	if id == "" {
		t.Fatal("the answer has no X-Signalbox-Call")
	}
	d, w := b.Call(t, id), wants[c.fault]
	attempts := 1
	if w.code != "" && served {
		attempts = 2
	}
	if d.Attempts != attempts || len(d.Detail) != attempts {
		t.Fatalf("the record has %d attempts (%d in detail), want %d", d.Attempts, len(d.Detail), attempts)
	}
	checkOutcome(t, d, served, w.code)
	checkAttempt(t, d.Detail[0], w, c.stream)
	if attempts == 2 {
		checkFallback(t, d.Detail[1])
	}
	if c.stream != d.Stream || d.CostEstimate == nil {
		t.Errorf("stream %v, cost %v", d.Stream, d.CostEstimate)
	}
	b.checkUsage(t, c, d, a)
}

func checkOutcome(t *testing.T, d api.CallDetail, served bool, code signalbox.Code) {
	t.Helper()
	outcome := signalbox.OutcomeFailed
	if served {
		outcome = signalbox.OutcomeOK
	}
	if d.Outcome != outcome {
		t.Errorf("the outcome is %s, want %s", d.Outcome, outcome)
	}
	if served != (d.Error == nil) || d.Error != nil && d.Error.Code != code {
		t.Errorf("the record's error is %+v, want code %q", d.Error, code)
	}
	if d.Error != nil && strings.Contains(d.Error.Message, upstream.Secret) {
		t.Error("the record has the provider's credential")
	}
}

func checkAttempt(t *testing.T, a api.Attempt, w want, stream bool) {
	t.Helper()
	code := signalbox.Code("")
	if a.ErrorCode != nil {
		code = *a.ErrorCode
	}
	if code != w.code || (a.Status == "ok") != (w.code == "") {
		t.Errorf("the attempt is %s with code %q, want %q", a.Status, code, w.code)
	}
	basis := w.basis
	if w.told && stream {
		basis = signalbox.BasisReported
	}
	if a.CostBasis != basis {
		t.Errorf("the attempt's usage is %s, want %s", a.CostBasis, basis)
	}
}

func checkFallback(t *testing.T, a api.Attempt) {
	t.Helper()
	if a.Status != "ok" || a.CostBasis != signalbox.BasisReported || !strings.HasPrefix(a.ModelName, "good-") {
		t.Errorf("the fallback's attempt is %s by %s, usage %s", a.Status, a.ModelName, a.CostBasis)
	}
	if a.InputTokens == nil || *a.InputTokens != upstream.Input || a.OutputTokens == nil || *a.OutputTokens != upstream.Output() {
		t.Errorf("the fallback's usage is %v in and %v out", a.InputTokens, a.OutputTokens)
	}
	// 60 × 1 + 40 × 0.5 + output × 2 millionths of a dollar.
	if a.CostEstimate == nil || *a.CostEstimate != "0.0001" {
		t.Errorf("the fallback cost %v, want 0.0001", a.CostEstimate)
	}
}

// checkUsage: what has reached the caller is counted, by what the provider says or by an estimate that is not below it.
func (b bench) checkUsage(t *testing.T, c cell, d api.CallDetail, a harness.Answer) {
	t.Helper()
	if wants[c.fault].basis == signalbox.BasisNone && d.Attempts == 1 {
		if d.OutputTokens != nil && *d.OutputTokens != 0 {
			t.Errorf("%d output tokens are counted where nothing was consumed", *d.OutputTokens)
		}
		return
	}
	if d.InputTokens == nil || *d.InputTokens == 0 {
		t.Errorf("no input is counted")
	}
	if !c.stream {
		return
	}
	got := int64(len(strings.Fields(read(t, a.Body).text)))
	if d.OutputTokens == nil || *d.OutputTokens < got {
		t.Errorf("%v output tokens are counted, and the caller got %d words", d.OutputTokens, got)
	}
}
