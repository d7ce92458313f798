package seal

import (
	"context"
	"errors"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
)

// Decode gives the record of an entry with its personal part, or says in its Content why that is not there. It fails
// where the entry was changed (code internal) or the store can not be asked for the key.
func (v *Vault) Decode(e signalbox.Entry) (signalbox.Record, error) {
	r, err := audit.Decode(e)
	if err != nil || r.Sealed == nil {
		return r, err
	}
	o, err := v.opener(r.Sealed.Key)
	if err != nil {
		return signalbox.Record{}, err
	}
	if r.Content = o.state; o.state != signalbox.ContentOpen {
		return r, nil
	}
	p, err := o.open(&e, r.Sealed.Data)
	if err != nil {
		return signalbox.Record{}, signalbox.Errorf(signalbox.CodeInternal, "The personal part of record %d can not be read.", e.Index).
			WithRemedy("Run `signalbox audit verify`; it says whether the record was changed.").WithCause(err)
	}
	put(&r, &p)
	return r, nil
}

var errChanged = errors.New("the sealed part does not belong to this record, or was changed")

func (o *opener) open(e *signalbox.Entry, sealed []byte) (signalbox.Personal, error) {
	b, _ := buffers.Get().(*buffer)
	defer buffers.Put(b)
	if len(sealed) < nonceSize+tagSize {
		return signalbox.Personal{}, errChanged
	}
	header := *e
	header.Time = e.Time.UTC()
	b.data = appendData(b.data[:0], &header)
	plain, err := o.aead.Open(b.plain[:0], sealed[:nonceSize], sealed[nonceSize:], b.data)
	if err != nil {
		return signalbox.Personal{}, errChanged
	}
	defer clear(plain)
	return audit.DecodePersonal(plain)
}

// opener gives the key with that id.
func (v *Vault) opener(id string) (*opener, error) {
	v.mu.Lock()
	o, ok := v.openers.get(id)
	v.mu.Unlock()
	if ok {
		return o, nil
	}
	generation := v.generation.Load()
	ctx, cancel := context.WithTimeout(context.Background(), ReadTimeout)
	defer cancel()
	k, err := v.options.Keys.SubjectKey(ctx, id)
	if signalbox.CodeOf(err) == signalbox.CodeNotFound {
		return &opener{state: signalbox.ContentErased}, nil // Whoever has removed the row has done what erasure does.
	}
	if err != nil {
		return nil, err
	}
	o = &opener{tenant: k.Tenant, subject: k.Subject}
	o.aead, o.state = v.unwrap(&k)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.generation.Load() == generation {
		v.openers.put(id, o)
	}
	return o, nil
}
