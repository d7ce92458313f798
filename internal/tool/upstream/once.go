package upstream

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// repeating are the headers with which net/http repeats a request of its own accord, whatever its method, when a connection
// breaks that was used before.
var repeating = []string{rpc.HeaderIdempotency, "X-Idempotency-Key"}

// sendOnce keeps the client from repeating a request because of its headers. That it repeats what it has not begun to write
// is no second sending, and stays. The client looks for those headers in their canonical form alone; to servers names of
// headers have no case.
func sendOnce(h http.Header) {
	for _, name := range repeating {
		if values, there := h[name]; there {
			delete(h, name)
			h[strings.ToLower(name)] = values
		}
	}
}

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
