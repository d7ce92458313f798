package seal

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox"
)

// Limits of a vault.
const (
	DefaultCached = 4096                   // Subjects whose keys are kept in memory, by each of the two caches.
	LookupTimeout = 500 * time.Millisecond // Of the store, when a record is encoded; without an answer a new key is made.
	ReadTimeout   = 5 * time.Second        // Of the store, when a record is decoded.
	MaxSeals      = 1 << 28                // Records that one process seals with one key: nonces are random, and must not meet.
)

// Names of keys.
const (
	IndexID   = "index" // The id of the index key, which is kept among those of subjects but is nobody's.
	KeyPrefix = "sk_"
)

// Keys is where the keys of subjects are kept. It is used from many goroutines. What it gives is the caller's own.
type Keys interface {
	// SubjectKey gives one key, which may be destroyed. An error of code not_found says that there is none.
	SubjectKey(ctx context.Context, id string) (signalbox.SubjectKey, error)
	// SubjectKeysOf gives all keys of a subject, destroyed ones too, oldest first.
	SubjectKeysOf(ctx context.Context, tenant string, subject [32]byte) ([]signalbox.SubjectKey, error)
}

// Options of [Open]. Master, Keys and Now are required.
type Options struct {
	Master   *Master   // Wraps new keys.
	Previous []*Master // Open what was wrapped before Master came.
	Keys     Keys
	Now      func() time.Time
	Random   io.Reader // Nil is the system's.
	Cached   int       // 0 is [DefaultCached].
}

// Vault seals and opens the personal part of records. It is safe for concurrent use.
type Vault struct {
	options Options
	masters map[string]*Master
	index   [KeySize]byte
	first   atomic.Pointer[signalbox.SubjectKey] // The index key, until it is durable.
	waiting atomic.Int64                         // Keys that are not known to be durable.

	// generation changes when keys are forgotten: what was read of the store before is not put into a cache after.
	generation atomic.Int64

	mu      sync.Mutex
	sealers *lru[whose, *sealer]
	openers *lru[string, *opener]
	pending map[string]*sealer // Those of sealers whose key is not known to be durable, by its id.
}

// Open makes the vault of a store. It fails where the master keys do not open the store's index key: code invalid, field
// audit.master_key.
func Open(ctx context.Context, o Options) (*Vault, error) {
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Cached <= 0 {
		o.Cached = DefaultCached
	}
	v := &Vault{options: o, masters: map[string]*Master{}, pending: map[string]*sealer{}}
	v.sealers = newLRU[whose](o.Cached, v.abandon)
	v.openers = newLRU[string, *opener](o.Cached, nil)
	for _, m := range append([]*Master{o.Master}, o.Previous...) {
		v.masters[m.ID()] = m
	}
	return v, v.openIndex(ctx)
}

// openIndex reads the index key, or derives it where the store has none yet.
func (v *Vault) openIndex(ctx context.Context) error {
	k, err := v.options.Keys.SubjectKey(ctx, IndexID)
	if signalbox.CodeOf(err) == signalbox.CodeNotFound {
		return v.newIndex()
	}
	if err != nil {
		return err
	}
	m := v.masters[k.Master]
	if m == nil {
		return signalbox.Errorf(signalbox.CodeInvalid, "The database's keys are wrapped by the master key %s; the one given is %s.",
			k.Master, v.options.Master.ID()).WithField("audit.master_key").
			WithRemedy("Give the master key that this database was used with; nothing was changed.")
	}
	index, err := m.unwrap(&k)
	if err != nil {
		return signalbox.Errorf(signalbox.CodeInvalid, "The master key %s does not open the database's index key: that was changed.", m.ID()).
			WithField("audit.master_key").WithRemedy("Restore the database from a backup; nothing was changed.").WithCause(err)
	}
	v.index = [KeySize]byte(index)
	return nil
}

func (v *Vault) newIndex() error {
	v.index = v.options.Master.index
	k, err := v.wrapped(IndexID, "", [32]byte{}, v.index[:])
	if err != nil {
		return err
	}
	v.first.Store(&k)
	v.waiting.Add(1)
	return nil
}

// wrapped makes the stored form of a key.
func (v *Vault) wrapped(id, tenant string, subject [32]byte, key []byte) (signalbox.SubjectKey, error) {
	data, err := v.options.Master.wrap(v.options.Random, id, tenant, key)
	return signalbox.SubjectKey{
		ID: id, Tenant: tenant, Subject: subject, Wrapped: data, Master: v.options.Master.ID(),
		Created: v.options.Now().UTC().Truncate(time.Microsecond),
	}, err
}

// Master is the id of the master key that wraps new keys.
func (v *Vault) Master() string { return v.options.Master.ID() }

// Subject names a data subject as the store does. The name "" is the tenant's own key.
func (v *Vault) Subject(tenant, name string) [32]byte {
	mac := hmac.New(sha256.New, v.index[:])
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(tenant)))
	mac.Write(length[:])
	_, _ = io.WriteString(mac, tenant) // A hash takes everything.
	_, _ = io.WriteString(mac, name)
	return [32]byte(mac.Sum(nil))
}

// Forget drops the keys of a subject from memory. Call it once the effect that destroys them is durable.
func (v *Vault) Forget(tenant string, subject [32]byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.generation.Add(1)
	v.sealers.dropAll(func(s *sealer) bool { return s.tenant == tenant && s.subject == subject })
	v.openers.dropAll(func(o *opener) bool { return o.tenant == tenant && o.subject == subject })
}

// ForgetAll drops all keys from memory: those of some subject, it is not known of whom, were destroyed elsewhere.
func (v *Vault) ForgetAll() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.generation.Add(1)
	v.sealers.dropAll(func(*sealer) bool { return true })
	v.openers.dropAll(func(*opener) bool { return true })
}

// Rewrap gives the effect that wraps a key by the newest master key; false where it is so already, or was destroyed. The
// error is of code invalid where no master key at hand opens it.
func (v *Vault) Rewrap(k signalbox.SubjectKey) (signalbox.RewrapSubjectKey, bool, error) {
	if k.Wrapped == nil || k.Master == v.options.Master.ID() {
		return signalbox.RewrapSubjectKey{}, false, nil
	}
	m := v.masters[k.Master]
	if m == nil {
		return signalbox.RewrapSubjectKey{}, false, signalbox.Errorf(signalbox.CodeInvalid,
			"The key %s is wrapped by the master key %s, which was not given.", k.ID, k.Master).WithField("audit.master_key").
			WithRemedy("Give that master key too; nothing was changed.")
	}
	key, err := m.unwrap(&k)
	if err != nil {
		return signalbox.RewrapSubjectKey{}, false, signalbox.Errorf(signalbox.CodeInvalid,
			"The master key %s does not open the key %s: that was changed.", m.ID(), k.ID).WithField("audit.master_key").
			WithRemedy("Restore the database from a backup; nothing was changed.").WithCause(err)
	}
	defer clear(key)
	data, err := v.options.Master.wrap(v.options.Random, k.ID, k.Tenant, key)
	return signalbox.RewrapSubjectKey{ID: k.ID, Wrapped: data, Master: v.options.Master.ID()}, err == nil, err
}
