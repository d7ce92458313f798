package store_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

// Every place comes back out of its cursor.
func TestRunPlaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[ -~é]{0,40}`)
		want := store.RunPlace{Hour: rapid.Int64Min(0).Draw(t, "hour"), Tenant: name.Draw(t, "tenant"), Run: name.Draw(t, "run")}
		if got, err := store.ParseRunPlace(want.String()); err != nil || got != want {
			t.Fatalf("got %+v, %v; want %+v", got, err, want)
		}
	})
}

func TestCostsAreWholeOrRefused(t *testing.T) {
	rows := make([]signalbox.CostRow, store.MaxCostRows+1)
	if got, err := store.Whole(rows[1:]); err != nil || len(got) != store.MaxCostRows {
		t.Errorf("%d rows, %v; want all", len(got), err)
	}
	if got, err := store.Whole(rows); signalbox.CodeOf(err) != signalbox.CodeTooLarge || got != nil {
		t.Errorf("%d rows, %v; want too_large", len(got), err)
	}
}
