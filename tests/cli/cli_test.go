// Package cli uses the real binary as people do: by its command line (scripts in testdata/script), with bad input over HTTP,
// and on databases that are full, read-only, locked, foreign, newer or damaged.
//
// # Scripts
//
// A script is a txtar file: commands, then the files they use. Beside the commands of testscript there are
//
//	signalbox CODE ARG…     run the binary; it must end with that exit code
//	serve [FILE]            start an instance with that configuration, or with none; SIGNALBOX_URL names it from then on
//	halt                    stop it in order; it must end with code 0
//	crash                   end it without warning
//	send STATUS METHOD PATH [FILE]   make a request with SIGNALBOX_API_KEY; the answer goes to standard output
//	capture NAME PATTERN    set a variable to the first group that the pattern finds in standard output
//	projected N             wait until the list of calls has N rows that have ended
//	sql FILE STATEMENT…     change a database file behind everybody's back
package cli

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite" // The driver, for tampering.

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			path, err := harness.Binary()
			if err != nil {
				return err
			}
			e.Values[runningKey{}] = &running{}
			e.Setenv("SIGNALBOX", path)
			e.Setenv("SIGNALBOX_API_KEY", harness.Admin)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"signalbox": signalboxCmd, "serve": serveCmd, "halt": haltCmd, "crash": crashCmd, "send": sendCmd,
			"capture": captureCmd, "projected": projectedCmd, "sql": sqlCmd,
		},
	})
}

// need ends the script where a command is misused.
func need(ts *testscript.TestScript, neg bool, args []string, least int) {
	if neg || len(args) < least {
		ts.Fatalf("the command is misused")
	}
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

func signalboxCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2)
	want, got := number(ts, args[0]), 0
	err := ts.Exec(ts.Getenv("SIGNALBOX"), args[1:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// running is the value of a script that holds its instance.
type running struct{ *harness.Instance }

type runningKey struct{}

func instance(ts *testscript.TestScript) *harness.Instance {
	r, ok := ts.Value(runningKey{}).(*running)
	if !ok || r.Instance == nil {
		ts.Fatalf("there is no instance: serve comes first")
	}
	return r.Instance
}

func serveCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 0)
	o := harness.Options{Dir: ts.Getenv("WORK"), Bare: len(args) == 0}
	if !o.Bare {
		o.Whole = ts.ReadFile(args[0])
	}
	i, err := harness.Launch(o)
	ts.Check(err)
	ts.Defer(i.Kill)
	if r, ok := ts.Value(runningKey{}).(*running); ok {
		r.Instance = i
	}
	ts.Setenv("SIGNALBOX_URL", i.URL)
}

func haltCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 0)
	i := instance(ts)
	if code := i.Stop(); code != 0 {
		ts.Fatalf("the instance ended with code %d:\n%s", code, i.Stderr())
	}
}

func crashCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 0)
	instance(ts).Kill()
}

func sendCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 3)
	body := ""
	if len(args) > 3 {
		body = ts.ReadFile(args[3])
	}
	a, err := instance(ts).TrySend(args[1], args[2], ts.Getenv("SIGNALBOX_API_KEY"), body)
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), a.Body)
	if a.Status != number(ts, args[0]) {
		ts.Fatalf("status %d, want %s: %s", a.Status, args[0], a.Body)
	}
}

func captureCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2)
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	found := pattern.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("standard output has nothing that matches %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

func projectedCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1)
	want := number(ts, args[0])
	var last error
	for deadline := time.Now().Add(harness.Patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if last = ended(instance(ts), want); last == nil {
			return
		}
	}
	ts.Check(last)
}

func ended(i *harness.Instance, want int) error {
	var page api.Page[api.Call]
	if err := i.TryGet("/calls", map[string][]string{"limit": {"500"}}, &page); err != nil {
		return err
	}
	n := 0
	for _, c := range page.Items {
		if c.Outcome != signalbox.OutcomeRunning {
			n++
		}
	}
	if n != want {
		return fmt.Errorf("%d calls have ended, want %d", n, want)
	}
	return nil
}

func sqlCmd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2)
	ts.Check(change(ts.MkAbs(args[0]), args[1:]...))
}

// change runs statements on a database file.
func change(file string, statements ...string) error {
	if _, err := os.Stat(file); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(file))
	if err != nil {
		return err
	}
	for _, s := range statements {
		if _, execErr := db.Exec(s); execErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", s, execErr))
		}
	}
	return errors.Join(err, db.Close())
}

// wants a good answer, for tests that make many.
func served(i *harness.Instance) error {
	a, err := i.TrySend(http.MethodPost, chatPath, harness.Agent, good)
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("status %d: %s", a.Status, a.Body)
	}
	return err
}
