package main

import (
	"fmt"
	"time"
)

// The targets.
const (
	maxRatio   = 1.5 // CPU per call at saturation, of the proxy's.
	maxSyncs   = 2   // Added latency at the median, in syncs.
	maxTail    = time.Millisecond
	maxChunk   = 20 * time.Microsecond
	maxIdle    = 30 << 10 // KiB.
	maxStartup = time.Second
)

// targets gives a line for each target: what, the target, what was measured, and whether it is met.
func (r *report) targets() [][]string {
	call, burst, slowly, sync := r.row(unary, governed), r.row(streamed, governed), r.row(slow, governed), r.sync()
	lines := [][]string{
		line("CPU per governed call at saturation", fmt.Sprintf("%.1f × proxy", maxRatio), fmt.Sprintf("%.2f × proxy", call.ratio),
			call.ratio <= maxRatio),
		line("CPU per event, all at once", us(maxChunk), us(burst.cpu/events), burst.cpu/events <= maxChunk),
		line("CPU per event, one by one", us(maxChunk), us(slowly.cpu/events), slowly.cpu/events <= maxChunk),
		line("idle memory", mib(maxIdle), mib(r.idle[governed]), r.idle[governed] <= maxIdle),
		line("start-up, new database", ms(maxStartup), ms(r.startup), r.startup <= maxStartup),
		line("start-up, with the records of this run", ms(maxStartup), ms(r.restart), r.restart <= maxStartup),
	}
	if r.options.paced > 0 {
		lines = append(lines,
			line(fmt.Sprintf("added p50 at %d/s", rate), fmt.Sprintf("%d syncs: %s", maxSyncs, us(maxSyncs*sync.p50)),
				us(call.addedP50), call.addedP50 <= maxSyncs*sync.p50),
			line(fmt.Sprintf("added p99 at %d/s", rate), fmt.Sprintf("%s + p99 of a sync: %s", us(maxTail), us(maxTail+sync.p99)),
				us(call.addedP99), call.addedP99 <= maxTail+sync.p99))
	}
	return append(lines, line("failed calls", "0", fmt.Sprint(r.failed()), r.failed() == 0))
}

func line(what, target, measured string, met bool) []string {
	if met {
		return []string{what, target, measured, "met"}
	}
	return []string{what, target, measured, "not met"}
}
