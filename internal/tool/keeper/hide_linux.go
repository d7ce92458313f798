package keeper

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Hide keeps other processes of our user from reading this one's memory and environment, and from tracing it: children run as
// that user, and are not to see our secrets there. Root can do it all the same. A child does not inherit it.
func Hide() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("hide the process from its children: %w", err)
	}
	return nil
}
