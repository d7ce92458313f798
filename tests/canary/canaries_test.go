package canary

import (
	"os"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// canary is something that must be found nowhere. Core is the part of it that is searched for: a mask may leave the name
// that a value was assigned to.
type canary struct {
	text, core string
	secret     bool // It is a secret whatever stands around it, and no id; otherwise it is personal, as some ids may be.
}

// canaries are of the shapes that the masker knows. They are put together here so that nobody who searches repositories
// for leaked keys takes them for such.
var canaries = map[string]canary{
	"mail":     {text: "canary.bird@example.com"},
	"phone":    {text: "010-2345-6789"},
	"card":     {text: "4111-1111-1111-1111"},
	"resident": {text: "900101-1234568"},

	"openai":    {text: "sk-" + "proj-Canary0123456789abcdefghijABCDEFGHIJ0123456789", secret: true},
	"anthropic": {text: "sk-" + "ant-api03-Canary0123456789abcdef", secret: true},
	"github":    {text: "ghp" + "_CanaryCanaryCanaryCanaryCanaryCanary", secret: true},
	"aws":       {text: "AKIA" + "CANARY7CANARY7AB", secret: true},
	"signalbox": {text: "sb" + "_4k7w2m9canary8r5t3v6y1z0q4k7w2m9x0q8r5t3v6y1z0q4k7w2m9", secret: true},
	"slack":     {text: "xoxb" + "-123456789012-Canary", secret: true},
	"jwt":       {text: "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLW9mLWNhbmFyeQ", secret: true},
	"password":  {text: "password=CanaryHunter2x", core: "CanaryHunter2x", secret: true},
	"url":       {text: "https://canary:CanaryPass9@host.example", core: "CanaryPass9", secret: true},
	"key":       {text: "-----BEGIN PRIVATE KEY-----Q2FuYXJ5Q2FuYXJ5Q2FuYXJ5-----END PRIVATE KEY-----", core: "Q2FuYXJ5Q2FuYXJ5Q2FuYXJ5", secret: true},
}

// mark has no shape: only where it was written says that it is nobody's business.
const (
	mark = "Quokkamark7731"
	user = "Quokkauser7731" // As X-Signalbox-User.
)

// searched gives what must not be found, by name: the canaries, and what operators keep secret.
func searched() map[string]string {
	all := map[string]string{
		"the provider's key": providerKey, "the agent's key": harness.Agent, "the admin's key": harness.Admin,
		"the channel's secret": "hook-secret-of-the-operator", "the client's secret": "client-secret-of-the-operator",
	}
	for name, c := range canaries {
		all[name] = c.text
		if c.core != "" {
			all[name] = c.core
		}
	}
	return all
}

// finds reports where in a text something is that was searched for.
func finds(t *testing.T, place, text string, searched map[string]string) {
	t.Helper()
	for name, secret := range searched {
		if n := strings.Index(text, secret); n >= 0 {
			t.Errorf("%s shows %s: …%q…", place, name, text[max(0, n-80):min(len(text), n+len(secret)+30)])
		}
	}
}
