//go:build no_ui

package console

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestLeftOut(t *testing.T) {
	for _, path := range []string{"/", "/calls", "/assets/x.js"} {
		w := httptest.NewRecorder()
		Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 404 || !strings.Contains(w.Body.String(), "no_ui") {
			t.Errorf("GET %s: %d %q, want 404 and the reason", path, w.Code, w.Body)
		}
	}
}
