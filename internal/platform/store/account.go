package store

import (
	"slices"
	"time"

	"github.com/signalbox/signalbox"
)

// kinds are the kinds of owners in the order of their texts.
var kinds = []signalbox.OwnerKind{
	signalbox.OwnerAgent, signalbox.OwnerKey, signalbox.OwnerPermission, signalbox.OwnerPlanned, signalbox.OwnerPlannedNormal,
	signalbox.OwnerPlannedOptional, signalbox.OwnerReserve, signalbox.OwnerRun, signalbox.OwnerRunAgent, signalbox.OwnerTeam,
	signalbox.OwnerTenant,
}

// OfRun reports whether accounts of that kind belong to a run.
func OfRun(k signalbox.OwnerKind) bool {
	switch k {
	case signalbox.OwnerRun, signalbox.OwnerRunAgent, signalbox.OwnerPlanned, signalbox.OwnerPlannedNormal,
		signalbox.OwnerPlannedOptional, signalbox.OwnerReserve:
		return true
	case signalbox.OwnerTenant, signalbox.OwnerTeam, signalbox.OwnerKey, signalbox.OwnerAgent, signalbox.OwnerPermission:
	}
	return false
}

// Range is a stretch of the identities of accounts: From ≤ account < To.
type Range struct{ From, To string }

// AccountRanges gives the stretches in which the accounts of a filter are, in order and without overlap, and what is
// behind its cursor only. Where the filter names a run and no tenants they hold accounts of other runs too, see
// [AccountMatches]. A cursor that no list can have given is an error of code invalid.
func AccountRanges(f signalbox.AccountFilter) ([]Range, error) {
	if f.Cursor != "" {
		if _, err := signalbox.ParseAccount(f.Cursor); err != nil {
			return nil, badCursor()
		}
	}
	var ranges []Range
	for _, k := range kinds {
		if f.Kind != "" && f.Kind != k || f.Run != "" && !OfRun(k) {
			continue
		}
		for _, prefix := range prefixes(string(k)+" ", f) {
			// The next character after a space is "!"; identifiers hold no character below it.
			r := Range{From: prefix, To: prefix[:len(prefix)-1] + "!"}
			if f.Cursor != "" {
				r.From = max(r.From, f.Cursor+"\x01")
			}
			if r.From < r.To {
				ranges = append(ranges, r)
			}
		}
	}
	return ranges, nil
}

func prefixes(kind string, f signalbox.AccountFilter) []string {
	if f.Tenants == nil {
		return []string{kind}
	}
	tenants := slices.Compact(slices.Sorted(slices.Values(f.Tenants)))
	list := make([]string, len(tenants))
	for i, t := range tenants {
		list[i] = kind + t + " "
		if f.Run != "" {
			list[i] += f.Run + " "
		}
	}
	slices.Sort(list) // "a b" and "a" are in another order than "a b " and "a ".
	return list
}

// AccountMatches reports whether an account in one of the ranges is one that the filter wants.
func AccountMatches(f signalbox.AccountFilter, a signalbox.Account) bool {
	return (f.Run == "" || a.Name == f.Run) && (a.Start.IsZero() || !a.Start.Before(f.Since))
}

// Forgettable reports whether an account is over since before: its window has ended, or nothing was posted to an account
// without one. touched is when something was. An account of a run that is open is never over, nor is one of concurrency
// while anything of it is granted.
func Forgettable(a signalbox.Account, before, touched time.Time, granted int64, open map[RunKey]bool) bool {
	switch {
	case !a.Start.IsZero():
		return a.Start.Add(a.Per.Duration() + windowSlack).Before(before)
	case a.Unit == signalbox.UnitConcurrent && granted != 0, OfRun(a.Kind) && open[RunKey{a.Tenant, a.Name}]:
		return false
	}
	return touched.Before(before)
}

// windowSlack is by how much a window can be longer than its nominal length: a month by a day, and a day by an hour.
const windowSlack = 25 * time.Hour

// RunKey identifies a run.
type RunKey struct{ Tenant, ID string }
