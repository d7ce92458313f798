//go:build !linux

package postgres

import "syscall"

// socketOptions sets nothing where the system has no bound for bytes that nobody acknowledges.
func socketOptions(string, string, syscall.RawConn) error { return nil }

var _ = userTimeout
