package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// session is a session with every field set but Ended, that was opened a while ago and is good for an hour.
func session(n int) signalbox.Session {
	now := time.Now().UTC().Truncate(time.Second)
	return signalbox.Session{
		ID: fmt.Sprintf("session_%03d", n), Hash: [32]byte{byte(n), 31: 0xff}, Key: "key_1", KeyHash: [32]byte{1, 31: 0xfe},
		Person: signalbox.Person{
			Issuer: "https://idp", Subject: "sub \x00", User: "kim@\"한글\"", Tenant: "acme", Team: "cs", Role: signalbox.RoleApprover,
		},
		Opened: now.Add(time.Duration(n-100) * time.Second), Expires: now.Add(time.Hour), Source: "192.0.2.1",
	}
}

func putSessions(t *testing.T, s Store, all ...signalbox.Session) {
	t.Helper()
	for _, v := range all {
		commit(t, s, signalbox.PutSession{Session: v})
	}
}

func checkSession(t *testing.T, s Store, want signalbox.Session) {
	t.Helper()
	got, there, err := decisions(t, s).Session(t.Context(), want.Hash)
	if ok(t, err); !there {
		t.Fatalf("there is no session %s", want.ID)
	}
	same(t, got, want)
}

func checkNoSession(t *testing.T, s Store, hash [32]byte) {
	t.Helper()
	if got, there, err := decisions(t, s).Session(t.Context(), hash); there || err != nil {
		t.Fatalf("got %+v, %v", got, err)
	}
}

var sessionTests = map[string]func(*testing.T, Store){
	"opened, found, ended once": func(t *testing.T, s Store) {
		one, two := session(1), session(2)
		complete(t, one, "Ended")
		complete(t, one.Person)
		two.Person, two.Source = signalbox.Person{}, "\xff"
		commit(t, s, signalbox.PutSession{Session: one}, signalbox.PutSession{Session: two})
		s = s.Reopen()
		two.Source = "\uFFFD"
		checkSession(t, s, one)
		checkSession(t, s, two)
		commit(t, s, signalbox.EndSession{ID: one.ID, At: at(1)}, signalbox.EndSession{ID: "session_009", At: at(1)})
		commit(t, s, signalbox.EndSession{ID: one.ID, At: at(2)})
		one.Ended = at(1)
		checkSession(t, s, one)
		checkNoSession(t, s, [32]byte{9})
	},
	"one that is there is not opened again": func(t *testing.T, s Store) {
		one := session(1)
		putSessions(t, s, one)
		commit(t, s, signalbox.EndSession{ID: one.ID, At: at(1)})
		other := session(2)
		other.Hash = one.Hash
		putSessions(t, s, one, other)
		one.Ended = at(1)
		checkSession(t, s, one)
	},
	"listed are those that are open and have not expired, newest first": func(t *testing.T, s Store) {
		if got := must[[]signalbox.Session](t)(decisions(t, s).Sessions(t.Context())); len(got) != 0 {
			t.Fatalf("got %+v", got)
		}
		expired, ended := session(3), session(4)
		expired.Expires = time.Now().Add(-time.Second).UTC().Truncate(time.Second)
		putSessions(t, s, session(1), session(5), session(2), expired, ended)
		commit(t, s, signalbox.EndSession{ID: ended.ID, At: at(1)})
		got := must[[]signalbox.Session](t)(decisions(t, s).Sessions(t.Context()))
		same(t, idsOf(got, func(v signalbox.Session) string { return v.ID }), []string{"session_005", "session_002", "session_001"})
		checkSession(t, s, expired) // Whoever asks for it by its hash is to see that it has expired.
	},
	"those that have expired for long are removed with the next": func(t *testing.T, s Store) {
		old, recent := session(1), session(2)
		old.Expires = session(3).Opened.Add(-store.SessionGrace - time.Second)
		recent.Expires = session(3).Opened.Add(-store.SessionGrace)
		putSessions(t, s, recent, old)
		checkSession(t, s, old)
		putSessions(t, s, session(3))
		checkNoSession(t, s, old.Hash)
		checkSession(t, s, recent)
		checkSession(t, s, session(3))
	},
}
