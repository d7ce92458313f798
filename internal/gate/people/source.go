package people

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/signalbox/signalbox"
)

// Bounds of what is asked of a provider.
const (
	FetchTimeout   = 5 * time.Second // Of one request.
	MaxFetch       = 1 << 20         // Bytes of one answer.
	DiscoveryLife  = time.Hour       // How long what a provider says of itself is believed.
	DiscoveryRetry = 5 * time.Second // After one that has failed; meanwhile its error is the answer.
)

// source is a provider with what was learned of it.
type source struct {
	Provider
	client *http.Client
	now    func() time.Time
	turn   chan struct{} // Whoever has put something in asks the provider; the others wait for him.

	mu    sync.Mutex
	found *metadata
	tried time.Time
	err   error
}

// metadata is what a provider says of itself.
type metadata struct {
	at       time.Time
	endpoint oauth2.Endpoint
	userinfo string
	keys     *keySet
}

func newSource(c Provider, client *http.Client, now func() time.Time) *source {
	return &source{Provider: c, client: client, now: now, turn: make(chan struct{}, 1)}
}

func (s *source) audience() string {
	if s.Audience != "" {
		return s.Audience
	}
	return s.ClientID
}

// metadata gives what the provider says of itself. The error is of code unavailable, or of whose context has ended.
func (s *source) metadata(ctx context.Context) (*metadata, error) {
	if m, err, known := s.known(); known {
		return m, err
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if m, err, known := s.known(); known { // By whom this one has waited for.
		return m, err
	}
	// Others wait for the answer too: it must not depend on whether this caller stays.
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), FetchTimeout)
	defer cancel()
	m, err := s.discover(asking)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried, s.err = s.now(), nil
	if err != nil {
		s.err = s.unreachable(err)
		return s.found, s.errUnlessFound()
	}
	s.found = m
	return m, nil
}

// known gives what needs no question to the provider: fresh knowledge, or older after a question that has just failed.
func (s *source) known() (m *metadata, err error, known bool) { //nolint:revive // The error is part of what is known.
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.found != nil && now.Sub(s.found.at) < DiscoveryLife {
		return s.found, nil, true
	}
	if !s.tried.IsZero() && s.err != nil && now.Sub(s.tried) < DiscoveryRetry {
		return s.found, s.errUnlessFound(), true
	}
	return nil, nil, false
}

func (s *source) errUnlessFound() error {
	if s.found != nil {
		return nil
	}
	return s.err
}

func (s *source) unreachable(cause error) error {
	return signalbox.Errorf(signalbox.CodeUnavailable, "The identity provider %s can not be reached, or does not answer as one.", s.ID).
		WithRemedy("Retry shortly, or use an API key; the operator's log has the cause.").WithRetryAfter(DiscoveryRetry).WithCause(cause)
}

// discover asks the provider.
func (s *source) discover(ctx context.Context) (*metadata, error) {
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, s.client), s.Issuer)
	if err != nil {
		return nil, err
	}
	var more struct {
		JWKS string   `json:"jwks_uri"`
		Auth []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := p.Claims(&more); err != nil {
		return nil, err
	}
	m := &metadata{at: s.now(), endpoint: p.Endpoint(), userinfo: p.UserInfoEndpoint()}
	addresses := []string{m.endpoint.AuthURL, m.endpoint.TokenURL, more.JWKS}
	if m.userinfo != "" {
		addresses = append(addresses, m.userinfo)
	}
	for _, address := range addresses {
		if err := s.fits(address); err != nil {
			return nil, err
		}
	}
	m.endpoint.AuthStyle = oauth2.AuthStyleInParams
	if s.ClientSecret != "" && (len(more.Auth) == 0 || slices.Contains(more.Auth, "client_secret_basic")) {
		m.endpoint.AuthStyle = oauth2.AuthStyleInHeader
	}
	m.keys = s.keysAt(more.JWKS)
	return m, nil
}

// keysAt gives the keys at an address, with those that are known of it.
func (s *source) keysAt(address string) *keySet {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.found != nil && s.found.keys.url == address {
		return s.found.keys
	}
	return newKeySet(address, s.fetch, s.now)
}

// fits checks an address that the provider gave: of a provider with TLS, all addresses have it.
func (s *source) fits(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("an address of the discovery document is no URL")
	}
	own, err := url.Parse(s.Issuer)
	if err != nil || own.Scheme == "https" && u.Scheme != "https" {
		return errors.New("the issuer has https, and an address of its discovery document has not")
	}
	return nil
}

// fetch gets a document.
func (s *source) fetch(ctx context.Context, address, bearer string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, FetchTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	response, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, errors.New("the provider answers with status " + response.Status)
	}
	return io.ReadAll(response.Body)
}

// bounded cuts answers that are too long, whoever reads them.
type bounded struct{ http.RoundTripper }

// RoundTrip makes one request.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		response.Body = &boundedBody{response.Body, MaxFetch}
	}
	return response, err
}

// CloseIdleConnections does so.
func (b bounded) CloseIdleConnections() {
	if c, ok := b.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

type boundedBody struct {
	io.ReadCloser
	left int
}

// Read reads, and fails beyond the bound.
func (b *boundedBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if b.left -= n; b.left < 0 {
		return 0, errors.New("the identity provider's answer is too long")
	}
	return n, err
}
