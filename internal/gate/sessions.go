package gate

import (
	"encoding/hex"
	"net/http"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// SessionCookie is the name of the console's cookie.
const SessionCookie = "signalbox_session"

// SessionPrefix begins the names of sessions.
const SessionPrefix = "session_"

// Bounds of sessions.
const (
	SessionLife       = 12 * time.Hour
	MaxSessions       = 4096
	MaxSessionsPerKey = 16 // The oldest ends when one more begins.
)

// Sessions are the logins of the console. They live in memory: a restart ends them all. It is safe for concurrent use.
type Sessions struct {
	keys KeyFinder
	now  func() time.Time

	mu   sync.Mutex
	list map[[32]byte]session // By the hash of the token.
}

type session struct {
	key     string
	hash    [32]byte // Of the key's secret: a static key that got another secret is another key.
	expires time.Time
}

// NewSessions makes an empty set of sessions.
func NewSessions(keys KeyFinder, now func() time.Time) *Sessions {
	return &Sessions{keys: keys, now: now, list: map[[32]byte]session{}}
}

// Start begins a session for a key and gives its cookie. Secure says that the console is served over TLS. The error is
// unavailable where [MaxSessions] are open.
func (s *Sessions) Start(key signalbox.Key, secure bool) (*http.Cookie, error) {
	token, now := NewSecret()[len(SecretPrefix):], s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom(key.ID, now)
	if len(s.list) >= MaxSessions {
		return nil, signalbox.Errorf(signalbox.CodeUnavailable, "%d sessions of the console are open, which is the limit.",
			MaxSessions).WithRemedy("Log out elsewhere, or wait until sessions end.").WithRetryAfter(time.Minute)
	}
	s.list[HashSecret(token)] = session{key: key.ID, hash: key.Hash, expires: now.Add(SessionLife)}
	return cookie(token, int(SessionLife/time.Second), secure), nil
}

// Key gives the key of a session's token as it is now. The error is of code unauthenticated: unknown, expired, or ended
// with its key.
func (s *Sessions) Key(token string) (signalbox.Key, error) {
	if len(token) > MaxSecret {
		return signalbox.Key{}, errSession()
	}
	hash := HashSecret(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	open, ok := s.list[hash]
	if !ok {
		return signalbox.Key{}, errSession()
	}
	key, ok := s.keys.Key(open.key)
	if !ok || !key.Revoked.IsZero() || key.Hash != open.hash || !s.now().Before(open.expires) {
		delete(s.list, hash)
		return signalbox.Key{}, errSession()
	}
	return key, nil
}

// End ends a session and gives the cookie that makes the browser forget it. An unknown token is no error.
func (s *Sessions) End(token string, secure bool) *http.Cookie {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.list, HashSecret(token))
	return cookie("", -1, secure)
}

// SessionID names a session in records: the beginning of its token's hash, which opens nothing.
func SessionID(token string) string {
	hash := HashSecret(token)
	return SessionPrefix + hex.EncodeToString(hash[:8])
}

// makeRoom drops what has expired, and the oldest session of a key that has its full number.
func (s *Sessions) makeRoom(key string, now time.Time) {
	var oldest [32]byte
	var first time.Time
	n := 0
	for hash, open := range s.list {
		if !now.Before(open.expires) {
			delete(s.list, hash)
			continue
		}
		if open.key != key {
			continue
		}
		n++
		if first.IsZero() || open.expires.Before(first) {
			oldest, first = hash, open.expires
		}
	}
	if n >= MaxSessionsPerKey {
		delete(s.list, oldest)
	}
}

// cookie is out of reach of scripts and of requests from other sites.
func cookie(token string, maxAge int, secure bool) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure is left out only where the console is served without TLS.
		Name: SessionCookie, Value: token, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode,
	}
}

func errSession() *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeUnauthenticated, "The session has ended.").WithRemedy("Log in again with an API key.")
}
