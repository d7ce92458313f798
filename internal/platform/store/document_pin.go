package store

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

type pinDocument struct {
	First    time.Time     `json:"first,omitzero"`
	Pinned   *formDocument `json:"pinned,omitzero"`
	New      *formDocument `json:"new,omitzero"`
	By       string        `json:"by,omitzero"`
	Reason   string        `json:"reason,omitzero"`
	Reviewed time.Time     `json:"reviewed,omitzero"`
}

type formDocument struct {
	Hash       string               `json:"hash"`
	Definition string               `json:"definition,omitzero"`
	Seen       time.Time            `json:"seen,omitzero"`
	Flags      []signalbox.ToolFlag `json:"flags,omitzero"`
	Fault      string               `json:"fault,omitzero"`
}

// EncodePin gives the document of a pin. Server, Tool, State and Since have columns.
func EncodePin(p *signalbox.Pin) (string, error) {
	return encode(pinDocument{
		First: instant(p.First), Pinned: formOf(p.Pinned), New: formOf(p.New), By: valid(p.Review.By), Reason: valid(p.Review.Reason),
		Reviewed: instant(p.Review.At),
	})
}

func formOf(f *signalbox.ToolForm) *formDocument {
	if f == nil {
		return nil
	}
	d := &formDocument{Hash: hex.EncodeToString(f.Hash[:]), Definition: valid(f.Definition), Seen: instant(f.Seen), Fault: valid(f.Fault)}
	for _, g := range f.Flags {
		d.Flags = append(d.Flags, signalbox.ToolFlag{Kind: g.Kind, Where: valid(g.Where), Text: valid(g.Text)})
	}
	return d
}

// DecodePin fills in what [EncodePin] wrote.
func DecodePin(document []byte, p *signalbox.Pin) error {
	var d pinDocument
	if err := json.UnmarshalKnown(document, &d); err != nil {
		return err
	}
	p.First, p.Review = d.First, signalbox.PinReview{By: d.By, Reason: d.Reason, At: d.Reviewed}
	var err error
	if p.Pinned, err = d.Pinned.form(); err != nil {
		return err
	}
	p.New, err = d.New.form()
	return err
}

func (d *formDocument) form() (*signalbox.ToolForm, error) {
	if d == nil {
		return nil, nil //nolint:nilnil // There is none.
	}
	f := &signalbox.ToolForm{Definition: d.Definition, Seen: d.Seen, Flags: d.Flags, Fault: d.Fault}
	if n, err := hex.Decode(f.Hash[:], []byte(d.Hash)); err != nil || n != len(f.Hash) {
		return nil, fmt.Errorf("a pin has the hash %q, which is none", d.Hash)
	}
	return f, nil
}
