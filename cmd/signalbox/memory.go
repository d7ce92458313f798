package main

import (
	"os"
	"runtime/debug"
)

// The garbage collector of a server and of who verifies a whole log, where the environment (GOGC, GOMEMLIMIT) does not say otherwise. A server keeps a
// few MiB alive and makes many times that per second in calls: at Go's default of 100 per cent it would collect every few
// milliseconds. Above the limit it collects as often as it takes, so that many large requests at once do not multiply.
const (
	collectPercent = 400
	collectLimit   = 512 << 20
)

// setCollector sets the defaults of a process that makes much garbage and keeps little.
func setCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(collectLimit)
	}
}
