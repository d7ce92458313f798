package seal_test

import (
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/governance/seal"
)

// usual is a record as most calls have it.
func usual() signalbox.Record {
	r := record()
	r.Who.SubjectID, r.Error, r.Attempts = "", nil, r.Attempts[1:]
	r.What.InputSummary, r.What.OutputSummary = strings.Repeat("What is asked. ", 20), strings.Repeat("What is said. ", 20)
	return r
}

// BenchmarkEncode compares with what a record costs that is not sealed.
func BenchmarkEncode(b *testing.B) {
	v := open(b, seal.Options{Master: newMaster(b), Keys: &memory{}})
	for name, encode := range map[string]func(signalbox.Record) (signalbox.Entry, error){"sealed": v.Encode, "plain": audit.Encode} {
		b.Run(name, func(b *testing.B) {
			r := usual()
			b.ReportAllocs()
			for b.Loop() {
				e, err := encode(r)
				if err != nil {
					b.Fatal(err)
				}
				v.Committed(signalbox.Batch{Entries: []signalbox.Entry{e}})
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	m := &memory{}
	v := open(b, seal.Options{Master: newMaster(b), Keys: m})
	sealed := encode(b, v, usual())
	m.commit(sealed)
	unsealed, err := audit.Encode(usual())
	if err != nil {
		b.Fatal(err)
	}
	for name, e := range map[string]signalbox.Entry{"sealed": sealed, "plain": unsealed} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Decode(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
