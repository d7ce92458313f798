package openapi

import (
	"fmt"
	"mime"
	"slices"
	"strings"
)

// parameter is a parameter of a request.
type parameter struct {
	name, in    string
	argument    string // What callers call it.
	style       string
	explode     bool
	json        bool // Its value is a text in JSON.
	required    bool
	description string
	schema      *node
	at          string // Of the schema.
}

// body is what a request carries.
type body struct {
	argument    string
	mediaType   string
	required    bool
	description string
	schema      *node
	at          string
}

// parameters reads the parameters of the path and of the operation, which win.
func (o *operation) parameters() error {
	type key struct{ in, name string }
	own := map[key]bool{}
	var found []parameter
	for _, source := range []struct {
		list *node
		at   string
	}{{o.node.get("parameters"), under(o.at, "parameters")}, {o.item.get("parameters"), under(o.itemAt, "parameters")}} {
		for i, item := range source.list.items {
			n, at, err := o.follow(item, under(source.at, fmt.Sprint(i)))
			if err != nil {
				return err
			}
			k := key{n.get("in").text(), n.get("name").text()}
			if k.name == "" {
				return fault(at, "is a parameter without a name", "Name it.")
			}
			if own[k] {
				continue
			}
			own[k] = true
			p, err := o.parameter(n, at)
			if err != nil {
				return err
			}
			if p != nil {
				found = append(found, *p)
			}
		}
	}
	// The path's come first, so that they keep their names.
	slices.SortStableFunc(found, func(a, b parameter) int { return order(a.in) - order(b.in) })
	for i := range found {
		found[i].argument = o.argument(found[i].name, found[i].in)
	}
	o.tool.parameters = found
	return nil
}

func order(in string) int { return slices.Index([]string{"path", "query", "header"}, in) }

// parameter reads one. It is nil where none is to be given, and an *unbuiltError where it must be and can not.
func (o *operation) parameter(n *node, at string) (*parameter, error) {
	p := &parameter{
		name: n.get("name").text(), in: n.get("in").text(), required: n.get("required").isTrue(),
		description: n.get("description").text(), schema: n.get("schema"), at: under(at, "schema"),
	}
	if o.fixed(p) {
		return nil, nil
	}
	if !p.schema.exists() {
		if media := n.get("content").names; len(media) == 1 && isJSON(media[0]) {
			p.json, p.schema, p.at = true, n.get("content").get(media[0]).get("schema"), under(at, "content", media[0], "schema")
		}
	}
	p.style = n.get("style").text()
	if p.style == "" {
		p.style = map[string]string{"query": "form"}[p.in]
	}
	if p.style == "" {
		p.style = "simple"
	}
	p.required = p.required || p.in == "path"
	p.explode = n.get("explode").isTrue() || !n.get("explode").exists() && p.style == "form"
	why, err := o.unbuiltParameter(p)
	switch {
	case err != nil:
		return nil, err
	case why == "":
		return p, nil
	case p.required:
		return nil, unbuilt(at, "needs the parameter %q, which %s", clip(p.name), why)
	}
	o.warn(o, "the parameter %q at %s is left out: it %s", clip(p.name), place(at), why)
	return nil, nil
}

// ours are headers that a request has of its own, or that belong to the connection. The specification says of the first
// three that such parameters mean nothing.
var ours = []string{
	"accept", "content-type", "authorization", "host", "content-length", "transfer-encoding", "connection", "upgrade", "te",
	"trailer", "keep-alive", "proxy-authorization", "proxy-connection", "cookie", "user-agent", "accept-encoding", "expect",
	"traceparent", "tracestate", "baggage", "forwarded",
}

// fixed reports whether a parameter is not the caller's to give.
func (o *operation) fixed(p *parameter) bool {
	same := func(name string) bool { return strings.EqualFold(name, p.name) }
	switch p.in {
	case "header":
		return slices.ContainsFunc(ours, same) || slices.ContainsFunc(o.options.Headers, same)
	case "query":
		return slices.Contains(o.options.Query, p.name)
	}
	return false
}

// unbuiltParameter says what of a parameter is not built, as the end of a sentence.
func (o *operation) unbuiltParameter(p *parameter) (string, error) {
	styles := map[string][]string{"path": {"simple"}, "query": {"form", "spaceDelimited", "pipeDelimited", "deepObject"}, "header": {"simple"}}
	kind, err := o.kind(p.schema, p.at)
	switch known, ok := styles[p.in]; {
	case err != nil:
		return "", err
	case !ok:
		return fmt.Sprintf("stands in %q", clip(p.in)), nil
	case !p.schema.exists():
		return "has no schema, and no content of JSON", nil
	case p.json && p.in != "query":
		return "has content of JSON outside of the query", nil
	case p.json:
		return "", nil
	case !slices.Contains(known, p.style):
		return fmt.Sprintf("has the style %q", clip(p.style)), nil
	case kind == "object" && p.style != "deepObject":
		return "is an object, which is built for the style deepObject alone", nil
	case kind == "array" && (p.in == "path" || p.style == "deepObject"):
		return "is a list, which is not built there", nil
	}
	if p.in == "header" && !headerName(p.name) {
		return "has a name that no header has", nil
	}
	return "", nil
}

// kind gives the type of a schema, "" where it says none or several.
func (d *document) kind(schema *node, at string) (string, error) {
	n, _, err := d.follow(schema, at)
	if err != nil {
		return "", err
	}
	return n.get("type").text(), nil
}

func headerName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~") == ""
}

// isJSON reports whether a media type, or a range of them, takes JSON.
func isJSON(media string) bool {
	media, _, _ = mime.ParseMediaType(media)
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// body reads what the request carries.
func (o *operation) body() error {
	if !o.node.get("requestBody").exists() {
		return nil
	}
	n, at, err := o.follow(o.node.get("requestBody"), under(o.at, "requestBody"))
	if err != nil {
		return err
	}
	content := n.get("content")
	media, why := pick(content.names), "carries "+clip(strings.Join(content.names, ", "))+", and no JSON"
	if o.method == "get" || o.method == "head" || o.method == "options" {
		media, why = "", "has a body, which requests of this method have not"
	}
	needed := n.get("required").isTrue()
	switch {
	case media == "" && needed:
		return unbuilt(at, "%s", why)
	case media == "":
		o.warn(o, "its body at %s is left out: it %s", place(at), why)
		return nil
	}
	b := &body{
		mediaType: media, required: needed, description: n.get("description").text(),
		schema: content.get(media).get("schema"), at: under(at, "content", media, "schema"),
	}
	if !b.schema.exists() {
		b.schema = &node{raw: []byte("true")}
	}
	if strings.Contains(media, "*") {
		b.mediaType = "application/json"
	}
	name := "body"
	if o.taken[name] {
		name = "request_body"
	}
	b.argument = o.argument(name, "the")
	o.tool.body = b
	return nil
}

// pick chooses the type in which a body is sent: JSON itself before what is built on it, and that before a range.
func pick(media []string) string {
	for _, fits := range []func(string) bool{
		func(m string) bool { base, _, _ := mime.ParseMediaType(m); return base == "application/json" },
		isJSON,
		func(m string) bool { return m == "application/*" || m == "*/*" },
	} {
		if i := slices.IndexFunc(media, fits); i >= 0 {
			return media[i]
		}
	}
	return ""
}
