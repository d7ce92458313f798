package gate

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

func TestNewSecretIsLongPrefixedAndNew(t *testing.T) {
	a, b := NewSecret(), NewSecret()
	if a == b || !strings.HasPrefix(a, "sb_") || len(a) != 55 || !signalbox.ValidID(a) {
		t.Errorf("got %q and %q", a, b)
	}
}

func TestStaticKeyIsChecked(t *testing.T) {
	good := signalbox.Key{ID: "k", Tenant: "acme", Role: signalbox.RoleAgent}
	with := func(change func(*signalbox.Key)) signalbox.Key {
		k := good
		change(&k)
		return k
	}
	cases := []struct {
		name, secret, field string
		key                 signalbox.Key
	}{
		{"short secret", "fifteen-chars-x", "secret", good},
		{"no secret", "", "secret", good},
		{"endless secret", strings.Repeat("x", MaxSecret+1), "secret", good},
		{"secret with a line break", "sixteen-chars-x\nyz", "secret", good},
		{"secret with spaces around", " sixteen-chars-xyz", "secret", good},
		{"no id", staticSecret, "id", with(func(k *signalbox.Key) { k.ID = "" })},
		{"no tenant", staticSecret, "tenant", with(func(k *signalbox.Key) { k.Tenant = "" })},
		{"bad team", staticSecret, "team", with(func(k *signalbox.Key) { k.Team = "a b" })},
		{"bad agent", staticSecret, "agent", with(func(k *signalbox.Key) { k.Agent = "a\nb" })},
		{"bad user", staticSecret, "user", with(func(k *signalbox.Key) { k.User = strings.Repeat("u", 129) })},
		{"no role", staticSecret, "role", with(func(k *signalbox.Key) { k.Role = "" })},
		{"foreign role", staticSecret, "role", with(func(k *signalbox.Key) { k.Role = "root" })},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := StaticKey(c.key, c.secret)
			if e := wantCode(t, err, signalbox.CodeInvalid); e.Field != c.field {
				t.Errorf("got field %q, want %q", e.Field, c.field)
			}
			if c.secret != "" && strings.Contains(err.Error(), c.secret) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
	if k := staticKey(t, good, strings.Repeat("x", MinSecret)); !k.Static || k.Hash == [32]byte{} {
		t.Errorf("got %+v", k)
	}
}

func TestLookup(t *testing.T) {
	revoked := signalbox.Key{
		ID: "key_old", Hash: HashSecret("sb_revoked"), Tenant: "acme", Role: signalbox.RoleAgent, Revoked: noon,
	}
	k := ring(t, staticKey(t, signalbox.Key{ID: "main"}, staticSecret))
	if err := k.Load(context.Background(), keyList{keys: []signalbox.Key{revoked}}); err != nil {
		t.Fatal(err)
	}
	cases := []struct{ name, secret, want, id string }{
		{"known", staticSecret, "", "main"},
		{"unknown", "sb_nobody", "is not known", ""},
		{"known in another case", strings.ToUpper(staticSecret), "is not known", ""},
		{"empty", "", "is not known", ""},
		{"endless", strings.Repeat("x", MaxSecret+1), "is not known", ""},
		{"revoked", "sb_revoked", "key_old was revoked on 2026-11-22T12:00:00Z", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			key, err := k.Lookup(c.secret)
			if c.want == "" {
				if err != nil || key.ID != c.id {
					t.Fatalf("got %q, %v; want %q", key.ID, err, c.id)
				}
				return
			}
			e := wantCode(t, err, signalbox.CodeUnauthenticated)
			if !strings.Contains(e.Message, c.want) {
				t.Errorf("got %q, want %q in it", e.Message, c.want)
			}
		})
	}
}

