package toolfaults

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
)

// Variables of children: the way to break, and a mark by which all of them and their descendants can be found.
const (
	roleVariable = "SIGNALBOX_TEST_ROLE"
	markVariable = "SIGNALBOX_TEST_MARK"
)

// roleSteady is a child without a fault; its descendants have the role of one.
const (
	roleSteady     = "steady"
	roleDescendant = "descendant"
)

// childFault is a way of a child to break when the broken tool is called, and what must come of it.
type childFault struct {
	fault
	do func(c *childServer, id string)
}

var childFaults = map[string]childFault{
	"dies":        {fault: fault{code: signalbox.CodeUpstream, cost: price}, do: func(*childServer, string) { os.Exit(3) }},
	"is-killed":   {fault: fault{code: signalbox.CodeUpstream, cost: price}, do: func(*childServer, string) { kill(os.Getpid()) }},
	"dies-after":  {fault: fault{cost: price}, do: func(c *childServer, id string) { c.result(id, goodResult); os.Exit(0) }},
	"half-a-line": {fault: fault{code: signalbox.CodeUpstream, cost: price}, do: func(c *childServer, id string) { c.write(`{"jsonrpc":"2.0","id":` + id + `,"res`); os.Exit(0) }},
	"closes":      {fault: fault{code: signalbox.CodeUpstream, cost: price}, do: func(*childServer, string) { os.Stdout.Close(); forever() }},
	"garbage":     {fault: fault{code: signalbox.CodeUpstream, cost: price}, do: func(c *childServer, _ string) { c.write("\x00\xff Segmentation fault " + secret + "\n") }},
	"no-message":  {fault: fault{code: signalbox.CodeUpstream, cost: price}, do: func(c *childServer, _ string) { c.write(`{"hello":"` + secret + `"}` + "\n") }},
	"another-id": {fault: fault{code: signalbox.CodeUpstream, cost: price}, do: func(c *childServer, _ string) {
		c.write(`{"jsonrpc":"2.0","id":4711,"result":` + goodResult + "}\n")
	}},
	"answers-twice": {fault: fault{cost: price}, do: func(c *childServer, id string) { c.result(id, goodResult); c.result(id, `{"content":[]}`) }},
	"no-answer":     {fault: fault{code: signalbox.CodeTimeout, cost: price}, do: func(*childServer, string) {}},
	"hangs":         {fault: fault{code: signalbox.CodeTimeout, cost: price}, do: func(*childServer, string) { forever() }},
	"stops":         {fault: fault{code: signalbox.CodeTimeout, cost: price}, do: func(*childServer, string) { syscall.Kill(os.Getpid(), syscall.SIGSTOP) }},
	"endless-line": {fault: fault{code: signalbox.CodeUpstream, cost: price}, do: func(c *childServer, _ string) {
		for {
			c.write(strings.Repeat("x", 1<<20))
		}
	}},
	"floods": {fault: fault{code: signalbox.CodeUpstream, cost: price}, do: func(c *childServer, _ string) {
		for {
			c.write(strings.Repeat(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}`+"\n", 100))
		}
	}},
	"floods-errors": {fault: fault{cost: price}, do: func(c *childServer, id string) {
		for n := range 20_000 {
			fmt.Fprintf(os.Stderr, "line %d of very many\n", n)
		}
		fmt.Fprintln(os.Stderr, strings.Repeat("a very long line ", 100_000))
		c.result(id, goodResult)
	}},
	"eats-memory": {fault: fault{code: signalbox.CodeUpstream, cost: price}, do: func(*childServer, string) {
		var all [][]byte
		for len(all) >= 0 {
			all = append(all, []byte(strings.Repeat("x", 1<<20)))
		}
	}},
	"leaves-children": {fault: fault{code: signalbox.CodeUpstream, cost: price}, do: func(*childServer, string) {
		descend(false)
		descend(true)
		os.Exit(1)
	}},
	"heeds-nobody": {fault: fault{cost: price}, do: func(c *childServer, id string) {
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
		descend(true)
		c.stay = true
		c.result(id, goodResult)
	}},
}

// descend starts a descendant that heeds nobody, in a session of its own if it shall escape.
func descend(escape bool) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+roleDescendant)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr // It holds the pipes.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: escape}
	if err := cmd.Start(); err != nil {
		os.Exit(9)
	}
}

func kill(pid int) { syscall.Kill(pid, syscall.SIGKILL); forever() }

// forever never returns. A runtime without cgo would take a bare select for a deadlock.
func forever() {
	for {
		time.Sleep(time.Hour)
	}
}

// childServer is a server over standard input and output.
type childServer struct {
	role string
	out  io.Writer
	stay bool // It does not end with its input.
}

func (c *childServer) write(text string) { io.WriteString(c.out, text) }

func (c *childServer) result(id, result string) {
	c.write(`{"jsonrpc":"2.0","id":` + id + `,"result":` + result + "}\n")
}

// play is a child instead of tests.
func play(role string) {
	if role == roleDescendant {
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
		forever()
	}
	c := &childServer{role: role, out: os.Stdout}
	if role == roleSteady && os.Getenv("DESCEND") != "" {
		descend(true)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		c.take(lines.Bytes())
	}
	if c.stay {
		forever()
	}
}

func (c *childServer) take(line []byte) {
	var m struct {
		ID     json.Value `json:"id"`
		Method string     `json:"method"`
		Params struct {
			Name string `json:"name"`
		} `json:"params"`
	}
	if err := json.Unmarshal(line, &m); err != nil || m.ID == nil {
		return
	}
	id := string(m.ID)
	switch {
	case m.Method == "server/discover":
		c.result(id, `{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}`)
	case m.Method == "tools/list":
		c.result(id, toolList)
	case m.Method == "tools/call" && m.Params.Name == toolBroken && c.role != roleSteady:
		childFaults[c.role].do(c, id)
	case m.Method == "tools/call":
		c.result(id, goodResult)
	default:
		c.write(`{"jsonrpc":"2.0","id":` + id + `,"error":{"code":-32601,"message":"Method not found"}}` + "\n")
	}
}

// childConfig configures a child, marked.
func childConfig(id, role, mark, more string) string {
	return fmt.Sprintf("  %s: {command: [%q], env: {GORACE: \"atexit_sleep_ms=0\", %s: %q, %s: %q}, price: {per_call: %s}%s}\n",
		id, os.Args[0], roleVariable, role, markVariable, mark, price, more)
}

func TestChildren(t *testing.T) {
	t.Parallel()
	mark := "children-" + signalbox.NewID("m", time.Now())
	text := harness.Simulated + base + childConfig("steady", roleSteady, mark, ", timeouts: {connect: 2m}")
	for role, f := range childFaults {
		text += childConfig(role, role, mark, fmt.Sprintf(
			", timeouts: {connect: 2m, total: %s}, breaker: {failures: 2, pause: 100ms}, limits: {memory: 512MiB, processes: 40}", f.limit()))
	}
	w := world{harness.Start(t, harness.Options{Config: text}), "steady"}
	t.Run("cells", func(t *testing.T) {
		for role, want := range childFaults {
			t.Run(role, func(t *testing.T) {
				t.Parallel()
				w.recovers(t, role)
				w.breaks(t, role, want.fault)
				w.recovers(t, role)
			})
		}
	})
	w.Complete(t)
	log := w.Stderr()
	if strings.Contains(log, secret) {
		t.Error("the log of the process has what the servers wrote to their standard output")
	}
	if n := strings.Count(log, "of very many"); n > 130 {
		t.Errorf("the log has %d lines of one child's", n)
	}
	if code := w.Stop(); code != 0 {
		t.Errorf("the instance ended with %d", code)
	}
	if left := marked(mark); len(left) > 0 {
		t.Errorf("%d processes live on: %v", len(left), left)
	}
}
