package approval

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Hash gives the hash of the canonical call: SHA-256 over the JSON in the form of RFC 8785 of an object with the members
//
//	agent, arguments and server (of a tool), body, headers and protocol (of all else), key, kind, part, run, schema,
//	tenant, tool, user
//
// as the gate, resolve, policy and guard stations have established them. It fails with code invalid where the call has no one
// canonical form.
func Hash(t *call.Track) ([32]byte, error) {
	text, err := canonical(t)
	if err != nil {
		return [32]byte{}, err
	}
	return sha256.Sum256(text), nil
}

// field is a member of the canonical call, its value as JSON.
type field struct{ name, value string }

// canonical writes the members in the order of their names. They are written one by one, not as a document around the
// arguments, whose nesting may be as deep as documents go.
func canonical(t *call.Track) ([]byte, error) {
	c, who := t.Call, t.Gate.Caller
	list, err := content(t)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"kind": string(c.Kind), "tenant": who.Tenant, "key": who.Key, "agent": who.Agent, "user": who.User, "run": t.Gate.Run,
		"tool": toolName(c), "part": hex.EncodeToString(t.Policy.Part[:]),
	} {
		if !utf8.ValidString(value) { // It would be replaced, and two names be one.
			return nil, signalbox.Errorf(signalbox.CodeInvalid, "The name is not valid UTF-8.").WithField(name).
				WithRemedy("Send names as UTF-8.")
		}
		list = append(list, field{name, string(json.Quote(value))})
	}
	return object(append(list, field{"schema", schemas(t.Resolve.Candidates)})), nil
}

// content gives what would be sent.
func content(t *call.Track) ([]field, error) {
	c := t.Call
	if c.Tool != nil {
		arguments, err := json.Canonical(t.Tool().Arguments)
		if err != nil {
			return nil, notCanonical("arguments", err)
		}
		return []field{{"arguments", string(arguments)}, {"server", string(json.Quote(c.Tool.Server))}}, nil
	}
	body, err := json.Canonical(c.Body)
	if err != nil {
		return nil, notCanonical("body", err)
	}
	list := []field{{"body", string(body)}, {"protocol", string(json.Quote(string(c.Protocol)))}}
	if c.Model == nil || len(c.Model.Headers) == 0 {
		return list, nil
	}
	headers := make([]field, 0, len(c.Model.Headers))
	for name, value := range c.Model.Headers {
		// As hex, since a header may have any bytes.
		headers = append(headers, field{hex.EncodeToString([]byte(name)), string(json.Quote(hex.EncodeToString([]byte(value))))})
	}
	return append(list, field{"headers", string(object(headers))}), nil
}

func notCanonical(name string, err error) error {
	return signalbox.Errorf(signalbox.CodeInvalid, "What would be sent has no canonical form: %v.", err).WithField(name).
		WithRemedy("Send JSON (RFC 8259) that names each member once.")
}

// schemas lists the schemas of the candidates, each once, sorted: who serves may change, what it is told may not.
func schemas(candidates []signalbox.Candidate) string {
	var list []string
	for _, c := range candidates {
		list = append(list, `"`+hex.EncodeToString(c.Schema[:])+`"`)
	}
	slices.Sort(list)
	b := []byte{'['}
	for i, s := range slices.Compact(list) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, s...)
	}
	return string(append(b, ']'))
}

func object(list []field) []byte {
	slices.SortFunc(list, func(a, b field) int { return strings.Compare(a.name, b.name) })
	b := []byte{'{'}
	for i, f := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(json.AppendQuote(b, f.name), ':'), f.value...)
	}
	return append(b, '}')
}

// toolName is what an approval calls the thing that is called.
func toolName(c *signalbox.Call) string {
	switch {
	case c.Tool != nil:
		return c.Tool.ID()
	case c.Model != nil:
		return c.Model.Model
	}
	return ""
}
