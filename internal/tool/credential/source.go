package credential

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// Source gets and keeps the tokens for one server. It is safe for concurrent use; Close ends it.
type Source struct {
	Config
	client *http.Client
	places chan struct{} // Of each fetch under way.
	finder finder

	life context.Context //nolint:containedctx // Ends with Close; a fetch is for everybody who waits for it.
	end  context.CancelFunc
	wg   sync.WaitGroup

	mu     sync.Mutex
	tokens map[subject]*held
}

// subject tells tokens apart: the hash of the token that one is exchanged for, and zero for Signalbox itself.
type subject [sha256.Size]byte

// held is a token, or the attempt to get one.
type held struct {
	token   string
	got     time.Time
	renew   time.Time
	expires time.Time
	used    time.Time
	err     error // Of the last attempt.
	retry   time.Time
	pending chan struct{} // Closed when the attempt under way has ended; nil where there is none.
}

// New makes a source. Nothing is asked of anybody before the first token is needed.
func New(c Config) *Source {
	if c.Transport == nil {
		c.Transport = http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // The standard library's.
	}
	s := &Source{
		Config: c, places: make(chan struct{}, MaxFetches), tokens: map[subject]*held{}, finder: newFinder(),
		client: &http.Client{
			Transport: c.Transport,
			// A redirect would carry the secret to another place than the one configured.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// Close ends what is under way and waits for it.
func (s *Source) Close() {
	s.end()
	s.wg.Wait()
	s.client.CloseIdleConnections()
}

// Authorization gives the header Authorization of a request for the call, or for nobody's call in particular where it is
// nil. Errors are of code upstream, timeout, unavailable, forbidden (the call's caller has no token to exchange) or
// cancelled.
func (s *Source) Authorization(ctx context.Context, c *signalbox.Call) (string, error) {
	theirs, err := s.subjectOf(c)
	if err != nil {
		return "", err
	}
	for {
		token, pending, err := s.take(theirs)
		if pending == nil {
			return header(token), err
		}
		select {
		case <-pending:
		case <-ctx.Done():
			return "", s.left(ctx.Err())
		}
	}
}

// left is the error of who does not wait any longer.
func (s *Source) left(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return s.broken(err)
}

func header(token string) string {
	if token == "" {
		return ""
	}
	return "Bearer " + token
}

// Refused says that the server has answered 401 to that header for the call. It reports whether there is a reason to try
// once more with what Authorization gives then.
func (s *Source) Refused(value string, c *signalbox.Call) bool {
	theirs, err := s.subjectOf(c)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.tokens[key(theirs)]
	switch {
	case h == nil || header(h.token) != value: // Somebody else has noticed before.
		return true
	case s.Now().Sub(h.got) < FreshToken:
		return false
	}
	h.token, h.retry = "", time.Time{}
	return true
}

// subjectOf gives the token that is to be exchanged for the call, "" where Signalbox speaks for itself.
func (s *Source) subjectOf(c *signalbox.Call) (string, error) {
	switch {
	case s.Grant == ClientCredentials:
		return "", nil
	case c != nil && c.Bearer != nil && c.Bearer.Reveal() != "":
		return c.Bearer.Reveal(), nil
	case c != nil && s.SubjectToken == "":
		return "", signalbox.Errorf(signalbox.CodeForbidden,
			"The MCP server %q is called on behalf of who comes with a token of an identity provider, and this call has none: it came with an API key, or is made later than the token was there.", s.Server).
			WithField("Authorization").WithRemedy("Call with such a token, or have the operator set credential.subject_token of the server.")
	}
	return s.SubjectToken, nil
}

func key(theirs string) subject {
	if theirs == "" {
		return subject{}
	}
	return sha256.Sum256([]byte(theirs))
}

// take gives a token that is good now, or the reason why there is none, or what to wait for.
func (s *Source) take(theirs string) (token string, pending chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	h, err := s.held(key(theirs), now)
	if err != nil {
		return "", nil, err
	}
	h.used = now
	good := h.token != "" && now.Before(h.expires)
	if good && now.Before(h.renew) {
		return h.token, nil, nil
	}
	if h.pending == nil && !now.Before(h.retry) {
		if s.life.Err() != nil {
			return "", nil, s.failed(signalbox.CodeUnavailable, "is not used any more, because Signalbox stops or was configured anew", "Retry the call.")
		}
		h.pending = make(chan struct{})
		s.wg.Go(func() { s.fetch(h, theirs) })
	}
	switch {
	case good:
		return h.token, nil, nil
	case h.pending != nil:
		return "", h.pending, nil
	}
	return "", nil, h.err
}

// held finds the place of a subject's token, or makes one.
func (s *Source) held(of subject, now time.Time) (*held, error) {
	h := s.tokens[of]
	if h != nil {
		return h, nil
	}
	if len(s.tokens) >= MaxSubjects && !s.forget(now) {
		return nil, s.failed(signalbox.CodeUnavailable, "is waited for by too many callers at once", "Retry shortly.").WithRetryAfter(FailurePause)
	}
	h = &held{}
	s.tokens[of] = h
	return h, nil
}

// forget makes room: what has expired goes, else what was not used for the longest time. It reports whether it could.
func (s *Source) forget(now time.Time) bool {
	var oldest subject
	var last *held
	for of, h := range s.tokens {
		switch {
		case h.pending != nil:
		case !now.Before(h.expires):
			delete(s.tokens, of)
		case last == nil || h.used.Before(last.used):
			oldest, last = of, h
		}
	}
	if len(s.tokens) < MaxSubjects {
		return true
	}
	delete(s.tokens, oldest)
	return last != nil
}

// fetch gets a token for everybody who waits for it.
func (s *Source) fetch(h *held, theirs string) {
	ctx, cancel := context.WithTimeout(s.life, FetchTimeout)
	defer cancel()
	issued, err := s.placed(ctx, theirs)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	close(h.pending)
	h.pending = nil
	if h.err = err; err != nil {
		h.retry = now.Add(FailurePause)
		return
	}
	life := issued.life
	h.token, h.got, h.expires, h.retry = issued.token, now, now.Add(life), time.Time{}
	h.renew = h.expires.Add(-min(MaxMargin, life/5))
}

// placed gets a token once there is a place for one more fetch.
func (s *Source) placed(ctx context.Context, theirs string) (issued, error) {
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	case <-ctx.Done():
		return issued{}, s.broken(ctx.Err())
	}
	return s.ask(ctx, theirs)
}
