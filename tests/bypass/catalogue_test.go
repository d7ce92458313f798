package bypass

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// File is one family of attempts.
type File struct {
	Family  string   `yaml:"family"`
	Tries   string   `yaml:"tries"`   // What the attempts have in common.
	Source  string   `yaml:"source"`  // The report or advisory that the idea is from, or "own".
	As      string   `yaml:"as"`      // Whose key is sent where a step does not say it.
	World   string   `yaml:"world"`   // The configuration: "" (the strict one), "hasty" or "told".
	Inert   string   `yaml:"inert"`   // Of all its vectors.
	Request Step     `yaml:"request"` // What steps have unless they say otherwise.
	Vectors []Vector `yaml:"vectors"`

	path string
}

// Vector is one attempt: one step, or several.
type Vector struct {
	Name    string `yaml:"name"`
	Control bool   `yaml:"control"` // It is permitted, and must run.
	Inert   string `yaml:"inert"`   // Why not even a server without a gate would do anything.
	Step    `yaml:",inline"`
	Steps   []Step `yaml:"steps"`
}

// Step is one request, or a wait.
type Step struct {
	As      string   `yaml:"as"` // A key by its id; "nobody" sends none.
	Method  string   `yaml:"method"`
	Path    string   `yaml:"path"`
	Headers []string `yaml:"headers"` // "Name: value" is added, "-Name" takes away one that is there by itself.
	Body    string   `yaml:"body"`
	Bytes   string   `yaml:"bytes"` // A body with escapes.
	Raw     string   `yaml:"raw"`   // The whole request with escapes.

	// Instead of a body: a call of a tool, or of a model. The name of a tool and its arguments are JSON, so that escapes
	// stay as they are.
	Tool string `yaml:"tool"`
	Args string `yaml:"args"`
	Chat string `yaml:"chat"` // The name of a model.

	// Instead of a body: a tools/call or tasks/… of 2026-07-28, whose sender knows tasks and can be asked.
	Modern string `yaml:"modern"` // Its method.
	About  string `yaml:"about"`  // The tool or task, which its headers repeat.
	More   string `yaml:"more"`   // Further members of its parameters.

	Ask    string            `yaml:"ask"`    // The call waits for an approval, whose id is kept under this name; its answer is not waited for.
	Answer string            `yaml:"answer"` // Reads the answer of the call that asked.
	Keep   string            `yaml:"keep"`   // Keeps the id of the answer, or of the approval that it names, under this name.
	Find   map[string]string `yaml:"find"`   // Keeps a header of the answer, or a member of its body, under a name: "a: taskId".
	Cookie string            `yaml:"cookie"` // Keeps the session that the answer opens under this name.
	Until  string            `yaml:"until"`  // "a expired": waits for the state of an approval. "a unusable": until it can not be used any more.

	Want Want `yaml:"want"`
}

// Want is what must come of a step. What is left out does not matter, but Ran.
type Want struct {
	Status int      `yaml:"status"`
	Code   string   `yaml:"code"`
	Says   string   `yaml:"says"`
	Ran    []string `yaml:"ran"`    // "server.tool ARGUMENTS" or "model NAME"; nothing else may have run.
	Record string   `yaml:"record"` // The outcomes on record: "ok", "denied", "none" …; "" follows from Code and Ran.
	Hides  string   `yaml:"hides"`  // What the answer must not have. Where nobody forbids it, the attempt is one if it has.
	Open   bool     `yaml:"open"`   // What ran has no outcome yet: a later step says it.
	Agent  string   `yaml:"agent"`  // Who the outcome says.
	Tenant string   `yaml:"tenant"`
}

// steps gives all steps of a vector, with what the file says for all.
func (f *File) steps(v Vector) []Step {
	list := v.Steps
	if len(list) == 0 {
		list = []Step{v.Step}
	}
	out := make([]Step, len(list))
	for i, s := range list {
		out[i] = s.with(f.Request)
		if out[i].As == "" {
			out[i].As = f.As
		}
	}
	return out
}

// with fills in what a step leaves out. A wait and a reading have no request.
func (s Step) with(common Step) Step {
	if s.Until != "" || s.Answer != "" || s.Raw != "" {
		return s
	}
	fill := func(to *string, from string) {
		if *to == "" {
			*to = from
		}
	}
	fill(&s.As, common.As)
	fill(&s.Path, common.Path)
	fill(&s.Method, common.Method)
	fill(&s.Args, common.Args)
	if s.Tool == "" && s.Body == "" && s.Bytes == "" && s.Chat == "" {
		s.Tool, s.Body, s.Bytes, s.Chat = common.Tool, common.Body, common.Bytes, common.Chat
	}
	if s.Tool != "" {
		fill(&s.Path, "/mcp/files")
		fill(&s.Args, "{}")
	}
	if s.Modern != "" {
		fill(&s.Args, "{}")
	}
	if s.Chat != "" {
		fill(&s.Path, "/v1/chat/completions")
	}
	fill(&s.Method, "POST")
	s.Headers = append(append([]string(nil), common.Headers...), s.Headers...)
	return s
}

// ran gives what may run in the step.
func (s Step) ran(expand func(string) string) (list []string) {
	for _, what := range s.Want.Ran {
		list = append(list, expand(what))
	}
	return list
}

// catalogue reads all files.
func catalogue(t testing.TB) []*File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "*", "*.yml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no vectors: %v", err)
	}
	var files []*File
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f := &File{path: path}
		if err := yaml.UnmarshalWithOptions(text, f, yaml.Strict()); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		f.check(t)
		files = append(files, f)
	}
	return files
}

// check looks at what no vector may lack.
func (f *File) check(t testing.TB) {
	t.Helper()
	if f.Family != filepath.Base(filepath.Dir(f.path)) || f.Tries == "" || f.Source == "" || len(f.Vectors) == 0 {
		t.Errorf("%s: family (that of its folder), tries, source and vectors are needed", f.path)
	}
	if f.World != "" && f.World != "hasty" && f.World != "told" {
		t.Errorf("%s: nobody knows the world %q, so nothing would be tried", f.path, f.World)
	}
	names := map[string]bool{}
	for _, v := range f.Vectors {
		if v.Name == "" || names[v.Name] {
			t.Errorf("%s: the name %q is empty or there twice", f.path, v.Name)
		}
		names[v.Name] = true
		for _, s := range f.steps(v) {
			if s.Until == "" && s.Want.Status == 0 && s.Want.Code == "" && s.Ask == "" {
				t.Errorf("%s: %s: a step says neither status nor code", f.path, v.Name)
			}
		}
	}
}

var escapes = regexp.MustCompile(`\\(x[0-9a-fA-F]{2}|r|n|0)`)

// unescape gives the bytes of a text with escapes.
func unescape(s string) string {
	return escapes.ReplaceAllStringFunc(s, func(e string) string {
		switch e[1] {
		case 'r':
			return "\r"
		case 'n':
			return "\n"
		case '0':
			return "\x00"
		}
		return string([]byte{hex(e[2])<<4 | hex(e[3])})
	})
}

func hex(c byte) byte { return byte(strings.IndexByte("0123456789abcdef", c|0x20)) }
