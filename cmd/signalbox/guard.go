package main

import (
	"io"
	"os"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/guard"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server"
)

type guardCmd struct {
	Test guardTestCmd `cmd:"" help:"Say what the guard would do about the arguments of a tool, or about its result; code 1 where it would block them. No server is needed, and none is asked."`
}

type guardTestCmd struct {
	format
	Config string `required:"" help:"The configuration file." type:"path" placeholder:"FILE"`
	Tool   string `required:"" help:"The tool, such as files.write_file."`
	Result bool   `help:"What is read is a result of the tool, and not its arguments."`
	File   string `arg:"" optional:"" type:"existingfile" help:"What is looked at, a JSON object; standard input unless given."`
}

// maxGuarded bounds what is read of standard input: no server may send more.
const maxGuarded = 16 << 20

// Run looks at what it reads.
func (k *guardTestCmd) Run(c *console) error {
	id, name, ok := strings.Cut(k.Tool, ".")
	if !ok || id == "" || name == "" {
		return &usageError{"--tool is no id of a tool, such as files.write_file"}
	}
	doc, err := k.read()
	if err != nil {
		return err
	}
	loaded, err := config.Load(k.Config, os.LookupEnv, server.ConfigOptions())
	if err != nil {
		return err
	}
	trial, err := server.TryGuard(loaded, signalbox.ToolRequest{Server: id, Name: name, Arguments: doc}, k.Result)
	if err != nil {
		return err
	}
	answer := guardAnswerOf(k.Tool, trial)
	if err := k.print(c, answer, []string{"FIELD", "VALUE"}, answer.rows()); err != nil {
		return err
	}
	if trial.Err != nil {
		return errNo
	}
	return nil
}

// read gives a document.
func (k *guardTestCmd) read() ([]byte, error) {
	in, name := os.Stdin, "standard input"
	if k.File != "" {
		file, err := os.Open(k.File)
		if err != nil {
			return nil, &usageError{err.Error()}
		}
		defer file.Close()
		in, name = file, k.File
	}
	doc, err := io.ReadAll(io.LimitReader(in, maxGuarded))
	if err != nil {
		return nil, err
	}
	root, err := json.Parse(doc, json.Limits{CaseVariants: k.Result})
	if err == nil {
		_, err = root.Object()
	}
	if err != nil {
		return nil, &usageError{name + " is no JSON object: " + err.Error()}
	}
	return doc, nil
}

// guardAnswer is what the guard would do. It shows nothing of what was found.
type guardAnswer struct {
	Tool    string                `json:"tool"`
	Action  signalbox.GuardAction `json:"action"`
	Found   []guardFinding        `json:"found"`
	Passes  json.Value            `json:"passes"` // With tags in place of what was found; null where it is blocked, or goes as it is.
	Blocked *string               `json:"blocked"`
	Field   *string               `json:"field"`
}

type guardFinding struct {
	Detector signalbox.GuardDetector `json:"detector"`
	Pointer  string                  `json:"pointer"`
}

func guardAnswerOf(tool string, t server.GuardTrial) guardAnswer {
	a := guardAnswer{Tool: tool, Action: t.Action, Found: []guardFinding{}, Passes: json.Value("null")}
	for _, f := range t.Findings {
		a.Found = append(a.Found, guardFinding{f.Detector, f.Pointer})
	}
	switch {
	case t.Err != nil:
		e := signalbox.AsError(t.Err)
		a.Blocked, a.Field = &e.Message, &e.Field
	case t.Action == signalbox.GuardMask && len(t.Findings) > 0:
		a.Passes = t.Passes
	}
	return a
}

func (a guardAnswer) rows() [][]string {
	rows := [][]string{{"action", string(a.Action)}}
	for _, f := range a.Found {
		rows = append(rows, []string{"found", string(f.Detector) + " at " + plain(f.Pointer)})
	}
	switch {
	case len(a.Found) == guard.MaxFindings:
		rows = append(rows, []string{"found", "maybe more, which are not listed"})
	case len(a.Found) == 0:
		rows = append(rows, []string{"found", "nothing"})
	}
	switch {
	case a.Blocked != nil:
		rows = append(rows, []string{"blocked", plain(*a.Blocked)}, []string{"field", plain(*a.Field)})
	case string(a.Passes) != "null":
		rows = append(rows, []string{"passes", plain(string(a.Passes))})
	default:
		rows = append(rows, []string{"passes", "as it is"})
	}
	return rows
}
