package guard

import (
	"strings"
	"testing"
)

func TestSecretNames(t *testing.T) {
	tests := map[string]bool{
		"":                                                 false,
		"run-7":                                            false,
		"kim@example.com":                                  false,
		"010-2345-6789":                                    false, // Personal, but no secret.
		"gpt-4o-mini-2024-07-18":                           false,
		"claude-3-5-sonnet-20241022":                       false,
		"task-0123456789abcdef":                            false,
		"session:01jd4k7w2m9x0q8r5t3v6y1z0q":               false,
		"key:0123456789abcdef":                             false,
		"550e8400-e29b-41d4-a716-446655440000":             false,
		"run_4k7w2m9x0q8r5t3v6y1z0q4k7w":                   false,
		"key_4k7w2m9x0q8r5t3v6y1z0q4k7w":                   false,
		"bot@project.iam.gserviceaccount.com":              false,
		"urn:agent:acme:support":                           false,
		"spiffe://acme.example/agent/support":              false,
		"arn:aws:iam::123456789012:role/agent":             false,
		"sk-proj-" + "Canary0123456789abcdefghij":          true,
		"agent/sk-ant-" + "api03-0123456789":               true,
		"ghp_" + "CanaryCanaryCanaryCanaryCanaryCanary":    true,
		"AKIA" + "CANARY7CANARY7AB":                        true,
		"sb_" + "4k7w2m9canary8r5t3v6y1z0q4k7w2m9":         true,
		"eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiJjIn0.c2lnbm": true,
		"password=hunter2":                                 true,
		"db.password:hunter2":                              true,
		"x=1;pwd=ab":                                       true,
		"https://user:pass@host":                           true,
		"ｓｋ-proj-" + "Canary0123456789abcdefghij":          true, // Full width.
	}
	m := New()
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			if got := m.Secret(name); got != want {
				t.Errorf("got %v", got)
			}
			if want && m.Mask(name) == name {
				t.Error("it is refused as a name, and shown as a text")
			}
		})
	}
}

func BenchmarkSecretName(b *testing.B) {
	m := New()
	for _, name := range []string{"support", "550e8400-e29b-41d4-a716-446655440000", strings.Repeat("a:", 64)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Secret(name)
			}
		})
	}
}
