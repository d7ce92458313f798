// Package disk gives tests real disks that fail: small file systems that can be filled ([Small]), and system calls of a
// running process that fail or take long ([Inject]), for as long as the test wants it.
//
// # What it needs
//
// Linux, root (or the capabilities to mount and to trace), and strace. Where one of them is missing, the test fails and
// says what to do: a proof that was quietly left out is none.
package disk
