package wire_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/sse"
	"github.com/signalbox/signalbox/internal/model/wire"
	"github.com/signalbox/signalbox/internal/platform/json"
)

var update = flag.Bool("update", false, "write what comes out into the golden files")

const (
	openAI    = signalbox.ProtocolOpenAIChat
	anthropic = signalbox.ProtocolAnthropic
)

// divider stands between input and expected output in a golden file.
const divider = "\n-----\n"

func pair(t testing.TB, client, backend signalbox.Protocol) wire.Pair {
	t.Helper()
	p, ok := wire.PairOf(client, backend)
	if !ok {
		t.Fatalf("no pair of %s and %s", client, backend)
	}
	return p
}

// pairOfDir reads a directory's name, such as openai_anthropic.
func pairOfDir(t *testing.T, name string) wire.Pair {
	t.Helper()
	formats := map[string]signalbox.Protocol{"openai": openAI, "anthropic": anthropic}
	client, backend, _ := strings.Cut(name, "_")
	return pair(t, formats[client], formats[backend])
}

// golden runs f on the input of every file testdata/<kind>/<pair>/*.txt and compares with what stands below the divider.
func golden(t *testing.T, kind string, f func(t *testing.T, p wire.Pair, in string) string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", kind, "*", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files for %s: %v", kind, err)
	}
	for _, file := range files {
		dir := filepath.Base(filepath.Dir(file))
		t.Run(dir+"/"+strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in, want, _ := strings.Cut(string(data), divider)
			got := f(t, pairOfDir(t, dir), in) + "\n"
			if *update {
				if err := os.WriteFile(file, []byte(in+divider+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

var target = wire.Target{Model: "upstream-model", MaxOutput: 8192}

func TestRequests(t *testing.T) {
	golden(t, "request", func(_ *testing.T, p wire.Pair, in string) string {
		out, err := p.Request([]byte(in), target)
		if err != nil {
			return describe(err)
		}
		return string(out)
	})
}

func TestResponses(t *testing.T) {
	golden(t, "response", func(t *testing.T, p wire.Pair, in string) string {
		a, err := p.Response([]byte(in), wire.Asked{Created: time.Unix(1700000000, 0)})
		if err != nil {
			return describe(err)
		}
		return string(a.Body) + "\n" + show(t, a.Report, a.UsageFault)
	})
}

// TestStreams feeds whole streams. The first line of the input says what was asked for.
func TestStreams(t *testing.T) {
	golden(t, "stream", func(t *testing.T, p wire.Pair, in string) string {
		head, stream, _ := strings.Cut(in, "\n")
		asked := wire.Asked{Created: time.Unix(1700000000, 0), UsageWanted: strings.Contains(head, "usage")}
		if strings.Contains(head, "n=2") {
			asked.Choices = 2
		}
		s := p.Stream(asked)
		return run(s, stream) + show(t, s.Report(), s.UsageFault())
	})
}

// run feeds a stream and writes down each part, and how it ended.
func run(s wire.Stream, stream string) string {
	var out strings.Builder
	r := sse.NewReader(strings.NewReader(stream + "\n\n"))
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return out.String() + "broken: " + err.Error() + "\n"
		}
		part, err := s.Feed(e)
		if err != nil {
			out.WriteString(describe(err) + "\n")
			return out.String()
		}
		if part.Terminal {
			out.WriteString("== terminal\n")
		}
		out.Write(part.Data)
	}
	if err := s.End(); err != nil {
		out.WriteString(describe(err) + "\n")
	}
	return out.String()
}

// describe writes an error with everything that a caller learns.
func describe(err error) string {
	var e *signalbox.Error
	if !errors.As(err, &e) {
		return "not a *signalbox.Error: " + err.Error()
	}
	return "error " + e.Error() + " | " + e.Remedy
}

// show writes a report as JSON.
func show(t *testing.T, report any, fault string) string {
	t.Helper()
	b, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	if fault != "" {
		return string(b) + " fault: " + fault
	}
	return string(b)
}

// TestRequestBytesSurvive checks that same-format requests change in the named spans only.
func TestRequestBytesSurvive(t *testing.T) {
	in := "{ \"model\" : \"upstream-model\",\t\"messages\":[{\"role\":\"user\",\"content\":\"\\u0041\"}], \"max_tokens\": 1, \"x\":1.50 }\n"
	for _, format := range []signalbox.Protocol{openAI, anthropic} {
		got, err := pair(t, format, format).Request([]byte(in), target)
		if err != nil || !bytes.Equal(got, []byte(in)) {
			t.Errorf("%s: got %s, %v, want the input", format, got, err)
		}
	}
}

// TestAnswerBytesSurvive checks that same-format answers pass byte for byte.
func TestAnswerBytesSurvive(t *testing.T) {
	in := map[signalbox.Protocol]string{
		openAI:    "{ \"id\":\"a\", \"choices\":[ {\"index\":0,\"message\":{\"content\":\"\\u0041\"},\"finish_reason\":\"stop\"} ], \"x\":1.50}\n",
		anthropic: "{ \"id\":\"a\", \"content\":[ {\"type\":\"new\",\"A\":1,\"a\":2} ],\"stop_reason\":\"new\"}\n",
	}
	for format, body := range in {
		a, err := pair(t, format, format).Response([]byte(body), wire.Asked{})
		if err != nil || string(a.Body) != body {
			t.Errorf("%s: got %s, %v, want the input", format, a.Body, err)
		}
	}
}

func TestNoPair(t *testing.T) {
	if _, ok := wire.PairOf(openAI, signalbox.ProtocolMCP); ok {
		t.Error("got a pair of OpenAI and MCP, want none")
	}
}

func TestOldMaxTokens(t *testing.T) {
	in := []byte(`{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}]}`)
	got, err := pair(t, anthropic, openAI).Request(in, wire.Target{Model: "m", OldMaxTokens: true})
	if want := `"max_tokens":5`; err != nil || !strings.Contains(string(got), want) {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestDefaultMaxTokens(t *testing.T) {
	in := []byte(`{"model":"m","messages":[{"role":"user","content":"x"}]}`)
	got, err := pair(t, openAI, anthropic).Request(in, wire.Target{Model: "m"})
	if want := `"max_tokens":4096`; err != nil || !strings.Contains(string(got), want) {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}
