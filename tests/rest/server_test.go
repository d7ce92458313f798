package rest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// shelter is a REST API over pets. It knows nothing of Signalbox.
type shelter struct {
	*httptest.Server

	mu   sync.Mutex
	pets map[string]string // By name: the JSON of each.
	log  []string          // What was asked, as it came in: "GET /v1/pets/rex".
	auth map[string]bool   // What came as Authorization and X-Api-Key.
}

func newShelter(t testing.TB) *shelter {
	t.Helper()
	s := &shelter{pets: map[string]string{"rex": `{"name":"rex","age":3}`}, auth: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/pets/{name}", s.get)
	mux.HandleFunc("PUT /v1/pets/{name}", s.put)
	mux.HandleFunc("DELETE /v1/pets/{name}", s.drop)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.log = append(s.log, r.Method+" "+r.RequestURI)
		s.auth[r.Header.Get("Authorization")+"|"+r.Header.Get("X-Api-Key")] = true
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shelter) get(w http.ResponseWriter, r *http.Request) {
	pet, ok := s.pets[r.PathValue("name")]
	if !ok {
		http.Error(w, "there is no such pet", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, pet)
}

func (s *shelter) put(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.pets[r.PathValue("name")] = string(data)
	w.WriteHeader(http.StatusNoContent)
}

func (s *shelter) drop(w http.ResponseWriter, r *http.Request) {
	delete(s.pets, r.PathValue("name"))
	w.WriteHeader(http.StatusNoContent)
}

// asked gives what was asked since the last time.
func (s *shelter) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Clone(s.log)
	s.log = nil
	return list
}

// pet gives the JSON of one, "" where there is none.
func (s *shelter) pet(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pets[name]
}

// shown gives all that the API was shown as credentials.
func (s *shelter) shown() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.auth
}
