package config

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the expected texts of the bad files")

// The environment of the test files. Its values carry a mark, and no message may show one.
const mark = "canary"

var environment = map[string]string{
	"PORT":        "9090",
	"EMPTY":       "",
	"APP_KEY":     mark + "-0123456789abcdef",
	"SHORT":       mark,
	"BROKEN_LINE": mark + "\r\nX-Injected: yes",
	"STRUCTURE":   "[{id: " + mark + "}]",
}

func testEnv(name string) (string, bool) {
	v, found := environment[name]
	return v, found
}

// testOptions stand in for the compiler of expressions, and for files beside the configuration.
var testOptions = Options{CheckExpression: checkExpression, CheckRisk: checkExpression, ReadFile: testFile}

func checkExpression(s string) error {
	if strings.Contains(s, "invalid") {
		return errors.New("syntax error:\n  | at 1:8")
	}
	return nil
}

const someCedar = "forbid (principal, action, resource);\n"

func testFile(name string) ([]byte, error) {
	content, found := map[string]string{
		"rules.cedar": someCedar, "more/rules.cedar": someCedar, "empty.cedar": "\n \n", "latin1.cedar": "caf\xe9",
		"large.cedar": strings.Repeat("/", MaxCedarBytes+1),
	}[name]
	if !found {
		content, found = documents[name]
	}
	if !found {
		return nil, &fs.PathError{Op: "open", Path: "/" + mark + "/" + name, Err: fs.ErrNotExist}
	}
	return []byte(content), nil
}

func matching(t *testing.T, pattern string, least int) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) < least {
		t.Fatalf("found %d files %s (%v), want at least %d", len(files), pattern, err, least)
	}
	return files
}

func parseFile(t *testing.T, path string) (*Config, error) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Parse(filepath.Base(path), data, testEnv, testOptions)
}

func TestGoodFiles(t *testing.T) {
	for _, path := range matching(t, "*.good.yml", 10) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, err := parseFile(t, path); err != nil {
				t.Errorf("got problems:\n%v", err)
			}
		})
	}
}

func TestBadFiles(t *testing.T) {
	for _, path := range matching(t, "*.bad.yml", 40) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := parseFile(t, path)
			if err == nil {
				t.Fatal("got no problem")
			}
			got, expected := err.Error()+"\n", strings.TrimSuffix(path, ".yml")+".txt"
			if *update {
				if err := os.WriteFile(expected, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(expected)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
			if strings.Contains(got, mark) {
				t.Errorf("shows a secret:\n%s", got)
			}
		})
	}
}
