package api_test

import (
	"bytes"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

var update = flag.Bool("update", false, "write docs/openapi.json anew")

const golden = "../../../../docs/openapi.json"

// The console's types are generated from the committed document, so it must be what the server serves.
func TestOpenAPIIsTheCommittedOne(t *testing.T) {
	mux := http.NewServeMux()
	api.New(mux, api.Options{Now: time.Now, Version: "1"})
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/openapi.json", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var doc json.Value
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(doc)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/openapi.json differs from what is served; run: go test ./internal/platform/server/api -update")
	}
}
