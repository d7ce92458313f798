package api

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/trace"
)

// Bounds of the traces that are kept between two pages.
const (
	maxArranged  = 4
	arrangedLife = time.Minute
)

// arrangement is a trace as it was when its first page was asked for. Later pages are cut from it: they fit together
// although calls go on, and a large trace is arranged once.
type arrangement struct {
	id    string // Of the trace, and of who may see it.
	asOf  time.Time
	made  time.Time
	nodes []trace.Node
}

// arrangements are the newest ones. It is safe for concurrent use.
type arrangements struct {
	mu   sync.Mutex
	kept []arrangement
}

func (a *arrangements) keep(n arrangement) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept = append([]arrangement{n}, a.fresh(n.made)...)
	a.kept = a.kept[:min(len(a.kept), maxArranged)]
}

// find gives the arrangement that a cursor goes on in, if it is still kept.
func (a *arrangements) find(id string, asOf int64, now time.Time) (arrangement, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept = a.fresh(now)
	for _, k := range a.kept {
		if k.id == id && k.asOf.UnixMicro() == asOf {
			return k, true
		}
	}
	return arrangement{}, false
}

func (a *arrangements) fresh(now time.Time) []arrangement {
	var fresh []arrangement
	for _, k := range a.kept {
		if now.Sub(k.made) < arrangedLife {
			fresh = append(fresh, k)
		}
	}
	return fresh
}

// tracePosition is where a page of a trace begins: a line, and the arrangement it was counted in.
type tracePosition struct {
	line int
	asOf int64 // Unix microseconds.
}

// String is the cursor.
func (p tracePosition) String() string {
	return strconv.Itoa(p.line) + "-" + strconv.FormatInt(p.asOf, 10)
}

func parseTracePosition(cursor string) (tracePosition, error) {
	if cursor == "" {
		return tracePosition{}, nil
	}
	line, asOf, _ := strings.Cut(cursor, "-")
	n, err := strconv.Atoi(line)
	at, atErr := strconv.ParseInt(asOf, 10, 64)
	if err != nil || atErr != nil || n < 0 {
		return tracePosition{}, signalbox.Errorf(signalbox.CodeInvalid, "the cursor is not one of ours").WithField("cursor").
			WithRemedy("Take `next` of the page before, or leave it out.")
	}
	return tracePosition{n, at}, nil
}
