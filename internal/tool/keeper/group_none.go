//go:build !unix

package keeper

import (
	"os"
	"os/exec"
)

// ownGroup does nothing where there are no process groups: descendants of the child can outlive it there.
func ownGroup(*exec.Cmd) {}

// signalGroup ends the child itself.
func signalGroup(pid int, _ bool) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill() // It is gone already.
	}
}
