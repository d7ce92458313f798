package people

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// MaxPath bounds the path that a browser is sent to after its login, in bytes.
const MaxPath = 512

// Begun is the first end of a login.
type Begun struct {
	Address string // Where the browser is sent.
	Cookie  string // What it keeps until it comes back, for [LoginLife], out of reach of scripts.
}

// Begin begins a login at a provider. Redirect is the address that the provider sends the browser back to, exactly as it
// is registered there; to is one of our own paths, "" for the first page. Errors are of code not_found (no such provider),
// invalid (a path that is not ours) or unavailable.
func (p *People) Begin(ctx context.Context, provider, redirect, to string) (Begun, error) {
	s, err := p.byID(provider)
	if err != nil {
		return Begun{}, err
	}
	if to, err = own(to); err != nil {
		return Begun{}, err
	}
	m, err := s.metadata(ctx)
	if err != nil {
		return Begun{}, err
	}
	begun := state{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), To: to, Begun: p.o.Now().UTC(),
	}
	cookie, err := p.sealed(provider, begun)
	if err != nil {
		return Begun{}, err
	}
	address := s.oauth(m, redirect).AuthCodeURL(begun.State, oidc.Nonce(begun.Nonce), oauth2.S256ChallengeOption(begun.Verifier))
	return Begun{address, cookie}, nil
}

// Finished is the second end of a login.
type Finished struct {
	Person signalbox.Person
	Key    signalbox.Key // The person in the shape of an API key.
	To     string        // Our own path that the browser is sent to.
}

// Finish ends a login with what the browser has brought: the query of the address that the provider sent it to, and the
// cookie of [Begun]. Redirect is as at the beginning. Errors are of code unauthenticated (not a login that this browser has
// begun, used already, or refused by the provider), forbidden (no tenant or role), not_found or unavailable.
func (p *People) Finish(ctx context.Context, provider, redirect string, query url.Values, cookie string) (Finished, error) {
	s, err := p.byID(provider)
	if err != nil {
		return Finished{}, err
	}
	begun, err := p.begun(s, query, cookie)
	if err != nil {
		return Finished{}, err
	}
	select {
	case p.exchanges <- struct{}{}:
		defer func() { <-p.exchanges }()
	default:
		return Finished{}, signalbox.Errorf(signalbox.CodeUnavailable, "%d logins wait for their identity provider, which is the limit.",
			MaxExchanges).WithRemedy("Log in again in a moment.").WithRetryAfter(time.Second)
	}
	if !p.spent.use(begun.State, p.o.Now()) {
		return Finished{}, notAccepted("The login has been used already.")
	}
	c, err := p.exchange(ctx, s, redirect, query.Get("code"), begun)
	if err != nil {
		return Finished{}, err
	}
	who, err := p.person(s, c)
	if err != nil {
		return Finished{}, err
	}
	key, ok := p.Key(who)
	if !ok {
		return Finished{}, notAccepted("The identity provider is not configured any more.")
	}
	return Finished{who, key, begun.To}, nil
}

// begun finds the beginning of the login that a browser has come back from.
func (p *People) begun(s *source, query url.Values, cookie string) (state, error) {
	if cookie == "" {
		return state{}, notAccepted("This browser has begun no login, or more than ten minutes ago.")
	}
	begun, ok := p.unsealed(s.ID, cookie)
	if !ok || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(begun.State)) != 1 {
		return state{}, notAccepted("This is not the login that this browser has begun last, or it took longer than ten minutes.")
	}
	if issuer := query.Get("iss"); issuer != "" && issuer != s.Issuer {
		return state{}, notAccepted("The answer is of another identity provider.")
	}
	for _, name := range []string{"state", "code", "error", "iss"} {
		if len(query[name]) > 1 {
			return state{}, notAccepted("The answer of the identity provider is ambiguous.")
		}
	}
	if reason := query.Get("error"); reason != "" {
		return state{}, notAccepted("The identity provider has refused the login (" + known(reason) + ").")
	}
	if query.Get("code") == "" {
		return state{}, notAccepted("The identity provider has sent no code.")
	}
	return begun, nil
}

// known gives one of the reasons that the protocols name. What else comes in an address is not repeated on a page of ours.
func known(reason string) string {
	reasons := []string{
		"access_denied", "account_selection_required", "consent_required", "interaction_required", "invalid_client",
		"invalid_grant", "invalid_request", "invalid_request_object", "invalid_scope", "login_required", "registration_not_supported",
		"request_not_supported", "request_uri_not_supported", "server_error", "temporarily_unavailable", "unauthorized_client",
		"unsupported_grant_type", "unsupported_response_type",
	}
	if slices.Contains(reasons, reason) {
		return reason
	}
	return "unknown reason"
}

