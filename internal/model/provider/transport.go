package provider

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// Limits of a provider's connections.
const (
	maxIdleConns  = 256
	idleConnLife  = 90 * time.Second
	maxHeadBytes  = 64 << 10
	dialKeepAlive = 30 * time.Second
)

// newTransport makes the connections of one provider. It takes no proxy from the environment, asks for no compression,
// and speaks HTTP/2 where the provider does.
//
// A transport repeats a request by itself only if it knows that nothing of it was processed (no byte was written to a
// connection that had gone stale, or an HTTP/2 server said so): a POST without an idempotency key is not replayable to
// it otherwise.
func newTransport(connect time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: connect, KeepAlive: dialKeepAlive}
	return &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: connect, ForceAttemptHTTP2: true,
		TLSClientConfig:    &tls.Config{MinVersion: tls.VersionTLS12},
		DisableCompression: true, MaxIdleConns: maxIdleConns, MaxIdleConnsPerHost: maxIdleConns,
		IdleConnTimeout: idleConnLife, MaxResponseHeaderBytes: maxHeadBytes,
	}
}
