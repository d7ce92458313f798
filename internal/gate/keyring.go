package gate

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// KeySource gives the keys that were created by API, revoked ones too. An error means that the list is not known; the
// keyring then keeps what it had. It is safe for concurrent use and changes nothing.
type KeySource interface {
	Keys(ctx context.Context) ([]signalbox.Key, error)
}

// Keyring knows all keys, static and created ones. It is safe for concurrent use; a change takes effect for the next
// lookup.
type Keyring struct {
	// changing is held by who changes created keys: from before the database is read to when what it said is in force. A list
	// from before a key was made or revoked would else undo that.
	changing sync.Mutex

	mu      sync.RWMutex
	static  []signalbox.Key
	created []signalbox.Key
	byHash  map[[32]byte]*signalbox.Key
	byID    map[string]*signalbox.Key
}

// NewKeyring makes a keyring of the configuration's keys, each made by [StaticKey]. Two keys with one id or one secret
// are an error of code conflict.
func NewKeyring(static ...signalbox.Key) (*Keyring, error) {
	k := &Keyring{}
	return k, k.SetStatic(static)
}

// SetStatic replaces the configuration's keys, as after a reload. On an error nothing changes.
func (k *Keyring) SetStatic(static []signalbox.Key) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.rebuild(slices.Clone(static), k.created)
}

// Load replaces the created keys by those of the source. On an error nothing changes.
func (k *Keyring) Load(ctx context.Context, source KeySource) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	created, err := source.Keys(ctx)
	if err != nil {
		return signalbox.Errorf(signalbox.CodeUnavailable, "The API keys could not be read from the database.").
			WithRemedy("See the cause in the log; the keys known before stay in force.").WithCause(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.rebuild(k.static, slices.Clone(created))
}

// rebuild makes the indexes anew and keeps them if no two keys collide.
func (k *Keyring) rebuild(static, created []signalbox.Key) error {
	byHash := make(map[[32]byte]*signalbox.Key, len(static)+len(created))
	byID := make(map[string]*signalbox.Key, len(static)+len(created))
	for _, list := range [][]signalbox.Key{static, created} {
		for i := range list {
			key := &list[i]
			if byID[key.ID] != nil {
				return signalbox.Errorf(signalbox.CodeConflict, "Two API keys have the id %q.", key.ID).WithField("id").
					WithRemedy("Rename one of them in the configuration.")
			}
			if other := byHash[key.Hash]; other != nil {
				return signalbox.Errorf(signalbox.CodeConflict, "The API keys %q and %q have the same secret.", other.ID,
					key.ID).WithField("secret").WithRemedy("Give each key a secret of its own in the configuration.")
			}
			byID[key.ID], byHash[key.Hash] = key, key
		}
	}
	k.static, k.created, k.byHash, k.byID = static, created, byHash, byID
	return nil
}

// Put adds a created key, which may have come by [Keyring.Load] already.
func (k *Keyring) Put(key signalbox.Key) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if slices.ContainsFunc(k.created, func(c signalbox.Key) bool { return c.ID == key.ID }) {
		return nil
	}
	return k.rebuild(k.static, append(slices.Clone(k.created), key))
}

// Revoke ends a created key; an unknown, static or revoked one stays as it is.
func (k *Keyring) Revoke(id string, at time.Time) {
	k.changing.Lock()
	defer k.changing.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if key := k.byID[id]; key != nil && !key.Static && key.Revoked.IsZero() {
		key.Revoked = at
	}
}

// Key gives a key by its id.
func (k *Keyring) Key(id string) (signalbox.Key, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	key := k.byID[id]
	if key == nil {
		return signalbox.Key{}, false
	}
	return *key, true
}

// List gives all keys, static ones first, each group by id.
func (k *Keyring) List() []signalbox.Key {
	k.mu.RLock()
	all := slices.Concat(k.static, k.created)
	k.mu.RUnlock()
	slices.SortFunc(all, func(a, b signalbox.Key) int {
		if a.Static != b.Static {
			return map[bool]int{true: -1, false: 1}[a.Static]
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all
}

// Lookup finds the key of a secret. The error is of code unauthenticated; it tells of a revoked key only to who has its
// secret.
//
// The table is searched by hash: how long that takes says something about the hash of a guess, and nothing about a
// secret that hashes near to it.
func (k *Keyring) Lookup(secret string) (signalbox.Key, error) {
	if len(secret) > MaxSecret {
		return signalbox.Key{}, errUnknownKey()
	}
	hash := HashSecret(secret)
	k.mu.RLock()
	defer k.mu.RUnlock()
	key := k.byHash[hash]
	if key == nil {
		return signalbox.Key{}, errUnknownKey()
	}
	if !key.Revoked.IsZero() {
		return signalbox.Key{}, errRevokedKey(*key)
	}
	return *key, nil
}

func errNoKey() *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeUnauthenticated, "The request has no API key.").WithField("Authorization").
		WithRemedy("Send the header `Authorization: Bearer sb_…` or `x-api-key: sb_…`.")
}

func errUnknownKey() *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeUnauthenticated, "The API key is not known.").
		WithRemedy("Check that the whole key was copied and belongs to this instance; `signalbox key create` makes a new one.")
}

func errRevokedKey(k signalbox.Key) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeUnauthenticated, "The API key %s was revoked on %s.", k.ID,
		k.Revoked.UTC().Format(time.RFC3339)).WithRemedy("Ask an admin for a new key; `signalbox key create` makes one.")
}
