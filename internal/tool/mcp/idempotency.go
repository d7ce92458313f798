package mcp

import (
	"errors"
	"net/http"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// headerReplayOf names, in an answer that was given before, the call that it is of.
const headerReplayOf = "X-Signalbox-Replay-Of"

// readKey reads the idempotency key of a tools/call, from the header or from _meta. With all other messages, which change
// nothing, it is not looked at.
func (x *exchange) readKey(h http.Header) *signalbox.Error {
	if x.method != rpc.MethodCallTool {
		return nil
	}
	header, err := keyInHeader(h.Values(rpc.HeaderIdempotency))
	if err != nil {
		return badKey(rpc.HeaderIdempotency, err)
	}
	key, err := keyInMeta(x.meta)
	switch {
	case err != nil:
		return badKey("params._meta."+rpc.MetaIdempotency, err)
	case key != "" && header != "" && key != header:
		return badKey(rpc.HeaderIdempotency, errors.New("it is not the one in params._meta"))
	case key == "":
		key = header
	}
	x.call.IdempotencyKey = key
	return nil
}

// keyInMeta reads the key in _meta; "" where there is none.
func keyInMeta(meta json.Members) (string, error) {
	member := meta.Get(rpc.MetaIdempotency)
	if !member.Exists() {
		return "", nil
	}
	key, err := member.Text()
	if err == nil && !signalbox.ValidIdempotencyKey(key) {
		err = errKeyForm
	}
	return key, err
}

// keyInHeader reads the key in a header, as a string of structured fields (RFC 9651) or without quotes; "" where there is none.
func keyInHeader(values []string) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 {
		return "", errors.New("it is there more than once")
	}
	key := strings.Trim(values[0], " \t")
	if rest, quoted := strings.CutPrefix(key, `"`); quoted {
		var err error
		if key, err = unquoted(rest); err != nil {
			return "", err
		}
	}
	if !signalbox.ValidIdempotencyKey(key) {
		return "", errKeyForm
	}
	return key, nil
}

// unquoted reads a string of structured fields behind its first quote.
func unquoted(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
		case s[i] == '\\':
			return "", errKeyForm
		case s[i] == '"' && i+1 == len(s):
			return b.String(), nil
		case s[i] == '"':
			return "", errors.New("something follows the closing quote")
		}
		b.WriteByte(s[i])
	}
	return "", errors.New("the closing quote is missing")
}

var errKeyForm = errors.New("1 to 255 visible characters of ASCII are expected")

func badKey(field string, err error) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The idempotency key is not valid: %s.", err).WithField(field).
		WithRemedy("Send one key per call, best a random UUID, in the header or in _meta.")
}

// replayedError is the error of a call that failed before, given again.
type replayedError struct {
	error

	call string // That one.
}

// Unwrap gives the error.
func (e *replayedError) Unwrap() error { return e.error }

// replayed marks what was given again as that of the call.
func replayed(data json.Value, err error, call string) (json.Value, error) {
	switch {
	case call == "":
		return data, err
	case err != nil:
		return nil, &replayedError{err, call}
	}
	return marked(data, call), nil
}

// marked gives a result whose _meta says which call it is of.
func marked(data json.Value, call string) json.Value {
	result, err := membersOf(data)
	if err != nil {
		return data
	}
	meta, _ := result.Get("_meta").Object() // What is none is not kept.
	var m, o rpc.Object
	for _, own := range meta.All() {
		if own.Name != rpc.MetaReplayOf {
			m.Add(own.Name, own.Value.Bytes())
		}
	}
	m.Text(rpc.MetaReplayOf, call)
	for _, own := range result.All() {
		if own.Name != "_meta" {
			o.Add(own.Name, own.Value.Bytes())
		}
	}
	o.Add("_meta", m.Bytes())
	return o.Bytes()
}

func membersOf(data json.Value) (json.Members, error) {
	root, err := json.Parse(data, json.Limits{CaseVariants: true})
	if err != nil {
		return json.Members{}, err
	}
	return root.Object()
}
