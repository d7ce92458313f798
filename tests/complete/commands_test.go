package complete

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/harness"
)

// command is how a command is run for real and what it leaves.
type command struct {
	action  string // Of the record it leaves; "": it changes nothing.
	why     string // Why it changes nothing.
	code    int
	nobody  bool                     // It names no key: it is the operator's, at the machine.
	stopped bool                     // The server must not be running.
	after   func(*testing.T, *world) // Done before the server is started again.
	prepare func(*testing.T, *world) string
	args    []string // "%s" is what was prepared, "%d" the instance's folder.
}

// asks is a command that only reads.
func asks(prepare func(*testing.T, *world) string, args ...string) command {
	return command{why: reads, prepare: prepare, args: args}
}

var notBuilt = command{why: "it is not built", code: 2}

// commands are all of the command line, as its help shows them.
var commands = map[string]command{
	"serve":          {action: signalbox.ActionStarted, nobody: true}, // See TestServe.
	"check":          asks(nil, "--config", "%d/signalbox.yml"),
	"demo":           {action: signalbox.ActionModelCall, args: []string{"--large", "one", "--small", "one"}, code: 1}, // There is no tool to search with.
	"key create":     {action: signalbox.ActionKeyCreated, args: []string{"--tenant", "acme"}},
	"key list":       asks(nil),
	"key revoke":     {action: signalbox.ActionKeyRevoked, prepare: made, args: []string{"%s"}},
	"audit list":     asks(nil),
	"audit verify":   {why: "it recomputes the log and keeps nothing of it"},
	"audit status":   asks(nil),
	"audit prove":    asks(signed, "0"),
	"audit export":   {action: signalbox.ActionLogExported, prepare: signed, args: []string{"-o", "%d/export.jsonl"}},
	"cost prices":    asks(nil),
	"cost report":    asks(nil),
	"cost reconcile": {action: signalbox.ActionCostReconciled, prepare: called, args: []string{"--call", "%s", "--cost", "0.7"}},
	"run start":      {action: signalbox.ActionRunOpened, prepare: planned, args: []string{"--plan", "%s"}},
	"run show":       asks(opened, "%s"),
	"run list":       asks(nil),
	"run end":        {action: signalbox.ActionRunEnded, prepare: opened, args: []string{"%s"}},
	"budget list":    asks(nil),
	"budget reopen":  {action: signalbox.ActionAccountReopened, prepare: closed, args: []string{"%s"}},
	"alert list":     asks(nil),
	"alert brakes":   asks(nil),
	"alert lift":     {action: signalbox.ActionBrakeLifted, prepare: braked, args: []string{"%s"}},
	"policy show":    asks(nil),
	"policy explain": asks(nil, "--agent", "planner", "--tool", "shelf.work", "--args", `{"mark":"m"}`),
	"policy test":    asks(table, "%s"),
	"guard test":     asks(letter, "--config", "%d/signalbox.yml", "--tool", "shelf.work", "%s"),

	"approval list":     asks(waiting, "--state", "pending"),
	"approval show":     asks(waiting, "%s"),
	"approval watch":    asks(decided, "--id", "%s"),
	"approval approve":  {action: signalbox.ActionApprovalVoted, prepare: waiting, args: []string{"%s"}},
	"approval deny":     {action: signalbox.ActionApprovalVoted, prepare: waiting, args: []string{"%s", "--reason", "not now"}},
	"approval withdraw": {action: signalbox.ActionApprovalEnded, prepare: waiting, args: []string{"%s", "--reason", "not needed"}},
	"approval edit": {
		action: signalbox.ActionApprovalVoted, prepare: waitingTool, // The denial of what was asked.
		args: []string{"%s", "--args", `{"mark":"m-other","fail":false}`, "--reason", "another one"},
	},
	"break-glass grant": {
		action: signalbox.ActionBreakGlass,
		args:   []string{"--agent", "clerk", "--tool", "shelf.*", "--reason", "the shelf burns", "--minutes", "5"},
	},
	"break-glass end":    {action: signalbox.ActionBreakGlassEnded, prepare: granted, args: []string{"%s"}},
	"break-glass review": {action: signalbox.ActionBreakGlassReview, prepare: ended, args: []string{"%s", "--text", "nothing was done"}},
	"break-glass list":   asks(granted),
	"incident open":      {action: signalbox.ActionIncidentOpened, prepare: called, args: []string{"--call", "%s", "--text", "the wrong file was written"}},
	"incident close":     {action: signalbox.ActionIncidentClosed, prepare: reported, args: []string{"%s", "--resolution", "restored"}},
	"incident list":      asks(reported),
	"tool list":          asks(unaccepted),
	"tool show":          asks(unaccepted, "%s"),
	"tool accept":        {action: signalbox.ActionPinAccepted, prepare: unaccepted, args: []string{"%s", "--reason", "looked at it"}},
	"tool reject":        {action: signalbox.ActionPinRejected, prepare: unrejected, args: []string{"%s", "--reason", "looked at it"}},
	"search":             asks(unaccepted, "work"),
	"session list":       asks(loggedIn),
	"session revoke":     {action: signalbox.ActionSessionRevoked, prepare: loggedIn, args: []string{"%s"}},

	"version":        {why: reads},
	"subject erase":  {action: signalbox.ActionErasure, prepare: subject, args: []string{"--tenant", "acme", "--reason", "ticket 7", "%s"}},
	"subject export": {action: signalbox.ActionSubjectExported, prepare: subject, args: []string{"--tenant", "acme", "--out", "%d/subject.jsonl", "%s"}},
	"backup":         {why: "it copies, and leaves what it copies as it is", args: []string{"--database", "sqlite:%d/signalbox.db", "--to", "%d/backup.db"}},
	"restore": {
		why: "what it makes is another database, with the log of the backup", prepare: copied,
		args: []string{"--database", "sqlite:%d/restored.db", "--key", "%d/signalbox.db.audit-key.pub", "%s"},
	},
	"audit rotate-master": {
		action: signalbox.ActionMasterKeyRotated, nobody: true, stopped: true,
		args:  []string{"--database", "sqlite:%d/signalbox.db", "--new", "%d/next.key", "--create"},
		after: replaceMaster,
	},
	"audit archive":         {action: signalbox.ActionLogArchived, prepare: signed, args: []string{"--to", "by-command", "--until", "1000000000"}},
	"audit restore-archive": {why: "it makes another database", prepare: archived, args: []string{"--key", "%d/signalbox.db.audit-key.pub", "--database", "sqlite:%d/of-archive.db", "%s"}},
	"projections rebuild": {
		why:     "what it makes follows from the log alone, as it did before",
		stopped: true, args: []string{"--database", "sqlite:%d/signalbox.db"},
	},

	"cost roi": notBuilt, "run watch": notBuilt, "run cancel": notBuilt,
	"plan": notBuilt, "checklist": notBuilt,
}

