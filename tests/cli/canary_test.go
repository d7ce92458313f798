package cli

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/upstream"
)

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// canaries are what a caller may say by mistake. None of them may be found anywhere afterwards.
var canaries = map[string]string{
	"mail":        "canary.bird@example.com",
	"phone":       "010-2345-6789",
	"card":        "4111 1111 1111 1111",
	"rrn":         "900101-1234568",
	"openai key":  "sk-proj-Canary0123456789abcdefghijABCDEFGHIJ0123456789",
	"github":      "ghp_CanaryCanaryCanaryCanaryCanaryCanary",
	"aws":         "AKIACANARY7CANARY7AB",
	"signalbox":   "sb_4k7w2m9canary8r5t3v6y1z0q4k7w2m9x0q8r5t3v6y1z0q4k7w2m9",
	"password":    "password=CanaryHunter2x!",
	"jwt":         "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLW9mLWNhbmFyeQ",
	"private key": "-----BEGIN PRIVATE KEY-----\nQ2FuYXJ5Q2FuYXJ5Q2FuYXJ5\n-----END PRIVATE KEY-----",
}

// core is the part of a canary that is searched for: a mask may leave the name that a value was assigned to.
func core(name, canary string) string {
	switch name {
	case "password":
		return "CanaryHunter2x"
	case "private key":
		return "Q2FuYXJ5Q2FuYXJ5Q2FuYXJ5"
	}
	return canary
}

// What callers and operators keep secret is in no log line, no record, no answer of the control API, no metric and no file.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	i, up := behind(t, dir)
	created := revokedKey(t, i)
	for name, canary := range canaries {
		t.Run(name, func(t *testing.T) { speak(t, i, name, canary) })
	}
	// Keys that are wrong, and headers that carry what they should not.
	i.Send(t, http.MethodPost, chatPath, "sb_wrongcanary4k7w2m9x0q8r5t3v6y1z0q4k7w2m9x0q8r5t3v6y1z", good)
	i.Send(t, http.MethodPost, chatPath, harness.Agent, good, "X-Signalbox-Purpose", "call canary.bird@example.com")
	searched := map[string]string{
		"the provider's key": providerKey, "the agent's key": harness.Agent, "the admin's key": harness.Admin,
		"a created key": created, "a wrong key": "sb_wrongcanary",
	}
	for name, canary := range canaries {
		searched[name] = core(name, canary)
	}
	for place, text := range online(t, i) {
		look(t, place, []byte(text), searched)
	}
	if code := i.Stop(); code != 0 {
		t.Fatalf("code %d", code)
	}
	look(t, "the log of the process", []byte(i.Stderr()), searched)
	files(t, dir, searched)
	for _, r := range up.Requests("") {
		look(t, "what the provider was sent", headerText(r), map[string]string{"the agent's key": harness.Agent})
	}
}

// speak sends a canary in every place where a caller can write.
func speak(t *testing.T, i *harness.Instance, name, canary string) {
	said := string(json.Quote("Please remember " + canary + " for me."))
	for _, body := range []string{
		`{"model":"good","max_tokens":9,"messages":[{"role":"user","content":` + said + `}]}`,
		`{"model":"good","max_tokens":9,"stream":true,"messages":[{"role":"user","content":` + said + `}]}`,
		`{"model":` + string(json.Quote(canary)) + `,"max_tokens":9,"messages":[{"role":"user","content":` + said + `}]}`,
		`{"model":"good","max_tokens":9,` + said + `:1,` + said + `:2,"messages":[]}`,
	} {
		for _, path := range []string{chatPath, messagesPath} {
			i.Send(t, http.MethodPost, path, harness.Agent, body)
		}
	}
	a := i.Send(t, http.MethodPost, chatPath, harness.Agent, `{"model":"good","messages":[{"role":"user","content":`+said+`}]}`)
	if a.Status != http.StatusOK {
		t.Errorf("%s: status %d: %s", name, a.Status, a.Body)
	}
	i.Call(t, a.Header.Get("X-Signalbox-Call"))
}

// online is everything that the running instance tells.
func online(t *testing.T, i *harness.Instance) map[string]string {
	t.Helper()
	told := map[string]string{}
	for _, path := range []string{
		"/api/v1/audit?limit=500", "/api/v1/calls?limit=500", "/api/v1/keys", "/api/v1/facets", "/api/v1/health", "/metrics",
		"/api/v1/costs", "/api/v1/prices", "/api/v1/openapi.json",
	} {
		a := i.Send(t, http.MethodGet, path, harness.Admin, "")
		if a.Status != http.StatusOK {
			t.Errorf("%s answers %d", path, a.Status)
		}
		told[path] = a.Body
	}
	if !strings.Contains(told["/api/v1/audit?limit=500"], "Please remember") {
		t.Error("the records have no summaries: there is nothing to search in")
	}
	return told
}

func look(t *testing.T, place string, text []byte, searched map[string]string) {
	t.Helper()
	for name, secret := range searched {
		if n := bytes.Index(text, []byte(secret)); n >= 0 {
			t.Errorf("%s: %s shows %s: …%s…", name, place, secret, text[max(0, n-60):min(len(text), n+len(secret)+20)])
		}
	}
}

// files looks into every file that the instance has written.
func files(t *testing.T, dir string, searched map[string]string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Base(path) == "signalbox.yml" {
			return err
		}
		n++
		content, err := os.ReadFile(path)
		look(t, filepath.Base(path), content, searched)
		return err
	})
	if err != nil || n < 3 {
		t.Errorf("looked into %d files: %v", n, err)
	}
}

func headerText(r upstream.Request) []byte { return fmt.Append(nil, r.Header) }
