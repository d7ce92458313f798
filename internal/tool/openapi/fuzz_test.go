package openapi

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

var validName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

// Read gives an API or an error that says what to do, never both; its tools have names that are legal and differ, and a
// list that is JSON; and requests go where the tool's path begins, whatever the arguments are.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 2 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, []byte(`{"petId":"1","id":"2","query_id":"3","body":{}}`))
	}
	f.Add([]byte(`{"openapi":"3.1.0","paths":{"/{a}{b}":{"get":{"parameters":[{"name":"a","in":"path","schema":{}},{"name":"b","in":"path","schema":{}}]}}}}`), []byte(`{"a":".","b":"."}`))
	f.Add([]byte(`{"openapi":"3.0.1","paths":{"/a":{"get":{"operationId":"x","parameters":[{"$ref":"#/paths/~1a/get/parameters/0"}]}}}}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, document, arguments []byte) {
		api, err := Read(document, Options{})
		if err != nil {
			if e := signalbox.AsError(err); api != nil && len(api.list) > 0 || e.Code != signalbox.CodeInvalid || e.Remedy == "" {
				t.Fatalf("got %v and %v", api, err)
			}
			return
		}
		if err := json.Check(api.List(), json.Limits{CaseVariants: true, MaxDepth: 1000}); err != nil {
			t.Fatal(err)
		}
		for _, tool := range api.Tools {
			if !validName.MatchString(tool.Name) || api.Tool(tool.Name) != tool {
				t.Errorf("the name %q", tool.Name)
			}
			req, err := tool.Request(context.Background(), &url.URL{Scheme: "http", Host: "x.example.com", Path: "/v1"}, arguments)
			if err != nil {
				continue
			}
			if !strings.HasPrefix(req.URL.EscapedPath(), "/v1/") || req.URL.Host != "x.example.com" ||
				strings.Count(req.URL.EscapedPath(), "/") != 1+strings.Count(tool.Template, "/") {
				t.Errorf("%s goes to %s", tool.Template, req.URL)
			}
		}
	})
}
