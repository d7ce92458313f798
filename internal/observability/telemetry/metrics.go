package telemetry

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"

	"github.com/signalbox/signalbox"
)

// instruments are what finished calls are counted with.
type instruments struct {
	calls        metric.Int64Counter
	callDuration metric.Float64Histogram
	cost         metric.Int64Counter
	commit       metric.Float64Histogram

	duration   metric.Float64Histogram
	firstChunk metric.Float64Histogram
	tokenUsage metric.Int64Histogram
	input      metric.Int64Histogram
	output     metric.Int64Histogram
	used       []usageCounter
	mcpClient  metric.Float64Histogram
	mcpServer  metric.Float64Histogram
}

// usageCounter counts one kind of tokens.
type usageCounter struct {
	metric.Int64Counter
	of func(signalbox.Usage) int64
}

// maker makes instruments and keeps their errors.
type maker struct {
	metric.Meter
	err error
}

func (m *maker) counter(name, unit, description string) metric.Int64Counter {
	c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
	m.err = errors.Join(m.err, err)
	return c
}

func (m *maker) seconds(name, description string, buckets []float64) metric.Float64Histogram {
	h, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(buckets...))
	m.err = errors.Join(m.err, err)
	return h
}

func (m *maker) tokens(name, description string) metric.Int64Histogram {
	h, err := m.Int64Histogram(name, metric.WithUnit("{token}"), metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(tokenBuckets...))
	m.err = errors.Join(m.err, err)
	return h
}

func newInstruments(meter metric.Meter) (instruments, error) {
	m := &maker{Meter: meter}
	i := instruments{
		calls:        m.counter("signalbox.calls", "{call}", "Calls that have ended."),
		callDuration: m.seconds("signalbox.call.duration", "How long calls took, all attempts included.", secondBuckets),
		cost:         m.counter("signalbox.cost.nanodollars", "{nanodollar}", "Cost of attempts, in 1e-9 US dollars."),
		commit:       m.seconds("signalbox.log.commit.duration", "How long transactions of the log took.", commitBuckets),
		duration:     m.seconds(metricOperationDuration, "How long attempts at models took.", secondBuckets),
		firstChunk:   m.seconds(metricFirstChunk, "Time to the first chunk of streams.", secondBuckets),
		tokenUsage:   m.tokens(metricTokenUsage, "Tokens of attempts, by type."),
		input:        m.tokens(metricOperationInput, "Input tokens of attempts."),
		output:       m.tokens(metricOperationOutput, "Output tokens of attempts."),
		mcpClient:    m.seconds(metricMCPClient, "How long attempts at tools took.", secondBuckets),
		mcpServer:    m.seconds(metricMCPServer, "How long calls of tools took.", secondBuckets),
	}
	for _, u := range []struct {
		name string
		of   func(signalbox.Usage) int64
	}{
		{metricInputTokens, func(u signalbox.Usage) int64 { return u.Input }},
		{metricOutputTokens, func(u signalbox.Usage) int64 { return u.Output }},
		{metricCacheReadTokens, func(u signalbox.Usage) int64 { return u.CacheRead }},
		{metricCacheWriteTokens, func(u signalbox.Usage) int64 { return u.CacheWrite }},
		{metricReasoningTokens, func(u signalbox.Usage) int64 { return u.Reasoning }},
	} {
		i.used = append(i.used, usageCounter{m.counter(u.name, "{token}", "Tokens used, as billed."), u.of})
	}
	return i, m.err
}

