package upstream

import (
	"fmt"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

func TestAnnotationsOfAList(t *testing.T) {
	const no, yes = "false", "true"
	cases := []struct{ name, entry, readOnly, destructive string }{
		{"none", `{"name":"a"}`, "", ""},
		{"null", `{"name":"a","annotations":null}`, "", ""},
		{"of other things", `{"name":"a","annotations":{"title":"A","openWorldHint":true}}`, "", ""},
		{"read only", `{"name":"a","annotations":{"readOnlyHint":true}}`, yes, ""},
		{"both", `{"name":"a","annotations":{"readOnlyHint":false,"destructiveHint":true}}`, no, yes},
		{"not destructive", `{"name":"a","annotations":{"destructiveHint":false}}`, "", no},
		{"null hint", `{"name":"a","annotations":{"readOnlyHint":null,"destructiveHint":false}}`, "", no},
		{"hint of a string", `{"name":"a","annotations":{"readOnlyHint":"true"}}`, "", ""},
		{"one hint of a number", `{"name":"a","annotations":{"readOnlyHint":true,"destructiveHint":1}}`, "", ""},
		{"spelt otherwise", `{"name":"a","annotations":{"ReadOnlyHint":true}}`, "", ""},
		{"a list", `{"name":"a","annotations":[{"readOnlyHint":true}]}`, "", ""},
		{"beside", `{"name":"a","readOnlyHint":true}`, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tool, err := readListed(json.Value(c.entry))
			if err != nil {
				t.Fatal(err)
			}
			if (tool.Annotations == nil) != (c.readOnly+c.destructive == "") {
				t.Fatalf("got %+v", tool.Annotations)
			}
			if a := tool.Annotations; a != nil && (hint(a.ReadOnly) != c.readOnly || hint(a.Destructive) != c.destructive) {
				t.Errorf("got %s, %s", hint(a.ReadOnly), hint(a.Destructive))
			}
		})
	}
}

func hint(b *bool) string {
	if b == nil {
		return ""
	}
	return fmt.Sprint(*b)
}

func TestTheSchemaIsThatOfTheWholeEntry(t *testing.T) {
	schema := func(entry string) [32]byte {
		tool, err := readListed(json.Value(entry))
		if err != nil {
			t.Fatal(err)
		}
		return tool.schema
	}
	base := schema(`{"name":"a","description":"Reads.","inputSchema":{"type":"object","properties":{"n":{"maximum":10}}}}`)
	cases := []struct {
		name, entry string
		same        bool
	}{
		{"written otherwise", "{\"description\":\"Re\\u0061ds.\", \"inputSchema\" : {\"properties\":{\"n\":{\"maximum\":1e1}},\n\"type\":\"object\"},\"name\":\"a\"}", true},
		{"another description", `{"name":"a","description":"Reads all.","inputSchema":{"type":"object","properties":{"n":{"maximum":10}}}}`, false},
		{"another schema", `{"name":"a","description":"Reads.","inputSchema":{"type":"object","properties":{"n":{"maximum":11}}}}`, false},
		{"a hint more", `{"name":"a","description":"Reads.","inputSchema":{"type":"object","properties":{"n":{"maximum":10}}},"annotations":{"readOnlyHint":true}}`, false},
		{"something unknown more", `{"name":"a","description":"Reads.","inputSchema":{"type":"object","properties":{"n":{"maximum":10}}},"x":null}`, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := schema(c.entry) == base; got != c.same {
				t.Errorf("the same schema: %v, want %v", got, c.same)
			}
		})
	}
}

func TestCandidatesSayWhatTheListSays(t *testing.T) {
	s := newServers(t, Config{ID: "files", URL: upstreamtest.OverHTTP(t, true)})
	resolve := func(name string) (signalbox.Candidate, error) {
		_, candidates, err := s.Resolve(t.Context(), call.NewTrack(&signalbox.Call{
			Kind: signalbox.KindTool, Tool: &signalbox.ToolRequest{Server: "files", Name: name, Arguments: []byte("{}")},
		}))
		if err != nil {
			return signalbox.Candidate{}, err
		}
		return candidates[0], nil
	}
	wipe, err := resolve("wipe")
	if err != nil {
		t.Fatal(err)
	}
	if a := wipe.Annotations; a == nil || hint(a.ReadOnly) != "false" || hint(a.Destructive) != "true" {
		t.Errorf("got annotations %+v", a)
	}
	echo, err := resolve("echo")
	if err != nil {
		t.Fatal(err)
	}
	if echo.Annotations != nil || echo.Schema == [32]byte{} || echo.Schema == wipe.Schema {
		t.Errorf("got %+v", echo)
	}
	for _, name := range []string{"Echo", "ECHO", "echo ", " echo", "echo\x00", "ec\u200bho", "еcho", "ｅcho", "files.echo", "files__echo", "echo/../wipe"} {
		if _, err := resolve(name); signalbox.CodeOf(err) != signalbox.CodeNotFound {
			t.Errorf("%q: got %v", name, err)
		}
	}
}
