package server

import (
	"reflect"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// What an open call holds counts as used, once, however many records it has written.
func TestUnknownSettlesWhatIsHeld(t *testing.T) {
	held := addUp([]signalbox.LedgerEntry{{Account: "a", Held: 10}, {Account: "r", Held: 1}},
		[]signalbox.LedgerEntry{{Account: "a", Held: -3, Settled: 4}, {Account: "b", Held: 5}, {Account: "r", Held: -1, Settled: 1}})
	cost, first := signalbox.Money(7), signalbox.Money(4)
	s := &Server{options: Options{Now: time.Now}}
	out := s.unknown(&signalbox.Record{
		Call: "call_1", What: signalbox.What{Kind: signalbox.KindModel}, Ledger: held,
		Attempts: []signalbox.Attempt{
			{N: 1, Name: "one", Cost: &first, Basis: signalbox.BasisReported},
			{N: 2, Name: "two", Held: &cost, HeldUsage: &signalbox.Usage{Input: 3, Output: 4}},
		},
	})
	want := []signalbox.LedgerEntry{{Account: "a", Held: -7, Settled: 7}, {Account: "b", Held: -5, Settled: 5}}
	if !reflect.DeepEqual(out.Ledger, want) {
		t.Errorf("got %+v, want %+v", out.Ledger, want)
	}
	if out.What.Cost == nil || *out.What.Cost != 11 || out.What.CostBasis != signalbox.BasisHeld || out.What.Tokens.Output != 4 {
		t.Errorf("got %+v, want a cost of 11 by what was held", out.What)
	}
}
