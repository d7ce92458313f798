package gate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// friends are people, by the token that says who they are.
type friends map[string]signalbox.Key

func (f friends) Bearer(_ context.Context, token string) (signalbox.Key, error) {
	if key, ok := f[token]; ok {
		return key, nil
	}
	return signalbox.Key{}, signalbox.Errorf(signalbox.CodeUnauthenticated, "The token is nobody's.").WithRemedy("Get another.")
}

func (f friends) Key(p signalbox.Person) (signalbox.Key, bool) {
	key, ok := f[p.Subject]
	return key, ok
}

// table keeps sessions as a store does that two processes share: by the effects of records.
type table struct {
	memoryLog
	mu    sync.Mutex
	rows  map[[32]byte]signalbox.Session
	down  error
	asked int // How often one was looked for.
}

func (s *table) Append(ctx context.Context, r signalbox.Record, effects ...signalbox.Effect) (int64, error) {
	index, err := s.memoryLog.Append(ctx, r, effects...)
	if err != nil {
		return index, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range effects {
		switch e := e.(type) {
		case signalbox.PutSession:
			s.rows[e.Session.Hash] = e.Session
		case signalbox.EndSession:
			for hash, row := range s.rows {
				if row.ID == e.ID && row.Ended.IsZero() {
					row.Ended = e.At
					s.rows[hash] = row
				}
			}
		}
	}
	return index, nil
}

func (s *table) Sessions(context.Context) ([]signalbox.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []signalbox.Session
	for _, row := range s.rows {
		list = append(list, row)
	}
	return list, s.down
}

func (s *table) Session(_ context.Context, hash [32]byte) (signalbox.Session, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	row, ok := s.rows[hash]
	return row, ok, s.down
}

// storedSessions is the sessions of one process, and the table behind them.
type storedSessions struct {
	*Sessions
	table *table
}

func newStoredSessions(k *Keyring, now func() time.Time) storedSessions {
	t := &table{rows: map[[32]byte]signalbox.Session{}}
	return storedSessions{sessionsOn(t, k, nil, now), t}
}

func sessionsOn(t *table, k *Keyring, people People, now func() time.Time) *Sessions {
	return NewSessions(SessionsOptions{Keys: k, People: people, Log: t, Store: t, Now: now, Secure: true})
}

func openKey(t *testing.T, s *Sessions, key signalbox.Key) string {
	t.Helper()
	one, c, err := s.OpenKey(t.Context(), key, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	if !c.HttpOnly || !c.Secure || c.SameSite == 0 || c.Name != SessionCookie || SessionID(c.Value) != one.ID {
		t.Errorf("got cookie %v of %+v", c, one)
	}
	return c.Value
}

func wantEnded(t *testing.T, s *Sessions, token string) {
	t.Helper()
	_, err := s.Key(t.Context(), token)
	wantCode(t, err, signalbox.CodeUnauthenticated)
}

func wantHolder(t *testing.T, s *Sessions, token, id string) {
	t.Helper()
	if key, err := s.Key(t.Context(), token); err != nil || key.ID != id {
		t.Fatalf("got %q, %v; want %q", key.ID, err, id)
	}
}

func TestSessions(t *testing.T) {
	now := noon
	k := ring(t, staticKey(t, signalbox.Key{ID: "main"}, staticSecret))
	s := newStoredSessions(k, func() time.Time { return now })
	start := func(id string) string {
		t.Helper()
		key, _ := k.Key(id)
		return openKey(t, s.Sessions, key)
	}
	token := start("main")
	wantHolder(t, s.Sessions, token, "main")
	t.Run("unknown", func(t *testing.T) {
		for _, bad := range []string{"x", "", strings.Repeat("x", 1000), strings.Repeat("x", sessionToken)} {
			wantEnded(t, s.Sessions, bad)
		}
	})
	t.Run("closed", func(t *testing.T) {
		token := start("main")
		c, err := s.Close(t.Context(), token, "192.0.2.9")
		if err != nil || c.MaxAge >= 0 || c.Value != "" {
			t.Errorf("got cookie %v, %v", c, err)
		}
		wantEnded(t, s.Sessions, token)
		before := len(s.table.all())
		if _, err := s.Close(t.Context(), token, "192.0.2.9"); err != nil || len(s.table.all()) != before {
			t.Errorf("closing twice gives %v and %d records more", err, len(s.table.all())-before)
		}
	})
	t.Run("oldest gives way, in the store too", func(t *testing.T) {
		for range MaxSessionsPerHolder {
			now = now.Add(time.Second)
			start("main")
		}
		wantEnded(t, s.Sessions, token)
		if row := s.table.rows[HashSecret(token)]; !row.Ended.Equal(now) {
			t.Errorf("got %+v", row)
		}
	})
	t.Run("expired", func(t *testing.T) {
		token := start("main")
		now = now.Add(SessionLife)
		wantEnded(t, s.Sessions, token)
		if list := s.List(); len(list) != 0 {
			t.Errorf("listed are %+v", list)
		}
	})
	t.Run("key revoked", func(t *testing.T) {
		if err := k.Put(signalbox.Key{ID: "key_1", Hash: HashSecret("sb_1")}); err != nil {
			t.Fatal(err)
		}
		token := start("key_1")
		k.Revoke("key_1", now)
		wantEnded(t, s.Sessions, token)
	})
	t.Run("static key with another secret", func(t *testing.T) {
		token := start("main")
		if err := k.SetStatic([]signalbox.Key{staticKey(t, signalbox.Key{ID: "main"}, "another-secret-xyz")}); err != nil {
			t.Fatal(err)
		}
		wantEnded(t, s.Sessions, token)
	})
}

var (
	rose     = signalbox.Person{Issuer: "https://id.example", Subject: "rose", User: "rose@example.com", Tenant: "acme", Role: signalbox.RoleApprover}
	roseKey  = signalbox.Key{ID: "person:corp:rose", Tenant: "acme", User: "rose@example.com", Role: signalbox.RoleApprover}
	roseOnly = friends{"rose": roseKey}
)

// A session works on every replica at once, outlives a restart, and a revocation reaches a replica with its refresh.
func TestSessionsAreShared(t *testing.T) {
	k := ring(t)
	shared := &table{rows: map[[32]byte]signalbox.Session{}}
	one, two := sessionsOn(shared, k, roseOnly, at(noon)), sessionsOn(shared, k, roseOnly, at(noon))
	session, c, err := one.OpenPerson(t.Context(), rose, roseKey, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	wantHolder(t, two, c.Value, "person:corp:rose")
	asked := shared.asked
	wantHolder(t, two, c.Value, "person:corp:rose")
	if shared.asked != asked {
		t.Error("what is known is looked for again")
	}
	restarted := sessionsOn(shared, k, roseOnly, at(noon.Add(time.Hour)))
	if err := restarted.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list := restarted.List(); len(list) != 1 || list[0].ID != session.ID || list[0].Holder.ID != roseKey.ID || list[0].Person != rose {
		t.Fatalf("after the restart there are %+v", list)
	}
	by := signalbox.Caller{Tenant: "ops", Key: "boss", Role: signalbox.RoleAdmin}
	if _, err := restarted.Revoke(t.Context(), by, session.ID); err != nil {
		t.Fatal(err)
	}
	wantEnded(t, restarted, c.Value)
	for _, replica := range []*Sessions{one, two} {
		if err := replica.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantEnded(t, replica, c.Value)
	}
	_, err = one.Revoke(t.Context(), by, session.ID)
	wantCode(t, err, signalbox.CodeNotFound)
	records := shared.all()
	last := records[len(records)-1]
	if len(records) != 2 || last.What.Action != signalbox.ActionSessionRevoked || last.Who.KeyID != "boss" || last.Who.TenantID != "acme" ||
		last.What.ResourceID != session.ID || last.What.Detail["key"] != roseKey.ID || last.What.Detail["issuer"] != rose.Issuer || last.Who.Source != "" {
		t.Errorf("got %d records, the last %+v", len(records), last)
	}
	first := records[0]
	if first.What.Action != signalbox.ActionLogin || first.Who.UserID != "rose@example.com" || first.What.Detail["issuer"] != rose.Issuer ||
		first.Who.Source != "192.0.2.1" || first.What.Detail["expires"] == "" {
		t.Errorf("the login is %+v", first)
	}
}

// A person whom nobody vouches for any more has no session.
func TestSessionsEndWithTheirProvider(t *testing.T) {
	known := friends{"rose": roseKey}
	s := sessionsOn(&table{rows: map[[32]byte]signalbox.Session{}}, ring(t), known, at(noon))
	_, c, err := s.OpenPerson(t.Context(), rose, roseKey, "")
	if err != nil {
		t.Fatal(err)
	}
	delete(known, "rose")
	wantEnded(t, s, c.Value)
	if len(s.List()) != 0 {
		t.Error("it is listed")
	}
}

// Nothing begins or ends that the log can not be told of, and a session that can not be looked for is not taken for ended.
func TestSessionsNeedTheLog(t *testing.T) {
	k := ring(t, staticKey(t, signalbox.Key{ID: "main"}, staticSecret))
	s := newStoredSessions(k, at(noon))
	key, _ := k.Key("main")
	token := openKey(t, s.Sessions, key)
	down := signalbox.Errorf(signalbox.CodeUnavailable, "The log can not be written.").WithRemedy("Retry.")
	s.table.fail(down)
	_, _, err := s.OpenKey(t.Context(), key, "")
	wantCode(t, err, signalbox.CodeUnavailable)
	_, err = s.Close(t.Context(), token, "")
	wantCode(t, err, signalbox.CodeUnavailable)
	_, err = s.Revoke(t.Context(), signalbox.Caller{}, SessionID(token))
	wantCode(t, err, signalbox.CodeUnavailable)
	wantHolder(t, s.Sessions, token, "main")
	if len(s.List()) != 1 {
		t.Errorf("%d sessions are open", len(s.List()))
	}
	s.table.down = down
	wantCode(t, s.Refresh(t.Context()), signalbox.CodeUnavailable)
	wantHolder(t, s.Sessions, token, "main")
	_, err = sessionsOn(s.table, k, nil, at(noon)).Key(t.Context(), token)
	wantCode(t, err, signalbox.CodeUnavailable)
}

// Guessing tokens is no way to keep the store busy.
func TestLookupsAreBounded(t *testing.T) {
	now := noon
	s := newStoredSessions(ring(t), func() time.Time { return now })
	for range 3 {
		for range 10 * MaxSessionLookups {
			wantEnded(t, s.Sessions, NewSecret()[len(SecretPrefix):])
		}
		now = now.Add(time.Second)
	}
	if s.table.asked != 3*MaxSessionLookups {
		t.Errorf("the store was asked %d times", s.table.asked)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	k := ring(t)
	s := newStoredSessions(k, at(noon))
	keys := make([]signalbox.Key, MaxSessions+1)
	for i := range keys {
		keys[i] = signalbox.Key{ID: fmt.Sprint(i), Hash: HashSecret(fmt.Sprint(i))}
		if i > 1 { // By other replicas.
			one := signalbox.Session{ID: "s" + keys[i].ID, Hash: keys[i].Hash, Key: keys[i].ID, KeyHash: keys[i].Hash, Expires: noon.Add(time.Hour)}
			s.table.rows[one.Hash] = one
		}
	}
	if err := errors.Join(k.Load(t.Context(), keyList{keys: keys}), s.Refresh(t.Context())); err != nil {
		t.Fatal(err)
	}
	full := func() {
		t.Helper()
		_, _, err := s.OpenKey(t.Context(), keys[1], "")
		wantCode(t, err, signalbox.CodeUnavailable)
	}
	last := openKey(t, s.Sessions, keys[0])
	full()
	if _, err := s.Close(t.Context(), last, ""); err != nil {
		t.Fatal(err)
	}
	openKey(t, s.Sessions, keys[0])
	full()
	k.Revoke("7", noon) // Its session has ended with it.
	openKey(t, s.Sessions, keys[1])
	full()
}

// A refresh that overlaps with ends and beginnings neither brings back what has ended nor forgets what has begun.
func TestRefreshRaces(t *testing.T) {
	k := ring(t, staticKey(t, signalbox.Key{ID: "main"}, staticSecret))
	s := newStoredSessions(k, at(noon))
	key, _ := k.Key("main")
	stop := make(chan struct{})
	var refreshing sync.WaitGroup
	refreshing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := s.Refresh(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for range 200 {
		token := openKey(t, s.Sessions, key)
		wantHolder(t, s.Sessions, token, "main")
		if _, err := s.Close(t.Context(), token, ""); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			wantEnded(t, s.Sessions, token)
		}
	}
	close(stop)
	refreshing.Wait()
}
