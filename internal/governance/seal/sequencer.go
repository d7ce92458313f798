package seal

import "github.com/signalbox/signalbox"

// Sequencer is what gives entries their places, after they were encoded.
type Sequencer interface {
	Sequence(entries []signalbox.Entry) (signalbox.Batch, error)
	Committed(b signalbox.Batch)
}

// Sealing is a [Sequencer] that encodes records with a vault. Make it with [Vault.Around].
type Sealing struct {
	sequencer Sequencer
	vault     *Vault
}

// Around gives the log's writer a sequencer whose records are sealed.
func (v *Vault) Around(s Sequencer) *Sealing { return &Sealing{s, v} }

// Encode is [Vault.Encode].
func (s *Sealing) Encode(r signalbox.Record) (signalbox.Entry, error) { return s.vault.Encode(r) }

// Sequence is that of the sequencer.
func (s *Sealing) Sequence(entries []signalbox.Entry) (signalbox.Batch, error) {
	return s.sequencer.Sequence(entries)
}

// Committed tells both.
func (s *Sealing) Committed(b signalbox.Batch) {
	s.sequencer.Committed(b)
	s.vault.Committed(b)
}
