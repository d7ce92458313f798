//go:build unix && !linux

package keeper

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the child the leader of a process group, to which all its descendants belong unless they leave it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// signalGroup asks the group to end (or, with kill, ends it). That it is gone already is no error.
func signalGroup(pid int, kill bool) {
	sig := syscall.SIGTERM
	if kill {
		sig = syscall.SIGKILL
	}
	_ = syscall.Kill(-pid, sig) // ESRCH: nobody is left.
}
