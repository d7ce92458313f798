package upstream

import (
	"crypto/sha256"
	"encoding/base64"
)

// forwarded is what a server is given for the idempotency key of a call. Where the caller gives what the server has asked
// for, it is another request to the server: one that remembers such keys would else ask again.
func forwarded(key string, t *Terms) string {
	if key == "" || t.Responses == nil && t.State == nil {
		return key
	}
	h := sha256.New()
	for _, part := range [][]byte{[]byte(key), t.Responses, t.State} {
		d := sha256.Sum256(part)
		h.Write(d[:])
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
