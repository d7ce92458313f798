package faults

import (
	"bufio"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/upstream"
)

// errorCode reads an error body and fails where it has not the shape of its API.
func errorCode(t *testing.T, client string, body []byte) signalbox.Code {
	t.Helper()
	var e struct {
		Type  string `json:"type"`
		Error struct {
			Type    string         `json:"type"`
			Message string         `json:"message"`
			Code    signalbox.Code `json:"code"`
			Param   *string        `json:"param"`
		} `json:"error"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		t.Errorf("the error is no JSON: %v: %s", err, body)
		return ""
	}
	if e.Error.Type == "" || e.Error.Message == "" || client == anthropic && e.Type != "error" {
		t.Errorf("the error has not the shape of the API %s: %s", client, body)
	}
	return e.Error.Code
}

// reading is what a reader makes of a stream, without mercy for what does not belong there.
type reading struct {
	text     string
	complete bool // Something says that the answer is whole.
	failure  []byte
	after    int // Events after the failure.
}

// event is one event of either format.
type event struct {
	Type  string     `json:"type"`
	Error json.Value `json:"error"`
	Delta struct {
		Text       string  `json:"text"`
		StopReason *string `json:"stop_reason"`
	} `json:"delta"`
	Choices []struct {
		Delta struct {
			Content string `json:"content"`
		} `json:"delta"`
		FinishReason *string `json:"finish_reason"`
	} `json:"choices"`
}

func read(t *testing.T, body string) reading {
	t.Helper()
	var r reading
	lines := bufio.NewScanner(strings.NewReader(body))
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if r.failure != nil {
			r.after++
		}
		if data == "[DONE]" {
			r.complete = true
			continue
		}
		var e event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Errorf("the caller got an event that is no JSON: %v: %.200s", err, data)
			continue
		}
		r.add(e, data)
	}
	return r
}

func (r *reading) add(e event, data string) {
	if len(e.Error) > 0 {
		r.failure = []byte(data)
	}
	r.text += e.Delta.Text
	r.complete = r.complete || e.Type == "message_stop" || e.Delta.StopReason != nil
	for _, c := range e.Choices {
		r.text += c.Delta.Content
		r.complete = r.complete || c.FinishReason != nil
	}
}

// checkBrokenStream: a beginning, an error as the last event, nothing that looks like an end, and a cut connection.
func checkBrokenStream(t *testing.T, client string, a harness.Answer, code signalbox.Code) {
	t.Helper()
	r := read(t, a.Body)
	if a.Status != 200 || r.text == "" || !strings.HasPrefix(upstream.Text, r.text) {
		t.Errorf("status %d, text %q; want the beginning of the answer", a.Status, r.text)
	}
	if r.complete {
		t.Errorf("the broken answer looks whole:\n%s", a.Body)
	}
	if a.Broken == nil {
		t.Error("the HTTP message of the broken answer is complete")
	}
	if r.failure == nil || r.after > 0 {
		t.Fatalf("the stream does not end with an error:\n%s", a.Body)
	}
	if got := errorCode(t, client, r.failure); got != code {
		t.Errorf("code %q, want %q", got, code)
	}
}

// checkWhole: the whole answer, with its end.
func checkWhole(t *testing.T, client string, stream bool, a harness.Answer) {
	t.Helper()
	if a.Status != 200 || a.Broken != nil {
		t.Fatalf("status %d (broken: %v), want a good answer: %s", a.Status, a.Broken, a.Body)
	}
	text, complete := unaryText(a.Body), true
	if stream {
		r := read(t, a.Body)
		text, complete = r.text, r.complete && r.failure == nil
	}
	if text != upstream.Text || !complete {
		t.Errorf("got the text %q, complete: %v:\n%s", text, complete, a.Body)
	}
	if cost := a.Header.Get("X-Signalbox-Cost-Usd") + a.Trailer.Get("X-Signalbox-Cost-Usd"); cost == "" {
		t.Error("neither header nor trailer says what it cost")
	}
}

// unaryText reads the text of a whole answer in either format, "" where there is none.
func unaryText(body string) string {
	var a struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
		Choices []struct {
			Message struct {
				Content string `json:"content"`
			} `json:"message"`
		} `json:"choices"`
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		return err.Error()
	}
	text := ""
	for _, c := range a.Content {
		text += c.Text
	}
	for _, c := range a.Choices {
		text += c.Message.Content
	}
	return text
}
