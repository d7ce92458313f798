package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

type approvalEditCmd struct {
	remote
	format
	ID     string `arg:"" help:"The approval's id."`
	Args   string `required:"" help:"The tool's arguments in place of those that were asked about: a JSON object, or @ and the path of a file with one." placeholder:"JSON"`
	Reason string `required:"" help:"Why: whoever has asked reads it."`
}

// Run makes the call with other arguments, in the name of whoever runs it. Where that call waits itself, the same command
// makes it once somebody else has approved it.
func (k *approvalEditCmd) Run(c *console) error {
	args, err := k.arguments()
	if err != nil {
		return err
	}
	body := api.EditRequest{Arguments: api.Verbatim{Value: args}, Reason: k.Reason}
	var done api.Edited
	if err := k.send(c.ctx, http.MethodPost, "/approvals/"+url.PathEscape(k.ID)+"/edit", body, &done, api.ViaHeader, "cli"); err != nil {
		return err
	}
	if err := k.print(c, done, []string{"FIELD", "VALUE"}, editedFields(done)); err != nil || k.Output == outputJSON || done.ApprovalID == nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "The call is not made yet: it waits for another person, as approval %s.\nOnce that is approved, make the call by the same command:\n  %s\n", *done.ApprovalID, k.again())
	return err
}

// arguments are those of the flag, or of the file that it names.
func (k *approvalEditCmd) arguments() (json.Value, error) {
	from, data := "--args", []byte(k.Args)
	if path, ok := strings.CutPrefix(k.Args, "@"); ok {
		read, err := os.ReadFile(path)
		if err != nil {
			return nil, &usageError{"--args: " + err.Error()}
		}
		from, data = "--args: "+path, read
	}
	if _, err := json.Object(data); err != nil {
		return nil, &usageError{from + " is no JSON object: " + err.Error()}
	}
	return data, nil
}

// again is the command that was run, for a shell. The key is not part of it: it is in the environment.
func (k *approvalEditCmd) again() string {
	return "signalbox approval edit " + quoted(k.ID) + " --args " + quoted(k.Args) + " --reason " + quoted(k.Reason)
}

// quoted is one word of a shell's command.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// editedFields say what came of an edit.
func editedFields(e api.Edited) [][]string {
	if e.ApprovalID != nil {
		return [][]string{{"made", "no, it waits"}, {"call", e.CallID}, {"approval", *e.ApprovalID}}
	}
	rows := [][]string{{"made", "yes"}, {"call", e.CallID}}
	if e.Result != nil {
		rows = append(rows, []string{"result", plain(string(e.Result.Value))})
	}
	return rows
}
