package gate

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// Limits of a request's head. The first three are for http.Server, which enforces them before a Door sees anything.
const (
	ReadHeaderTimeout = 10 * time.Second
	IdleTimeout       = 2 * time.Minute
	MaxHeaderBytes    = 64 << 10
	MaxHeaders        = 100 // Header lines of one request; the Door refuses more.
)

// Defaults of a request's body.
const (
	DefaultMaxBody     = 32 << 20 // The largest request that the model APIs take.
	DefaultBodyTimeout = 30 * time.Second
)

// Callers are those who make calls of the MCP endpoints with tokens of identity providers. It is safe for concurrent use.
type Callers interface {
	// Caller gives for whom a signed token stands that came with a call to a path. Errors are of code unauthenticated,
	// forbidden or unavailable; with a bearer and an error it is known who calls, and he lacks a scope.
	Caller(ctx context.Context, token, path string) (*signalbox.Bearer, error)
	// Challenge gives the header WWW-Authenticate for a request to a path that was refused, "" where no token would help.
	// Presented says that the request had a credential.
	Challenge(path string, presented bool, err error) string
}

// DoorOptions configures a [Door]. Keys, Refusals and Now are required.
type DoorOptions struct {
	Keys     *Keyring
	Refusals *Refusals
	Sessions *Sessions // Nil: no cookie is accepted.
	People   People    // Nil: no token of an identity provider is accepted.
	Callers  Callers   // Nil: no such token makes calls.
	Secrets  Secrets   // Nil: ids are not looked at.
	Now      func() time.Time

	MaxBody     int64         // Bytes; 0 is [DefaultMaxBody].
	BodyTimeout time.Duration // From the end of the head to the end of the body; 0 is [DefaultBodyTimeout].
}

// Door turns HTTP requests into calls. It is safe for concurrent use.
type Door struct {
	o           DoorOptions
	crossOrigin *http.CrossOriginProtection
}

// NewDoor makes a door.
func NewDoor(o DoorOptions) *Door {
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.BodyTimeout <= 0 {
		o.BodyTimeout = DefaultBodyTimeout
	}
	return &Door{o: o, crossOrigin: http.NewCrossOriginProtection()}
}

// Begin is [Door.Admit] followed by [Door.ReadBody].
//
// The call is never nil. With an error it has its ids and nothing of a caller, enough to answer in the protocol's shape;
// it must not be served and is not recorded. Without an error it must be served, even where Invalid is set already: the
// [Station] refuses it then, and the refusal is recorded.
func (d *Door) Begin(
	w http.ResponseWriter, r *http.Request, kind signalbox.Kind, protocol signalbox.Protocol,
) (*signalbox.Call, error) {
	c, err := d.Admit(w, r, kind, protocol)
	if err == nil {
		d.ReadBody(w, r, c)
	}
	return c, err
}

// Admit makes a call of a request's head and reads nothing of its body. The result is that of [Door.Begin].
func (d *Door) Admit(
	w http.ResponseWriter, r *http.Request, kind signalbox.Kind, protocol signalbox.Protocol,
) (*signalbox.Call, error) {
	now := d.o.Now().UTC()
	c := &signalbox.Call{
		ID: signalbox.NewID(signalbox.CallPrefix, now), RequestID: d.requestID(r.Header),
		Kind: kind, Protocol: protocol, Received: now, Source: Source(r.RemoteAddr), Span: span(r.Header),
	}
	key, err := d.caller(r, c)
	d.challenge(w, r, c, err)
	if err != nil {
		d.refuse(w, r, err)
		return c, err
	}
	c.Caller = callerOf(key)
	var invalid *signalbox.Error
	c.Claims, invalid = d.claims(r.Header, key.Hash)
	if d.misplaced(c.RequestID, key.Hash) {
		c.RequestID = signalbox.NewID(signalbox.RequestPrefix, now)
	}
	c.Invalid = firstError(c.Invalid, headerCount(r.Header), invalid, d.path(r))
	return c, nil
}

// caller finds who makes a call: the key of its headers or, at the MCP endpoints, for whom a token there stands. A token
// without a scope that it needs makes the call invalid: it is known who calls.
func (d *Door) caller(r *http.Request, c *signalbox.Call) (signalbox.Key, error) {
	key, token, err := d.byHeader(r)
	switch {
	case token == "":
		return key, err
	case c.Protocol != signalbox.ProtocolMCP || d.o.Callers == nil:
		return key, errTokenForCall()
	}
	if c.Bearer, err = d.o.Callers.Caller(r.Context(), token, r.URL.Path); c.Bearer == nil {
		return key, err
	}
	if err != nil {
		c.Invalid = signalbox.AsError(err)
	}
	return c.Bearer.Key()
}

