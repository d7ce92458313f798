package telemetry

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/signalbox/signalbox"
)

// scope is the name of the instrumentation in everything exported.
const scope = "github.com/signalbox/signalbox"

// Options say what [New] sets up.
type Options struct {
	Version string
	// Env says which exporters are wanted; nil is the process's environment, which the SDK itself reads in any case.
	Env func(string) (string, bool)
	// CaptureContent adds the masked excerpts of request and answer to spans, and the messages of errors, which may quote
	// them; without it a span has only the error's code.
	CaptureContent bool
	// AgentName gives the name of an agent by its id, "" where it has none; nil: agents are named by their ids.
	AgentName func(id string) string
	// Report is told what exporters could not do; nil leaves it to the SDK, which writes to standard error. The SDK has one
	// such function for the whole process.
	Report func(error)
}

// Telemetry makes spans and metrics out of finished calls. It is safe for concurrent use.
type Telemetry struct {
	registry *prometheus.Registry
	meters   *sdkmetric.MeterProvider
	traces   *sdktrace.TracerProvider // Nil where nobody wants spans.
	exporter sdktrace.SpanExporter
	tracer   trace.Tracer
	meter    metric.Meter
	metrics  instruments
	content  bool
	names    func(id string) string
}

// agentName is the agent's name, which is its id where it has no other.
func (t *Telemetry) agentName(id string) string {
	if t.names != nil {
		return cmp.Or(t.names(id), id)
	}
	return id
}

// New sets up what the environment asks for. It connects to nobody: an OTLP receiver that can not be reached is found out
// by the exporters, later. Errors are of code invalid and name the variable.
func New(ctx context.Context, o Options) (*Telemetry, error) {
	if o.Env == nil {
		o.Env = os.LookupEnv
	}
	if o.Report != nil {
		otel.SetErrorHandler(otel.ErrorHandlerFunc(o.Report))
	}
	plan, err := planOf(o.Env)
	if err != nil {
		return nil, err
	}
	res, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		semconv.ServiceName("signalbox"), semconv.ServiceVersion(o.Version),
	), resource.WithFromEnv())
	if err != nil {
		return nil, badVariable("OTEL_RESOURCE_ATTRIBUTES", "it is not a list of key=value").WithCause(err)
	}
	t := &Telemetry{registry: prometheus.NewRegistry(), content: o.CaptureContent, names: o.AgentName}
	if err := t.startMetrics(ctx, plan, res, o.Version); err != nil {
		return nil, err
	}
	if err := t.startTraces(ctx, plan, res, o.Version); err != nil {
		return nil, errors.Join(err, t.meters.Shutdown(ctx))
	}
	return t, nil
}

func (t *Telemetry) startMetrics(ctx context.Context, p plan, res *resource.Resource, version string) error {
	t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := promexporter.New(promexporter.WithRegisterer(t.registry), promexporter.WithoutScopeInfo())
	if err != nil {
		return err
	}
	options := []sdkmetric.Option{sdkmetric.WithResource(res), sdkmetric.WithReader(exporter)}
	if p.metrics.wanted {
		exporter, err := p.metricExporter(ctx)
		if err != nil {
			return err
		}
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	}
	t.meters = sdkmetric.NewMeterProvider(options...)
	t.meter = t.meters.Meter(scope, metric.WithInstrumentationVersion(version))
	t.metrics, err = newInstruments(t.meter)
	return err
}

func (t *Telemetry) startTraces(ctx context.Context, p plan, res *resource.Resource, version string) error {
	if !p.traces.wanted {
		return nil
	}
	exporter, err := p.traceExporter(ctx)
	if err != nil {
		return err
	}
	t.exporter = exporter
	t.traces = sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithIDGenerator(givenIDs{}),
		sdktrace.WithBatcher(exporter))
	t.tracer = t.traces.Tracer(scope, trace.WithInstrumentationVersion(version))
	return nil
}

// Ended counts a finished call and makes its spans. Records that are not outcomes are ignored.
func (t *Telemetry) Ended(r signalbox.Record) {
	if r.Type != signalbox.RecordOutcome {
		return
	}
	t.metrics.call(r)
	if t.tracer != nil {
		t.spans(r)
	}
}

// Committed tells how long one transaction of the log took.
func (t *Telemetry) Committed(took time.Duration) {
	t.metrics.commit.Record(context.Background(), took.Seconds())
}

// Gauge shows what f gives whenever metrics are read, under the name ("signalbox.calls.in_flight"; Prometheus has
// underscores for dots). f must be quick and safe for concurrent use.
func (t *Telemetry) Gauge(name, description string, f func() int64) error {
	_, err := t.meter.Int64ObservableGauge(name, metric.WithDescription(description), metric.WithInt64Callback(observe(f)))
	return err
}

// Counter is [Telemetry.Gauge] for a number that never falls; Prometheus adds "_total" to its name.
func (t *Telemetry) Counter(name, description string, f func() int64) error {
	_, err := t.meter.Int64ObservableCounter(name, metric.WithDescription(description), metric.WithInt64Callback(observe(f)))
	return err
}

func observe(f func() int64) metric.Int64Callback {
	return func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(f())
		return nil
	}
}

// Handler serves the metrics in Prometheus's format.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Shutdown sends what is waiting and ends the exporters; what they can not send until ctx ends is lost.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	err := t.meters.Shutdown(ctx)
	if t.traces == nil {
		return err
	}
	if failed := t.traces.Shutdown(ctx); failed != nil {
		// The provider goes on sending behind its own back; this stops it.
		err = errors.Join(err, failed, t.exporter.Shutdown(ctx))
	}
	return err
}
