package house

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// outline is what two language versions of one document must have in common.
type outline struct {
	headings []string // Levels, as "##".
	blocks   []string // Fenced code blocks: the language line, and the code without comments (prose in text blocks is not compared).
	tables   []string // Columns of each table row.
	images   []string // Targets of images.
}

var imageTarget = regexp.MustCompile(`!\[[^\]]*\]\(([^)\s]+)`)

// outlineOf reads a Markdown text.
func outlineOf(text string) outline {
	var o outline
	block, fenced := "", false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch fence := strings.HasPrefix(line, "```"); {
		case fence && fenced:
			o.blocks, block, fenced = append(o.blocks, shared(block)), "", false
		case fence:
			block, fenced = line+"\n", true
		case fenced:
			block += line + "\n"
		case strings.HasPrefix(line, "#"):
			o.headings = append(o.headings, strings.SplitN(line, " ", 2)[0])
		case strings.HasPrefix(line, "|"):
			o.tables = append(o.tables, strconv.Itoa(strings.Count(line, "|")-1)+" columns")
		}
		for _, match := range imageTarget.FindAllStringSubmatch(line, -1) {
			o.images = append(o.images, match[1])
		}
	}
	return o
}

var comment = regexp.MustCompile(`(?m)(^|\s+)#.*$`)

// shared leaves of a block what both languages share.
func shared(block string) string {
	if strings.HasPrefix(block, "```text\n") {
		return "```text"
	}
	return comment.ReplaceAllString(block, "")
}

func TestReadmesAreEqual(t *testing.T) {
	english := outlineOf(string(read(t, "README.md")))
	korean := outlineOf(string(read(t, "README.ko.md")))
	for _, part := range []struct {
		name      string
		got, want []string
	}{
		{"headings", korean.headings, english.headings},
		{"code blocks", korean.blocks, english.blocks},
		{"table rows", korean.tables, english.tables},
		{"images", korean.images, english.images},
	} {
		if len(part.want) == 0 {
			t.Errorf("README.md has no %s: the comparison would compare nothing", part.name)
		}
		if at := firstDifference(part.got, part.want); at >= 0 {
			t.Errorf("README.ko.md differs from README.md in %s, number %d: got %q, want %q",
				part.name, at+1, element(part.got, at), element(part.want, at))
		}
	}
}

// firstDifference gives the index of the first difference, -1 if there is none.
func firstDifference(got, want []string) int {
	for i := range max(len(got), len(want)) {
		if element(got, i) != element(want, i) {
			return i
		}
	}
	return -1
}

func element(list []string, at int) string {
	if at < len(list) {
		return list[at]
	}
	return "nothing"
}

func TestOutlineSeesDifferences(t *testing.T) {
	base := "# A\n\ntext\n\n```sh\nmake run\n```\n\n| a | b |\n\n![x](a.png)\n"
	for _, c := range []struct{ name, text string }{
		{"heading missing", strings.Replace(base, "# A\n", "", 1)},
		{"heading of another level", strings.Replace(base, "# A", "## A", 1)},
		{"command changed", strings.Replace(base, "make run", "make runs", 1)},
		{"language changed", strings.Replace(base, "```sh", "```text", 1)},
		{"column missing", strings.Replace(base, "| a | b |", "| a |", 1)},
		{"image missing", strings.Replace(base, "![x](a.png)", "", 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := fmt.Sprint(outlineOf(c.text)); got == fmt.Sprint(outlineOf(base)) {
				t.Errorf("outline of %q equals that of %q", c.text, base)
			}
		})
	}
}

// domainCode is an error code as the domain's source has it.
type domainCode struct {
	status    string // The HTTP status.
	retryable bool
}

// errorCodes reads the codes out of the domain's source.
func errorCodes(t *testing.T) map[string]domainCode {
	t.Helper()
	names, statuses, retryable := map[string]string{}, map[string]string{}, map[string]bool{}
	ast.Inspect(parse(t, "error.go").file, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.ValueSpec:
			if literal, ok := only(n.Values).(*ast.BasicLit); ok && literal.Kind == token.STRING && strings.HasPrefix(n.Names[0].Name, "Code") {
				names[n.Names[0].Name] = strings.Trim(literal.Value, `"`)
			}
		case *ast.KeyValueExpr:
			key, isName := n.Key.(*ast.Ident)
			value, isNumber := n.Value.(*ast.BasicLit)
			if isName && isNumber && value.Kind == token.INT {
				statuses[key.Name] = value.Value
			}
		case *ast.CaseClause: // Retryable has the only one with codes.
			for _, expr := range n.List {
				if name, ok := expr.(*ast.Ident); ok {
					retryable[name.Name] = true
				}
			}
		}
		return true
	})
	codes := map[string]domainCode{}
	for name, code := range names {
		codes[code] = domainCode{statuses[name], retryable[name]}
	}
	return codes
}

func only(values []ast.Expr) ast.Expr {
	if len(values) != 1 {
		return nil
	}
	return values[0]
}

var codeHeading = regexp.MustCompile("^`([a-z_]+)` · ([0-9]+)\n")

// documentedCodes reads what docs/errors.md says of each code.
func documentedCodes(t *testing.T) map[string]domainCode {
	t.Helper()
	codes := map[string]domainCode{}
	for _, section := range strings.Split(string(read(t, "docs/errors.md")), "\n### ") {
		if match := codeHeading.FindStringSubmatch(section); match != nil {
			codes[match[1]] = domainCode{match[2], !strings.Contains(section, "`x-should-retry: false`")}
		}
	}
	return codes
}

func TestEveryErrorCodeIsDocumented(t *testing.T) {
	codes, documented := errorCodes(t), documentedCodes(t)
	if len(codes) < 10 {
		t.Fatalf("found only %d codes in error.go: this test no longer reads it rightly", len(codes))
	}
	for code, want := range codes {
		if got, found := documented[code]; !found || got != want {
			t.Errorf("docs/errors.md on %q: got %+v, want %+v (a heading \"### `code` · status\", and `x-should-retry: false` unless it is retryable)",
				code, got, want)
		}
	}
	for code := range documented {
		if _, exists := codes[code]; !exists {
			t.Errorf("docs/errors.md describes %q, which error.go does not have", code)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksOfTheDocumentsLeadSomewhere(t *testing.T) {
	checked := 0
	walk(t, func(name string) {
		if path.Ext(name) != ".md" {
			return
		}
		for _, match := range link.FindAllStringSubmatch(withoutBlocks(string(read(t, name))), -1) {
			target, _, _ := strings.Cut(match[1], "#")
			if target == "" || strings.Contains(target, ":") {
				continue
			}
			checked++
			if _, err := os.Stat(filepath.Join(root, path.Join(path.Dir(name), target))); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, match[1])
			}
		}
	})
	if checked == 0 {
		t.Error("found no link in any document: this test no longer reads them rightly")
	}
}

// withoutBlocks drops fenced code, where brackets mean something else.
func withoutBlocks(text string) string {
	var kept []string
	for i, part := range strings.Split(text, "\n```") {
		if i%2 == 0 {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "\n")
}
