package storetest

import (
	"reflect"
	"testing"

	"github.com/signalbox/signalbox"
)

var findTests = map[string]func(*testing.T, Store){
	"accounts by name": func(t *testing.T, s Store) {
		commit(t, s, post("a", signalbox.LedgerEntry{Account: account, Settled: 3}, signalbox.LedgerEntry{Account: day(3).String(), Held: 1}))
		commit(t, s, post("b", signalbox.LedgerEntry{Account: account, Settled: 4, Closed: true}))
		for _, names := range [][]string{nil, {"nobody", day(5).String()}} {
			if got := must[[]signalbox.AccountView](t)(s.Ledger.FindAccounts(t.Context(), names)); len(got) != 0 {
				t.Fatalf("%v gives %+v", names, got)
			}
		}
		got := must[[]signalbox.AccountView](t)(s.Ledger.FindAccounts(t.Context(), []string{account, "nobody", day(3).String()}))
		all := must[[]signalbox.AccountView](t)(accounts(t, s, signalbox.AccountFilter{}))
		if len(got) != 2 || !reflect.DeepEqual(got, all) {
			t.Fatalf("got %+v, the list has %+v", got, all)
		}
	},
	"brakes by id, lifted ones too": func(t *testing.T, s Store) {
		for _, id := range []string{"one", "two"} {
			commit(t, s, signalbox.PutAlert{
				Alert: signalbox.Alert{ID: id, Tenant: "acme", Raised: start},
				Brake: &signalbox.Brake{ID: id, Kind: signalbox.BrakeHalt, Tenant: "acme", Since: start},
			})
		}
		commit(t, s, signalbox.LiftBrake{ID: "one", At: start, By: "admin"})
		got := must[[]signalbox.Brake](t)(s.Ledger.FindBrakes(t.Context(), []string{"one", "two", "three"}))
		if len(got) != 2 || got[0].By != "admin" || !got[0].Lifted.Equal(start) || !got[1].Lifted.IsZero() {
			t.Fatalf("got %+v", got)
		}
		if none := must[[]signalbox.Brake](t)(s.Ledger.FindBrakes(t.Context(), nil)); len(none) != 0 {
			t.Fatalf("got %+v", none)
		}
	},
}
