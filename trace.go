package signalbox

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// Span is where a call stands in a distributed trace (W3C Trace Context).
type Span struct {
	TraceID string `json:"trace"`           // 32 lower-case hex digits.
	SpanID  string `json:"span"`            // The call's own span, 16 lower-case hex digits.
	Parent  string `json:"parent,omitzero"` // The caller's span, "" where it sent none.
	Flags   byte   `json:"-"`               // Sampled (1) and random (2), as received.
	State   string `json:"-"`               // tracestate as received.
	Baggage string `json:"-"`               // baggage as received, within W3C's limits.
}

// W3C's limits for what is carried on.
const (
	MaxTraceState   = 512
	MaxBaggage      = 8192
	maxStateMembers = 32
	maxBaggageItems = 64
)

// Trace flags.
const (
	FlagSampled byte = 1
	FlagRandom  byte = 2
)

// StartSpan makes the span of a call: in the caller's trace where traceparent is valid, else in a new trace, which then
// drops the trace state as W3C demands. A baggage over the limits is dropped whole, never cut.
func StartSpan(traceparent, tracestate, baggage string) Span {
	s := Span{SpanID: randomHex(8)}
	trace, parent, flags, ok := parseTraceparent(traceparent)
	if ok {
		s.TraceID, s.Parent, s.Flags = trace, parent, flags&(FlagSampled|FlagRandom)
		if len(tracestate) <= MaxTraceState && strings.Count(tracestate, ",") < maxStateMembers {
			s.State = tracestate
		}
	} else {
		s.TraceID, s.Flags = randomHex(16), FlagSampled|FlagRandom
	}
	if len(baggage) <= MaxBaggage && strings.Count(baggage, ",") < maxBaggageItems {
		s.Baggage = baggage
	}
	return s
}

// Child makes the span of a piece of work under s, such as an attempt.
func (s Span) Child() Span {
	c := s
	c.Parent, c.SpanID = s.SpanID, randomHex(8)
	return c
}

// Traceparent is the header that hands the span on.
func (s Span) Traceparent() string {
	return "00-" + s.TraceID + "-" + s.SpanID + "-" + hex.EncodeToString([]byte{s.Flags})
}

func parseTraceparent(h string) (trace, parent string, flags byte, ok bool) {
	parts := strings.Split(h, "-")
	if len(parts) < 4 || len(parts[0]) != 2 || parts[0] == "ff" || (parts[0] == "00" && len(parts) != 4) {
		return "", "", 0, false
	}
	if !lowerHex(parts[0], 2) || !lowerHex(parts[1], 32) || !lowerHex(parts[2], 16) || !lowerHex(parts[3], 2) {
		return "", "", 0, false
	}
	if strings.Trim(parts[1], "0") == "" || strings.Trim(parts[2], "0") == "" {
		return "", "", 0, false
	}
	b, err := hex.DecodeString(parts[3])
	if err != nil {
		return "", "", 0, false
	}
	return parts[1], parts[2], b[0], true
}

func lowerHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}
