package credential

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// endpoint is where tokens are asked for, and how.
type endpoint struct {
	token    string
	resource string // "": none is sent.
	style    oauth2.AuthStyle
}

// finder keeps what was found.
type finder struct {
	turn chan struct{} // Whoever has put something in looks; the others wait for him.

	mu    sync.Mutex
	found *endpoint
	at    time.Time
	err   error
	tried time.Time
}

func newFinder() finder { return finder{turn: make(chan struct{}, 1)} }

// endpoint gives the token endpoint: the configured one, or the one that is found.
func (s *Source) endpoint(ctx context.Context) (*endpoint, error) {
	if s.TokenURL != "" {
		return &endpoint{s.TokenURL, s.resource(s.URL), s.style(nil)}, nil
	}
	select {
	case s.finder.turn <- struct{}{}:
		defer func() { <-s.finder.turn }()
	case <-ctx.Done():
		return nil, s.broken(ctx.Err())
	}
	if found, err := s.finder.known(s.Now()); found != nil || err != nil {
		return found, err
	}
	found, err := s.find(ctx)
	if err != nil {
		err = s.failed(signalbox.CodeUpstream, "can not be had: "+err.Error(),
			"Check the server and its authorization server, or set credential.token_url.").WithRetryAfter(DiscoveryPause)
		if ctx.Err() != nil {
			err = s.broken(ctx.Err())
		}
	}
	return s.finder.keep(found, err, s.Now())
}

// known gives what was found, or why it was not found a moment ago; neither where somebody has to look.
func (f *finder) known(now time.Time) (*endpoint, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.found != nil && now.Sub(f.at) < DiscoveryLife:
		return f.found, nil
	case f.err != nil && now.Sub(f.tried) < DiscoveryPause:
		return f.found, f.unlessFound()
	}
	return nil, nil
}

// unlessFound gives the error where nothing was ever found: what was, is used until there is something newer.
func (f *finder) unlessFound() error {
	if f.found != nil {
		return nil
	}
	return f.err
}

// keep takes note of what was found, or that nothing was, and gives what is to be used.
func (f *finder) keep(found *endpoint, err error, now time.Time) (*endpoint, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.tried = err, now
	if err == nil {
		f.found, f.at = found, now
		return found, nil
	}
	return f.found, f.unlessFound()
}

// resource gives the parameter of that name.
func (s *Source) resource(own string) string {
	switch s.Resource {
	case "":
		return own
	case NoResource:
		return ""
	}
	return s.Resource
}

