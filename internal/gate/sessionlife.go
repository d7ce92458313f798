package gate

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// OpenSession is a session with its holder as he is now.
type OpenSession struct {
	signalbox.Session
	Holder signalbox.Key
}

// OpenKey begins a session for a key and gives it with its cookie. Source is the address of the browser. When it returns
// without an error, the session is durable. Errors are of code unavailable: [MaxSessions] are open, or the log can not be
// written.
func (s *Sessions) OpenKey(ctx context.Context, key signalbox.Key, source string) (signalbox.Session, *http.Cookie, error) {
	return s.begin(ctx, signalbox.Session{Key: key.ID, KeyHash: key.Hash, Source: source}, key)
}

// OpenPerson begins a session for a person whom an identity provider has just vouched for, in the way of OpenKey. Key is
// the person in the shape of a key.
func (s *Sessions) OpenPerson(
	ctx context.Context, who signalbox.Person, key signalbox.Key, source string,
) (signalbox.Session, *http.Cookie, error) {
	return s.begin(ctx, signalbox.Session{Person: who, Source: source}, key)
}

// begin gives the session a new token: one that somebody else may know is never taken over.
func (s *Sessions) begin(ctx context.Context, one signalbox.Session, key signalbox.Key) (signalbox.Session, *http.Cookie, error) {
	token, now := NewSecret()[len(SecretPrefix):], s.o.Now().UTC()
	one.Hash = HashSecret(token)
	one.ID, one.Opened, one.Expires = sessionID(one.Hash), now, now.Add(SessionLife)
	s.changes.Lock()
	defer s.changes.Unlock()
	oldest, err := s.makeRoom(one, now)
	if err != nil {
		return one, nil, err
	}
	r := sessionRecord(signalbox.ActionLogin, now, one, callerOf(key), key.Tenant)
	r.What.Detail["expires"] = one.Expires.Format(time.RFC3339)
	effects := []signalbox.Effect{signalbox.PutSession{Session: one}}
	for _, old := range oldest {
		r.What.Detail["ended"] = old.ID
		effects = append(effects, signalbox.EndSession{ID: old.ID, At: now})
	}
	if _, err := s.o.Log.Append(ctx, r, effects...); err != nil {
		return one, nil, err
	}
	for _, old := range oldest {
		s.forget(old.Hash)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[one.Hash] = one
	return one, cookie(token, int(SessionLife/time.Second), s.o.Secure), nil
}

// makeRoom drops what has expired or has ended with its holder, and gives the oldest session of a holder who has his full number.
func (s *Sessions) makeRoom(next signalbox.Session, now time.Time) ([]signalbox.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var same []signalbox.Session
	for hash, one := range s.open {
		_, held := s.holder(one)
		switch {
		case !held || !current(one, now):
			delete(s.open, hash)
		case one.Key == next.Key && one.Person.Issuer == next.Person.Issuer && one.Person.Subject == next.Person.Subject:
			same = append(same, one)
		}
	}
	slices.SortFunc(same, func(a, b signalbox.Session) int {
		return cmp.Or(a.Opened.Compare(b.Opened), strings.Compare(a.ID, b.ID))
	})
	same = same[:max(0, len(same)-MaxSessionsPerHolder+1)]
	if len(s.open)-len(same) >= MaxSessions {
		return nil, signalbox.Errorf(signalbox.CodeUnavailable, "%d sessions of the console are open, which is the limit.",
			MaxSessions).WithRemedy("Log out elsewhere, or wait until sessions end.").WithRetryAfter(time.Minute)
	}
	return same, nil
}

// Close ends the session of a token and gives the cookie that makes the browser forget it. A token that opens nothing
// changes nothing. An error means that the session goes on.
func (s *Sessions) Close(ctx context.Context, token, source string) (*http.Cookie, error) {
	gone := cookie("", -1, s.o.Secure)
	if len(token) != sessionToken {
		return gone, nil
	}
	one, err := s.find(ctx, HashSecret(token))
	if signalbox.CodeOf(err) == signalbox.CodeUnauthenticated {
		return gone, nil
	}
	if err != nil {
		return nil, err
	}
	key, ok := s.holder(one)
	if !ok {
		return gone, nil
	}
	one.Source = source
	return gone, s.end(ctx, one, func(now time.Time) signalbox.Record {
		return sessionRecord(signalbox.ActionLogout, now, one, callerOf(key), key.Tenant)
	})
}

// Revoke ends somebody's session and gives it as it was. It asks nobody for permission: whoever serves it decides who may,
// by the tenant of its holder ([Sessions.Find]). Errors are of code not_found (unknown, or ended already) or unavailable.
func (s *Sessions) Revoke(ctx context.Context, by signalbox.Caller, id string) (OpenSession, error) {
	found, err := s.Find(ctx, id)
	if err != nil {
		return OpenSession{}, err
	}
	whose := found.Session
	whose.Source = "" // The record is about what somebody else does, elsewhere.
	return found, s.end(ctx, found.Session, func(now time.Time) signalbox.Record {
		r := sessionRecord(signalbox.ActionSessionRevoked, now, whose, by, found.Holder.Tenant)
		r.What.Detail["key"], r.What.Detail["user"] = found.Holder.ID, found.Holder.User
		if found.Holder.User == "" {
			delete(r.What.Detail, "user")
		}
		return r
	})
}

func (s *Sessions) end(ctx context.Context, one signalbox.Session, record func(time.Time) signalbox.Record) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	now := s.o.Now().UTC()
	if _, err := s.o.Log.Append(ctx, record(now), signalbox.EndSession{ID: one.ID, At: now}); err != nil {
		return err
	}
	s.forget(one.Hash)
	return nil
}

// Find gives an open session by its id. The error is of code not_found, or unavailable.
func (s *Sessions) Find(ctx context.Context, id string) (OpenSession, error) {
	for again := range 2 { // The second time with what other replicas have opened.
		if again > 0 {
			if err := s.Refresh(ctx); err != nil {
				return OpenSession{}, err
			}
		}
		for _, one := range s.List() {
			if one.ID == id {
				return one, nil
			}
		}
	}
	return OpenSession{}, signalbox.Errorf(signalbox.CodeNotFound, "There is no open session %q.", clip(id)).WithField("id").
		WithRemedy("GET /api/v1/sessions lists those that are open.")
}

// List gives the open sessions of all tenants, the newest first.
func (s *Sessions) List() []OpenSession {
	now := s.o.Now()
	s.mu.Lock()
	all := make([]signalbox.Session, 0, len(s.open))
	for _, one := range s.open {
		if current(one, now) {
			all = append(all, one)
		}
	}
	s.mu.Unlock()
	var list []OpenSession
	for _, one := range all {
		if key, ok := s.holder(one); ok {
			list = append(list, OpenSession{one, key})
		}
	}
	slices.SortFunc(list, func(a, b OpenSession) int {
		return cmp.Or(b.Opened.Compare(a.Opened), strings.Compare(a.ID, b.ID))
	})
	return list
}

// sessionRecord is that of an end of a session: who acted, from where, and by which identity provider the session was
// opened.
func sessionRecord(action string, at time.Time, one signalbox.Session, by signalbox.Caller, tenant string) signalbox.Record {
	r := signalbox.Record{
		Type: signalbox.RecordAdmin, Time: at, When: signalbox.When{Timestamp: at},
		Who:  by.Who(tenant),
		What: signalbox.What{Action: action, ResourceID: one.ID, Detail: map[string]string{}},
	}
	r.Who.Source = one.Source
	if one.Person.Issuer != "" {
		r.What.Detail["issuer"] = one.Person.Issuer
	}
	return r
}
