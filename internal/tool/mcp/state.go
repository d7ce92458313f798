package mcp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// MaxStateAge is how long a caller may take to give a server what it asked for.
const MaxStateAge = 15 * time.Minute

// MaxState bounds the state that a server has its caller keep, in bytes.
const MaxState = 64 << 10

// Kinds of states that callers give back.
const (
	ofServer = "s" // What a modern server wants to be given back; it may be nothing.
	ofHeld   = "h" // The ticket of a call that is held open.
	ofURL    = "u" // Nothing: the caller was sent to a URL, and then calls again.
)

// SealStates sets the key that binds what callers give back for a server to who was asked, and about what. All replicas
// need the same one. Without this option the handler makes one, which dies with it.
func SealStates(key []byte) HandlerOption { return func(h *Handler) { h.stateKey = key } }

func newStateKey() []byte {
	key := make([]byte, sha256.Size)
	rand.Read(key)
	return key
}

// seal gives a state for the caller to give back: its kind, when it was made, what it is, and a code that only we can make over it and over
// whose it is and what he asked for.
func (h *Handler) seal(who signalbox.Caller, x *exchange, kind, state string) string {
	at := strconv.FormatInt(h.servers.Current().Now().UnixMilli(), 36)
	return strings.Join([]string{kind, at, base64.RawURLEncoding.EncodeToString([]byte(state)), h.stateCode(who, x, kind, at, state)}, ".")
}

// stateCode is the code over a state: of this caller, at this path, about this act.
func (h *Handler) stateCode(who signalbox.Caller, x *exchange, kind, at, state string) string {
	mac := hmac.New(sha256.New, h.stateKey)
	t := x.call.Tool
	arguments, err := json.Canonical(t.Arguments)
	if err != nil {
		arguments = t.Arguments
	}
	for _, part := range []string{who.Tenant, who.Key, who.Agent, who.User, t.Server, t.Name, string(arguments), kind, at, state} {
		mac.Write(strconv.AppendInt(nil, int64(len(part)), 10))
		mac.Write([]byte(":" + part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// unseal reads a state that we have sealed for this caller and this act.
func (h *Handler) unseal(who signalbox.Caller, x *exchange, sealed string) (kind, state string, err error) {
	kind, rest, _ := strings.Cut(sealed, ".")
	at, rest, _ := strings.Cut(rest, ".")
	encoded, code, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(raw) > MaxState || !hmac.Equal([]byte(code), []byte(h.stateCode(who, x, kind, at, string(raw)))) {
		return "", "", badState(errors.New("it is none that you were given for this"))
	}
	then, err := strconv.ParseInt(at, 36, 64)
	if err != nil || h.servers.Current().Now().Sub(time.UnixMilli(then)) > MaxStateAge {
		return "", "", badState(errors.New("it is too old"))
	}
	return kind, string(raw), nil
}

// openInputs reads what the caller gives to a server that has asked. Answers without a state of ours are answers to nobody
// and are left out: the server asks again. A state that is not ours, or not for him and for this, is refused.
func (h *Handler) openInputs(who signalbox.Caller, x *exchange) error {
	given := x.params.Get("requestState")
	if given.Null() {
		return nil
	}
	sealed, err := given.Text()
	if err != nil {
		return badState(err)
	}
	kind, state, err := h.unseal(who, x, sealed)
	if err != nil {
		return err
	}
	if responses := x.params.Get("inputResponses"); responses.Kind() == '{' {
		x.inputs.responses = responses.Bytes()
	}
	switch {
	case kind == ofHeld:
		x.ticket = state
	case kind == ofURL:
		return x.visited()
	case state != "":
		x.inputs.state = json.Value(state)
	}
	return nil
}

func badState(err error) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The requestState is not valid: %s.", err).WithField("params.requestState").
		WithRemedy("Make the request again without it and without inputResponses.")
}
