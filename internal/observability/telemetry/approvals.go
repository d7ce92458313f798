package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/signalbox/signalbox"
)

// approvalMetrics tell how people decide: of which agents and tools they deny or edit what was asked. Agents and tools that
// reach an approval are in the configuration, so there are only so many.
type approvalMetrics struct {
	decided metric.Int64Counter
	waited  metric.Float64Histogram
}

func newApprovalMetrics(m *maker) approvalMetrics {
	return approvalMetrics{
		decided: m.counter("signalbox.approvals.decided", "{approval}",
			"Approvals that are no longer pending, by tenant, agent, tool and state; edited says that a person has changed the arguments."),
		waited: m.seconds("signalbox.approval.wait", "How long approvals were pending that people have decided.", waitBuckets),
	}
}

// waitBuckets are for people: seconds to days.
var waitBuckets = []float64{5, 15, 60, 300, 900, 3600, 14400, 86400, 259200}

// Decided counts an approval that is no longer pending.
func (t *Telemetry) Decided(a signalbox.Approval) {
	labels := metric.WithAttributes(
		attribute.String("tenant", a.Tenant), attribute.String("agent", a.Agent), attribute.String("tool", a.Tool),
		attribute.String("state", string(a.State)), attribute.Bool("edited", a.Edited != ""),
	)
	m := t.metrics.approvals
	m.decided.Add(context.Background(), 1, labels)
	if a.State == signalbox.ApprovalApproved || a.State == signalbox.ApprovalDenied {
		m.waited.Record(context.Background(), a.Decided.Sub(a.Asked).Seconds())
	}
}

// Incident counts an incident.
func (t *Telemetry) Incident(i signalbox.Incident) {
	t.metrics.incidents.Add(context.Background(), 1, metric.WithAttributes(
		attribute.String("tenant", i.Tenant), attribute.String("agent", i.Agent), attribute.String("severity", string(i.Severity)),
		attribute.Bool("write", i.Write),
	))
}

// GaugeBy is [Telemetry.Gauge] for values that have labels: f gives them one by one, each with the value of the label.
func (t *Telemetry) GaugeBy(name, description, label string, f func(show func(of string, value int64))) error {
	_, err := t.meter.Int64ObservableGauge(name, metric.WithDescription(description), metric.WithInt64Callback(
		func(_ context.Context, o metric.Int64Observer) error {
			f(func(of string, value int64) { o.Observe(value, metric.WithAttributes(attribute.String(label, of))) })
			return nil
		}))
	return err
}
