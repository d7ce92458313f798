package telemetry

import (
	"context"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/signalbox/signalbox"
)

// spans makes the call's span and those of its attempts. A record without valid ids has none.
func (t *Telemetry) spans(r signalbox.Record) {
	traceID, err := trace.TraceIDFromHex(r.When.TraceID)
	if err != nil {
		return
	}
	spanID, err := trace.SpanIDFromHex(r.When.SpanID)
	if err != nil {
		return
	}
	ctx := withIDs(parentOf(traceID, r.When.ParentSpanID), traceID, spanID)
	ctx, span := t.tracer.Start(ctx, callName(r), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithTimestamp(r.When.Timestamp), trace.WithAttributes(t.callAttributes(r)...))
	for _, a := range r.Attempts {
		t.attempt(ctx, traceID, r, a)
	}
	switch {
	case r.Outcome != signalbox.OutcomeOK:
		span.SetStatus(codes.Error, t.failure(r))
	case failedTool(r) != "":
		span.SetStatus(codes.Error, toolFailed)
	}
	span.End(trace.WithTimestamp(after(r.When.Timestamp, r.When.DurationMS)))
}

// parentOf gives a context with the caller's span, or an empty one. A recorded call is always sampled here: its record is
// kept whole, and so is its trace.
func parentOf(traceID trace.TraceID, parent string) context.Context {
	id, err := trace.SpanIDFromHex(parent)
	if err != nil {
		return context.Background()
	}
	return trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID, SpanID: id, TraceFlags: trace.FlagsSampled, Remote: true,
	}))
}

func (t *Telemetry) attempt(ctx context.Context, traceID trace.TraceID, r signalbox.Record, a signalbox.Attempt) {
	id, err := trace.SpanIDFromHex(a.SpanID)
	if err != nil {
		return
	}
	name := operationChat + " " + a.Upstream
	if r.What.Kind == signalbox.KindTool {
		name = actOf(r).span(a.Upstream)
	}
	_, span := t.tracer.Start(withIDs(ctx, traceID, id), name, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithTimestamp(a.Started), trace.WithAttributes(t.attemptAttributes(r, a)...))
	switch {
	case a.Code != "":
		span.SetStatus(codes.Error, t.says(a.Message, string(a.Code)))
	case a.Finish == toolFailed && r.What.Kind == signalbox.KindTool:
		span.SetStatus(codes.Error, toolFailed)
	}
	span.End(trace.WithTimestamp(after(a.Started, a.DurationMS)))
}

func after(start time.Time, ms int64) time.Time {
	return start.Add(time.Duration(ms) * time.Millisecond)
}

func (t *Telemetry) failure(r signalbox.Record) string {
	if r.Error != nil {
		return t.says(r.Error.Message, string(r.Error.Code))
	}
	return string(r.Outcome)
}

// says gives the message of an error where content is wanted, else its code: messages quote what the caller wrote, and
// what a provider said about it.
func (t *Telemetry) says(message, code string) string {
	if t.content {
		return message
	}
	return code
}

func callName(r signalbox.Record) string {
	if r.What.Kind == signalbox.KindTool {
		return actOf(r).span(r.What.ToolName)
	}
	return strings.TrimSpace(operationChat + " " + asked(r))
}

// asked is the model as the caller wrote it, or the one that was taken.
func asked(r signalbox.Record) string {
	if r.Context.RequestedModel != "" {
		return r.Context.RequestedModel
	}
	return r.Context.ModelName
}

// list collects attributes and leaves out those that are not known.
type list []attribute.KeyValue

func (l *list) text(key attribute.Key, value string) {
	if value != "" {
		*l = append(*l, key.String(value))
	}
}

func (l *list) number(key attribute.Key, value int64) {
	if value != 0 {
		*l = append(*l, key.Int64(value))
	}
}

// guard adds what the guard did in one direction: how often each detector found something, and nothing of what it found.
func (l *list) guard(direction string, s *signalbox.GuardSide) {
	if s == nil {
		return
	}
	l.text(attribute.Key("signalbox.guard."+direction+".action"), string(s.Action))
	found := map[signalbox.GuardDetector]int64{}
	for _, f := range s.Found {
		found[f.Detector] += f.Count
	}
	for _, d := range signalbox.GuardDetectors() {
		l.number(attribute.Key("signalbox.guard."+direction+".found."+string(d)), found[d])
	}
}

