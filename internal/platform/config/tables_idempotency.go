package config

import (
	"strings"
	"time"
)

// DefaultIdempotencyKeep is how long an idempotency key makes no second call, and MaxIdempotencyKeep the most.
const (
	DefaultIdempotencyKeep = 24 * time.Hour
	MaxIdempotencyKeep     = 30 * 24 * time.Hour
)

// headerIdempotency is the header in which an HTTP API is given what stands for a key.
const headerIdempotency = "Idempotency-Key"

func idempotencyTable(i *Idempotency) value {
	i.Keep = DefaultIdempotencyKeep
	return object{fields: []field{
		key("keep", "How long what a call came to is given again in place of making another one.", duration(&i.Keep, time.Second, MaxIdempotencyKeep)),
	}}
}

// checkIdempotencyHeader refuses the header where nothing would send it, or something else would be in it.
func checkIdempotencyHeader(s seen, m *MCPServer) {
	if !s.has("openapi") {
		s.refuse("belongs to HTTP APIs with an openapi document; MCP servers are given what stands for a key in _meta", "idempotency_header")
		return
	}
	for name := range m.Headers {
		if m.IdempotencyHeader && strings.EqualFold(name, headerIdempotency) {
			s.problem("idempotency_header", "sends "+headerIdempotency+", which headers has too", "remove one")
		}
	}
}