func (s *source) oauth(m *metadata, redirect string) *oauth2.Config {
	scopes := []string{oidc.ScopeOpenID}
	for _, scope := range s.Scopes {
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return &oauth2.Config{ClientID: s.ClientID, ClientSecret: s.ClientSecret, Endpoint: m.endpoint, RedirectURL: redirect, Scopes: scopes}
}

// exchange turns a code into claims.
func (p *People) exchange(ctx context.Context, s *source, redirect, code string, begun state) (claims, error) {
	m, err := s.metadata(ctx)
	if err != nil {
		return nil, err
	}
	tokens, err := s.oauth(m, redirect).Exchange(oidc.ClientContext(ctx, s.client), code, oauth2.VerifierOption(begun.Verifier))
	if err != nil {
		return nil, s.exchangeError(err)
	}
	text, _ := tokens.Extra("id_token").(string)
	if text == "" {
		return nil, notAccepted("The identity provider has sent no id token.")
	}
	t, err := parse(text)
	if err != nil {
		return nil, err
	}
	c, err := s.verified(ctx, t)
	if err == nil {
		err = s.login(c, begun.Nonce)
	}
	if err != nil {
		return nil, err
	}
	return s.completed(ctx, m, c, tokens.AccessToken)
}

// exchangeError says why a provider gave nothing for a code. Its own words stay out: they are written for developers.
func (s *source) exchangeError(err error) error {
	var refusal *oauth2.RetrieveError
	if !errors.As(err, &refusal) || refusal.ErrorCode == "" {
		return s.unreachable(err)
	}
	cause := errors.New("the token endpoint answers " + known(refusal.ErrorCode))
	switch refusal.ErrorCode {
	case "invalid_grant":
		return notAccepted("The identity provider does not take the code: it was used already, or is too old.").WithCause(cause)
	case "invalid_client", "unauthorized_client":
		return signalbox.Errorf(signalbox.CodeUnavailable, "The identity provider %s does not know this client.", s.ID).WithCause(cause).
			WithRemedy("Tell the operator: client_id and client_secret of the provider must be those that are registered there.")
	}
	return notAccepted("The identity provider has refused the login (" + known(refusal.ErrorCode) + ").").WithCause(cause)
}

// completed adds what the provider tells only where it is asked for it (userinfo). An id token's own claims stay.
func (s *source) completed(ctx context.Context, m *metadata, c claims, access string) (claims, error) {
	if m.userinfo == "" || access == "" || !s.lacks(c) {
		return c, nil
	}
	body, err := s.fetch(ctx, m.userinfo, access)
	if err != nil {
		return nil, s.unreachable(err)
	}
	var more claims
	if err := json.Unmarshal(body, &more); err != nil {
		return nil, s.unreachable(err)
	}
	if more.text("sub") != c.text("sub") {
		return nil, notAccepted("The identity provider tells of somebody else.")
	}
	if _, has := c["email"]; has { // An address and whether it is verified belong together.
		delete(more, "email")
		delete(more, "email_verified")
	} else {
		delete(c, "email_verified")
	}
	for name, value := range c {
		more[name] = value
	}
	return more, nil
}

// lacks reports whether claims have no address, or not all that the configuration looks for.
func (s *source) lacks(c claims) bool {
	for _, path := range []string{s.TenantClaim, s.TeamClaim, s.RoleClaim, "email"} {
		if path != "" && at(c, path) == nil {
			return true
		}
	}
	return false
}

// own checks a path that a browser is to be sent to: it must be ours.
func own(to string) (string, error) {
	if to == "" {
		return "/", nil
	}
	u, err := url.Parse(to)
	foreign := err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != ""
	odd := strings.ContainsFunc(to, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' })
	if foreign || odd || len(to) > MaxPath || to[0] != '/' || strings.HasPrefix(to, "//") ||
		strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, "\\") || strings.HasPrefix(u.Path, "/login/") {
		return "", signalbox.Errorf(signalbox.CodeInvalid, "The page to go to after the login is not one of this instance.").WithField("to").
			WithRemedy("Give a path, such as /approvals.")
	}
	return to, nil
}
