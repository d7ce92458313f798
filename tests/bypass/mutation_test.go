package bypass

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestTheCatalogueBites sends the catalogue to where it must do harm: to the real binary with a configuration that permits
// everything, and to a server without a gate that reads as laxly as any. A vector that does nothing at either proves
// nothing, unless it says why.
func TestTheCatalogueBites(t *testing.T) {
	t.Parallel()
	files := catalogue(t)
	permissive := newWorld(t, "open")
	none := &world{witness: newWitness(t)}
	naive := httptest.NewServer(http.HandlerFunc(none.naive))
	defer naive.Close()
	none.address = strings.TrimPrefix(naive.URL, "http://")
	attempts, bitten, open, inert := 0, 0, 0, 0
	for _, f := range files {
		for _, v := range f.Vectors {
			if v.Control {
				continue
			}
			attempts++
			without := permissive.bites(t, f, v)
			nothing := none.bites(t, f, v)
			if without {
				open++
			}
			switch reason := firstOf(v.Inert, f.Inert); {
			case without || nothing:
				bitten++
				if v.Inert != "" {
					t.Errorf("%s: %s: it says that it can do nothing, and it does", f.path, v.Name)
				}
			case reason == "":
				t.Errorf("%s: %s: it does no harm even where nobody forbids it", f.path, v.Name)
			default:
				inert++
			}
		}
	}
	t.Logf("of %d attempts %d do harm where nothing forbids it, %d of these by the configuration alone; %d say why they can not", attempts, bitten, open, inert)
	if bitten*10 < attempts*9 || open*2 < attempts {
		t.Errorf("only %d of %d attempts can do harm, and %d by the configuration alone", bitten, attempts, open)
	}
}

// bites reports whether more runs, or is told, than the vector allows.
func (w *world) bites(t *testing.T, f *File, v Vector) bool {
	t.Helper()
	w.witness.take()
	w.forget()
	expand := expander(w.kept, func(string, string) string { return "/decide/none?token=none" })
	var ran, may []string
	told := false
	for _, s := range f.steps(v) {
		if may = append(may, s.ran(expand)...); s.Until != "" || s.Answer != "" {
			continue
		}
		x, err := knock(w.address, s.request(expand))
		if err == nil && x.read() == nil { // Whatever it answers: what counts is what ran, and what it tells.
			w.find(s, x)
			told = told || s.Want.Hides != "" && strings.Contains(x.all, s.Want.Hides)
		}
		ran = append(ran, w.witness.take()...)
	}
	return told || len(surplus(ran, may)) > 0
}

// naive serves like a gateway that decides nothing: every method, paths and contents as somebody may have meant them.
func (w *world) naive(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil {
		return
	}
	path := strings.ToLower(strings.ReplaceAll(r.URL.Path, "\\", "/"))
	for range 2 { // As proxies behind each other do.
		if decoded, err := url.PathUnescape(path); err == nil {
			path = decoded
		}
	}
	w.witness.mu.Lock()
	defer w.witness.mu.Unlock()
	for _, c := range readLax(body) {
		if what, is := c.act(); is {
			w.witness.tools = append(w.witness.tools, serverIn(path)+"."+what)
		} else if c.Model != "" {
			w.witness.tools = append(w.witness.tools, "model "+c.Model)
		}
	}
	_, _ = io.WriteString(out, "{}")
}

// serverIn gives the last server that a path could mean.
func serverIn(path string) (id string) {
	for word := range strings.FieldsFuncSeq(path, func(r rune) bool { return strings.ContainsRune("/;.?\x00 ", r) }) {
		if _, known := servers[word]; known {
			id = word
		}
	}
	return id
}
