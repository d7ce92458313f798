package keeper

import (
	"fmt"
	"math"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fdLauncher is where a launcher says what went wrong. It is closed by a successful execve.
const fdLauncher = 3

// Grace between the signal that a process may catch when its CPU time is used up, and the one that it can not.
const cpuGrace = 2 * time.Second

// launch sets the limits and becomes the program. It returns only if it could not.
func launch(text, path string, command []string) {
	unix.CloseOnExec(fdLauncher)
	o, err := parseOrders(text)
	if err == nil {
		err = o.set()
	}
	if err == nil {
		err = syscall.Exec(path, command, os.Environ()) //nolint:gosec // What to run is the operator's configuration.
		err = fmt.Errorf("execute %s: %w", command[0], err)
	}
	fmt.Fprintln(os.NewFile(fdLauncher, "status"), sayFailed+err.Error())
}

// set sets the limits of this process, which its program and all that it starts inherit.
func (l orders) set() error {
	seconds := func(d time.Duration) uint64 { return uint64(math.Ceil(d.Seconds())) }
	for _, limit := range []struct {
		name       string
		which      int
		soft, hard uint64
		on         bool
	}{
		{"core", unix.RLIMIT_CORE, 0, 0, true},
		{"realtime", unix.RLIMIT_RTTIME, l.mark, l.mark, true},
		{"cpu", unix.RLIMIT_CPU, seconds(l.CPU), seconds(l.CPU + cpuGrace), l.CPU > 0},
		{"memory", unix.RLIMIT_DATA, uint64(l.Memory), uint64(l.Memory), l.Memory > 0},
		{"files", unix.RLIMIT_NOFILE, uint64(l.Files), uint64(l.Files), l.Files > 0},
	} {
		if !limit.on {
			continue
		}
		if err := lower(limit.which, limit.soft, limit.hard); err != nil {
			return fmt.Errorf("limit %s: %w", limit.name, err)
		}
	}
	return nil
}

// lower sets a limit, or keeps the one that is there where that is lower: only root may raise one.
func lower(which int, soft, hard uint64) error {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(which, &now); err != nil {
		return err
	}
	now.Max = min(now.Max, hard)
	now.Cur = min(soft, now.Max)
	return syscall.Setrlimit(which, &now)
}
