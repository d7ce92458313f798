package signalbox

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPathTemplate(t *testing.T) {
	for _, c := range []struct {
		name     string
		template PathTemplate
		values   map[string]string
		want     string // The path, or a part of the error.
	}{
		{"nothing to fill", "/pets", nil, "/pets"},
		{"one", "/pets/{id}", map[string]string{"id": "7"}, "/pets/7"},
		{"twice", "/{a}/x/{a}", map[string]string{"a": "b"}, "/b/x/b"},
		{"parts of a segment", "/{name}.{ext}:do", map[string]string{"name": "a:b", "ext": "c"}, "/a%3Ab.c:do"},
		{"all that is escaped", "/{a}", map[string]string{"a": "a/b c?d#e;f%g&h=i@é"}, "/a%2Fb%20c%3Fd%23e%3Bf%25g%26h%3Di%40%C3%A9"},
		{"all that is not", "/{a}", map[string]string{"a": "aZ09-._~"}, "/aZ09-._~"},
		{"open brace", "/a/{b", nil, "/a/{b"},
		{"empty", "/{a}", map[string]string{"a": ""}, "is empty"},
		{"missing", "/{a}", nil, "no such argument"},
		{"step", "/{a}", map[string]string{"a": "."}, "has a step"},
		{"step up", "/{a}", map[string]string{"a": ".."}, "has a step"},
		{"blank", "/{a}", map[string]string{"a": " "}, "has a step"},
		{"dots and blanks", "/{a}", map[string]string{"a": ". ."}, "has a step"},
		{"step before a parameter", "/{a}", map[string]string{"a": "..;x"}, "has a step"},
		{"step after a slash", "/{a}", map[string]string{"a": "x/.."}, "has a step"},
		{"slash at the end", "/{a}", map[string]string{"a": "x/"}, "has a step"},
		{"slash at the start", "/{a}", map[string]string{"a": "/x"}, "has a step"},
		{"backslash", "/{a}", map[string]string{"a": `..\x`}, "has a backslash"},
		{"encoded", "/{a}", map[string]string{"a": "%2E%2e"}, "is percent-encoded already"},
		{"null", "/{a}", map[string]string{"a": "a\x00"}, "has a control character"},
		{"not Unicode", "/{a}", map[string]string{"a": "\xff"}, "is not valid Unicode"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.template.Fill(func(name string) (string, error) {
				if value, ok := c.values[name]; ok {
					return value, nil
				}
				return "", errors.New("no such argument")
			})
			if err == nil && got != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q (%v), want %q", got, err, c.want)
			}
		})
	}
}

func TestArgumentsOfAPathTemplate(t *testing.T) {
	if got, want := PathTemplate("/{a}/b/{c}.{d}/{a}").Arguments(), []string{"a", "c", "d", "a"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Whatever is filled in, a path keeps its segments, and each value comes back out of it.
func TestFilledPathsKeepTheirSegments(t *testing.T) {
	const template = PathTemplate("/a/{x}/b/{y}")
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.StringOfN(rapid.SampledFrom([]rune(`a./\;%2F:?#{}é `)), 0, 8, -1)
		values := map[string]string{"x": draw.Draw(t, "x"), "y": draw.Draw(t, "y")}
		path, err := template.Fill(func(name string) (string, error) { return values[name], nil })
		if err != nil {
			return
		}
		segments := strings.Split(path, "/")
		if len(segments) != 5 || segments[1] != "a" || segments[3] != "b" {
			t.Fatalf("%q becomes %q", values, path)
		}
		for i, name := range map[int]string{2: "x", 4: "y"} {
			if back, err := url.PathUnescape(segments[i]); err != nil || back != values[name] {
				t.Fatalf("%q becomes %q", values, path)
			}
		}
	})
}
