package projection

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"

	"github.com/signalbox/signalbox"
)

const (
	sketchVersion = 1
	accuracy      = 0.01
	maxBin        = 4096    // The longest latency that there is, 1<<63 ms, is in bin 2,184.
	maxCount      = 1 << 50 // Calls in one sketch; a float64 counts them exactly.
)

// errSketch is the error of a stored sketch that this program did not write.
var errSketch = errors.New("the stored latency sketch is damaged or of another version")

// bins maps latencies to bins; all sketches share it.
var bins = func() *mapping.LogarithmicMapping {
	m, err := mapping.NewLogarithmicMapping(accuracy)
	if err != nil {
		panic(err) // The accuracy is a constant.
	}
	return m
}()

// sketch counts latencies by bin.
type sketch struct {
	total uint64 // Zeros and bins together.
	zeros uint64
	bins  map[int]uint64
}

// add counts a latency in milliseconds. What is below zero, a clock that went back, counts as zero.
func (s *sketch) add(ms int64) {
	if ms <= 0 {
		s.zeros++
		s.total++
		return
	}
	s.bin(bins.Index(float64(ms)), 1)
}

func (s *sketch) bin(index int, n uint64) {
	if s.bins == nil {
		s.bins = map[int]uint64{}
	}
	s.bins[index] += n
	s.total += n
}

func (s *sketch) encode() []byte {
	b := binary.AppendUvarint([]byte{sketchVersion}, s.zeros)
	before := 0
	for _, index := range slices.Sorted(maps.Keys(s.bins)) {
		b = binary.AppendVarint(b, int64(index-before))
		b = binary.AppendUvarint(b, s.bins[index])
		before = index
	}
	return b
}

// merge adds a stored sketch; an empty one adds nothing.
func (s *sketch) merge(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	zeros, n := binary.Uvarint(b[1:])
	if b[0] != sketchVersion || n <= 0 {
		return errSketch
	}
	if zeros > maxCount-s.total {
		return errSketch
	}
	s.zeros += zeros
	s.total += zeros
	index := 0
	for b = b[1+n:]; len(b) > 0; {
		step, n := binary.Varint(b)
		if n <= 0 {
			return errSketch
		}
		count, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return errSketch
		}
		if step < -maxBin || step > maxBin || count > maxCount-s.total {
			return errSketch
		}
		if index += int(step); index < 0 || index > maxBin {
			return errSketch
		}
		s.bin(index, count)
		b = b[n+m:]
	}
	return nil
}

// latency reads the quantiles off.
func (s *sketch) latency() (signalbox.Latency, error) {
	dd := ddsketch.NewDDSketch(bins, store.NewSparseStore(), store.NewSparseStore())
	if s.zeros > 0 {
		if err := dd.AddWithCount(0, float64(s.zeros)); err != nil {
			return signalbox.Latency{}, err
		}
	}
	for index, n := range s.bins {
		dd.GetPositiveValueStore().AddWithCount(index, float64(n))
	}
	if s.total == 0 {
		return signalbox.Latency{}, nil
	}
	q, err := dd.GetValuesAtQuantiles([]float64{0.5, 0.95, 0.99})
	if err != nil {
		return signalbox.Latency{}, err
	}
	return signalbox.Latency{Count: int64(s.total), P50: q[0], P95: q[1], P99: q[2]}, nil // A count.
}
