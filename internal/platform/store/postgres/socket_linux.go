package postgres

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// socketOptions lets a connection fail whose bytes nobody acknowledges: keep-alives are not sent while bytes wait.
func socketOptions(network, _ string, c syscall.RawConn) error {
	if network != "tcp" && network != "tcp4" && network != "tcp6" {
		return nil
	}
	var set error
	err := c.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
	})
	return errors.Join(err, set)
}
