package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

func (m *memory) Checkpoints(_ context.Context, limit int) ([][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var notes [][]byte
	for i := len(m.checkpoints) - 1; i >= 0 && len(notes) < limit; i-- {
		notes = append(notes, m.checkpoints[i])
	}
	return notes, m.fail
}

func (m *memory) Commit(_ context.Context, b signalbox.Batch) error {
	m.commit(b)
	return nil
}

// archivable is a log of 13,200 records with a checkpoint after every 600; record 100 is destroyed, with evidence at the
// end of the first 601.
func archivable(t *testing.T) (*memory, *Key) {
	t.Helper()
	m, s := &memory{}, NewSequencer(Tree{})
	key := someKey(t, "test/log")
	for i := range 22 {
		if i == 1 {
			evidence := destroyedRecord("acme", "100", "101")
			evidence.Time = start.Add(300 * time.Millisecond)
			write(t, m, s, *evidence, *evidence)
			write(t, m, s, someCalls(600*i/2, 300)[2:]...)
		} else {
			write(t, m, s, someCalls(600*i/2, 300)...)
		}
		note, err := key.Sign(s.Tree())
		if err != nil {
			t.Fatal(err)
		}
		m.checkpoints = append(m.checkpoints, note)
	}
	e := &m.entries[100]
	e.Digest, e.Content = sha256.Sum256(e.Content), nil
	return m, key
}

func archiveTo(t *testing.T, m *memory, key *Key, first, until int64) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "deep", "archive")
	_, err := WriteArchive(t.Context(), m, dir, ArchiveOptions{First: first, Until: until, Verifier: key.Verifier(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestArchiveAndRestore(t *testing.T) {
	m, key := archivable(t)
	one := archiveTo(t, m, key, 0, 12_500) // Ends at a checkpoint below it.
	two := archiveTo(t, m, key, 12_000, 0)
	report, err := VerifyArchives(t.Context(), key.Verifier(), one, two)
	if err != nil {
		t.Fatal(err)
	}
	if report.First != 0 || report.End != 13_200 || report.Parts != 3 || report.Destroyed != 1 || report.Unproven != 0 {
		t.Fatalf("got %+v", report)
	}
	if _, err := VerifyArchives(t.Context(), key.Verifier(), two); err != nil {
		t.Fatalf("the second by itself: %v", err)
	}
	into := &memory{}
	if _, err := RestoreArchives(t.Context(), key.Verifier(), into, one, two); err != nil {
		t.Fatal(err)
	}
	if len(into.entries) != len(m.entries) || len(into.tiles) != len(m.tiles) {
		t.Fatalf("restored %d records and %d tiles of %d and %d", len(into.entries), len(into.tiles), len(m.entries), len(m.tiles))
	}
	verified, err := Verify(t.Context(), into, Options{Verifier: key.Verifier()})
	if err != nil || !verified.OK() {
		t.Fatalf("what was restored: %+v, %v", verified, err)
	}
}

func TestArchiveOfTime(t *testing.T) {
	m, key := archivable(t)
	dir := filepath.Join(t.TempDir(), "a")
	before := m.entries[7_000].Time
	manifest, err := WriteArchive(t.Context(), m, dir, ArchiveOptions{Before: before, Verifier: key.Verifier(), Now: time.Now})
	if err != nil || manifest.End != 6_600 {
		t.Fatalf("ends at %d, %v; want the checkpoint before", manifest.End, err)
	}
}

func TestArchivesThatAreRefused(t *testing.T) {
	m, key := archivable(t)
	options := func(change func(*ArchiveOptions)) ArchiveOptions {
		o := ArchiveOptions{Verifier: key.Verifier(), Now: time.Now}
		change(&o)
		return o
	}
	for name, test := range map[string]struct {
		options ArchiveOptions
		code    signalbox.Code
	}{
		"nothing is covered": {options(func(o *ArchiveOptions) { o.Until = 599 }), signalbox.CodeNotFound},
		"backwards":          {options(func(o *ArchiveOptions) { o.First, o.Until = 1200, 1200 }), signalbox.CodeNotFound},
		"beyond the end":     {options(func(o *ArchiveOptions) { o.First = 40_000 }), signalbox.CodeNotFound},
		"another key":        {options(func(o *ArchiveOptions) { o.Verifier = otherKey(t, "test/log").Verifier() }), signalbox.CodeInvalid},
	} {
		dir := filepath.Join(t.TempDir(), "a")
		if _, err := WriteArchive(t.Context(), m, dir, test.options); signalbox.CodeOf(err) != test.code {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
		if left, _ := filepath.Glob(dir + "*"); left != nil {
			t.Errorf("%s: left %v", name, left)
		}
	}
	if _, err := WriteArchive(t.Context(), m, t.TempDir(), options(func(*ArchiveOptions) {})); signalbox.CodeOf(err) != signalbox.CodeConflict {
		t.Errorf("over a directory: %v", err)
	}
}

// foreignArchive is of a log of the same records and name, and another key.
func foreignArchive(t *testing.T) string {
	t.Helper()
	m, s, key := &memory{}, NewSequencer(Tree{}), otherKey(t, "test/log")
	write(t, m, s, someCalls(0, 300)...)
	note, err := key.Sign(s.Tree())
	if err != nil {
		t.Fatal(err)
	}
	m.checkpoints = append(m.checkpoints, note)
	return archiveTo(t, m, key, 0, 0)
}

// TestArchiveOfABrokenLog must not put on files what does not verify.
func TestArchiveOfABrokenLog(t *testing.T) {
	m, key := archivable(t)
	m.entries[50].Tenant = "globex"
	dir := filepath.Join(t.TempDir(), "a")
	_, err := WriteArchive(t.Context(), m, dir, ArchiveOptions{Until: 600, Verifier: key.Verifier(), Now: time.Now})
	if err == nil || !strings.Contains(err.Error(), "record 50") {
		t.Fatalf("got %v", err)
	}
	if left, _ := filepath.Glob(dir + "*"); left != nil {
		t.Fatalf("left %v", left)
	}
}

func TestTamperedArchives(t *testing.T) {
	m, key := archivable(t)
	good, foreign := archiveTo(t, m, key, 0, 12_500), foreignArchive(t)
	for name, test := range map[string]struct {
		change func(t *testing.T, dir string)
		want   string
	}{
		"no manifest":           {func(t *testing.T, dir string) { remove(t, dir, ArchiveManifest) }, "its manifest.json can not be read"},
		"missing part":          {func(t *testing.T, dir string) { remove(t, dir, "part-000001.jsonl") }, "part-000001.jsonl, with records 10000 to 11999, is missing"},
		"truncated part":        {func(t *testing.T, dir string) { edit(t, dir, "part-000001.jsonl", cut) }, "part-000001.jsonl has"},
		"changed byte":          {func(t *testing.T, dir string) { edit(t, dir, "part-000000.jsonl", swap(`"acme"`, `"acmf"`)) }, "SHA-256"},
		"truncated manifest":    {func(t *testing.T, dir string) { edit(t, dir, ArchiveManifest, cut) }, "is not one"},
		"manifest of other log": {func(t *testing.T, dir string) { replace(t, foreign, dir, ArchiveManifest) }, "another log"},
		"another end":           {func(t *testing.T, dir string) { edit(t, dir, ArchiveManifest, swap(`"end": 12000`, `"end": 11999`)) }, "its checkpoint the first 12000"},
		"another format":        {func(t *testing.T, dir string) { edit(t, dir, ArchiveManifest, swap(`"version": 1`, `"version": 2`)) }, "version 2"},
		"a part outside": {func(t *testing.T, dir string) {
			edit(t, dir, ArchiveManifest, swap(`part-000001.jsonl`, `../part-000001.jsonl`))
		}, "does not name a part"},
		"an unknown member":      {func(t *testing.T, dir string) { edit(t, dir, ArchiveManifest, swap(`"origin"`, `"x": 1, "origin"`)) }, "is not one"},
		"changed and rehashed":   {rehashed(swap(`"acme"`, `"acmf"`)), "does not give its leaf hash"},
		"leaf changed with it":   {rehashed(func(b []byte) []byte { return releaf(t, b) }), "do not give the root"},
		"a content destroyed":    {rehashed(func(b []byte) []byte { return swap(`"index": 1,`, `"index":1,`)(redigest(t, b)) }), ""},
		"an entry moved by hand": {rehashed(swap(`"index":7,`, `"index":8,`)), "record 7"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "copy")
			if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
				t.Fatal(err)
			}
			test.change(t, dir)
			into := &memory{}
			_, err := RestoreArchives(t.Context(), key.Verifier(), into, dir)
			if test.want == "" {
				report, err := VerifyArchives(t.Context(), key.Verifier(), dir)
				if err != nil || report.Unproven != 1 {
					t.Fatalf("%+v, %v; want one unproven", report, err)
				}
				return
			}
			if signalbox.CodeOf(err) != signalbox.CodeInvalid || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if len(into.entries)+len(into.checkpoints) != 0 {
				t.Fatal("something was restored")
			}
		})
	}
}

func TestArchivesThatDoNotFollow(t *testing.T) {
	m, key := archivable(t)
	one, two, three := archiveTo(t, m, key, 0, 600), archiveTo(t, m, key, 600, 1200), archiveTo(t, m, key, 1200, 1800)
	for name, dirs := range map[string][]string{"a gap": {one, three}, "backwards": {two, one}, "twice": {one, one}} {
		if _, err := VerifyArchives(t.Context(), key.Verifier(), dirs...); err == nil || !strings.Contains(err.Error(), "does not continue") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := VerifyArchives(t.Context(), key.Verifier()); err == nil {
		t.Error("no archive is taken for a good one")
	}
	if _, err := RestoreArchives(t.Context(), key.Verifier(), &memory{}, two, three); err == nil || !strings.Contains(err.Error(), "begins with record 600") {
		t.Errorf("restored from the middle: %v", err)
	}
}

func remove(t *testing.T, dir, file string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, file)); err != nil {
		t.Fatal(err)
	}
}

