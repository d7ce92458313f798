package tamper

import (
	"database/sql"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
	"github.com/signalbox/signalbox/tests/auditor"
)

// verdict is what one verifier says: the records that it names (-1 for the log as a whole), and how many records no
// checkpoint vouches for.
type verdict struct {
	who      string
	named    []int64
	unsigned int64
	problems []string
}

func (o original) judge(t *testing.T, file string) []verdict {
	t.Helper()
	ours := verdict{who: "signalbox audit verify"}
	db, err := sqlite.OpenReadOnly(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	report, err := audit.Verify(t.Context(), db, audit.Options{Verifier: o.key, Saved: o.saved})
	if err != nil {
		ours.named, ours.problems = []int64{-1}, []string{err.Error()} // The file is damaged so that it can not be read.
	}
	ours.unsigned = report.Unsigned
	for _, f := range report.Findings {
		ours.named, ours.problems = append(ours.named, f.Index), append(ours.problems, f.What)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	theirs := verdict{who: "the independent auditor"}
	other, err := auditor.Check(file, o.key, o.saved)
	if err != nil {
		t.Fatal(err)
	}
	theirs.unsigned = other.Unsigned
	for _, f := range other.Findings {
		theirs.named, theirs.problems = append(theirs.named, f.Index), append(theirs.problems, f.Problem)
	}
	return []verdict{ours, theirs}
}

// mustBe fails unless both find exactly nothing.
func (o original) mustBe(t *testing.T, file string, _ []int64, what string) {
	t.Helper()
	for _, v := range o.judge(t, file) {
		if len(v.named) > 0 || v.unsigned != 0 {
			t.Fatalf("%s: %s finds in it: %q, %d unsigned", what, v.who, v.problems, v.unsigned)
		}
	}
}

// mustFind fails unless both notice, and name one of these records; none are given where only the log as a whole can be
// named. Records that were only added at the end contradict nothing: that nobody has signed them must be said.
func (o original) mustFind(t *testing.T, file string, named []int64, what string) {
	t.Helper()
	for _, v := range o.judge(t, file) {
		if len(v.named) == 0 && v.unsigned == 0 {
			t.Errorf("%s: %s finds nothing", what, v.who)
			continue
		}
		if len(named) == 0 {
			continue
		}
		if !slices.ContainsFunc(named, func(n int64) bool { return slices.Contains(v.named, n) }) {
			t.Errorf("%s: %s names %v, not one of %v: %q", what, v.who, v.named, named, v.problems)
		}
	}
}

func replace(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close() // It was only read.
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func query(t *testing.T, file, text string, into any) error {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() // It was only read.
	return db.QueryRow(text).Scan(into)
}

func size(t *testing.T, file string) (n int64) {
	t.Helper()
	if err := query(t, file, "SELECT count(*) FROM audit_records", &n); err != nil {
		t.Fatal(err)
	}
	return n
}
