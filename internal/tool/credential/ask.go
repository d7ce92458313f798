package credential

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/signalbox/signalbox"
)

// Names of RFC 8693.
const (
	grantExchange   = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
)

// issued is a token that the authorization server has given.
type issued struct {
	token string
	life  time.Duration
}

// ask asks the token endpoint for a token for Signalbox itself or, where there is one, for whom another token stands.
func (s *Source) ask(ctx context.Context, theirs string) (issued, error) {
	at, err := s.endpoint(ctx)
	if err != nil {
		return issued{}, err
	}
	c := clientcredentials.Config{
		ClientID: s.ClientID, ClientSecret: s.ClientSecret, TokenURL: at.token, Scopes: s.Scopes,
		EndpointParams: s.parameters(at.resource, theirs), AuthStyle: at.style,
	}
	t, err := c.Token(context.WithValue(ctx, oauth2.HTTPClient, s.client))
	if err != nil {
		return issued{}, s.refused(ctx, err, theirs)
	}
	if !strings.EqualFold(t.Type(), "Bearer") || !sendable(t.AccessToken) {
		return issued{}, s.failed(signalbox.CodeUpstream, "can not be had: the token endpoint gave one of another kind than Bearer", "See what the authorization server issues to this client.")
	}
	return issued{t.AccessToken, lifeOf(t)}, nil
}

// lifeOf gives how long a token lives by its own word.
func lifeOf(t *oauth2.Token) time.Duration {
	var seconds float64
	switch said := t.Extra("expires_in").(type) {
	case float64:
		seconds = said
	case int64:
		seconds = float64(said)
	case string:
		seconds, _ = strconv.ParseFloat(said, 64) // Else it has said nothing.
	}
	if !(seconds > 0) {
		return DefaultLife
	}
	return time.Duration(min(seconds, maxLife)) * time.Second
}

// maxLife bounds what a token says of its life, in seconds.
const maxLife = 365 * 24 * 3600

// sendable reports whether a token can be a header.
func sendable(token string) bool {
	return token != "" && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}

// parameters are those of a request besides who we are and the scopes.
func (s *Source) parameters(resource, theirs string) url.Values {
	v := url.Values{}
	if resource != "" {
		v.Set("resource", resource)
	}
	if s.Audience != "" {
		v.Set("audience", s.Audience)
	}
	if theirs == "" {
		return v
	}
	v.Set("grant_type", grantExchange)
	v.Set("subject_token", theirs)
	v.Set("subject_token_type", typeAccessToken)
	v.Set("requested_token_type", typeAccessToken)
	return v
}

// failed is an error about the token for the server.
func (s *Source) failed(code signalbox.Code, what, remedy string) *signalbox.Error {
	return signalbox.Errorf(code, "The token for the MCP server %q %s.", s.Server, what).
		WithField("mcp_servers." + s.Server + ".credential").WithRemedy(remedy)
}

// refused is the error of a request to the token endpoint. What the library says of it has the whole answer in it, so
// nothing of that is kept.
func (s *Source) refused(ctx context.Context, err error, theirs string) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		return s.broken(errors.Join(ctx.Err(), reason(err)))
	}
	said := fmt.Sprintf("it answers with status %d", answer.Response.StatusCode)
	if answer.ErrorCode != "" {
		said = s.clean(answer.ErrorCode, theirs)
		if answer.ErrorDescription != "" {
			said += " (" + s.clean(answer.ErrorDescription, theirs) + ")"
		}
	}
	return s.failed(signalbox.CodeUpstream, "was refused by the token endpoint: "+said,
		"Check client, secret, scopes and resource at the authorization server.").WithRetryAfter(FailurePause)
}

// broken is the error where no answer came.
func (s *Source) broken(cause error) error {
	if errors.Is(cause, context.DeadlineExceeded) {
		return s.failed(signalbox.CodeTimeout, "did not come in time from the authorization server", "Check that server; Signalbox asks again at the next call.").WithCause(cause)
	}
	return s.failed(signalbox.CodeUpstream, "can not be had: the authorization server can not be reached, or does not answer as one",
		"Check that server; Signalbox asks again at the next call.").WithRetryAfter(FailurePause).WithCause(cause)
}

// reason gives what lies below the error of a request, which names the whole address.
func reason(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return errors.New("the answer is none of a token endpoint")
}

// maxSaid is how much of what an authorization server says is repeated, and maxWord how long its words may be: what is longer
// may be a secret that was sent.
const (
	maxSaid = 200
	maxWord = 40
)

// clean gives what an authorization server says without anything that may be a secret.
func (s *Source) clean(text, theirs string) string {
	words := strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, text))
	for i, word := range words {
		if len(word) > maxWord || s.secret(word, theirs) {
			words[i] = "…"
		}
	}
	text = strings.Join(words, " ")
	if s.secret(text, theirs) {
		return "…"
	}
	if len(text) > maxSaid {
		text = strings.ToValidUTF8(text[:maxSaid], "") + "…"
	}
	return text
}

// secret reports whether a text has one of the secrets in it that were sent.
func (s *Source) secret(text, theirs string) bool {
	for _, known := range []string{s.ClientSecret, s.SubjectToken, theirs} {
		if known != "" && (strings.Contains(text, known) || strings.Contains(text, url.QueryEscape(known))) {
			return true
		}
	}
	return false
}
