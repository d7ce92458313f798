package signalbox_test

import (
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
)

const (
	goodTrace  = "0af7651916cd43dd8448eb211c80319c"
	goodParent = "b7ad6b7169203331"
)

func TestStartSpanContinuesAValidTrace(t *testing.T) {
	s := signalbox.StartSpan("00-"+goodTrace+"-"+goodParent+"-03", "vendor=1", "user=1")
	if s.TraceID != goodTrace || s.Parent != goodParent || s.SpanID == goodParent || len(s.SpanID) != 16 {
		t.Errorf("got %+v", s)
	}
	if s.Flags != 3 || s.State != "vendor=1" || s.Baggage != "user=1" {
		t.Errorf("flags %d, state %q, baggage %q", s.Flags, s.State, s.Baggage)
	}
	child := s.Child()
	if child.Parent != s.SpanID || child.TraceID != s.TraceID || child.SpanID == s.SpanID {
		t.Errorf("child %+v", child)
	}
	if want := "00-" + goodTrace + "-" + child.SpanID + "-03"; child.Traceparent() != want {
		t.Errorf("traceparent %q, want %q", child.Traceparent(), want)
	}
}

func TestStartSpanTraceparents(t *testing.T) {
	tests := []struct {
		name, header string
		continued    bool
	}{
		{"empty", "", false},
		{"unknown flags are cleared", "00-" + goodTrace + "-" + goodParent + "-ff", true},
		{"a later version with more fields", "01-" + goodTrace + "-" + goodParent + "-01-more", true},
		{"version 00 with more fields", "00-" + goodTrace + "-" + goodParent + "-01-more", false},
		{"version ff", "ff-" + goodTrace + "-" + goodParent + "-01", false},
		{"upper case", "00-" + strings.ToUpper(goodTrace) + "-" + goodParent + "-01", false},
		{"trace id of zeros", "00-" + strings.Repeat("0", 32) + "-" + goodParent + "-01", false},
		{"parent id of zeros", "00-" + goodTrace + "-" + strings.Repeat("0", 16) + "-01", false},
		{"short trace id", "00-" + goodTrace[1:] + "-" + goodParent + "-01", false},
		{"flags not hex", "00-" + goodTrace + "-" + goodParent + "-0g", false},
		{"too few fields", "00-" + goodTrace + "-" + goodParent, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := signalbox.StartSpan(tt.header, "vendor=1", "")
			if got := s.TraceID == goodTrace; got != tt.continued {
				t.Errorf("continued: %v, want %v", got, tt.continued)
			}
			if len(s.TraceID) != 32 || s.Flags > 3 {
				t.Errorf("span %+v", s)
			}
			if !tt.continued && (s.State != "" || s.Parent != "") {
				t.Errorf("a new trace keeps state %q and parent %q", s.State, s.Parent)
			}
		})
	}
}

func TestStartSpanDropsWhatIsTooLarge(t *testing.T) {
	header := "00-" + goodTrace + "-" + goodParent + "-01"
	for name, state := range map[string]string{
		"long": strings.Repeat("x", signalbox.MaxTraceState+1), "many members": strings.Repeat("a=1,", 32) + "b=1",
	} {
		if s := signalbox.StartSpan(header, state, ""); s.State != "" {
			t.Errorf("%s: kept a trace state of %d bytes", name, len(s.State))
		}
	}
	for name, baggage := range map[string]string{
		"long": strings.Repeat("x", signalbox.MaxBaggage+1), "many members": strings.Repeat("a=1,", 64) + "b=1",
	} {
		if s := signalbox.StartSpan(header, "", baggage); s.Baggage != "" {
			t.Errorf("%s: kept a baggage of %d bytes", name, len(s.Baggage))
		}
	}
}
