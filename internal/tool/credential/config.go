package credential

import (
	"net/http"
	"time"
)

// Grant is how tokens are got.
type Grant string

// The grants.
const (
	ClientCredentials Grant = "client_credentials"
	TokenExchange     Grant = "token_exchange"
)

// Auth is how Signalbox proves at the token endpoint who it is.
type Auth string

// The ways; without one, what the authorization server says of itself, else basic.
const (
	AuthBasic Auth = "basic"
	AuthPost  Auth = "post"
)

// NoResource as [Config.Resource] leaves the parameter out; some authorization servers refuse it.
const NoResource = "none"

// Bounds.
const (
	FetchTimeout   = 10 * time.Second // Of getting one token, what has to be found for it included.
	MaxAnswer      = 1 << 20          // Bytes of one answer.
	MaxSubjects    = 1024             // Tokens kept for one server.
	MaxFetches     = 16               // Tokens that are fetched at once for one server.
	FailurePause   = time.Second      // After a failure, in which its error is the answer.
	DiscoveryLife  = time.Hour        // How long the endpoint that was found is believed.
	DiscoveryPause = 5 * time.Second  // After a failure to find it.
	DefaultLife    = 5 * time.Minute  // Of a token that does not say how long it lives.
	MaxMargin      = 30 * time.Second // How long before it expires a token is renewed; a fifth of its life, if that is less.
	FreshToken     = 2 * time.Second  // A token that was refused at this age is not renewed: the next one would be refused, too.
)

// Config says how tokens for one server are got. Server, URL, Grant, ClientID and Now are required.
type Config struct {
	Server       string // Its id, for errors.
	URL          string // Its address.
	Grant        Grant
	TokenURL     string // "": found.
	Issuer       string // Of the authorization server that is to be asked; "": the one that the server names.
	ClientID     string
	ClientSecret string // "": a public client.
	Auth         Auth
	Scopes       []string
	Resource     string // "": the server's own name for itself, else its URL.
	Audience     string // "": none is sent.
	SubjectToken string // For [TokenExchange]: of callers with API keys; "": they are refused.

	Now       func() time.Time
	Transport http.RoundTripper // Nil is like http.DefaultTransport, with connections of its own.
}
