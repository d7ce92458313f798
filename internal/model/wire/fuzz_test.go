package wire_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/wire"
	"github.com/signalbox/signalbox/internal/platform/json"
)

var formats = []signalbox.Protocol{openAI, anthropic}

// seed adds the inputs of the golden files.
func seed(f *testing.F, kind string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", kind, "*", "*.txt"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		in, _, _ := bytes.Cut(data, []byte(divider))
		f.Add(in)
	}
}

// FuzzRequest translates whatever a parser accepts: what comes out must be accepted by the parser of the other format,
// with the same limit of output and kind of answer.
func FuzzRequest(f *testing.F) {
	seed(f, "request")
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, client := range formats {
			req, stream, err := parse(client, string(body))
			if err != nil {
				continue
			}
			for _, backend := range formats {
				out, err := pair(t, client, backend).Request(body, target)
				if err != nil {
					continue
				}
				after, streamAfter, err := parse(backend, string(out))
				if err != nil {
					t.Fatalf("%s to %s: %s became %s: %v", client, backend, body, out, err)
				}
				if stream != streamAfter || after.Model != target.Model || req.MaxOutput != 0 && after.MaxOutput != req.MaxOutput {
					t.Fatalf("%s to %s: %s became %s", client, backend, body, out)
				}
				if stream && !after.UsageWanted {
					t.Fatalf("%s to %s: no usage is asked for in %s", client, backend, out)
				}
			}
		}
	})
}

// FuzzResponse translates arbitrary answers: what comes out must be JSON with a usage that can be true.
func FuzzResponse(f *testing.F) {
	seed(f, "response")
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, client := range formats {
			for _, backend := range formats {
				a, err := pair(t, client, backend).Response(body, wire.Asked{})
				if err != nil {
					continue
				}
				if err := json.Check(a.Body, json.Limits{CaseVariants: true, MaxDepth: json.MaxDepth + 8}); err != nil {
					t.Fatalf("%s from %s: %s: %v", client, backend, a.Body, err)
				}
				if u := a.Report.Usage; (u == nil) != (a.UsageFault != "") || u != nil && !u.Valid() {
					t.Fatalf("%s from %s: usage %v, fault %q", client, backend, u, a.UsageFault)
				}
				if len(a.Report.Excerpt) > signalbox.MaxExcerpt {
					t.Fatalf("an excerpt of %d bytes", len(a.Report.Excerpt))
				}
			}
		}
	})
}

// FuzzStream translates arbitrary streams: at most one terminal part, the last one, only if the end marker came, and
// then no complaint at the end.
func FuzzStream(f *testing.F) {
	seed(f, "stream")
	f.Fuzz(func(t *testing.T, stream []byte) {
		for _, client := range formats {
			for _, backend := range formats {
				s := pair(t, client, backend).Stream(wire.Asked{})
				_, terminals, _, err := translate(s, stream)
				marked := bytes.Contains(stream, []byte("[DONE]")) || bytes.Contains(stream, []byte("message_stop")) ||
					bytes.Contains(stream, []byte(`\u`)) // The marker may be written with escapes.
				if terminals > 1 || terminals == 1 && !marked || err == nil && terminals != 1 {
					t.Fatalf("%s from %s: %d terminal parts, error %v", client, backend, terminals, err)
				}
				if u := s.Report().Usage; (u == nil) != (s.UsageFault() != "") || u != nil && !u.Valid() {
					t.Fatalf("%s from %s: usage %v, fault %q", client, backend, u, s.UsageFault())
				}
			}
		}
	})
}
