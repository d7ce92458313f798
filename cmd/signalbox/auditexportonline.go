package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// What the last line of an export begins with: that of a whole one, and that of one the server could not finish.
const (
	exportEnd    = `{"end":`
	exportBroken = `{"error":`
)

// online has the server export, which opens what is sealed and notes who has asked.
func (k *auditExportCmd) online(c *console) (done audit.Exported, err error) {
	q, err := k.query()
	if err != nil {
		return done, err
	}
	q.Set("format", k.Format)
	err = k.write(func(out io.Writer) error {
		answer, err := k.open(c, "/api/v1/audit/export?"+q.Encode())
		if err != nil {
			return err
		}
		defer answer.Close()
		done, err = copyExport(out, answer, k.Format == string(audit.ExportJSONL))
		return err
	})
	return done, err
}

// open gives an answer that is as long as it likes.
func (r remote) open(c *console, path string) (io.ReadCloser, error) {
	if r.Key == "" {
		return nil, &usageError{"no API key: set SIGNALBOX_API_KEY"}
	}
	req, err := http.NewRequestWithContext(c.ctx, http.MethodGet, strings.TrimRight(r.URL, "/")+path, nil)
	if err != nil {
		return nil, &usageError{err.Error()}
	}
	req.Header.Set("Authorization", "Bearer "+r.Key)
	answer, err := (&http.Client{Timeout: exportTimeout}).Do(req)
	if err != nil {
		return nil, &unreachableError{r.URL, err}
	}
	if answer.StatusCode < http.StatusBadRequest {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	return nil, errors.Join(err, decodeError(answer, data))
}

// copyExport copies an export line by line, of which the longest one is in memory, and gives what it holds. One that is
// not whole is an error.
func copyExport(into io.Writer, from io.Reader, ends bool) (done audit.Exported, err error) {
	lines, out := bufio.NewReaderSize(from, 1<<16), bufio.NewWriterSize(into, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		switch {
		case err == io.EOF && len(line) == 0 && !ends:
			return done, out.Flush()
		case err != nil:
			return done, signalbox.Errorf(signalbox.CodeUpstream, "The export ends before it is whole.").WithCause(err).
				WithRemedy("Ask again; nothing was written.")
		case bytes.HasPrefix(line, []byte(exportBroken)):
			return done, brokenExport(line)
		}
		if _, err := out.Write(line); err != nil {
			return done, err
		}
		if ends && bytes.HasPrefix(line, []byte(exportEnd)) {
			done, err := audit.ReadExportEnd(line)
			return done, errors.Join(err, out.Flush())
		}
		done.Records++
	}
}

func brokenExport(line []byte) error {
	var e api.AnswerError
	if err := json.Unmarshal(line, &e); err != nil {
		return err
	}
	return signalbox.Errorf(e.Err.Code, "%s", e.Err.Message).WithRemedy(e.Err.Remedy)
}
