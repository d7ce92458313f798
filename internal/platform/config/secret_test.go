package config

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// holder has secrets where fmt cannot call their methods.
type holder struct {
	secret   Secret
	endpoint Endpoint
	list     []Secret
	named    map[string]Secret
	config   *Config
}

func TestSecretsNeverPrint(t *testing.T) {
	c := mustParse(t, `
keys: [{id: k, tenant: default, secret: "`+mark+`-0123456789"}]
providers: {p: {kind: openai, api_key: "`+mark+`", headers: {x: "`+mark+`"}}}
mcp_servers:
  a: {url: "http://h/mcp?key=`+mark+`", headers: {x: "`+mark+`"}}
  b: {command: [x], env: {A: "`+mark+`"}}
channels:
  c: {kind: webhook, url: "https://h/`+mark+`", secret: "`+mark+`-0123456789", headers: {x: "`+mark+`"}}
oidc: [{id: i, issuer: "https://h", client_id: c, client_secret: "`+mark+`", tenant: default, default_role: agent}]
database: "postgres://u:`+mark+`@h/d?password=`+mark+`"
audit: {key: k.pem, master_key: m.key}
`)
	s, e := NewSecret(mark), NewEndpoint("http://h?k="+mark)
	values := map[string]any{
		"secret": s, "pointer": &s, "endpoint": e, "config": *c, "pointer to config": c, "keys": c.Keys,
		"database": c.Database, "channels": c.Channels, "oidc": c.OIDC, "list": []Secret{s}, "map": map[string]Secret{"a": s},
		"unexported": holder{s, e, []Secret{s}, map[string]Secret{"a": s}, c},
	}
	for name, v := range values {
		for way, show := range waysToPrint() {
			t.Run(name+" by "+way, func(t *testing.T) {
				got := show(v)
				if strings.Contains(got, mark) || strings.Contains(got, fmt.Sprintf("%x", mark)) || got == "" {
					t.Errorf("got %q", got)
				}
			})
		}
	}
}

func waysToPrint() map[string]func(any) string {
	ways := map[string]func(any) string{
		"json": func(v any) string {
			b, err := json.Marshal(v)
			return fmt.Sprintf("%s%v", b, err)
		},
		"yaml": func(v any) string {
			b, err := yaml.Marshal(v)
			return fmt.Sprintf("%s%v", b, err)
		},
		"slog text": func(v any) string {
			var b bytes.Buffer
			slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
			return b.String()
		},
		"slog json": func(v any) string {
			var b bytes.Buffer
			slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
			return b.String()
		},
		"error": func(v any) string { return fmt.Errorf("failed: %v", v).Error() },
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s", "%T %v"} {
		ways[verb] = func(v any) string { return fmt.Sprintf(strings.TrimPrefix(verb, "%T "), v) }
	}
	return ways
}

func TestSecretTellsWhetherItIsSet(t *testing.T) {
	equal(t, "set", NewSecret("x").String(), "[secret]")
	equal(t, "not set", NewSecret("").String(), "[none]")
	equal(t, "zero", Secret{}.IsZero(), true)
	equal(t, "reveal", NewSecret("x").Reveal(), "x")
	equal(t, "reveal none", Secret{}.Reveal(), "")
	equal(t, "equal", NewSecret("x").Equal(NewSecret("x")), true)
	equal(t, "not equal", NewSecret("x").Equal(NewSecret("y")), false)
	equal(t, "endpoint", NewEndpoint("http://h/p?k=v").String(), "http://h/p?[secret]")
	equal(t, "endpoint without query", NewEndpoint("http://h/p").String(), "http://h/p")
	equal(t, "endpoint reveals", NewEndpoint("http://h/p?k=v").Reveal(), "http://h/p?k=v")
}