// subject is somebody whom a call was about.
func subject(t *testing.T, w *world) string {
	name := fmt.Sprintf("customer-%d", time.Now().UnixNano())
	w.ask(t, harness.Agent, "in=1 out=1", 10, "X-Signalbox-Subject", name)
	return name
}

// signed waits until there is a checkpoint: only what one covers can be archived.
func signed(t *testing.T, w *world) string {
	w.ask(t, harness.Agent, "in=1 out=1", 10)
	harness.Eventually(t, func() error {
		if a := w.Send(t, http.MethodGet, "/audit/checkpoint", harness.Auditor, ""); a.Status != http.StatusOK {
			return fmt.Errorf("the checkpoint answers %d", a.Status)
		}
		return nil
	})
	return ""
}

// archived gives an archive of what the log has so far.
func archived(t *testing.T, w *world) string {
	t.Helper()
	signed(t, w)
	name := fmt.Sprintf("archive-%d", time.Now().UnixNano())
	w.change(t, http.MethodPost, "/audit/archives", fmt.Sprintf(`{"name":%q,"until":1000000000}`, name))
	return filepath.Join(w.Dir, "archives", name)
}

// replaceMaster puts the new master key where the server looks for it.
func replaceMaster(t *testing.T, w *world) {
	if err := os.Rename(filepath.Join(w.Dir, "next.key"), w.Database+".master"); err != nil {
		t.Fatal(err)
	}
}

func copied(t *testing.T, w *world) string {
	t.Helper()
	w.Complete(t) // What is restored must have been signed.
	to := filepath.Join(w.Dir, "to-restore.db")
	if r := harness.Run(t, w.Dir, nil, "backup", "--database", "sqlite:"+w.Database, "--to", to); r.Code != 0 {
		t.Fatalf("code %d: %s", r.Code, r.Stderr)
	}
	return to
}

// letter gives arguments of a tool.
func letter(t *testing.T, w *world) string {
	return w.file(t, "letter.json", `{"to":"kim@example.com"}`)
}

func planned(t *testing.T, w *world) string { return w.file(t, "plan.json", plan) }