func TestKeyringRefusesCollisionsAndKeepsWhatItHad(t *testing.T) {
	main := staticKey(t, signalbox.Key{ID: "main"}, staticSecret)
	k := ring(t, main)
	sameID := staticKey(t, signalbox.Key{ID: "main"}, "another-secret-xyz")
	sameSecret := staticKey(t, signalbox.Key{ID: "second"}, staticSecret)
	for name, list := range map[string][]signalbox.Key{"id": {main, sameID}, "secret": {main, sameSecret}} {
		t.Run(name, func(t *testing.T) {
			wantCode(t, k.SetStatic(list), signalbox.CodeConflict)
			if _, err := NewKeyring(list...); err == nil {
				t.Error("a new keyring took them")
			}
		})
	}
	wantCode(t, k.Put(sameSecret), signalbox.CodeConflict)
	wantCode(t, k.Load(context.Background(), keyList{err: errors.New("disk gone")}), signalbox.CodeUnavailable)
	if key, err := k.Lookup(staticSecret); err != nil || key.ID != "main" {
		t.Errorf("got %v, %v", key.ID, err)
	}
	if err := k.SetStatic(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Lookup(staticSecret); err == nil {
		t.Error("a key that left the configuration still opens the door")
	}
}

// acme is the tenants of the tests.
func acme() []string { return []string{"acme"} }

// With several processes the news that a key was made can be here before who made it says so.
func TestAKeyThatCameBefore(t *testing.T) {
	key := signalbox.Key{ID: "key_1", Tenant: "acme", Role: signalbox.RoleAgent, Hash: [32]byte{1}}
	ring, err := NewKeyring()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(ring.Load(t.Context(), keyList{keys: []signalbox.Key{key}}), ring.Put(key)); err != nil {
		t.Error(err)
	}
	if got := ring.List(); len(got) != 1 {
		t.Errorf("got %+v", got)
	}
}

// What the database said before a key was made and another one revoked is in force after neither.
func TestAnOldListUndoesNothing(t *testing.T) {
	old := signalbox.Key{ID: "key_1", Tenant: "acme", Role: signalbox.RoleAgent, Hash: [32]byte{1}}
	k := ring(t)
	if err := k.Put(old); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	err := k.Load(t.Context(), meanwhile{old, func() {
		done := make(chan struct{})
		wg.Go(func() {
			defer close(done)
			k.Revoke("key_1", noon)
			if err := k.Put(signalbox.Key{ID: "key_2", Tenant: "acme", Role: signalbox.RoleAgent, Hash: [32]byte{2}}); err != nil {
				t.Error(err)
			}
		})
		select { // They may wait until the list is in force.
		case <-done:
		case <-time.After(50 * time.Millisecond):
		}
	}})
	wg.Wait()
	if revoked, _ := k.Key("key_1"); err != nil || revoked.Revoked.IsZero() {
		t.Errorf("a key that was revoked is good again: %v", err)
	}
	if _, ok := k.Key("key_2"); !ok {
		t.Error("a key that was made is not known")
	}
}

// meanwhile gives a key that it has read before something happened.
type meanwhile struct {
	key     signalbox.Key
	happens func()
}

func (m meanwhile) Keys(context.Context) ([]signalbox.Key, error) {
	m.happens()
	return []signalbox.Key{m.key}, nil
}

func TestIssuerCreatesAndRevokes(t *testing.T) {
	log, k := &memoryLog{}, ring(t)
	issuer := NewIssuer(k, log, at(noon), acme)
	by := signalbox.Caller{Tenant: "ops", Key: "boss", Role: signalbox.RoleAdmin}
	key, secret, err := issuer.Create(t.Context(), by, signalbox.Key{Tenant: "acme", Agent: "writer", Role: signalbox.RoleAgent})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Lookup(secret); err != nil || got.ID != key.ID || got.Agent != "writer" {
		t.Fatalf("got %+v, %v", got, err)
	}
	if !strings.HasPrefix(secret, key.Hint) || len(key.Hint) > 8 {
		t.Errorf("hint %q", key.Hint)
	}
	for range 2 { // The second time changes nothing.
		if got, err := issuer.Revoke(t.Context(), by, key.ID); err != nil || !got.Revoked.Equal(noon) {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	_, err = k.Lookup(secret)
	wantCode(t, err, signalbox.CodeUnauthenticated)
	records := log.all()
	if len(records) != 2 || len(log.effects) != 2 {
		t.Fatalf("got %d records and %d effects, want 2 and 2", len(records), len(log.effects))
	}
	if put, ok := log.effects[0].(signalbox.PutKey); !ok || put.Key.ID != key.ID {
		t.Errorf("got effect %+v", log.effects[0])
	}
	if end, ok := log.effects[1].(signalbox.RevokeKey); !ok || end.ID != key.ID || !end.At.Equal(noon) {
		t.Errorf("got effect %+v", log.effects[1])
	}
	for i, action := range []string{signalbox.ActionKeyCreated, signalbox.ActionKeyRevoked} {
		r := records[i]
		if r.What.Action != action || r.Who.KeyID != "boss" || r.Who.TenantID != "acme" || r.What.Detail["key"] != key.ID {
			t.Errorf("got record %+v", r)
		}
		for _, text := range r.What.Detail {
			if strings.Contains(text, secret) {
				t.Errorf("the record shows the secret")
			}
		}
	}
}

func TestIssuerErrors(t *testing.T) {
	log := &memoryLog{}
	k := ring(t, staticKey(t, signalbox.Key{ID: "main"}, staticSecret))
	issuer := NewIssuer(k, log, at(noon), acme)
	key, secret, err := issuer.Create(t.Context(), signalbox.Caller{}, signalbox.Key{Tenant: "acme", Role: signalbox.RoleAgent})
	if err != nil {
		t.Fatal(err)
	}
	down := signalbox.Errorf(signalbox.CodeUnavailable, "The log can not be written.").WithRemedy("Retry.")
	t.Run("unknown key", func(t *testing.T) {
		_, err := issuer.Revoke(t.Context(), signalbox.Caller{}, "key_nobody")
		wantCode(t, err, signalbox.CodeNotFound)
	})
	t.Run("static key", func(t *testing.T) {
		_, err := issuer.Revoke(t.Context(), signalbox.Caller{}, "main")
		wantCode(t, err, signalbox.CodeConflict)
	})
	t.Run("bad template", func(t *testing.T) {
		_, _, err := issuer.Create(t.Context(), signalbox.Caller{}, signalbox.Key{Tenant: "acme", Role: "root"})
		wantCode(t, err, signalbox.CodeInvalid)
	})
	t.Run("tenant that is not configured", func(t *testing.T) {
		before := len(k.List())
		_, _, err := issuer.Create(t.Context(), signalbox.Caller{}, signalbox.Key{Tenant: "acne", Role: signalbox.RoleAgent})
		if e := wantCode(t, err, signalbox.CodeInvalid); e.Field != "tenant" {
			t.Errorf("got field %q", e.Field)
		}
		if len(k.List()) != before {
			t.Error("a key was made")
		}
	})
	log.fail(down)
	t.Run("log down at revoke: the key stays good", func(t *testing.T) {
		_, err := issuer.Revoke(t.Context(), signalbox.Caller{}, key.ID)
		wantCode(t, err, signalbox.CodeUnavailable)
		if _, err := k.Lookup(secret); err != nil {
			t.Error(err)
		}
	})
	t.Run("log down at create: no key", func(t *testing.T) {
		before := len(k.List())
		_, _, err := issuer.Create(t.Context(), signalbox.Caller{}, signalbox.Key{Tenant: "acme", Role: signalbox.RoleAgent})
		wantCode(t, err, signalbox.CodeUnavailable)
		if got := len(k.List()); got != before {
			t.Errorf("got %d keys, want %d", got, before)
		}
	})
}

func TestListPutsStaticKeysFirst(t *testing.T) {
	k := ring(t, staticKey(t, signalbox.Key{ID: "z"}, staticSecret), staticKey(t, signalbox.Key{ID: "y"}, "another-secret-xyz"))
	for i, id := range []string{"key_b", "key_a"} {
		if err := k.Put(signalbox.Key{ID: id, Hash: [32]byte{byte(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, key := range k.List() {
		got = append(got, key.ID)
	}
	if want := "y z key_a key_b"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
