// Package keeper runs the child processes of the tool layer so that nothing of them outlives its use.
//
// # Concepts
//
// On Linux a child is not started directly. Signalbox starts its own binary a second time, as the child's keeper; the
// keeper starts the binary a third time, as the launcher, which sets the limits and becomes the child's program (execve),
// so that not one instruction of it runs without them. The keeper stays and does nothing but wait:
//
//	Signalbox ── keeper ── child ── its own children …
//
// The keeper holds the reading end of a pipe, the lifeline, whose other end only Signalbox has. It reads nothing from it but
// the end: Signalbox has closed it, or is gone, however it died. Then the keeper kills the child and all its descendants,
// and ends. It is a subreaper, so that a descendant whose parent has ended becomes the keeper's, also one that
// left its process group or session: none can hide. When the child ends by itself, what it has left behind is killed likewise.
//
// A keeper that is itself killed takes the child along (PR_SET_PDEATHSIG). Signalbox then kills the child's process group, and
// every process that has the tree's mark, a limit that all inherit and that limits nothing. Only if Signalbox and a keeper are
// killed at once can somebody live on, namely a descendant that is not the child itself.
//
// A binary that imports this package is its own keeper: the roles are told from the name by which it is started, in the
// package's init, before anything else runs.
//
// # Limits
//
// CPU, memory and files are limits of the kernel for each process of the tree (RLIMIT_CPU, RLIMIT_DATA, RLIMIT_NOFILE). Address
// space is not limited, because runtimes reserve far more of it than they use. The number of processes is counted by the
// keeper once a second: the kernel's own limit counts everything that belongs to the user, Signalbox included. No core is
// ever dumped, since it would have the child's secrets.
//
// # What a child sees
//
// A child runs as our own user. On Linux [Hide] keeps it from reading our environment and memory under /proc, and from
// tracing us; keepers are not hidden, and have nothing in their environments but what the child has.
//
// # Other systems
//
// Where there is no Linux, a child is started directly as the leader of a process group (where there are such), and the
// group is killed when the child has ended or must. Limits are refused. If Signalbox is killed there, a child ends only if it
// notices that its input has ended.
//
// # Invariants
//
//   - When Ended is closed, the child and (on Linux) all its descendants are gone and reaped.
//   - No file of Signalbox but the three of the [Spec] is open in the child.
package keeper
