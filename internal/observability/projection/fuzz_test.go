package projection_test

import (
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/projection"
)

// FuzzSketch reads arbitrary bytes as a stored sketch: it is refused, or read with quantiles in order.
func FuzzSketch(f *testing.F) {
	f.Add([]byte{1, 3, 4, 2, 2, 1})
	f.Add([]byte{1, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1})
	f.Add([]byte{1, 0, 2, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := projection.Latency(signalbox.LatencyRollup{Sketch: b})
		if err != nil {
			return
		}
		if got.Count < 0 || got.P50 < 0 || got.P95 < got.P50 || got.P99 < got.P95 {
			t.Fatalf("%x gives %+v", b, got)
		}
	})
}
