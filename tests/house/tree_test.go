package house

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// module is the import path of the root package.
const module = "github.com/signalbox/signalbox"

// root is the top of the tree; `go test` runs in the folder of the package.
const root = "../.."

// source is one parsed Go file.
type source struct {
	path  string // Slash-separated, relative to the top of the tree.
	file  *ast.File
	fset  *token.FileSet
	lines int
}

// dir is the folder of the file, "" for the top of the tree.
func (s source) dir() string {
	if d := path.Dir(s.path); d != "." {
		return d
	}
	return ""
}

func (s source) test() bool      { return strings.HasSuffix(s.path, "_test.go") }
func (s source) generated() bool { return ast.IsGenerated(s.file) }

// imports lists the import paths of the file.
func (s source) imports() []string {
	paths := make([]string, 0, len(s.file.Imports))
	for _, spec := range s.file.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// outside are folders that hold nothing of this module's source, or things of which a rule would not make sense.
var outside = []string{".git", ".bin", "bin", "data", "dist", "node_modules", "testdata", "transcripts"}

// walk calls visit with each file of the tree that is ours, with its path relative to the top.
func walk(t *testing.T, visit func(name string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains(outside, entry.Name()) || otherModule(rel) {
				return fs.SkipDir
			}
			return nil
		}
		visit(filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		t.Fatalf("walk the tree: %v", err)
	}
}

// otherModule reports whether the folder below the top has a go.mod of its own.
func otherModule(rel string) bool {
	if rel == "." {
		return false
	}
	_, err := os.Stat(filepath.Join(root, rel, "go.mod"))
	return err == nil
}

var parsed struct {
	once    sync.Once
	sources []source
}

// sources parses every Go file of the module, once per run.
func sources(t *testing.T) []source {
	t.Helper()
	parsed.once.Do(func() {
		walk(t, func(name string) {
			if strings.HasSuffix(name, ".go") {
				parsed.sources = append(parsed.sources, parse(t, name))
			}
		})
	})
	if len(parsed.sources) == 0 {
		t.Fatal("found no Go file: the tests of this package run in tests/house, two folders below the top")
	}
	return parsed.sources
}

func parse(t *testing.T, name string) source {
	t.Helper()
	text := read(t, name)
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("%s does not parse: %v", name, err)
	}
	return source{path: name, file: file, fset: fset, lines: bytes.Count(text, []byte("\n"))}
}

// read gives the content of a file of the tree.
func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	return text
}
