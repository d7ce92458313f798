package config

import (
	"fmt"
	"log/slog"
	"strings"
)

// Endpoint is the URL of a provider, server, database or channel. Its user information and its query may carry a
// credential, so it prints without password and query, and without its path where that is one too (a
// [NewPrivateEndpoint]); [Endpoint.Reveal] gives the whole URL.
type Endpoint struct {
	url     *string
	private bool
}

// NewEndpoint wraps a URL. It does not check it.
func NewEndpoint(url string) Endpoint {
	if url == "" {
		return Endpoint{}
	}
	return Endpoint{url: &url}
}

// NewPrivateEndpoint wraps a URL of which only scheme and host may be seen.
func NewPrivateEndpoint(url string) Endpoint {
	e := NewEndpoint(url)
	e.private = url != ""
	return e
}

// Reveal gives the whole URL, "" if there is none.
func (e Endpoint) Reveal() string {
	if e.url == nil {
		return ""
	}
	return *e.url
}

// IsZero reports whether there is no URL.
func (e Endpoint) IsZero() bool { return e.url == nil }

// String gives the URL with what may be a credential hidden.
func (e Endpoint) String() string {
	base, _, query := strings.Cut(e.Reveal(), "?")
	scheme, rest, _ := strings.Cut(base, "://")
	host, path, deeper := strings.Cut(rest, "/")
	if i := strings.LastIndex(host, "@"); i >= 0 {
		if user, _, secret := strings.Cut(host[:i], ":"); secret {
			host = user + ":" + hiddenSecret + host[i:]
		}
	}
	shown := scheme
	if rest != "" {
		shown += "://" + host
	}
	switch {
	case e.private && (deeper || query):
		return shown + "/" + hiddenSecret
	case deeper:
		shown += "/" + path
	}
	if query {
		shown += "?" + hiddenSecret
	}
	return shown
}

// Format prints the same for every verb and flag.
func (e Endpoint) Format(f fmt.State, _ rune) { fmt.Fprint(f, e.String()) }

// MarshalText covers JSON, YAML and everything else that encodes text.
func (e Endpoint) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// LogValue covers slog.
func (e Endpoint) LogValue() slog.Value { return slog.StringValue(e.String()) }
