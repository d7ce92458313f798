//go:build !no_ui

// Package console serves the web console: its built files, which are part of the binary.
//
// The source is in src; "npm run build" writes dist, which is committed, so that building the binary needs no
// Node. Every file of dist stands there twice, plain and compressed (.gz). Files below assets have a hash of
// their content in their name and never change; index.html names them and is asked for again each time.
//
// The build tag no_ui leaves the console out; Handler then says so.
package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed all:dist
var files embed.FS

// contentSecurityPolicy allows files of this origin and nothing else: no inline script or style, no eval, no frame.
const contentSecurityPolicy = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; " +
	"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// asset is one file of the console, ready to be sent.
type asset struct {
	plain, packed []byte
	contentType   string
	etag          string
	cache         string
}

// Handler serves the console. A path without an extension that names no file gets index.html, because the views
// have addresses of their own; the paths of the APIs do not, so that a wrong one is never answered with a page.
// The handler is safe for concurrent use. It answers GET and HEAD, everything else is 405.
func Handler() http.Handler {
	assets := load()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "The console answers GET and HEAD only.", http.StatusMethodNotAllowed)
			return
		}
		found, ok := find(assets, r.URL.Path)
		if !ok {
			http.Error(w, "There is no such file or page. The console begins at /, the control API at /api/v1.", http.StatusNotFound)
			return
		}
		found.send(w, r)
	})
}

// find picks the file for a path: the file itself, or index.html for a view.
func find(assets map[string]asset, urlPath string) (asset, bool) {
	name := strings.TrimPrefix(path.Clean("/"+urlPath), "/")
	if found, ok := assets[name]; ok {
		return found, true
	}
	if path.Ext(name) != "" && !strings.HasPrefix(name, "servers/") || reserved(name) { // A tool's name may have a full stop.
		return asset{}, false
	}
	found, ok := assets["index.html"]
	return found, ok
}

// reserved says whether a path belongs to one of the APIs beside the console.
func reserved(name string) bool {
	first, rest, _ := strings.Cut(name, "/")
	switch first {
	case "api", "v1", "mcp", "a2a", "assets", "metrics", "healthz", "readyz":
		return true
	case "audit":
		return rest != "" // The view itself is /audit; the log's tiles are below it.
	}
	return false
}

// send writes the file, compressed if the client takes that. ServeContent handles conditional and range requests.
func (a asset) send(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", a.contentType)
	header.Set("Cache-Control", a.cache)
	header.Add("Vary", "Accept-Encoding")
	body, etag := a.plain, a.etag
	if a.packed != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		body, etag = a.packed, a.etag+"-gz"
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reads Accept-Encoding as far as it matters here: gzip is named and not refused by q=0.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		weight, given := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		return !given || strings.Trim(weight, "0.") != ""
	}
	return false
}

// secure sets the headers that every answer of the console carries, errors too.
func secure(header http.Header) {
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}

// load reads dist once. It panics when dist cannot be read, which the compiler's embedding rules out.
func load() map[string]asset {
	assets := map[string]asset{}
	root, err := fs.Sub(files, "dist")
	if err != nil {
		panic("console: dist is not embedded: " + err.Error())
	}
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, ".gz") {
			return err
		}
		assets[name], err = read(root, name)
		return err
	})
	if err != nil {
		panic("console: dist cannot be read: " + err.Error())
	}
	return assets
}

func read(root fs.FS, name string) (asset, error) {
	plain, err := fs.ReadFile(root, name)
	if err != nil {
		return asset{}, err
	}
	// A file without a compressed twin is sent plain.
	packed, err := fs.ReadFile(root, name+".gz")
	if err != nil || len(packed) >= len(plain) {
		packed = nil
	}
	sum := sha256.Sum256(plain)
	cache := "no-cache"
	if strings.HasPrefix(name, "assets/") {
		cache = "public, max-age=31536000, immutable"
	}
	return asset{plain: plain, packed: packed, contentType: contentType(name), etag: hex.EncodeToString(sum[:12]), cache: cache}, nil
}

// contentType knows the console's own kinds of file, so that a machine's mime table changes nothing.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".json":
		return "application/json"
	case ".woff2":
		return "font/woff2"
	}
	if known := mime.TypeByExtension(path.Ext(name)); known != "" {
		return known
	}
	return "application/octet-stream"
}
