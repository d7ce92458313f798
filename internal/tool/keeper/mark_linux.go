package keeper

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// A tree is marked by a limit that every process inherits, that none can lift, and that limits nothing: microseconds of realtime
// computing without a pause, of which thirty years are allowed and a bit that differs from tree to tree. The mark is needed
// only where a keeper was killed, since the kernel then forgets whom its descendants belonged to.
const (
	markBase = 1_000_000_000_000_000
	markSpan = 1 << 40
)

func newMark() uint64 { return markBase + rand.Uint64N(markSpan) } //nolint:gosec // It is no secret.

// sweeps is how often processes with a mark are looked for before what is left is taken for unkillable.
const sweeps = 100

// sweepMarked kills all processes with the mark and returns when none is left.
func sweepMarked(mark uint64) {
	for range sweeps {
		found := marked(mark)
		for _, pid := range found {
			_ = syscall.Kill(pid, syscall.SIGKILL) // ESRCH: it is gone.
		}
		if len(found) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// marked gives the processes with the mark that have not ended.
func marked(mark uint64) (found []int) {
	text := fmt.Append(nil, " ", fmt.Sprint(mark), " ")
	files, _ := filepath.Glob("/proc/[0-9]*/limits") // The pattern is good.
	for _, file := range files {
		limits, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(limits, text) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if _, over, ok := parentOf(pid); err == nil && ok && !over {
			found = append(found, pid)
		}
	}
	return found
}
