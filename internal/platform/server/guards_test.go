package server

import (
	"os"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/config"
)

const guardedConfig = `mcp_servers:
  files:
    command: [x]
    guard: {arguments: mask, results: block}
    tools:
      list: {operation: read, guard: {arguments: off, results: off}}
      open: {operation: read, resources: [{arg: path, kind: path}]}
      shut: {guard: {detectors: [card]}}
  plain: {command: [x]}
`

func TestGuards(t *testing.T) {
	c, err := config.Parse("c.yml", []byte(guardedConfig), os.LookupEnv, ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	g := newGuards(c)
	for tool, on := range map[string]bool{"files.read": true, "files.list": false, "files.open": true, "plain.read": false, "nobody.read": false} {
		server, name, _ := strings.Cut(tool, ".")
		if rules := g.rules(server, name); (rules != nil) != on {
			t.Errorf("%s: got %v", tool, rules)
		}
	}
	const mail, card = `{"to":"kim@example.com"}`, `{"to":"4111 1111 1111 1111"}`
	cases := map[string]struct {
		tool, doc string
		result    bool
		action    signalbox.GuardAction
		found     int
		passes    string
		code      signalbox.Code // Of Err, or of the error.
	}{
		"arguments are masked":      {"files.read", mail, false, signalbox.GuardMask, 1, `{"to":"[email]"}`, ""},
		"a result is blocked":       {"files.read", mail, true, signalbox.GuardBlock, 1, ``, signalbox.CodeBlocked},
		"nobody looks":              {"files.list", mail, true, signalbox.GuardOff, 0, mail, ""},
		"another server":            {"plain.read", mail, false, signalbox.GuardOff, 0, mail, ""},
		"what it acts on":           {"files.open", `{"path":"/a/kim@example.com"}`, false, signalbox.GuardMask, 1, ``, signalbox.CodeBlocked},
		"what it acts on has none":  {"files.open", `{"path":"/a","note":"kim@example.com"}`, false, signalbox.GuardMask, 1, `{"path":"/a","note":"[email]"}`, ""},
		"other detectors":           {"files.shut", mail, false, signalbox.GuardMask, 0, mail, ""},
		"one of them":               {"files.shut", card, false, signalbox.GuardMask, 1, `{"to":"[card]"}`, ""},
		"no such server":            {"nobody.read", mail, false, "", 0, ``, signalbox.CodeNotFound},
		"arguments without a sense": {"files.open", `{"path":1}`, false, "", 0, ``, signalbox.CodeInvalid},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server, tool, _ := strings.Cut(tc.tool, ".")
			got, err := TryGuard(c, signalbox.ToolRequest{Server: server, Name: tool, Arguments: []byte(tc.doc)}, tc.result)
			if err == nil {
				err = got.Err
			}
			if got.Action != tc.action || len(got.Findings) != tc.found || string(got.Passes) != tc.passes || signalbox.CodeOf(err) != tc.code {
				t.Errorf("got %s, %v, %s, %v", got.Action, got.Findings, got.Passes, err)
			}
		})
	}
}
