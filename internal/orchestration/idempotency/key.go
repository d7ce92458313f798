package idempotency

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Slot names an idempotency key and whose it is: SHA-256 over tenant, API key or identity, user, and the idempotency key.
func Slot(who signalbox.Caller, key string) [32]byte {
	return digest("signalbox idempotency slot 1", who.Tenant, who.Key, who.User, key)
}

// Hash gives the digest of what a call asks for: agent, run, server, tool, and the arguments in canonical form (RFC 8785),
// with the slot. What the caller does not choose (rules, schemas) is no part of it, nor is anything about the message that
// carried the call. It fails with code invalid where the arguments have no canonical form.
func Hash(t *call.Track, slot [32]byte) ([32]byte, error) {
	arguments, err := json.Canonical(t.Call.Tool.Arguments)
	if err != nil {
		return [32]byte{}, signalbox.Errorf(signalbox.CodeInvalid, "What would be sent has no canonical form: %v.", err).
			WithField("arguments").WithRemedy("Send JSON (RFC 8259) that names each member once.")
	}
	return digest("signalbox idempotency request 1", string(slot[:]), t.Gate.Caller.Agent, t.Gate.Run, t.Call.Tool.Server,
		t.Call.Tool.Name, string(arguments)), nil
}

// Forward gives what servers are given in place of the key: the same for the same request of the same caller, and another
// one for every other. The key can not be found out by it.
func Forward(hash [32]byte) string {
	d := digest("signalbox idempotency forward 1", string(hash[:]))
	return base64.RawURLEncoding.EncodeToString(d[:])
}

// digest is SHA-256 over texts, each with its length, so that no two lists of them are one.
func digest(texts ...string) [32]byte {
	var b []byte
	for _, text := range texts {
		b = strconv.AppendInt(b, int64(len(text)), 10)
		b = append(append(b, ':'), text...)
	}
	return sha256.Sum256(b)
}