// call counts a finished call and its attempts.
func (i *instruments) call(r signalbox.Record) {
	ctx := context.Background()
	seconds := float64(r.When.DurationMS) / 1000
	of := attribute.NewSet(kindKey.String(string(r.What.Kind)), outcomeLabelKey.String(string(r.Outcome)), codeKey.String(codeOf(r)))
	i.calls.Add(ctx, 1, metric.WithAttributeSet(of))
	i.callDuration.Record(ctx, seconds, metric.WithAttributes(kindKey.String(string(r.What.Kind)), outcomeLabelKey.String(string(r.Outcome))))
	if r.What.Kind == signalbox.KindTool {
		i.mcpServer.Record(ctx, seconds, metric.WithAttributes(toolAttributes(r, codeOf(r))...))
	}
	for _, a := range r.Attempts {
		i.attempt(ctx, r, a)
	}
}

func codeOf(r signalbox.Record) string {
	if r.Error == nil {
		return ""
	}
	return string(r.Error.Code)
}

func (i *instruments) attempt(ctx context.Context, r signalbox.Record, a signalbox.Attempt) {
	seconds := float64(a.DurationMS) / 1000
	if r.What.Kind == signalbox.KindTool {
		i.mcpClient.Record(ctx, seconds, metric.WithAttributes(toolAttributes(r, string(a.Code))...))
	} else {
		i.model(ctx, r, a, seconds)
	}
	if a.Cost != nil {
		i.cost.Add(ctx, int64(*a.Cost), metric.WithAttributes(
			kindKey.String(string(r.What.Kind)), attribute.String("provider", a.Provider), attribute.String("model", priced(r, a))))
	}
}

// priced names what was paid for: a model as it is configured, or a tool's server.
func priced(r signalbox.Record, a signalbox.Attempt) string {
	if r.What.Kind == signalbox.KindTool {
		return ""
	}
	return a.Name
}

// toolAttributes leave the tool's name out of failures: what does not exist has any name that a caller makes up.
func toolAttributes(r signalbox.Record, code string) []attribute.KeyValue {
	l := list{semconv.McpMethodNameKey.String(methodCall), semconv.GenAIOperationNameKey.String(operationTool)}
	l.text(semconv.ErrorTypeKey, code)
	if code == "" && r.Outcome == signalbox.OutcomeOK {
		l.text(semconv.GenAIToolNameKey, r.What.ToolName)
	}
	return l
}

func (i *instruments) model(ctx context.Context, r signalbox.Record, a signalbox.Attempt, seconds float64) {
	base := list{
		semconv.GenAIOperationNameKey.String(operationChat), semconv.GenAIProviderNameKey.String(a.ProviderName),
		semconv.GenAIRequestModelKey.String(a.Name),
	}
	if r.Context.Simulated || a.Simulated {
		base = append(base, simulatedKey.Bool(true))
	}
	known := metric.WithAttributeSet(attribute.NewSet(base...))
	if r.Context.Stream && a.FirstByteMS > 0 {
		i.firstChunk.Record(ctx, float64(a.FirstByteMS)/1000, known)
	}
	failed := append(list{}, base...)
	failed.text(semconv.ErrorTypeKey, string(a.Code))
	i.duration.Record(ctx, seconds, metric.WithAttributeSet(attribute.NewSet(failed...)))
	i.tokens(ctx, a, base, known)
}

// tokens counts what was used; an attempt that used nothing adds zero, so that its series exists.
func (i *instruments) tokens(ctx context.Context, a signalbox.Attempt, base list, known metric.MeasurementOption) {
	var used signalbox.Usage
	if a.Usage != nil {
		used = *a.Usage
		i.input.Record(ctx, used.Input, known)
		i.output.Record(ctx, used.Output, known)
		for kind, n := range map[string]int64{"input": used.Input, "output": used.Output} {
			i.tokenUsage.Record(ctx, n, metric.WithAttributeSet(attribute.NewSet(append(base[:len(base):len(base)], semconv.GenAITokenTypeKey.String(kind))...)))
		}
	}
	modal := metric.WithAttributeSet(attribute.NewSet(append(base[:len(base):len(base)], tokenModalityKey.String("unknown"))...))
	for _, u := range i.used {
		u.Add(ctx, u.of(used), modal)
	}
}
