package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Parse never panics; it gives a configuration or problems, never both; every problem is complete and inside the file;
// and none shows what a variable contains.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.good.yml", "testdata/*.bad.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add(Quickstart)
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), mark) {
			return // The mark must come only out of the environment.
		}
		c, err := Parse("f.yml", data, testEnv, testOptions)
		if err == nil {
			checkWhole(t, c)
			return
		}
		var problems Problems
		if c != nil || !errors.As(err, &problems) || len(problems) == 0 {
			t.Fatalf("got %v and %v", c, err)
		}
		lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 1
		for _, p := range problems {
			if p.Message == "" || p.Remedy == "" || p.File != "f.yml" || p.Line > lines || (p.Line > 0) != (p.Column > 0) {
				t.Errorf("of %d lines: %#v", lines, p)
			}
			if strings.Contains(p.Error(), mark) {
				t.Errorf("shows a secret: %v", p)
			}
			if strings.Contains(p.Message, "gave up") {
				t.Errorf("the YAML library panicked: %v", p)
			}
		}
	})
}

// checkWhole holds what a Config promises.
func checkWhole(t *testing.T, c *Config) {
	if len(c.Tenants) == 0 || c.Listen == "" || c.Database.Path == "" || c.Limits.MaxBodyBytes == 0 {
		t.Errorf("incomplete: %+v", c)
	}
	for name, m := range c.Models {
		if _, found := c.Providers[m.Provider]; !found || m.Model == "" {
			t.Errorf("model %q: %+v", name, m)
		}
	}
	for _, r := range c.Routes {
		for _, use := range r.Use {
			if _, found := c.Models[use]; !found {
				t.Errorf("route %q uses %q", r.Name, use)
			}
		}
	}
	for _, k := range c.Keys {
		if len(k.Secret.Reveal()) < MinSecret || !k.Role.Valid() {
			t.Errorf("key %+v", k)
		}
	}
	if first, second := c.Fingerprint(), c.Fingerprint(); first != second {
		t.Errorf("two fingerprints: %s and %s", first, second)
	}
}
