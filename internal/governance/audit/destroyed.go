package audit

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"

	"github.com/signalbox/signalbox"
)

// The details of a record of action [signalbox.ActionContentDestroyed]. All are needed; Rule and Before are for people.
const (
	DestroyedTenant  = "tenant"  // Whose content.
	DestroyedFrom    = "from"    // The first index of the range.
	DestroyedTo      = "to"      // The index after its last.
	DestroyedRecords = "records" // How many records of the range are the tenant's and were destroyed.
	DestroyedRule    = "rule"    // Which setting says so.
	DestroyedBefore  = "before"  // Records from before that time (RFC 3339).
)

// Destroyed holds the entries whose content was destroyed against the records that say so: whoever removes a content and
// leaves its digest changes no leaf, so that only a record of the log itself can permit it.
//
// Whoever reads a log calls [Destroyed.Entry] for every entry, and [Destroyed.Record] for every admin record, whose leaf
// fits; in any order, because the evidence comes after what it is about. At the end [Destroyed.Unproven] gives what no
// record permits. It takes about two bytes of memory per destroyed entry. It is not safe for concurrent use.
type Destroyed struct{ tenants map[string]*destroyedOf }

// destroyedOf is what there is of one tenant.
type destroyedOf struct {
	last   int64
	deltas []byte // Each index as a varint of its difference to the one before.
	spans  []destroyedSpan
}

type destroyedSpan struct{ from, to int64 }

func (d *Destroyed) tenant(name string) *destroyedOf {
	t := d.tenants[name]
	if t == nil {
		if d.tenants == nil {
			d.tenants = map[string]*destroyedOf{}
		}
		t = &destroyedOf{}
		d.tenants[name] = t
	}
	return t
}

// Entry takes note of an entry. It is an error for one to have both a content and a digest: the leaf says nothing of such
// a digest, and Signalbox never writes one.
func (d *Destroyed) Entry(e signalbox.Entry) error {
	if !e.Destroyed() {
		if e.Digest != [32]byte{} {
			return errors.New("it has a content, and a digest as if that were destroyed")
		}
		return nil
	}
	t := d.tenant(e.Tenant)
	t.deltas = binary.AppendVarint(t.deltas, e.Index-t.last)
	t.last = e.Index
	return nil
}

// Record takes note of the record with that index where it says that content was destroyed. It permits nothing from
// itself on. An error says why a record that should be evidence is none.
func (d *Destroyed) Record(index int64, r *signalbox.Record) error {
	if r.Type != signalbox.RecordAdmin || r.What.Action != signalbox.ActionContentDestroyed {
		return nil
	}
	if r.Who.TenantID != "" {
		return fmt.Errorf("it says that content was destroyed, but is a record of tenant %q instead of Signalbox itself", r.Who.TenantID)
	}
	from, err := strconv.ParseInt(r.What.Detail[DestroyedFrom], 10, 64)
	if err != nil {
		return fmt.Errorf("it says that content was destroyed, but its detail %s is not an index", DestroyedFrom)
	}
	to, err := strconv.ParseInt(r.What.Detail[DestroyedTo], 10, 64)
	if err != nil || to < from || to > index {
		return fmt.Errorf("it says that content was destroyed, but its detail %s is not an index between %d and %d", DestroyedTo, from, index)
	}
	t := d.tenant(r.What.Detail[DestroyedTenant])
	t.spans = append(t.spans, destroyedSpan{from, to})
	return nil
}

// Unproven gives the index and the tenant of each destroyed entry that no record permits, by tenant and index.
func (d *Destroyed) Unproven() iter.Seq2[int64, string] {
	return func(yield func(int64, string) bool) {
		for _, name := range slices.Sorted(maps.Keys(d.tenants)) {
			t := d.tenants[name]
			spans := mergedSpans(t.spans)
			for index := range t.indexes() {
				if !inSpans(spans, index) && !yield(index, name) {
					return
				}
			}
		}
	}
}

func (t *destroyedOf) indexes() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		index, rest := int64(0), t.deltas
		for len(rest) > 0 {
			delta, n := binary.Varint(rest)
			index, rest = index+delta, rest[n:]
			if !yield(index) {
				return
			}
		}
	}
}

// mergedSpans gives the spans in order, those that touch as one.
func mergedSpans(spans []destroyedSpan) []destroyedSpan {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b destroyedSpan) int { return cmp.Compare(a.from, b.from) })
	var all []destroyedSpan
	for _, s := range spans {
		if n := len(all); n > 0 && s.from <= all[n-1].to {
			all[n-1].to = max(all[n-1].to, s.to)
			continue
		}
		all = append(all, s)
	}
	return all
}

func inSpans(spans []destroyedSpan, index int64) bool {
	i, found := slices.BinarySearchFunc(spans, index, func(s destroyedSpan, index int64) int { return cmp.Compare(s.from, index) })
	return found && index < spans[i].to || i > 0 && index < spans[i-1].to
}
