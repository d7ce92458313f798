package seal

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// Limits of a source.
const (
	CommandTimeout = 10 * time.Second // For a command to give the key.
	maxText        = 4096             // Bytes of a key file, and of what a command writes.
)

// Source says where a master key is. One field is set.
type Source struct {
	File    string   // With mode 0600 or 0400.
	Env     string   // Name of an environment variable.
	Command []string // Writes the key to its standard output.
}

// IsZero reports whether nothing is set.
func (s Source) IsZero() bool { return s.File == "" && s.Env == "" && len(s.Command) == 0 }

// Load reads the key. Errors have the field audit.master_key, and show nothing of what was read.
func (s Source) Load(ctx context.Context, env func(string) (string, bool)) (*Master, error) {
	switch {
	case s.Env != "":
		text, ok := env(s.Env)
		if !ok || text == "" {
			return nil, badMaster("The environment variable %s, which is to hold the master key, is not set.", s.Env)
		}
		return ParseMaster(text, "the environment variable "+s.Env)
	case len(s.Command) > 0:
		return fromCommand(ctx, s.Command)
	}
	return fromFile(s.File)
}

func fromFile(path string) (*Master, error) {
	f, err := os.Open(path) // The path is the operator's.
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, unreadable(path, err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, signalbox.Errorf(signalbox.CodeInvalid, "The master key file %s has mode %04o: others can read it or change it.", path, mode).
			WithField("audit.master_key").WithRemedy("Run: chmod 600 " + path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxText))
	defer clear(text)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return ParseMaster(string(text), "the file "+path)
}

func unreadable(path string, err error) error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The master key file %s can not be read.", path).WithField("audit.master_key").
		WithRemedy("Check that it exists and that the user that runs Signalbox may read it.").WithCause(err)
}

// fromCommand runs the command without a shell. What it writes to standard error is not shown: it may hold the key.
func fromCommand(ctx context.Context, argv []string) (*Master, error) {
	ctx, cancel := context.WithTimeout(ctx, CommandTimeout)
	defer cancel()
	var out limited
	defer func() { clear(out.b.Bytes()) }()
	c := exec.CommandContext(ctx, argv[0], argv[1:]...) // It is the operator's.
	c.Stdout, c.WaitDelay = &out, time.Second
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("it did not end within %s", CommandTimeout)
		}
		return nil, signalbox.Errorf(signalbox.CodeInvalid, "The command %s, which is to give the master key, failed.", argv[0]).
			WithField("audit.master_key").WithRemedy("Run it by hand as the user that runs Signalbox: it must write the key and exit with 0.").
			WithCause(err)
	}
	return ParseMaster(out.b.String(), "the output of "+argv[0])
}

// limited keeps the beginning of what is written.
type limited struct{ b bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.b.Write(p[:min(len(p), maxText-l.b.Len())])
	return len(p), nil
}

// CreateFile makes a master key and writes it to a file that must not exist, whole or not at all, with mode 0600.
func CreateFile(path string) (*Master, error) {
	m, text, err := GenerateMaster(rand.Reader)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".master-key-*") // Mode 0600.
	if err != nil {
		return nil, unwritable(path, err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // What is left over is a name only; the key has another.
	_, err = f.WriteString(text + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, unwritable(path, err)
	}
	if err := os.Link(f.Name(), path); err != nil {
		return nil, unwritable(path, err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, unwritable(path, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return nil, unwritable(path, err)
	}
	return m, nil
}

func unwritable(path string, err error) error {
	remedy := "Give the user that runs Signalbox write permission on " + filepath.Dir(path) + "."
	if errors.Is(err, fs.ErrExist) {
		remedy = "A file is there already; nothing was changed. Name another one, or use that."
	}
	return signalbox.Errorf(signalbox.CodeInvalid, "The master key file %s can not be made.", path).WithField("audit.master_key").
		WithRemedy(remedy).WithCause(err)
}

// String names the source, and nothing of the key.
func (s Source) String() string {
	switch {
	case s.Env != "":
		return "the environment variable " + s.Env
	case len(s.Command) > 0:
		return "the command " + strings.Join(s.Command[:1], "")
	}
	return "the file " + s.File
}
