package telemetry

import (
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"

	"github.com/signalbox/signalbox"
)

// cache keeps the labels of each key, which cost more to make than to use. Keys hold only what is configured or ours, so
// that there are few of them.
type cache[K comparable, V any] struct {
	kept   *sync.Map
	labels func(K) V
}

func newCache[K comparable, V any](labels func(K) V) cache[K, V] {
	return cache[K, V]{kept: new(sync.Map), labels: labels}
}

func (c cache[K, V]) get(key K) V {
	if v, ok := c.kept.Load(key); ok {
		return v.(V)
	}
	v := c.labels(key)
	c.kept.Store(key, v)
	return v
}

// set makes labels.
func set(attrs ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attrs...))
}

// callKey is what calls are counted by.
type callKey struct {
	kind    signalbox.Kind
	outcome signalbox.Outcome
	code    string
}

type callLabels struct {
	count    []metric.AddOption
	duration []metric.RecordOption
}

func (k callKey) labels() callLabels {
	kind, outcome := kindKey.String(string(k.kind)), outcomeLabelKey.String(string(k.outcome))
	return callLabels{
		count:    []metric.AddOption{set(kind, outcome, codeKey.String(k.code))},
		duration: []metric.RecordOption{set(kind, outcome)},
	}
}

// toolKey is what acts on tool servers are counted by.
type toolKey struct {
	act
	code string
}

// toolKeyOf leaves the tool's name out of failures: what does not exist has any name that a caller makes up. A tool that
// reports a failure of its own is there.
func toolKeyOf(r signalbox.Record, code string) toolKey {
	k := toolKey{actOf(r), code}
	switch {
	case code != "" || r.Outcome != signalbox.OutcomeOK:
		k.tool = ""
	default:
		k.code = failedTool(r)
	}
	return k
}

func (k toolKey) labels() []metric.RecordOption {
	l := k.attributes()
	l.text(semconv.ErrorTypeKey, k.code)
	return []metric.RecordOption{set(l...)}
}

// modelKey is what attempts at models are counted by: names of the configuration, not of the caller or the upstream.
type modelKey struct {
	provider, name string
	code           signalbox.Code
	simulated      bool
}

type modelLabels struct {
	known         []metric.RecordOption // Provider and model.
	ended         []metric.RecordOption // And how it ended.
	input, output []metric.RecordOption // And the type of tokens.
	modal         []metric.AddOption    // And their modality.
}

func (k modelKey) labels() modelLabels {
	with := func(more ...attribute.KeyValue) metric.MeasurementOption {
		all := []attribute.KeyValue{
			semconv.GenAIOperationNameKey.String(operationChat), semconv.GenAIProviderNameKey.String(k.provider),
			semconv.GenAIRequestModelKey.String(k.name),
		}
		if k.simulated {
			all = append(all, simulatedKey.Bool(true))
		}
		return set(append(all, more...)...)
	}
	var ended list
	ended.text(semconv.ErrorTypeKey, string(k.code))
	return modelLabels{
		known:  []metric.RecordOption{with()},
		ended:  []metric.RecordOption{with(ended...)},
		input:  []metric.RecordOption{with(semconv.GenAITokenTypeInput)},
		output: []metric.RecordOption{with(semconv.GenAITokenTypeOutput)},
		modal:  []metric.AddOption{with(tokenModalityKey.String("unknown"))},
	}
}

// costKey is what cost is counted by; model is "" for tools.
type costKey struct {
	kind            signalbox.Kind
	provider, model string
}

func (k costKey) labels() []metric.AddOption {
	return []metric.AddOption{set(kindKey.String(string(k.kind)), attribute.String("provider", k.provider), attribute.String("model", k.model))}
}
