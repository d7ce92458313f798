package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// maxAnswer bounds what the command line reads of an answer.
const maxAnswer = 64 << 20

// remote is how commands reach a running instance.
type remote struct {
	URL string `name:"url" env:"SIGNALBOX_URL" default:"http://127.0.0.1:8080" help:"Address of the instance."`
	Key string `name:"api-key" env:"SIGNALBOX_API_KEY" help:"API key; better given by the environment than on the command line."`
}

// unreachableError says that nobody answered.
type unreachableError struct {
	url string
	err error
}

// Error gives the address and the reason.
func (e *unreachableError) Error() string {
	return fmt.Sprintf("%s can not be reached: %v; is `signalbox serve` running, and is SIGNALBOX_URL right?", e.url, e.err)
}

// Unwrap gives the reason.
func (e *unreachableError) Unwrap() error { return e.err }

// get asks the control API and decodes the answer.
func (r remote) get(ctx context.Context, path string, query url.Values, into any) error {
	return r.do(ctx, http.MethodGet, path+"?"+query.Encode(), nil, into)
}

func (r remote) do(ctx context.Context, method, path string, body, into any) error {
	return r.send(ctx, method, path, body, into)
}

// send is do with further headers, names and values by turns.
func (r remote) send(ctx context.Context, method, path string, body, into any, header ...string) error {
	if r.Key == "" {
		return &usageError{"no API key: set SIGNALBOX_API_KEY"}
	}
	var payload []byte
	if raw, ok := body.(json.Value); ok { // As it is written, so that places in errors are those of the file.
		payload = raw
	} else if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = b
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(r.URL, "/")+"/api/v1"+path, bytes.NewReader(payload))
	if err != nil {
		return &usageError{err.Error()}
	}
	req.Header.Set("Authorization", "Bearer "+r.Key)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Timeout: 5 * time.Minute}
	answer, err := client.Do(req)
	if err != nil {
		return &unreachableError{r.URL, err}
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return &unreachableError{r.URL, err}
	}
	if answer.StatusCode >= http.StatusBadRequest {
		return decodeError(answer, data)
	}
	if into == nil || len(data) == 0 {
		return nil
	}
	return json.Unmarshal(data, into)
}

// decodeError turns an error answer back into an error.
func decodeError(answer *http.Response, data []byte) error {
	var e api.AnswerError
	if err := json.Unmarshal(data, &e); err != nil || e.Err.Code == "" {
		return signalbox.Errorf(signalbox.CodeUpstream, "%s answered %s and no error of ours", answer.Request.URL.Host, answer.Status).
			WithRemedy("Check that SIGNALBOX_URL points at Signalbox.")
	}
	out := signalbox.Errorf(e.Err.Code, "%s", e.Err.Message).WithRemedy(e.Err.Remedy)
	if e.Err.Field != nil {
		out.Field = *e.Err.Field
	}
	return out
}
