package telemetry

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/signalbox/signalbox"
)

// plan says what is exported by OTLP, and where to.
type plan struct{ traces, metrics signal }

type signal struct {
	wanted   bool
	endpoint string // A whole URL; "" lets the SDK take its default.
}

// planOf reads the standard variables.
func planOf(env func(string) (string, bool)) (plan, error) {
	get := func(name string) string {
		value, _ := env(name)
		return strings.TrimSpace(value)
	}
	if strings.EqualFold(get("OTEL_SDK_DISABLED"), "true") {
		return plan{}, nil
	}
	traces, err := signalOf(get, "TRACES")
	if err != nil {
		return plan{}, err
	}
	metrics, err := signalOf(get, "METRICS")
	return plan{traces: traces, metrics: metrics}, err
}

func signalOf(get func(string) string, name string) (signal, error) {
	exporter, variable := get("OTEL_"+name+"_EXPORTER"), "OTEL_"+name+"_EXPORTER"
	endpoint, err := endpointOf(get, name)
	if err != nil {
		return signal{}, err
	}
	switch exporter {
	case "none", "prometheus": // Prometheus is served in any case.
		return signal{}, nil
	case "":
		if endpoint == "" {
			return signal{}, nil
		}
	case "otlp":
	default:
		return signal{}, badVariable(variable, fmt.Sprintf("%q is not one of otlp and none", exporter))
	}
	return signal{wanted: true, endpoint: endpoint}, checkProtocol(get, name)
}

// endpointOf gives the URL for one signal: its own variable as it is, the common one with the signal's path.
func endpointOf(get func(string) string, name string) (string, error) {
	variable := "OTEL_EXPORTER_OTLP_" + name + "_ENDPOINT"
	endpoint, path := get(variable), ""
	if endpoint == "" {
		variable = "OTEL_EXPORTER_OTLP_ENDPOINT"
		endpoint, path = get(variable), "/v1/"+strings.ToLower(name)
	}
	if endpoint == "" {
		return "", nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", badVariable(variable, "it is not a URL such as http://127.0.0.1:4318")
	}
	return strings.TrimSuffix(endpoint, "/") + path, nil
}

func checkProtocol(get func(string) string, name string) error {
	variable := "OTEL_EXPORTER_OTLP_" + name + "_PROTOCOL"
	protocol := get(variable)
	if protocol == "" {
		variable = "OTEL_EXPORTER_OTLP_PROTOCOL"
		protocol = get(variable)
	}
	if protocol != "" && protocol != "http/protobuf" {
		return badVariable(variable, fmt.Sprintf("%q is not supported; OTLP goes out as http/protobuf, usually to port 4318", protocol))
	}
	return nil
}

func badVariable(name, what string) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The environment variable %s can not be used: %s.", name, what).
		WithField(name).WithRemedy("Correct it or unset it; OTEL_SDK_DISABLED=true switches OTLP off.")
}

func (p plan) traceExporter(ctx context.Context) (*otlptrace.Exporter, error) {
	var options []otlptracehttp.Option
	if p.traces.endpoint != "" {
		options = append(options, otlptracehttp.WithEndpointURL(p.traces.endpoint))
	}
	return otlptracehttp.New(ctx, options...)
}

func (p plan) metricExporter(ctx context.Context) (sdkmetric.Exporter, error) {
	var options []otlpmetrichttp.Option
	if p.metrics.endpoint != "" {
		options = append(options, otlpmetrichttp.WithEndpointURL(p.metrics.endpoint))
	}
	return otlpmetrichttp.New(ctx, options...)
}
