//go:build !no_ui

package console

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// get asks the handler; the header's pairs are name, value.
func get(t *testing.T, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// script is the address of the console's script, as index.html names it.
func script(t *testing.T) string {
	t.Helper()
	found := regexp.MustCompile(`src="(/assets/[^"]+\.js)"`).FindStringSubmatch(body(t, get(t, "GET", "/")))
	if found == nil {
		t.Fatal("index.html names no script below /assets")
	}
	return found[1]
}

func TestPaths(t *testing.T) {
	cases := []struct {
		name, method, path string
		status             int
		contentType, cache string
	}{
		{"the front page", "GET", "/", 200, "text/html; charset=utf-8", "no-cache"},
		{"a view", "GET", "/calls", 200, "text/html; charset=utf-8", "no-cache"},
		{"the view of a tool with a full stop", "GET", "/servers/files/tools/read.file", 200, "text/html; charset=utf-8", "no-cache"},
		{"a view of one thing", "GET", "/traces/4bf92f3577b34da6a3ce929d0e0e4736", 200, "text/html; charset=utf-8", "no-cache"},
		{"the index by name", "GET", "/index.html", 200, "text/html; charset=utf-8", "no-cache"},
		{"only its head", "HEAD", "/", 200, "text/html; charset=utf-8", "no-cache"},
		{"the script", "GET", script(t), 200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"the licences of what is bundled", "GET", "/licenses.txt", 200, "text/plain; charset=utf-8", "no-cache"},
		{"a script of yesterday", "GET", "/assets/index-00000000.js", 404, "text/plain; charset=utf-8", ""},
		{"a folder", "GET", "/assets/", 404, "text/plain; charset=utf-8", ""},
		{"a file that is not there", "GET", "/favicon.ico", 404, "text/plain; charset=utf-8", ""},
		{"a wrong path of the control API", "GET", "/api/v1/nothing", 404, "text/plain; charset=utf-8", ""},
		{"the view of the log", "GET", "/audit", 200, "text/html; charset=utf-8", "no-cache"},
		{"a wrong path of the log", "GET", "/audit/nothing", 404, "text/plain; charset=utf-8", ""},
		{"a wrong path of a model API", "GET", "/v1/nothing", 404, "text/plain; charset=utf-8", ""},
		{"the compressed twin by name", "GET", "/index.html.gz", 404, "text/plain; charset=utf-8", ""},
		{"out of the folder", "GET", "/../embed.go", 404, "text/plain; charset=utf-8", ""},
		{"a post", "POST", "/", 405, "text/plain; charset=utf-8", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			res := get(t, c.method, c.path)
			got := []any{res.StatusCode, res.Header.Get("Content-Type"), res.Header.Get("Cache-Control")}
			want := []any{c.status, c.contentType, c.cache}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("%s %s: got %q, want %q", c.method, c.path, got[i], want[i])
				}
			}
			if policy := res.Header.Get("Content-Security-Policy"); policy != contentSecurityPolicy {
				t.Errorf("the policy is %q", policy)
			}
			if res.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Error("the answer may be sniffed")
			}
		})
	}
}

func TestCompression(t *testing.T) {
	path := script(t)
	plain := body(t, get(t, "GET", path))
	cases := []struct {
		name, accept string
		packed       bool
	}{
		{"nothing said", "", false},
		{"gzip", "gzip", true},
		{"gzip among others", "br;q=1.0, GZIP;q=0.5, *;q=0", true},
		{"gzip refused", "gzip;q=0", false},
		{"gzip refused with places", "gzip; q=0.000", false},
		{"only others", "br, zstd", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			res := get(t, "GET", path, "Accept-Encoding", c.accept)
			if got := res.Header.Get("Content-Encoding") == "gzip"; got != c.packed {
				t.Fatalf("Accept-Encoding %q: compressed is %v, want %v", c.accept, got, c.packed)
			}
			if res.Header.Get("Vary") != "Accept-Encoding" {
				t.Error("caches are not told that the answer depends on Accept-Encoding")
			}
			got := body(t, res)
			if c.packed {
				got = unzip(t, got)
			}
			if got != plain {
				t.Error("the bytes differ from the plain file")
			}
		})
	}
}

func unzip(t *testing.T, packed string) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestUnchangedIsNotSentAgain(t *testing.T) {
	first := get(t, "GET", "/", "Accept-Encoding", "gzip")
	etag := first.Header.Get("ETag")
	again := get(t, "GET", "/calls", "Accept-Encoding", "gzip", "If-None-Match", etag)
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("status %d with the ETag %s of the same page, want 304", again.StatusCode, etag)
	}
	if plain := get(t, "GET", "/").Header.Get("ETag"); plain == etag {
		t.Error("the plain and the compressed page have one ETag")
	}
}

// What the policy forbids must not be in the page: the browser would leave it out silently.
func TestIndexHoldsNothingInline(t *testing.T) {
	page := body(t, get(t, "GET", "/"))
	for _, pattern := range []string{`<script(?:\s[^>]*)?>[^<]`, `<style`, `\sstyle=`, `\son[a-z]+=`, `https?://`, `data:`} {
		if found := regexp.MustCompile(pattern).FindString(page); found != "" {
			t.Errorf("index.html holds %q", found)
		}
	}
}

// The compressed files must be those of the plain ones, or readers see two different consoles.
func TestEveryFileHasItsTwin(t *testing.T) {
	root, err := fs.Sub(files, "dist")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, ".gz") {
			return err
		}
		seen++
		plain, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		packed, err := fs.ReadFile(root, name+".gz")
		if err != nil {
			return err
		}
		if !bytes.Equal([]byte(unzip(t, string(packed))), plain) {
			t.Errorf("%s.gz is not the compressed %s", name, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 3 {
		t.Errorf("dist holds %d files; a page, a script and a style are the least", seen)
	}
}

func TestPolicy(t *testing.T) {
	for _, part := range []string{"default-src 'self'", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'"} {
		if !strings.Contains(contentSecurityPolicy, part) {
			t.Errorf("the policy lacks %s", part)
		}
	}
	for _, part := range []string{"unsafe", "*", "data:", "http"} {
		if strings.Contains(contentSecurityPolicy, part) {
			t.Errorf("the policy holds %s", part)
		}
	}
}
