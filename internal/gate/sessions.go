package gate

import (
	"context"
	"encoding/hex"
	"net/http"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// SessionCookie is the name of the console's cookie.
const SessionCookie = "signalbox_session"

// SessionPrefix begins the names of sessions.
const SessionPrefix = "session_"

// Bounds of sessions.
const (
	SessionLife          = 12 * time.Hour
	MaxSessions          = 4096 // Of all replicas together, as far as this one knows of them.
	MaxSessionsPerHolder = 16   // Of one key or person; the oldest ends when one more begins.
	MaxSessionLookups    = 50   // A second: of tokens that this process does not know, in the store.
)

// SessionStore keeps sessions. It is safe for concurrent use and changes nothing; errors are of code unavailable.
type SessionStore interface {
	// Sessions gives those that are open and have not expired.
	Sessions(ctx context.Context) ([]signalbox.Session, error)
	// Session gives the one of a token's hash, ended or expired ones too; false where there is none.
	Session(ctx context.Context, hash [32]byte) (signalbox.Session, bool, error)
}

// People are those whom identity providers vouch for. It is safe for concurrent use.
type People interface {
	// Bearer gives the person of a signed token in the shape of a key. Errors are of code unauthenticated, forbidden or
	// unavailable.
	Bearer(ctx context.Context, token string) (signalbox.Key, error)
	// Key gives a person who has logged in before in the shape of a key; false where nobody vouches for him any more.
	Key(p signalbox.Person) (signalbox.Key, bool)
}

// SessionsOptions configures [Sessions]. Keys, Log, Store and Now are required.
type SessionsOptions struct {
	Keys   KeyFinder
	People People // Nil: sessions are opened with keys only.
	Log    call.Log
	Store  SessionStore
	Now    func() time.Time
	Secure bool // The console is reached over TLS.
}

// Sessions are the logins of the console, by key or by person. Both ends of one are records, whose transaction writes the
// session itself: it outlives a restart and is known to every replica. That one has expired, or has ended with its key or
// person, follows from other records.
//
// What was loaded from the store answers for it; only a token that is not known is looked for there. It is safe for
// concurrent use.
type Sessions struct {
	o       SessionsOptions
	changes sync.Mutex // Held while sessions are written or loaded, so that neither undoes the other here.

	mu      sync.Mutex
	open    map[[32]byte]signalbox.Session // By the hash of the token.
	turns   int64                          // How often sessions were loaded or ended.
	lookups lookups
}

// lookups counts those of the current second.
type lookups struct {
	second time.Time
	count  int
}

// NewSessions makes an empty set of sessions; Refresh loads those that are open.
func NewSessions(o SessionsOptions) *Sessions {
	return &Sessions{o: o, open: map[[32]byte]signalbox.Session{}}
}

// Refresh loads the open sessions, at the start and whenever another replica has changed some. On an error nothing
// changes.
func (s *Sessions) Refresh(ctx context.Context) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	list, err := s.o.Store.Sessions(ctx)
	if err != nil {
		return err
	}
	open := make(map[[32]byte]signalbox.Session, len(list))
	now := s.o.Now()
	for _, one := range list {
		if current(one, now) {
			open[one.Hash] = one
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = open
	s.turns++
	return nil
}

func current(s signalbox.Session, now time.Time) bool {
	return s.Ended.IsZero() && now.Before(s.Expires)
}

// Key gives the holder of a session's token as he is now. The error is of code unauthenticated (unknown, expired, ended, or
// ended with its key or person), or unavailable where a token that is not known can not be looked for.
func (s *Sessions) Key(ctx context.Context, token string) (signalbox.Key, error) {
	if len(token) != sessionToken {
		return signalbox.Key{}, errSession()
	}
	one, err := s.find(ctx, HashSecret(token))
	if err != nil {
		return signalbox.Key{}, err
	}
	key, ok := s.holder(one)
	if !ok {
		s.forget(one.Hash)
		return signalbox.Key{}, errSession()
	}
	return key, nil
}

// find gives the open session of a hash.
func (s *Sessions) find(ctx context.Context, hash [32]byte) (signalbox.Session, error) {
	now := s.o.Now()
	s.mu.Lock()
	one, ok := s.open[hash]
	turns := s.turns
	ask := !ok && s.lookups.take(now)
	s.mu.Unlock()
	switch {
	case ok && current(one, now):
		return one, nil
	case !ask:
		return one, errSession()
	}
	one, ok, err := s.o.Store.Session(ctx, hash) // Another replica may have just opened it.
	if err != nil {
		return one, err
	}
	if !ok || !current(one, now) {
		return one, errSession()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if turns == s.turns && len(s.open) < MaxSessions { // Else it may have ended meanwhile.
		s.open[hash] = one
	}
	return one, nil
}

// take reports whether one more lookup may be made.
func (l *lookups) take(now time.Time) bool {
	if second := now.Truncate(time.Second); !second.Equal(l.second) {
		l.second, l.count = second, 0
	}
	l.count++
	return l.count <= MaxSessionLookups
}

// holder gives the key or person of a session as it is now.
func (s *Sessions) holder(one signalbox.Session) (signalbox.Key, bool) {
	if one.Key == "" {
		if s.o.People == nil {
			return signalbox.Key{}, false
		}
		return s.o.People.Key(one.Person)
	}
	key, ok := s.o.Keys.Key(one.Key)
	// A static key that got another secret is another key.
	return key, ok && key.Revoked.IsZero() && key.Hash == one.KeyHash
}

func (s *Sessions) forget(hashes ...[32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, hash := range hashes {
		delete(s.open, hash)
	}
	s.turns++
}

// SessionID names a session: the beginning of its token's hash, which opens nothing.
func SessionID(token string) string { return sessionID(HashSecret(token)) }

func sessionID(hash [32]byte) string { return SessionPrefix + hex.EncodeToString(hash[:8]) }

// CurrentSession names the session that a request's cookie is about, "" where it has none. It is not looked for.
func CurrentSession(r *http.Request) string {
	if c, err := r.Cookie(SessionCookie); err == nil && len(c.Value) == sessionToken {
		return SessionID(c.Value)
	}
	return ""
}

// sessionToken is the length of a token: that of a key's secret without its prefix.
var sessionToken = len(NewSecret()) - len(SecretPrefix)

// cookie is out of reach of scripts and of requests from other sites.
func cookie(token string, maxAge int, secure bool) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure is left out only where the console is served without TLS.
		Name: SessionCookie, Value: token, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode,
	}
}

func errSession() *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeUnauthenticated, "The session has ended.").WithRemedy("Log in again.")
}
