// Package telemetry turns finished calls into OpenTelemetry spans and metrics.
//
// # Concepts
//
// Everything comes from the record of a call's outcome, after it is durable: what telemetry shows has happened, and a call
// that was not recorded is not shown. [Telemetry.Ended] makes one span for the call (kind SERVER: Signalbox served it) and
// below it one for each attempt (kind CLIENT: Signalbox asked a provider or an MCP server). The spans have the ids that
// the record has, which are the ids that were handed on in traceparent, so that they fit into the caller's trace.
//
// Names are the GenAI and MCP conventions' (semconv v1.41.0, newer ones in names.go), with our own beside them. What acts on
// an MCP server has the protocol's method, tools/call or another, as its name; only a tools/call is an operation of GenAI. A
// tool that reports a failure of its own is the error tool_error, although the call was served.
// Consumption and cost are attributes of the attempts only: who adds them up over all spans counts nothing twice.
//
// # Export
//
// Prometheus metrics are always there ([Telemetry.Handler]). Spans and metrics go out by OTLP over HTTP when the standard
// variables ask for it: an endpoint in OTEL_EXPORTER_OTLP_ENDPOINT or its form for one signal, or OTEL_TRACES_EXPORTER or
// OTEL_METRICS_EXPORTER set to otlp. OTEL_SDK_DISABLED and the value none switch it off. Everything else of the
// standard (headers, time-outs, resource attributes, service name, sampler, batch sizes) is read by the SDK itself.
//
// # Invariants
//
//   - Nothing here blocks or fails a call. Spans that find no room in the exporter's queue are dropped.
//   - Metrics have no attribute that a caller can fill at will: no ids, no users, no names that nobody configured.
//   - Content of calls is in spans only if that was asked for, and then masked, as it is in the record.
package telemetry
