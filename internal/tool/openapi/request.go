package openapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// parts are what arguments become.
type parts struct {
	path   string // Escaped.
	query  string // Escaped.
	header http.Header
	body   []byte // Nil: none.
}

// Refuse says why no request can be made of the arguments, nil where one can. The error is of code invalid and names the
// argument.
func (t *Tool) Refuse(arguments []byte) *signalbox.Error {
	if _, err := t.parts(arguments); err != nil {
		return signalbox.AsError(err)
	}
	return nil
}

// parts checks the arguments and says what becomes of them.
func (t *Tool) parts(arguments []byte) (*parts, error) {
	if err := t.check(arguments); err != nil {
		return nil, err
	}
	members, err := json.Object(arguments)
	if err != nil {
		return nil, wrong("", "The arguments of %q can not be read: %v.", t.Name, err)
	}
	p := &parts{header: http.Header{}}
	if p.path, err = t.path(members); err != nil {
		return nil, err
	}
	if p.query, err = t.loose(members, p.header); err != nil {
		return nil, err
	}
	p.header.Set("Accept", "application/json, */*;q=0.5")
	if t.body != nil && members.Has(t.body.argument) {
		p.body = members.Get(t.body.argument).Bytes()
		p.header.Set("Content-Type", t.body.mediaType)
	}
	return p, nil
}

// Request makes the request of a call. The base is the address that paths begin at; its query is sent too. Headers are
// those that follow from the arguments, Accept and Content-Type. An HTTP client does not repeat it of its own accord. The
// error is that of [Tool.Refuse].
func (t *Tool) Request(ctx context.Context, base *url.URL, arguments []byte) (*http.Request, error) {
	p, err := t.parts(arguments)
	if err != nil {
		return nil, err
	}
	u := *base
	u.RawPath = strings.TrimSuffix(base.EscapedPath(), "/") + p.path
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
		return nil, wrong("", "The path of the request can not be written: %v.", err)
	}
	u.RawQuery = joined(base.RawQuery, p.query)
	req, err := http.NewRequestWithContext(ctx, t.Method, u.String(), http.NoBody)
	if err != nil {
		return nil, wrong("", "The request can not be made: %v.", err)
	}
	req.Header = p.header
	if p.body != nil || t.operation() != signalbox.OperationWrite {
		// A client repeats requests without a body, or with one that it can get again, where a connection was closed on it;
		// a server may have acted on them by then.
		req.Body, req.ContentLength, req.GetBody = io.NopCloser(bytes.NewReader(p.body)), int64(len(p.body)), nil
	}
	return req, nil
}

// path fills the path, as the policy did.
func (t *Tool) path(members json.Members) (string, error) {
	return t.Path.Fill(func(name string) (string, error) {
		text, err := members.Get(name).Scalar()
		if err != nil {
			return "", wrong(name, "The argument %q, which stands in the path of the request, can not be written there: %v.", name, err)
		}
		return text, nil
	})
}

// loose gives the query, and sets headers.
func (t *Tool) loose(members json.Members, header http.Header) (string, error) {
	var query []string
	for _, p := range t.parameters {
		value := members.Get(p.argument)
		if p.in == "path" || value.Null() && !p.json || !value.Exists() {
			continue
		}
		pairs, err := p.pairs(value)
		if err != nil {
			return "", wrong(p.argument, "The argument %q, which stands in the %s, can not be written there: %v.", p.argument, p.in, err)
		}
		for _, pair := range pairs {
			if p.in == "query" {
				query = append(query, escape(pair[0])+"="+escape(pair[1]))
				continue
			}
			if strings.ContainsFunc(pair[1], func(r rune) bool { return r < ' ' && r != '\t' || r > '~' }) {
				return "", wrong(p.argument, "The argument %q is a header, which holds printable ASCII only.", p.argument)
			}
			header.Set(pair[0], pair[1])
		}
	}
	return strings.Join(query, "&"), nil
}

// separators are what stands between the values of a list that are written as one.
var separators = map[string]string{"form": ",", "simple": ",", "spaceDelimited": " ", "pipeDelimited": "|"}

// pairs gives names and values, not escaped yet.
func (p *parameter) pairs(value json.Node) ([][2]string, error) {
	switch {
	case p.json:
		return [][2]string{{p.name, string(value.Bytes())}}, nil
	case p.style == "deepObject":
		return p.deep(value)
	case value.Kind() != '[':
		text, err := value.Scalar()
		return [][2]string{{p.name, text}}, err
	}
	elements, err := value.Array()
	if err != nil {
		return nil, err
	}
	var texts []string
	var pairs [][2]string
	for _, e := range elements {
		text, err := e.Scalar()
		if err != nil {
			return nil, err
		}
		texts, pairs = append(texts, text), append(pairs, [2]string{p.name, text})
	}
	if p.explode && p.in == "query" || len(texts) == 0 {
		return pairs, nil
	}
	return [][2]string{{p.name, strings.Join(texts, separators[p.style])}}, nil
}

// deep writes name[member]=value.
func (p *parameter) deep(value json.Node) ([][2]string, error) {
	members, err := value.Object()
	if err != nil {
		return nil, err
	}
	var pairs [][2]string
	for _, m := range members.All() {
		text, err := m.Value.Scalar()
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]string{p.name + "[" + m.Name + "]", text})
	}
	return pairs, nil
}

func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "&" + b
}

// Sent is where a request went, for messages: method and path, without what may be secret.
func Sent(req *http.Request) string {
	return req.Method + " " + cut(req.URL.EscapedPath(), signalbox.MaxExcerpt)
}

func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