// shown gives the commands that the help shows.
func shown(t *testing.T) []string {
	t.Helper()
	r := harness.Run(t, t.TempDir(), nil, "--help")
	_, list, found := strings.Cut(r.Stdout, "\nCommands:\n")
	if r.Code != 0 || !found {
		t.Fatalf("code %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z][a-z -]*?)(?:  .*)?$`).FindAllStringSubmatch(list, -1) {
		names = append(names, m[1])
	}
	return names
}

func TestCommands(t *testing.T) {
	w := newWorld(t)
	names := shown(t)
	if len(names) < 20 {
		t.Fatalf("only %d commands are shown", len(names))
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			c, known := commands[name]
			if !known {
				t.Fatalf("nobody has said what the command %q leaves in the log: add it to the table of this test", name)
			}
			if (c.action == "") != (c.why != "") {
				t.Fatal("a command leaves a record, or there is a reason why not")
			}
			if name != "serve" {
				w.command(t, name, c)
			}
		})
	}
	for _, name := range slices.Sorted(maps.Keys(commands)) {
		if !slices.Contains(names, name) {
			t.Errorf("there is no command %q", name)
		}
	}
}

func (w *world) command(t *testing.T, name string, c command) {
	t.Helper()
	on := ""
	if c.prepare != nil {
		on = c.prepare(t, w)
	}
	args := strings.Fields(name)
	for _, a := range c.args {
		args = append(args, strings.NewReplacer("%s", on, "%d", w.Dir).Replace(a))
	}
	w.added(t)
	if c.stopped {
		w.stop(t)
	}
	r := harness.Run(t, w.Dir, w.Env(harness.Admin), args...)
	if r.Code != c.code {
		t.Errorf("code %d, want %d: %s%s", r.Code, c.code, r.Stdout, r.Stderr)
	}
	if c.stopped {
		if c.after != nil {
			c.after(t, w)
		}
		w.start(t)
	}
	key := "admin"
	if c.nobody {
		key = ""
	}
	w.left(t, c.action, key)
}

func (w *world) stop(t *testing.T) {
	t.Helper()
	if code := w.Stop(); code != 0 {
		t.Fatalf("it ended with code %d:\n%s", code, w.Stderr())
	}
}

// again starts the instance again over the same database.
func (w *world) again() {
	w.Instance = harness.Start(w.owner, harness.Options{Dir: w.Dir, Database: w.Database, File: w.Config})
}

// start starts the instance again over the same database, and looks away from the records of its end and its beginning.
func (w *world) start(t *testing.T) {
	t.Helper()
	w.again()
	kept := w.seen
	for _, r := range w.added(t) {
		if a := r.What.Action; a == signalbox.ActionStopped || a == signalbox.ActionStarted {
			kept++
		}
	}
	w.seen = kept
}

// A process begins and ends with a record; a configuration is taken, or refused, with one.
func TestServe(t *testing.T) {
	w := newWorld(t)
	first := w.added(t)
	if got := actions(first); got != "admin policy_changed, admin started" {
		t.Errorf("it begins with %s", got)
	}
	if d := first[1].What.Detail; d["version"] == "" || d["config"] == "" || d["listen"] == "" {
		t.Errorf("the start says only %v", d)
	}
	text, err := os.ReadFile(w.Config)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{signalbox.ActionConfigReloaded, "max: 99999"},
		{signalbox.ActionConfigRejected, "max: many"},
		{signalbox.ActionConfigReloaded, "max: 100000"},
	} {
		w.rewrite(t, strings.Replace(string(text), "max: 100000", change[1], 1))
		harness.Eventually(t, func() error { return w.find(t, change[0]) })
	}
	w.stop(t)
	w.again()
	if got := actions(w.added(t)); !strings.HasSuffix(got, "admin stopped, admin started") {
		t.Errorf("after a restart: %s", got)
	}
}

// Refusals of those who have no key are no calls, and counted: by a record for each source and minute at the most, and
// one at the end.
func TestRefusalsAreCounted(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.Send(t, http.MethodPost, "/api/v1/session", "", `{"key":"sb_nobody-has-this"}`, "X-Signalbox-Console", "1")
		w.Send(t, http.MethodGet, "/api/v1/calls", "nobody-has-this-key-0001", "")
	}
	w.stop(t)
	w.again()
	if err := w.find(t, signalbox.ActionRefusals); err != nil {
		t.Error(err)
	}
}

func (w *world) rewrite(t *testing.T, text string) {
	t.Helper()
	next := filepath.Join(w.Dir, "next.yml")
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, w.Config); err != nil {
		t.Fatal(err)
	}
}
