package sqlite

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/signalbox/signalbox"
)

// LockSuffix is added to the database's file name for the file that the serving process holds locked. The file stays
// when the process ends; the lock does not.
const LockSuffix = ".lock"

// lock is the exclusive right of one process to write a database.
type lock struct{ file *os.File }

// acquire takes the lock or says who has it. The kernel releases it when the process ends, however that happens.
func acquire(database string) (*lock, error) {
	path := database + LockSuffix
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // The path is the operator's.
	if err != nil {
		return nil, cannotOpen(path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { // A descriptor fits.
		defer func() { _ = f.Close() }() // It was only read.
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, held(database, f)
		}
		return nil, cannotOpen(path, err)
	}
	if err := sign(f); err != nil {
		return nil, errors.Join(cannotOpen(path, err), f.Close())
	}
	return &lock{file: f}, nil
}

// sign writes the process id, for the reader of the error message.
func sign(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("write the process id: %w", err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("write the process id: %w", err)
	}
	return nil
}

func held(database string, f *os.File) error {
	buf := make([]byte, 32)
	n, _ := f.ReadAt(buf, 0) // Whoever holds it may not have written yet; io.EOF is usual.
	holder := "another process"
	if pid := strings.TrimSpace(string(buf[:n])); pid != "" {
		holder = "process " + pid
	}
	return signalbox.Errorf(signalbox.CodeUnavailable, "The database %s is in use by %s.", database, holder).
		WithField("database").
		WithRemedy("Stop that process, or give this one another file; one database serves one process.")
}

func (l *lock) release() error {
	return l.file.Close()
}
