package audit

import (
	"strings"

	"github.com/signalbox/signalbox"
)

// spare is a record that is scanned into again and again by who asks only whether there is one: its parts lie in the same
// memory, so that one overwrites the other. A nil spare gives new memory each time.
type spare struct {
	record signalbox.Record
	u      signalbox.Usage
	r      signalbox.Rates
	st     signalbox.Stations
	m      signalbox.Money
	n      int64
	data   []byte
}

// says is what of a record's content is compared with its neighbours.
type says struct {
	tenant    string
	outcome   signalbox.Outcome
	attempted bool
	replay    bool // It gives again what another call came to.
	action    string
}

// read reports what a content says, if it was written as [text] does; otherwise it has to be left to [Decode], which accepts
// whatever this does. The texts are small copies, that do not keep the content.
func (p *spare) read(e *signalbox.Entry) (says, bool) {
	r := &p.record
	*r = signalbox.Record{Attempts: r.Attempts[:0], Ledger: r.Ledger[:0]}
	s := scan{s: string(e.Content), spare: p}
	s.record(r)
	if s.odd || s.s != "" {
		return says{}, false
	}
	v := says{tenant: e.Tenant, attempted: len(r.Attempts) > 0, replay: r.Context.ReplayOf != "", action: signalbox.ActionModelCall}
	if r.Who.TenantID != e.Tenant {
		v.tenant = strings.Clone(r.Who.TenantID)
	}
	if r.What.Action != v.action {
		v.action = strings.Clone(r.What.Action)
	}
	if v.outcome = signalbox.OutcomeOK; r.Outcome != v.outcome {
		v.outcome = signalbox.Outcome(strings.Clone(string(r.Outcome)))
	}
	return v, true
}

func (p *spare) usage() *signalbox.Usage {
	if p == nil {
		return &signalbox.Usage{}
	}
	return &p.u
}

func (p *spare) rates() *signalbox.Rates {
	if p == nil {
		return &signalbox.Rates{}
	}
	return &p.r
}

func (p *spare) stations() *signalbox.Stations {
	if p == nil {
		return &signalbox.Stations{}
	}
	return &p.st
}

func (p *spare) money() *signalbox.Money {
	if p == nil {
		return new(signalbox.Money)
	}
	return &p.m
}

func (p *spare) number() *int64 {
	if p == nil {
		return new(int64)
	}
	return &p.n
}

// buffer is what bytes may be appended to.
func (p *spare) buffer() []byte {
	if p == nil {
		return []byte{} // Not nil: no bytes are something else than none.
	}
	return p.data[:0]
}

func (p *spare) keep(b []byte) {
	if p != nil {
		p.data = b
	}
}