// style gives how we say who we are: as it is configured, else in a way that the authorization server knows.
func (s *Source) style(methods []string) oauth2.AuthStyle {
	basic := len(methods) == 0 || slices.Contains(methods, "client_secret_basic")
	if s.ClientSecret == "" || s.Auth == AuthPost || s.Auth == "" && !basic {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

// find asks the server for its authorization server, and that one for its token endpoint. Errors say what is wrong.
func (s *Source) find(ctx context.Context) (*endpoint, error) {
	issuer, resource := s.Issuer, s.URL
	if issuer == "" {
		var err error
		if issuer, resource, err = s.authorizationServer(ctx); err != nil {
			return nil, err
		}
	}
	var about struct {
		Issuer  string   `json:"issuer"`
		Token   string   `json:"token_endpoint"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	for _, address := range issuerMetadata(issuer) {
		ok, err := s.read(ctx, address, &about)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			continue
		case strings.TrimSuffix(about.Issuer, "/") != strings.TrimSuffix(issuer, "/"):
			return nil, errors.New("the authorization server calls itself by another name than the one that it was looked for by")
		case !s.safe(about.Token):
			return nil, errors.New("the authorization server names no token endpoint with TLS")
		}
		return &endpoint{about.Token, s.resource(resource), s.style(about.Methods)}, nil
	}
	return nil, errors.New("the authorization server does not describe itself")
}

// authorizationServer gives the authorization server that the server names, and the server's name for itself.
func (s *Source) authorizationServer(ctx context.Context) (issuer, resource string, err error) {
	var about struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
	}
	for _, address := range s.resourceMetadata(ctx) {
		ok, err := s.read(ctx, address, &about)
		switch {
		case err != nil:
			return "", "", err
		case !ok:
			continue
		case !above(about.Resource, s.URL):
			return "", "", errors.New("what describes the server is about another resource")
		case len(about.Servers) == 0 || !s.safe(about.Servers[0]):
			return "", "", errors.New("the server names no authorization server with TLS")
		}
		return about.Servers[0], about.Resource, nil
	}
	return "", "", errors.New("the server does not say which authorization server it has")
}

// above reports whether a resource is the one at the address or has it below itself.
func above(resource, address string) bool {
	resource = strings.TrimSuffix(resource, "/")
	return oauthex.MatchesResource([]string{resource}, address) || resource != "" && strings.HasPrefix(address, resource+"/")
}

// resourceMetadata gives the addresses where the server may describe itself: the one that it says in its challenge, else the
// well-known ones.
func (s *Source) resourceMetadata(ctx context.Context) []string {
	if said := s.challenged(ctx); said != "" {
		return []string{said}
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil
	}
	const name = "/.well-known/oauth-protected-resource"
	root := u.Scheme + "://" + u.Host + name
	if path := strings.TrimSuffix(u.EscapedPath(), "/"); path != "" {
		return []string{root + path, root}
	}
	return []string{root}
}

// challengeTimeout bounds the wait for a challenge: a server may keep such a request open and say nothing.
const challengeTimeout = 2 * time.Second

// challenged asks the server for something without a credential, and gives the address in its answer.
func (s *Source) challenged(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, challengeTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		return ""
	}
	r.Header.Set("Accept", "text/event-stream")
	response, err := s.client.Do(r)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	challenges, err := oauthex.ParseWWWAuthenticate(response.Header.Values("WWW-Authenticate"))
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return ""
	}
	for _, c := range challenges {
		if said := c.Params["resource_metadata"]; c.Scheme == "bearer" && s.safe(said) {
			return said
		}
	}
	return ""
}

// issuerMetadata gives the addresses where an authorization server may describe itself.
func issuerMetadata(issuer string) []string {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil
	}
	root, path := u.Scheme+"://"+u.Host+"/.well-known/", strings.TrimSuffix(u.EscapedPath(), "/")
	addresses := []string{root + "oauth-authorization-server" + path, root + "openid-configuration" + path}
	if path != "" {
		addresses = append(addresses, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")
	}
	return addresses
}

// read gets a document; false where there is none.
func (s *Source) read(ctx context.Context, address string, into any) (bool, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false, errors.New("an address is no URL")
	}
	r.Header.Set("Accept", "application/json")
	response, err := s.client.Do(r)
	if err != nil {
		return false, fmt.Errorf("%s can not be reached", r.URL.Host)
	}
	defer response.Body.Close()
	switch status := response.StatusCode; {
	case status >= http.StatusBadRequest && status < http.StatusInternalServerError:
		return false, nil
	case status != http.StatusOK:
		return false, fmt.Errorf("%s answers with status %d", r.URL.Host, status)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswer))
	if err != nil || json.Unmarshal(data, into) != nil {
		return false, fmt.Errorf("%s gives no document that can be read", r.URL.Host)
	}
	return true, nil
}

// safe reports whether an address that somebody else has named may be asked: it has TLS, or is on this machine, where the
// server itself or the authorization server that is configured is, too.
func (s *Source) safe(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	if onThisMachine(u.Hostname()) {
		own := s.URL
		if s.Issuer != "" {
			own = s.Issuer
		}
		o, err := url.Parse(own)
		return err == nil && onThisMachine(o.Hostname()) && (u.Scheme == "http" || u.Scheme == "https")
	}
	return u.Scheme == "https"
}

func onThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}
