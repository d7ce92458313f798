package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"go/build"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	exptypes "github.com/cedar-policy/cedar-go/x/exp/types"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// corpusFile is a file of the corpus that Cedar's makers compute with their own engines.
type corpusFile struct {
	Schema   string `json:"schema"`
	Policies string `json:"policies"`
	Entities string `json:"entities"`
	Requests []struct {
		Description string           `json:"description"`
		Principal   cedar.EntityUID  `json:"principal"`
		Action      cedar.EntityUID  `json:"action"`
		Resource    cedar.EntityUID  `json:"resource"`
		Context     cedar.Record     `json:"context"`
		Decision    cedar.Decision   `json:"decision"`
		Reasons     []cedar.PolicyID `json:"reason"`
		Errors      []cedar.PolicyID `json:"errors"`
	} `json:"requests"`
}

// corpus reads the archive that lies in the module of Cedar's engine for Go.
func corpus(t *testing.T) map[string][]byte {
	t.Helper()
	module, err := build.Import("github.com/cedar-policy/cedar-go", ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := os.ReadFile(filepath.Join(module.Dir, "corpus-tests.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(unpacked); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCedarsCorpus(t *testing.T) {
	files := corpus(t)
	requests, withErrors, cases := 0, 0, 0
	for name, content := range files {
		if !strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".entities.json") {
			continue
		}
		var c corpusFile
		if err := json.Unmarshal(content, &c); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		cases++
		rules, entities := load(t, files, c)
		for _, r := range c.Requests {
			requests++
			request := cedar.Request{Principal: r.Principal, Action: r.Action, Resource: r.Resource, Context: r.Context}
			got := authorize(rules, entities, request)
			if len(r.Errors) > 0 {
				withErrors++
				decision, diagnostic := cedar.Authorize(rules, entities, request)
				if decision != r.Decision || !slices.Equal(reasons(diagnostic), sorted(r.Reasons)) {
					t.Errorf("%s, %s: Cedar says %v by %v, want %v by %v", name, r.Description, decision, diagnostic.Reasons, r.Decision, r.Reasons)
				}
				r.Decision, r.Reasons = cedar.Deny, nil
			}
			if got.allowed != bool(r.Decision) || !slices.Equal(sorted(got.by), sorted(r.Reasons)) || !slices.Equal(sorted(got.errors), sorted(r.Errors)) {
				t.Errorf("%s, %s: got %+v, want %v by %v, errors %v", name, r.Description, got, r.Decision, r.Reasons, r.Errors)
			}
		}
	}
	t.Logf("%d files, %d requests, %d of them with rules that can not be evaluated", cases, requests, withErrors)
	if requests < 1000 || withErrors == 0 {
		t.Errorf("the corpus has only %d requests, %d of them with errors", requests, withErrors)
	}
}

// load parses the rules and entities of a file of the corpus.
func load(t *testing.T, files map[string][]byte, c corpusFile) (*cedar.PolicySet, cedar.EntityMap) {
	t.Helper()
	rules, err := cedar.NewPolicySetFromBytes("policy.cedar", files[c.Policies])
	if err != nil {
		t.Fatalf("%s: %v", c.Policies, err)
	}
	var s schema.Schema
	if err := s.UnmarshalCedar(files[c.Schema]); err != nil {
		t.Fatalf("%s: %v", c.Schema, err)
	}
	resolved, err := s.Resolve()
	if err != nil {
		t.Fatalf("%s: %v", c.Schema, err)
	}
	var entities exptypes.EntityMap
	if err := entities.UnmarshalJSONWithSchema(files[c.Entities], resolved); err != nil {
		t.Fatalf("%s: %v", c.Entities, err)
	}
	return rules, cedar.EntityMap(entities)
}

func reasons(d cedar.Diagnostic) []string {
	var ids []cedar.PolicyID
	for _, r := range d.Reasons {
		ids = append(ids, r.PolicyID)
	}
	return sorted(ids)
}

// sorted gives ids as sorted texts; rules are asked in no order there.
func sorted[T ~string](ids []T) []string {
	texts := []string{}
	for _, id := range ids {
		texts = append(texts, string(id))
	}
	slices.Sort(texts)
	return texts
}
