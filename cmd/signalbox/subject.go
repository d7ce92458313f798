package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

type subjectCmd struct {
	Erase  subjectEraseCmd  `cmd:"" help:"Destroy the keys of a data subject: nobody can read what records say about it any more."`
	Export subjectExportCmd `cmd:"" help:"Write all records about a data subject to a file, as JSON lines."`
}

// subjectOf is how a data subject is named on the command line.
type subjectOf struct {
	Name   string `arg:"" help:"The subject: X-Signalbox-Subject of the calls, or else their user."`
	Tenant string `required:"" help:"Whose data subject it is."`
}

func (s subjectOf) path(operation string) string {
	return "/subjects/" + url.PathEscape(s.Name) + "/" + operation + "?" + tenantQuery(s.Tenant).Encode()
}

type subjectEraseCmd struct {
	remote
	format
	subjectOf
	Reason string `required:"" help:"Why, such as the number of the request. It stays in the log and must not name the subject."`
}

// Run erases, and says no where something may be left.
func (k *subjectEraseCmd) Run(c *console) error {
	var done api.Erasure
	if err := k.do(c.ctx, http.MethodPost, k.path("erasure"), api.EraseRequest{Reason: k.Reason}, &done); err != nil {
		return err
	}
	err := k.print(c, done, []string{"KEYS DESTROYED", "RECORD", "BACKUPS EXPIRE", "SUBJECT HASH", "MESSAGE"}, [][]string{
		{strconv.Itoa(done.KeysDestroyed), text(done.Record), done.BackupsExpire, done.SubjectHash, done.Message},
	})
	if err == nil && len(done.APIKeys) > 0 {
		_, err = fmt.Fprintln(c.errOut, "signalbox: these API keys still hold the name as their user:", strings.Join(done.APIKeys, ", "))
	}
	if err == nil && !done.Complete {
		return errNo
	}
	return err
}

type subjectExportCmd struct {
	remote
	subjectOf
	File string `name:"out" short:"o" required:"" type:"path" placeholder:"FILE" help:"The file to write; it must not be there yet."`
}

// exportTimeout bounds an access request: it reads all that there is about somebody.
const exportTimeout = time.Hour

// Run writes the file. One that is not whole is removed.
func (k *subjectExportCmd) Run(c *console) error {
	f, err := os.OpenFile(k.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return &usageError{"--out: " + err.Error()}
	}
	total, err := k.export(c, f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(k.File))
	}
	_, err = fmt.Fprintf(c.out, "%d records; keys: %d open, %d erased\n", total.Records, total.KeysOpen, total.KeysErased)
	for _, e := range total.Evidence {
		if err == nil {
			_, err = fmt.Fprintf(c.out, "erased by record %d on %s; backups expire %s; reason: %s\n",
				e.Index, e.Time.Format(time.RFC3339), e.BackupsExpire, e.Reason)
		}
	}
	return err
}

func (k *subjectExportCmd) export(c *console, into io.Writer) (*api.SubjectSummary, error) {
	answer, err := k.open(c, "/api/v1"+k.path("records"))
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	return copyLines(into, answer)
}

// copyLines copies the answer line by line and gives its summary, which is the last line of an answer that is whole.
func copyLines(into io.Writer, from io.Reader) (*api.SubjectSummary, error) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil, signalbox.Errorf(signalbox.CodeUpstream, "The answer ends before it is whole.").WithCause(err).
				WithRemedy("Ask again; the file was removed.")
		}
		if _, err := into.Write(line); err != nil {
			return nil, err
		}
		if !bytes.HasPrefix(line, []byte(`{"record":`)) {
			return lastLine(line)
		}
	}
}

func lastLine(line []byte) (*api.SubjectSummary, error) {
	var last api.SubjectLine
	if err := json.Unmarshal(line, &last); err != nil {
		return nil, err
	}
	if last.Error != nil {
		return nil, signalbox.Errorf(last.Error.Code, "%s", last.Error.Message).WithRemedy(last.Error.Remedy)
	}
	if last.Summary == nil {
		return nil, signalbox.Errorf(signalbox.CodeUpstream, "The answer has a line that is neither a record nor its end.").
			WithRemedy("Check that SIGNALBOX_URL points at Signalbox.")
	}
	return last.Summary, nil
}
