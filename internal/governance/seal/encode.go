package seal

import (
	"io"
	"sync"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
)

// timeLayout is that of leaves.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// Encode turns a record into an entry that has no place in the log yet, with its personal part sealed. The entry carries
// the effects that its keys need. Errors are those of [audit.Encode].
func (v *Vault) Encode(r signalbox.Record) (signalbox.Entry, error) {
	r.Sealed = nil // That of another record, where this one was made of it.
	var p signalbox.Personal
	if !take(&r, &p) {
		return audit.EncodeFrom(&r)
	}
	header := audit.Header(&r)
	s := v.sealer(header.Tenant, subject(&p))
	data, err := v.seal(s, &header, &p)
	if err != nil {
		return signalbox.Entry{}, signalbox.Errorf(signalbox.CodeInternal, "The record can not be sealed.").
			WithRemedy("Report this as a bug; the log has the cause.").WithCause(err)
	}
	r.Sealed = &signalbox.Sealed{Key: s.id, Data: data}
	e, err := audit.EncodeFrom(&r)
	e.Effects = v.effects(s)
	return e, err
}

// buffer holds what is needed while a record is sealed.
type buffer struct {
	plain, data []byte
	random      [nonceSize + audit.SaltSize]byte
}

var buffers = sync.Pool{New: func() any { return &buffer{plain: make([]byte, 0, 4096), data: make([]byte, 0, 256)} }}

// maxKept bounds what a buffer may have grown to that is used again.
const maxKept = 64 << 10

// seal encrypts the personal part of the entry with that header.
func (v *Vault) seal(s *sealer, header *signalbox.Entry, p *signalbox.Personal) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	b, _ := buffers.Get().(*buffer)
	if _, err := io.ReadFull(v.options.Random, b.random[:]); err != nil {
		return nil, err
	}
	b.plain = audit.AppendPersonal(b.plain[:0], p, [audit.SaltSize]byte(b.random[nonceSize:]))
	b.data = appendData(b.data[:0], header)
	out := make([]byte, 0, nonceSize+len(b.plain)+tagSize)
	out = append(out, b.random[:nonceSize]...)
	out = s.aead.Seal(out, b.random[:nonceSize], b.plain, b.data)
	clear(b.plain)
	if cap(b.plain) <= maxKept {
		buffers.Put(b)
	}
	return out, nil
}

// appendData appends what is authenticated with the personal part of an entry.
func appendData(b []byte, e *signalbox.Entry) []byte {
	for _, s := range []string{e.Call, string(e.Type), e.Tenant} {
		b = append(append(b, s...), '\n')
	}
	return e.Time.AppendFormat(b, timeLayout)
}

// effects gives the keys that an entry needs and that are not known to be durable.
func (v *Vault) effects(s *sealer) []signalbox.Effect {
	var list []signalbox.Effect
	if k := v.first.Load(); k != nil {
		list = append(list, signalbox.PutSubjectKey{Key: *k})
	}
	if k := s.put.Load(); k != nil {
		list = append(list, signalbox.PutSubjectKey{Key: *k})
	}
	return list
}