// callAttributes are those of the call as a whole.
func (t *Telemetry) callAttributes(r signalbox.Record) []attribute.KeyValue {
	l := t.common(r)
	l.text(callIDKey, r.Call)
	l.text(requestKey, r.Context.RequestID)
	l.text(outcomeKey, string(r.Outcome))
	l.text(routeKey, r.Context.Route)
	l.number(attemptsKey, int64(len(r.Attempts)))
	if r.What.Kind == signalbox.KindModel {
		l.text(semconv.GenAIRequestModelKey, asked(r))
		l.text(semconv.GenAIResponseModelKey, r.Context.ModelName)
		l = append(l, semconv.GenAIRequestStreamKey.Bool(r.Context.Stream))
	}
	if r.What.Cost != nil {
		l.text(costTotalKey, r.What.Cost.String())
	}
	l.text(costBasisKey, string(r.What.CostBasis))
	switch {
	case r.Error != nil:
		l.text(semconv.ErrorTypeKey, string(r.Error.Code))
	case r.Outcome != signalbox.OutcomeOK:
		l.text(semconv.ErrorTypeKey, string(r.Outcome))
	default:
		l.text(semconv.ErrorTypeKey, failedTool(r))
	}
	if g := r.Context.Guard; g != nil {
		l.guard("input", g.Input)
		l.guard("output", g.Output)
	}
	if t.content {
		l.text(inputExcerptKey, r.What.InputSummary)
		l.text(outputExcerptKey, r.What.OutputSummary)
	}
	return l
}

// common are the attributes of the call and of its attempts.
func (t *Telemetry) common(r signalbox.Record) list {
	l := make(list, 0, 32)
	l.text(agentIDKey, r.Who.AgentID)
	l.text(agentNameKey, t.agentName(r.Who.AgentID))
	l.text(agentRoleKey, r.Who.AgentRole)
	if r.Context.StepIndex != nil {
		l = append(l, agentStepKey.Int64(*r.Context.StepIndex))
	}
	l.text(runIDKey, r.Context.RunID)
	l.text(semconv.GenAIAgentIDKey, r.Who.AgentID)
	l.text(parentAgentKey, r.Who.ParentAgentID)
	l.text(stepKindKey, r.Context.StepKind)
	l.text(tenantKey, r.Who.TenantID)
	l.text(teamKey, r.Who.Team)
	if r.What.Kind == signalbox.KindTool {
		l = append(l, actOf(r).attributes()...)
		if key, value := actOf(r).target(r); t.content {
			l.text(key, value)
		}
	} else {
		l.text(semconv.GenAIOperationNameKey, operationChat)
	}
	if r.Context.Simulated {
		l = append(l, simulatedKey.Bool(true))
	}
	return l
}

// attemptAttributes are those of one attempt, with what it consumed.
func (t *Telemetry) attemptAttributes(r signalbox.Record, a signalbox.Attempt) []attribute.KeyValue {
	l := t.common(r)
	l = append(l, attemptKey.Int(a.N))
	if r.What.Kind == signalbox.KindModel {
		l.model(r, a)
	}
	if l.text(semconv.ErrorTypeKey, string(a.Code)); a.Code == "" && r.What.Kind == signalbox.KindTool && a.Finish == toolFailed {
		l.text(semconv.ErrorTypeKey, toolFailed)
	}
	if a.HTTPStatus != 0 {
		l = append(l, semconv.HTTPResponseStatusCode(a.HTTPStatus))
	}
	if a.Cost != nil {
		dollars, err := strconv.ParseFloat(a.Cost.String(), 64)
		if err == nil { // A float for show, as the conventions want it; accounts are kept elsewhere.
			l = append(l, estimateKey.Float64(dollars), costAmountKey.Float64(dollars))
		}
		l.text(costCurrencyKey, "USD")
		l.text(costSourceKey, "local") // Computed from a price table, not told by the provider.
	}
	l.text(costBasisKey, string(a.Basis))
	return l
}

func (l *list) model(r signalbox.Record, a signalbox.Attempt) {
	l.text(semconv.GenAIProviderNameKey, a.ProviderName)
	l.text(systemKey, a.ProviderName)
	l.text(semconv.GenAIRequestModelKey, a.Upstream)
	l.text(semconv.GenAIResponseModelKey, a.ResponseName)
	l.text(semconv.GenAIResponseIDKey, a.ResponseID)
	l.text(finishReasonKey, a.Finish)
	if a.Finish != "" {
		*l = append(*l, semconv.GenAIResponseFinishReasons(a.Finish))
	}
	*l = append(*l, semconv.GenAIRequestStreamKey.Bool(r.Context.Stream))
	if r.Context.Stream && a.FirstByteMS > 0 {
		*l = append(*l, semconv.GenAIResponseTimeToFirstChunk(float64(a.FirstByteMS)/1000))
	}
	if u := a.Usage; u != nil {
		*l = append(*l, semconv.GenAIUsageInputTokensKey.Int64(u.Input), semconv.GenAIUsageOutputTokensKey.Int64(u.Output))
		l.number(semconv.GenAIUsageCacheReadInputTokensKey, u.CacheRead)
		l.number(semconv.GenAIUsageCacheCreationInputTokensKey, u.CacheWrite)
		l.number(usageCacheWriteKey, u.CacheWrite)
		l.number(usageReasoningKey, u.Reasoning)
	}
}
