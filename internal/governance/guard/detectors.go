package guard

import (
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
)

// detectors is a set of them, by their tags. Nil is all.
type detectors map[string]bool

// everything is all detectors.
var everything detectors

// newDetectors makes a set; an empty list is all.
func newDetectors(list []signalbox.GuardDetector) detectors {
	if len(list) == 0 || !slices.ContainsFunc(signalbox.GuardDetectors(), func(d signalbox.GuardDetector) bool { return !slices.Contains(list, d) }) {
		return everything
	}
	set := detectors{}
	for _, d := range list {
		set["["+string(d)+"]"] = true
	}
	return set
}

func (d detectors) has(tag string) bool { return d == nil || d[tag] }

// only leaves the spans that the set is for.
func (d detectors) only(spans []span) []span {
	if d == nil {
		return spans
	}
	return slices.DeleteFunc(spans, func(s span) bool { return !d[s.tag] })
}

// detectorOf is the detector that a tag stands for.
func detectorOf(tag string) signalbox.GuardDetector {
	return signalbox.GuardDetector(strings.Trim(tag, "[]"))
}
