package seal

import (
	"context"
	"crypto/cipher"
	"fmt"
	"io"

	"github.com/signalbox/signalbox"
)

// sealer gives the key for the records of a subject.
func (v *Vault) sealer(tenant, name string) *sealer {
	key, spent := whose{tenant, name}, false
	v.mu.Lock()
	s, ok := v.sealers.get(key)
	if spent = ok && s.seals.Add(1) > MaxSeals; !ok || spent {
		s = &sealer{tenant: tenant}
		v.sealers.put(key, s)
	}
	v.mu.Unlock()
	s.once.Do(func() { v.fill(s, name, spent) })
	return s
}

// fill gives a sealer its key: the newest that the store has, unless that is spent, or else a new one.
func (v *Vault) fill(s *sealer, name string, spent bool) {
	generation, subject := v.generation.Load(), v.Subject(s.tenant, name)
	var id string
	var aead cipher.AEAD
	if !spent {
		id, aead = v.find(s.tenant, subject)
	}
	var made *signalbox.SubjectKey
	var err error
	if aead == nil {
		if made, aead, err = v.create(s.tenant, subject); err == nil {
			id = made.ID
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	s.subject, s.id, s.aead, s.err = subject, id, aead, err
	s.put.Store(made)
	if known, _ := v.sealers.get(whose{s.tenant, name}); known != s {
		return // It was dropped meanwhile; those who wait for it use it, and nobody after them.
	}
	if err != nil || v.generation.Load() != generation && made == nil {
		v.sealers.drop(whose{s.tenant, name}) // Perhaps what was read is destroyed by now.
		return
	}
	v.openers.put(id, &opener{tenant: s.tenant, subject: subject, aead: aead})
	if made != nil {
		v.pending[id] = s
		v.waiting.Add(1)
	}
}

// find takes the newest usable key out of the store; nil where there is none.
func (v *Vault) find(tenant string, subject [32]byte) (id string, aead cipher.AEAD) {
	ctx, cancel := context.WithTimeout(context.Background(), LookupTimeout)
	defer cancel()
	keys, err := v.options.Keys.SubjectKeysOf(ctx, tenant, subject)
	if err != nil {
		return "", nil // A subject may have several keys, and a record must not be lost for want of an older one.
	}
	for i := len(keys) - 1; i >= 0; i-- {
		if aead, state := v.unwrap(&keys[i]); state == signalbox.ContentOpen {
			return keys[i].ID, aead
		}
	}
	return "", nil
}

// create makes a new key.
func (v *Vault) create(tenant string, subject [32]byte) (*signalbox.SubjectKey, cipher.AEAD, error) {
	var key [KeySize]byte
	defer clear(key[:])
	if _, err := io.ReadFull(v.options.Random, key[:]); err != nil {
		return nil, nil, fmt.Errorf("seal: %w", err)
	}
	stored, err := v.wrapped(signalbox.NewID(KeyPrefix, v.options.Now()), tenant, subject, key[:])
	if err != nil {
		return nil, nil, err
	}
	aead, err := newAEAD(key[:])
	return &stored, aead, err
}

// unwrap opens a stored key, or says what a record is that needs it.
func (v *Vault) unwrap(k *signalbox.SubjectKey) (cipher.AEAD, signalbox.ContentState) {
	if k.Wrapped == nil {
		return nil, signalbox.ContentErased
	}
	m := v.masters[k.Master]
	if m == nil {
		return nil, signalbox.ContentSealed
	}
	key, err := m.unwrap(k)
	if err != nil {
		return nil, signalbox.ContentSealed
	}
	defer clear(key)
	aead, err := newAEAD(key)
	if err != nil {
		return nil, signalbox.ContentSealed
	}
	return aead, signalbox.ContentOpen
}

// abandon is told of sealers that are dropped. Entries that need their keys carry them.
func (v *Vault) abandon(s *sealer) {
	if _, ok := v.pending[s.id]; ok {
		delete(v.pending, s.id)
		v.waiting.Add(-1)
	}
}

// Committed says that a batch is durable: its keys need not be carried any more.
func (v *Vault) Committed(b signalbox.Batch) {
	if v.waiting.Load() == 0 {
		return
	}
	for i := range b.Entries {
		for _, effect := range b.Entries[i].Effects {
			if put, ok := effect.(signalbox.PutSubjectKey); ok {
				v.durable(put.Key.ID)
			}
		}
	}
}

func (v *Vault) durable(id string) {
	if id == IndexID {
		if v.first.Swap(nil) != nil {
			v.waiting.Add(-1)
		}
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if s, ok := v.pending[id]; ok {
		s.put.Store(nil)
		v.abandon(s)
	}
}
