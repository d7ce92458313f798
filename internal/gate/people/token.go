package people

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Bounds of tokens.
const (
	Skew     = time.Minute // By which a provider's clock may differ from ours.
	MaxToken = 16 << 10    // Bytes.
)

// Algorithms are those that a token may be signed with. None of them has a key that the provider shares with others, and
// "none" is not among them.
func Algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// token is a signed token of which nothing is believed yet.
type token struct {
	jws    *jose.JSONWebSignature
	issuer string // Claimed.
}

func parse(text string) (token, error) {
	if len(text) > MaxToken {
		return token{}, refused("The token is too long.").WithRemedy("Ask the provider for a token with fewer claims.")
	}
	jws, err := jose.ParseSignedCompact(text, Algorithms())
	if err != nil || len(jws.Signatures) != 1 {
		return token{}, refused("The token is no JWT that is signed with RS, PS, ES or EdDSA.").WithCause(err).
			WithRemedy("Send the token as the identity provider has made it.")
	}
	var claimed struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &claimed); err != nil {
		return token{}, refused("The token's claims can not be read.").WithRemedy("Send the token as the identity provider has made it.")
	}
	return token{jws, claimed.Issuer}, nil
}

// verified gives the claims of a token of the provider. What is left to check is for whom it is, and at a login the nonce.
func (s *source) verified(ctx context.Context, t token) (claims, error) {
	m, err := s.metadata(ctx)
	if err != nil {
		return nil, err
	}
	payload, err := m.keys.verify(ctx, t.jws)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, errKeysAreUp):
		return nil, s.unreachable(err)
	case err != nil:
		return nil, refused("The token's signature is not that of a key which the identity provider publishes.").
			WithRemedy("Get a new token. One that was signed with a key of the last seconds is good shortly.")
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil || c == nil {
		return nil, refused("The token's claims can not be read.").WithRemedy("Get a new token.")
	}
	return c, s.check(t, c)
}

// check holds what every token must have against the claims.
func (s *source) check(t token, c claims) error {
	now := s.now()
	expires, ok := c.time("exp")
	switch {
	case c.text("iss") != s.Issuer:
		return refused("The token is of another issuer.").WithRemedy("Get a token of the identity provider that is configured.")
	case c.text("sub") == "" || len(c.text("sub")) > MaxSubject:
		return refused("The token does not say whose it is.").WithRemedy("Get a token of a person, with the claim sub.")
	case !ok:
		return refused("The token does not say when it expires.").WithRemedy("Get a token with the claim exp.")
	case !now.Before(expires.Add(Skew)):
		return refused("The token has expired.").WithRemedy("Get a new token.")
	case foreign(t.jws, c):
		return refused("The token is not of the kind that its bearer can log in with.").WithRemedy("Send an access token or an id token.")
	}
	if before, ok := c.time("nbf"); c["nbf"] != nil && (!ok || now.Add(Skew).Before(before)) {
		return refused("The token is not valid yet.").WithRemedy("Wait, and see whether the clocks of both sides are right.")
	}
	return nil
}

// foreign reports whether a token is for something else: it tells of a logout or an event, or is worth nothing without
// the proof of a key that it is bound to.
func foreign(jws *jose.JSONWebSignature, c claims) bool {
	kind, _ := jws.Signatures[0].Header.ExtraHeaders[jose.HeaderType].(string)
	kind = strings.ToLower(kind)
	for _, other := range []string{"logout", "secevent", "dpop", "+sd", "kb+"} {
		if strings.Contains(kind, other) {
			return true
		}
	}
	return c["events"] != nil || c["cnf"] != nil
}

// login checks what only an id token has: it is for us, and answers the question that the browser has carried.
func (s *source) login(c claims, nonce string) error {
	party, has := c["azp"]
	switch {
	case !c.audience(s.ClientID):
		return notAccepted("The id token is for another client.")
	case has && party != s.ClientID:
		return notAccepted("The id token was made for another client.")
	case nonce == "" || c.text("nonce") != nonce:
		return notAccepted("The id token belongs to another login.")
	}
	return nil
}

func notAccepted(message string) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeUnauthenticated, "%s", message).
		WithRemedy("Log in again; if it persists, tell the operator which provider it was.")
}
