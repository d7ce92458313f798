// Package retention decides whose records have been kept for long enough.
//
// A tenant's [Policy] says for how many days the content of its records is kept; the minimum is the number of days for
// which nothing can destroy it, whatever else is said. [Next] reads the headers of the log in order and gives a range in
// which all of the tenant's records are over that age. It stops at the first record, of whomever, that is not: the times
// of records follow their indexes but for the seconds by which clocks differ, so that nothing is left behind for longer
// than that, and what was destroyed of a tenant has no holes.
//
// The package is pure: it reads no clock and destroys nothing. Records of Signalbox itself (tenant "") have no policy:
// they are the evidence.
package retention

import (
	"iter"
	"time"
)

// MaxRecords is how many records of a tenant are destroyed in one transaction, so that no call waits long.
const MaxRecords = 1000

// Day is the unit of policies.
const Day = 24 * time.Hour

// Policy is what holds for a tenant.
type Policy struct {
	Tenant      string
	MinDays     int64 // Nothing is destroyed before.
	ContentDays int64 // After which content is destroyed; 0: never.
}

// Before gives the time from before which records are over their retention; false where they never are.
func (p Policy) Before(now time.Time) (time.Time, bool) {
	if p.ContentDays <= 0 || p.Tenant == "" {
		return time.Time{}, false
	}
	return now.Add(-time.Duration(max(p.ContentDays, p.MinDays)) * Day), true
}

// Header is what must be known of a record.
type Header struct {
	Index     int64
	Time      time.Time
	Tenant    string
	Destroyed bool // Its content is gone already.
}

// Range is a part of the log with From ≤ index < To, and how many records in it are the tenant's and to be destroyed:
// none where it is 0, and To then says from where to look the next time.
type Range struct {
	From, To int64
	Records  int64
}

// Next gives the next range from an index on, of at most [MaxRecords] of the tenant's records. The headers are those of
// the log from that index on, in its order. Their first error ends it.
func Next(tenant string, before time.Time, from int64, headers iter.Seq2[Header, error]) (Range, error) {
	r := Range{From: from, To: from}
	for h, err := range headers {
		if err != nil {
			return Range{From: from, To: from}, err
		}
		if r.Records == MaxRecords || !h.Time.Before(before) {
			break
		}
		r.To = h.Index + 1
		if h.Tenant == tenant && !h.Destroyed {
			r.Records++
		}
	}
	return r, nil
}
