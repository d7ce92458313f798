package call

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/signalbox/signalbox"
)

// MaxSummary bounds a summary in a record, in bytes of masked text.
const MaxSummary = 240

// usualWord is by how much the last word of a summary usually goes beyond its end, at the most.
const usualWord = 32

// record makes the record of a track as it stands.
func (r *Recorder) record(t *Track, kind signalbox.RecordType) signalbox.Record {
	now := r.Now().UTC()
	return signalbox.Record{
		Type: kind, Call: t.Call.ID, Time: now,
		Who:      who(t),
		What:     r.what(t, kind),
		When:     when(t, now.Sub(t.Call.Received).Milliseconds(), kind),
		Context:  r.context(t),
		Attempts: r.maskedAttempts(t),
	}
}

func who(t *Track) signalbox.Who {
	w := t.Gate.Caller.Who(t.Gate.Caller.Tenant)
	w.Source, w.SubjectID = t.Call.Source, t.Call.Claims.Subject
	return w
}

func (r *Recorder) what(t *Track, kind signalbox.RecordType) signalbox.What {
	w := signalbox.What{Action: signalbox.ActionModelCall, Kind: t.Call.Kind, InputSummary: r.input(t)}
	if t.Call.Tool != nil {
		w.Action, w.ToolName = signalbox.ActionToolCall, r.name(t, t.Call.Tool.ID())
		w.Operation, w.ResourceID = string(t.Policy.Operation), r.resources(t.Policy.Accesses)
	}
	if kind == signalbox.RecordOutcome {
		w.Tokens = t.Usage()
		w.Cost, w.CostBasis = t.Cost()
		w.OutputSummary = r.summary(t.Excerpt)
	}
	return w
}

// input is the summary of what was asked; intent and outcome have the same.
func (r *Recorder) input(t *Track) string {
	if t.input == "" {
		t.input = r.summarise(t)
	}
	return t.input
}

// summarise gives the size and shape of what was asked, then a masked excerpt.
func (r *Recorder) summarise(t *Track) string {
	switch c := t.Call; {
	case c.Model != nil:
		return join(fmt.Sprintf("%d bytes, %d messages, %d tools", len(c.Body), c.Model.Messages, c.Model.Tools),
			r.summary(c.Model.Prompt))
	case c.Tool != nil && len(c.Tool.Inputs) > 0: // The answers first: the arguments are in the record of the call before.
		return join(fmt.Sprintf("%d bytes of answers, %d of arguments", len(c.Tool.Inputs), len(c.Tool.Arguments)),
			r.summary(string(c.Tool.Inputs)+" "+string(c.Tool.Arguments)))
	case c.Tool != nil:
		arguments := t.Tool().Arguments
		return join(fmt.Sprintf("%d bytes of arguments", len(arguments)), r.summary(string(arguments)))
	}
	return fmt.Sprintf("%d bytes", len(t.Call.Body))
}

func join(size, text string) string {
	if text == "" {
		return size
	}
	return size + ": " + text
}

// summary is what is kept of content; nothing, where the operator wants none of it.
func (r *Recorder) summary(text string) string {
	if r.NoContent {
		return ""
	}
	return r.short(text)
}

// short masks first and cuts then, so that the cut can not hide a secret from its detector.
func (r *Recorder) short(text string) string {
	if text == "" {
		return ""
	}
	masked := words(r.Masker.Mask(text))
	if len(masked) <= MaxSummary {
		return masked
	}
	cut := MaxSummary
	for !utf8.RuneStart(masked[cut]) {
		cut--
	}
	return masked[:cut] + "…"
}

// words joins the words of a text with single spaces, as far as a summary goes.
func words(text string) string {
	var b strings.Builder
	b.Grow(min(len(text), MaxSummary+usualWord))
	for word := range strings.FieldsSeq(text) {
		if b.Len() > MaxSummary {
			break
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	return b.String()
}

func when(t *Track, duration int64, kind signalbox.RecordType) signalbox.When {
	w := signalbox.When{
		Timestamp: t.Call.Received.UTC(), TraceID: t.Call.Span.TraceID, SpanID: t.Call.Span.SpanID,
		ParentSpanID: t.Call.Span.Parent,
	}
	if kind == signalbox.RecordOutcome {
		w.DurationMS = duration
		if a := t.Served(); a != nil {
			w.FirstByteMS = a.Started.Sub(t.Call.Received).Milliseconds() + a.FirstByteMS
		}
	}
	return w
}

// context is what surrounded the call. What the caller wrote freely, be it in place of a model's name, is masked and cut
// like any other text.
func (r *Recorder) context(t *Track) signalbox.Context {
	c := signalbox.Context{
		RequestID: t.Call.RequestID, RunID: t.Gate.Run, StepIndex: t.Call.Claims.Step, StepKind: t.Call.Claims.StepKind,
		Purpose: r.short(t.Call.Claims.Purpose), RiskLevel: string(t.Policy.Risk), PolicyVersion: t.Policy.Version,
		Route: t.Resolve.Route, Protocol: t.Call.Protocol, Stream: t.Call.Stream, ApprovedBy: t.Approval.By,
		ApprovalStatus: approvalStatus(t.Approval.State), ApprovalID: t.Approval.ID, PolicyRule: t.Policy.Rule, BreakGlass: t.Policy.BreakGlass,
		ReplayOf: t.Idempotency.ReplayOf, Replica: r.Replica, Downgraded: t.Resolve.Downgraded, Guard: t.guarded(),
	}
	if t.Call.Model != nil {
		c.RequestedModel = r.name(t, t.Call.Model.Model)
		c.ModelName = c.RequestedModel
	}
	if served := current(t); served != nil {
		c.Provider, c.Simulated = served.Provider, served.Simulated
		if t.Call.Kind == signalbox.KindModel {
			c.ModelName = served.Name
		}
	}
	return c
}

// approvalStatus is the state in the words of the seed, which has three of them.
func approvalStatus(s signalbox.ApprovalState) string {
	switch s {
	case signalbox.ApprovalPending, signalbox.ApprovalApproved, "":
		return string(s)
	case signalbox.ApprovalDenied, signalbox.ApprovalExpired, signalbox.ApprovalStale, signalbox.ApprovalWithdrawn:
	}
	return "rejected"
}

// resources names what a call touches.
func (r *Recorder) resources(list []signalbox.Access) string {
	switch len(list) {
	case 0:
		return ""
	case 1:
		return r.summary(list[0].Resource)
	}
	names := make([]string, len(list))
	for i, a := range list {
		names[i] = a.Resource
	}
	return r.summary(strings.Join(names, ", "))
}

// name is what the caller named to be called. Unless it is known, the name is a text like any other.
func (r *Recorder) name(t *Track, name string) string {
	if t.Resolve.Status == signalbox.StatusPassed {
		return name
	}
	return r.short(name)
}

// current is the candidate that stands for the call: the one tried last, else the one first in line.
func current(t *Track) *signalbox.Candidate {
	if n := len(t.Attempts); n > 0 {
		a := t.Attempts[n-1]
		return &signalbox.Candidate{Name: a.Name, Provider: a.Provider, Simulated: a.Simulated}
	}
	if len(t.Resolve.Candidates) > 0 {
		return &t.Resolve.Candidates[0]
	}
	return nil
}

func (r *Recorder) maskedAttempts(t *Track) []signalbox.Attempt {
	if len(t.Attempts) == 0 {
		return nil
	}
	attempts := make([]signalbox.Attempt, len(t.Attempts))
	for i, a := range t.Attempts {
		a.Message = r.Masker.Mask(a.Message)
		attempts[i] = a
	}
	return attempts
}
