package config

import (
	"net/url"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// cardEndpoint is where a server card is. Who could change it on its way would choose whom we speak to.
type cardEndpoint struct{ into *Endpoint }

func (v cardEndpoint) read(r *reader, n ast.Node, field string) {
	endpoint{into: v.into, query: true, exact: true}.read(r, n, field)
	u, err := url.Parse(v.into.Reveal())
	if err == nil && u.Scheme == "http" && !onThisMachine(u.Hostname()) {
		r.problem(r.place(n, field), "is not https: the card could be changed on its way", "use https; http is for this machine only")
	}
}

func (v cardEndpoint) schema() *schemaNode { return endpoint{}.schema() }

// originValue is a scheme, a host and perhaps a port, as a card's remote is compared with.
type originValue struct{ into *string }

func (v originValue) read(r *reader, n ast.Node, field string) {
	var text string
	before := len(r.problems)
	textInto(&text, singleLine).read(r, n, field)
	if len(r.problems) > before {
		return
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || text != u.Scheme+"://"+u.Host {
		r.problem(r.place(n, field), "is no origin with TLS", "write it as https://host, with :port where that is not 443")
		return
	}
	*v.into = strings.ToLower(strings.TrimSuffix(text, ":443"))
}

func (v originValue) schema() *schemaNode { return textInto(v.into, singleLine).schema() }

// checkCard reports what a card can not be together with.
func checkCard(s seen) {
	if !s.has("card") {
		s.refuse("belongs to servers with a card", "card_origins")
		return
	}
	for _, other := range []string{"url", "command"} {
		if s.has(other) {
			s.problem("card", "a server has either a card or a "+other, "remove one")
		}
	}
	s.refuse("belongs to servers with a url", "credential", "openapi")
	s.refuse("belongs to servers with a command", "env", "limits")
	if s.has("card_origins") && !s.has("headers") {
		s.problem("card_origins", "says where headers may be sent, and there are none", "remove it, or add headers")
	}
}