// challenge tells a client of the MCP endpoints where it can get a token, or one that has the scopes it needs.
func (d *Door) challenge(w http.ResponseWriter, r *http.Request, c *signalbox.Call, err error) {
	lacks := err == nil && c.Invalid != nil
	if c.Protocol != signalbox.ProtocolMCP || d.o.Callers == nil || !lacks && signalbox.CodeOf(err) != signalbox.CodeUnauthenticated {
		return
	}
	if lacks {
		err = c.Invalid
	}
	presented := len(r.Header["Authorization"])+len(r.Header["X-Api-Key"]) > 0
	if value := d.o.Callers.Challenge(r.URL.Path, presented, err); value != "" {
		w.Header().Set("WWW-Authenticate", value)
	}
}

// Authenticate says who makes a request to the control API: the key of its headers, the person of a token there, or else
// who holds the console's cookie; a person has the shape of a key. A request that changes something is accepted with a
// cookie only from our own pages. Errors are of code unauthenticated, invalid (two keys that differ), forbidden (a foreign
// page, or a person without a tenant or role) or unavailable (whether a token or session is good can not be found out), and
// are counted like those of Begin.
func (d *Door) Authenticate(w http.ResponseWriter, r *http.Request) (signalbox.Key, error) {
	key, err := d.authenticate(r)
	if err != nil {
		d.refuse(w, r, err)
	}
	return key, err
}

func (d *Door) authenticate(r *http.Request) (signalbox.Key, error) {
	cookie, err := r.Cookie(SessionCookie)
	if err != nil || d.o.Sessions == nil || len(r.Header["Authorization"])+len(r.Header["X-Api-Key"]) > 0 {
		key, token, err := d.byHeader(r)
		if token != "" {
			return d.o.People.Bearer(r.Context(), token)
		}
		return key, err
	}
	if err := d.crossOrigin.Check(r); err != nil {
		return signalbox.Key{}, signalbox.Errorf(signalbox.CodeForbidden, "The request comes from a page of another origin.").
			WithRemedy("Use the console itself, or send an API key in a header.").WithCause(err)
	}
	return d.o.Sessions.Key(r.Context(), cookie.Value)
}

// byHeader finds the key that the headers carry, or gives the token of an identity provider that is there instead.
func (d *Door) byHeader(r *http.Request) (key signalbox.Key, token string, err error) {
	bearer, err := bearerToken(r.Header)
	if err != nil {
		return signalbox.Key{}, "", err
	}
	plain, invalid := single(r.Header, "X-Api-Key")
	if invalid != nil {
		return signalbox.Key{}, "", invalid
	}
	plain = strings.TrimSpace(plain)
	switch {
	case bearer == "" && plain == "":
		return signalbox.Key{}, "", errNoKey()
	case bearer != "" && plain != "" && HashSecret(bearer) != HashSecret(plain):
		return signalbox.Key{}, "", signalbox.Errorf(signalbox.CodeInvalid,
			"The headers Authorization and x-api-key carry different keys.").WithField("x-api-key").
			WithRemedy("Send one of them.")
	case bearer == "":
		key, err = d.o.Keys.Lookup(plain)
		return key, "", err
	}
	key, err = d.o.Keys.Lookup(bearer)
	if err != nil && d.o.People != nil && signed(bearer) { // A key may look like a token too.
		return signalbox.Key{}, bearer, nil
	}
	return key, "", err
}

// signed reports whether a bearer token has the shape of one that an identity provider has signed (a JWT).
func signed(bearer string) bool {
	return strings.HasPrefix(bearer, "eyJ") && strings.Count(bearer, ".") == 2
}

func errTokenForCall() *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeUnauthenticated, "Calls need an API key here; a token of an identity provider opens only the control API, and the MCP endpoints.").
		WithField("Authorization").WithRemedy("Send an API key; `signalbox key create` makes one.")
}

// bearerToken gives the token of the Authorization header, "" where there is none.
func bearerToken(h http.Header) (string, error) {
	value, err := single(h, "Authorization")
	if err != nil {
		return "", err
	}
	if value == "" {
		return "", nil
	}
	scheme, token, _ := strings.Cut(value, " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", signalbox.Errorf(signalbox.CodeUnauthenticated, "The header Authorization has no bearer token.").
			WithField("Authorization").WithRemedy("Send `Authorization: Bearer sb_…`.")
	}
	return token, nil
}

// refuse counts a request without a valid key. The connection is closed where a body is on its way: reading it to reuse
// the connection would be a service to whoever sends it.
func (d *Door) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
	}
	d.o.Refusals.Count(Source(r.RemoteAddr), signalbox.AsError(err).Message)
}

func headerCount(h http.Header) *signalbox.Error {
	n := 0
	for _, values := range h {
		n += len(values)
	}
	if n <= MaxHeaders {
		return nil
	}
	return signalbox.Errorf(signalbox.CodeTooLarge, "The request has %d headers; %d are allowed.", n, MaxHeaders).
		WithRemedy("Send fewer headers.")
}

func firstError(errs ...*signalbox.Error) *signalbox.Error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
