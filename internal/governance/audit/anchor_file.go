package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/signalbox/signalbox"
)

// signatureMark begins the signature lines of a signed note.
const signatureMark = "— "

// anchorTail is how much of the end of an anchor file is read: a checkpoint with many cosignatures fits.
const anchorTail = 64 << 10

// FileAnchor appends checkpoints to a file: signed notes with an empty line between them. On a file system that only lets
// files grow, or on another machine's, it shows what the log was.
type FileAnchor struct {
	path   string
	unsure bool // The last append may not be on the disk, whatever reading says.
}

// NewFileAnchor makes an anchor of the file; the file is made with the first checkpoint.
func NewFileAnchor(path string) *FileAnchor { return &FileAnchor{path: path} }

// Check says whether the newest checkpoint in the file is one of this log: it is not where the log was rolled back or
// replaced. A file that is not there, or is empty, is all right.
func (a *FileAnchor) Check(ctx context.Context, signer Signer, src HashSource) error {
	f, err := os.Open(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return a.failed(err)
	}
	defer f.Close()
	last, _, err := tailOf(f)
	if err != nil {
		return a.failed(err)
	}
	if last == nil {
		return nil
	}
	c, err := OpenCheckpoint(last, signer.Verifier())
	if err != nil {
		return a.foreign(err, "its newest checkpoint is not signed by a key of this log (%s)", keyHints(signer.Verifier()))
	}
	root, err := RootAt(ctx, src, c.Size)
	switch {
	case signalbox.CodeOf(err) == signalbox.CodeNotFound:
		return a.foreign(err, "its newest checkpoint is of size %d, the log is shorter: records were cut off, or an older copy was restored", c.Size)
	case err == nil && root != c.Root:
		return a.foreign(nil, "the log had another root at size %d: records before it were changed", c.Size)
	}
	return err
}

func (a *FileAnchor) foreign(cause error, format string, args ...any) error {
	return signalbox.Errorf(signalbox.CodeConflict, "The anchor file %s is of another log: %s.", a.path, fmt.Sprintf(format, args...)).
		WithField("audit.anchor").
		WithRemedy("Run `signalbox audit verify --checkpoint " + a.path + "`. Where an older copy was restored on purpose, move the file away and keep it.").
		WithCause(cause)
}

func (a *FileAnchor) failed(err error) error {
	return anchorError("See to it that the directory exists and can be written to.", "The anchor file %s can not be used: %v.", a.path, err).WithCause(err)
}

// Put appends the checkpoint and returns when it is on the disk. It refuses to put a smaller one behind a larger one.
func (a *FileAnchor) Put(_ context.Context, signed []byte) ([]byte, error) {
	next, err := readCheckpoint(signed)
	if err != nil {
		return nil, err
	}
	_, err = os.Stat(a.path)
	made := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(a.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644) //nolint:gosec // Checkpoints are public.
	if err != nil {
		return nil, a.failed(err)
	}
	last, gap, err := tailOf(f)
	if err == nil && last != nil {
		if c, bad := readCheckpoint(last); bad == nil && c.Size > next.Size {
			return nil, errors.Join(a.foreign(nil, "it has a checkpoint of size %d, the newest of the log is of size %d", c.Size, next.Size), f.Close())
		}
	}
	if err == nil && (a.unsure || textOf(last) != textOf(signed)) {
		a.unsure = true
		_, err = f.Write(append([]byte(gap), signed...))
		err = errors.Join(err, f.Sync())
		a.unsure = err != nil
	}
	if err = errors.Join(err, f.Close()); err == nil && made {
		err = syncDir(filepath.Dir(a.path))
	}
	if err != nil {
		return nil, a.failed(err)
	}
	return nil, nil
}

// tailOf gives the last whole checkpoint of an anchor file, nil where there is none, and what must stand between the end
// of the file and the next one.
func tailOf(f *os.File) (last []byte, gap string, err error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || end == 0 {
		return nil, "", err
	}
	tail := make([]byte, min(end, anchorTail))
	if _, err := f.ReadAt(tail, end-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return nil, "", err
	}
	gap = "\n"
	if tail[len(tail)-1] != '\n' { // An append was cut off.
		gap = "\n\n"
	}
	return LastCheckpoint(tail), gap, nil
}

// LastCheckpoint gives the last whole signed note of several in a row, as an anchor file has them; nil where there is none.
// What an append left unfinished, at the end or between others, is passed over.
func LastCheckpoint(data []byte) []byte {
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	blocks := bytes.Split(data, []byte("\n\n"))
	for i := len(blocks) - 1; i > 0; i-- {
		text, signatures := bytes.TrimLeft(blocks[i-1], "\n"), blocks[i]
		if !bytes.HasPrefix(signatures, []byte(signatureMark)) || len(text) == 0 || bytes.HasPrefix(text, []byte(signatureMark)) {
			continue
		}
		last := append(bytes.Clone(text), "\n\n"...)
		return append(append(last, bytes.TrimRight(signatures, "\n")...), '\n')
	}
	return nil
}

// ReadCheckpoint reads a checkpoint that was kept outside: a file with one signed note, or an anchor file, whose last one
// is taken. What is neither is given as it is; opening it says what is wrong.
func ReadCheckpoint(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	last, _, err := tailOf(f)
	if err != nil || last != nil {
		return last, err
	}
	return io.ReadAll(io.NewSectionReader(f, 0, anchorTail))
}