func replace(t *testing.T, from, dir, file string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(from, file))
	if err != nil {
		t.Fatal(err)
	}
	edit(t, dir, file, func([]byte) []byte { return b })
}

func edit(t *testing.T, dir, file string, change func([]byte) []byte) {
	t.Helper()
	path := filepath.Join(dir, file)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := change(bytes.Clone(b))
	if bytes.Equal(b, changed) {
		t.Fatal("the test changes nothing")
	}
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		t.Fatal(err)
	}
}

func cut(b []byte) []byte { return b[:len(b)-20] }

func swap(old, now string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(now), 1) }
}

// rehashed changes the first part and makes the manifest fit.
func rehashed(change func([]byte) []byte) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		edit(t, dir, "part-000000.jsonl", change)
		b, err := os.ReadFile(filepath.Join(dir, "part-000000.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		editManifest(t, dir, func(m *Manifest) {
			sum := sha256.Sum256(b)
			m.Parts[0].SHA256, m.Parts[0].Bytes = sum[:], int64(len(b))
		})
	}
}

// onFirst changes the first entry of a part.
func onFirst(t *testing.T, b []byte, change func(*signalbox.Entry)) []byte {
	t.Helper()
	line, rest, _ := bytes.Cut(b, []byte("\n"))
	e := parseLine(t, line)
	change(&e)
	changed, err := archiveLine(e)
	if err != nil {
		t.Fatal(err)
	}
	return append(changed, rest...)
}

func releaf(t *testing.T, b []byte) []byte {
	return onFirst(t, b, func(e *signalbox.Entry) {
		e.Tenant = "globex" + strconv.Itoa(1)
		leaf, err := Leaf(*e)
		if err != nil {
			t.Fatal(err)
		}
		e.Leaf = leaf
	})
}

func redigest(t *testing.T, b []byte) []byte {
	return onFirst(t, b, func(e *signalbox.Entry) { e.Digest, e.Content = sha256.Sum256(e.Content), nil })
}

func parseLine(t *testing.T, line []byte) signalbox.Entry {
	t.Helper()
	var a archived
	if err := json.UnmarshalKnown(line, &a); err != nil {
		t.Fatal(err)
	}
	e, err := a.entry()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func editManifest(t *testing.T, dir string, change func(*Manifest)) {
	t.Helper()
	edit(t, dir, ArchiveManifest, func(b []byte) []byte {
		var m Manifest
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		change(&m)
		b, err := json.MarshalIndent(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}
