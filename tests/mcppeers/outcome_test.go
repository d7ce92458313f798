package mcppeers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	strict "github.com/signalbox/signalbox/internal/platform/json"
)

// outcome is what a program was given for a step.
type outcome struct {
	Result   json.RawMessage   `json:"result"`
	Error    *failure          `json:"error"`
	Progress []json.RawMessage `json:"progress"`
	Heard    []notification    `json:"heard"` // But for progress.
	Asked    []notification    `json:"asked"`
}

// failure is an error as the SDKs tell it; its code may be a word of theirs.
type failure struct {
	Code    any             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

type notification struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

// code is Signalbox's code in an error's data.
func (f *failure) code() string {
	var data struct{ Code string }
	if f == nil || len(f.Data) == 0 || json.Unmarshal(f.Data, &data) != nil {
		return ""
	}
	return data.Code
}

// outcomes are those of one visit, by the names of the steps.
type outcomes map[string]outcome

// text is all of an outcome.
func (o outcome) text() string {
	b, err := encode(o)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// encode writes a value without the escapes for web pages.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// told gives what was told of progress, one line each.
func (o outcome) told(t *testing.T) string {
	t.Helper()
	text := ""
	for _, p := range o.Progress {
		text += canonical(t, p, mine) + "\n"
	}
	return text
}

// logged gives the log lines.
func (o outcome) logged(t *testing.T) string {
	t.Helper()
	text := ""
	for _, n := range o.Heard {
		if n.Method == "notifications/message" {
			text += canonical(t, n.Params, mine) + "\n"
		}
	}
	return text
}

// plain gives the parts of an outcome that must be the same wherever a step was done, in a form that can be compared: without
// what Signalbox says of itself, and without what only one of the protocol's versions has.
func (o outcome) plain(t *testing.T, s step, visit string) map[string]string {
	t.Helper()
	m := map[string]string{}
	if o.Result != nil {
		m["result"] = canonical(t, o.Result, visit)
	}
	if o.Error != nil && !s.Cancel {
		m["error"] = fmt.Sprint(o.Error.Code) + " " + strings.ReplaceAll(o.Error.Message, visit, mine)
	}
	if s.asks != "" {
		for _, n := range o.Asked { // Events of a stream that broke may come again, with the question before.
			if n.Method == s.asks {
				m["asked"] = canonical(t, n.Params, visit)
			}
		}
	}
	return m
}

// ours are members that Signalbox, or only one of the protocol's versions, has in results, notifications and entries.
var ours = []string{"resultType", "ttlMs", "cacheScope", "pages", "execution"}

func canonical(t *testing.T, raw json.RawMessage, visit string) string {
	t.Helper()
	raw = bytes.ReplaceAll(raw, []byte(visit), []byte(mine))
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) == nil {
		for _, name := range ours {
			delete(members, name)
		}
		if kept := keptMeta(t, members["_meta"]); kept != nil {
			members["_meta"] = kept
		} else {
			delete(members, "_meta")
		}
		raw = mustEncode(t, members)
	}
	if len(raw) == 0 {
		return ""
	}
	b, err := strict.Canonical(raw)
	if err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return string(b)
}

// keptMeta gives a _meta without who has answered, nil where nothing is left.
func keptMeta(t *testing.T, raw json.RawMessage) json.RawMessage {
	t.Helper()
	var meta map[string]json.RawMessage
	if raw == nil {
		return nil
	}
	if err := json.Unmarshal(raw, &meta); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"io.modelcontextprotocol/serverInfo", "progressToken"} {
		delete(meta, name)
	}
	if len(meta) == 0 {
		return nil
	}
	return mustEncode(t, meta)
}

func mustEncode(t *testing.T, v any) json.RawMessage {
	t.Helper()
	b, err := encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// entry is what lists have.
type entry struct {
	Name        string `json:"name"`
	URI         string `json:"uri"`
	URITemplate string `json:"uriTemplate"`
}

// members of the results of lists.
var members = map[string]string{
	"tools/list": "tools", "resources/list": "resources", "resources/templates/list": "resourceTemplates", "prompts/list": "prompts",
}

// entries gives the entries of a list that pass, each as it came.
func entries(t *testing.T, s step, o outcome, pass func(entry) bool) []string {
	t.Helper()
	var result map[string]json.RawMessage
	var all []json.RawMessage
	if err := json.Unmarshal(o.Result, &result); err != nil {
		t.Fatalf("%v: %s", err, o.text())
	}
	if err := json.Unmarshal(result[members[s.Method]], &all); err != nil {
		t.Fatalf("%v: %s", err, o.Result)
	}
	var texts []string
	for _, raw := range all {
		var e entry
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		if pass(e) {
			texts = append(texts, canonical(t, raw, mine))
		}
	}
	return texts
}

// visible reports whether the agents may use what a list of a server has.
func visible(server string) func(entry) bool {
	return func(e entry) bool {
		switch {
		case e.URI != "":
			return slices.Contains([]string{"demo://resource/static/document/architecture.md", "rail://rules"}, e.URI) || strings.HasPrefix(e.URI, "rail://station/")
		case e.URITemplate != "":
			return true
		}
		prompts := []string{"simple-prompt", "args-prompt", "completable-prompt", "announce"}
		kept := []string{"read_text_file", "list_directory", "get_file_info", "write_file"}
		if server != files {
			kept = permitted[strings.ReplaceAll(server, junction, railway)]
		}
		return slices.Contains(prompts, e.Name) || slices.Contains(kept, e.Name)
	}
}
