package projection

import "github.com/signalbox/signalbox"

// decoder decodes one batch. An outcome says all that its intent says, so that an intent in the same batch is not
// decoded: that is nearly half of the work.
type decoder struct {
	decode   func(signalbox.Entry) (signalbox.Record, error)
	entries  []signalbox.Entry
	ended    map[int]signalbox.Record // Decoded outcomes, by their place in entries.
	intents  map[string]int           // Places of the intents, by call.
	outcomes map[string]int           // Places of the first outcomes that can stand for their intents, by call.
	bad      int                      // Entries that can not be decoded.
	failed   error                    // Why one could not be decoded now, and can be later.
}

// decode gives the items of a fold, and the number of entries that can not be decoded. The error is that of an entry which
// can be decoded later: the store of the keys did not answer.
func decode(entries []signalbox.Entry, decode func(signalbox.Entry) (signalbox.Record, error)) ([]Item, int, error) {
	d := decoder{
		decode: decode, entries: entries,
		ended: map[int]signalbox.Record{}, intents: map[string]int{}, outcomes: map[string]int{},
	}
	for i := range entries {
		d.look(i)
	}
	items := make([]Item, 0, len(entries))
	for i := range entries {
		if it, ok := d.item(i); ok {
			items = append(items, it)
		}
	}
	return items, d.bad, d.failed
}

// look decodes outcomes and finds intents.
func (d *decoder) look(i int) {
	e := d.entries[i]
	if e.Type == signalbox.RecordIntent {
		d.intents[e.Call] = i
	}
	if e.Type != signalbox.RecordOutcome {
		return
	}
	r, err := d.decode(e)
	if err != nil {
		d.refused(err)
		return
	}
	if r.Content == signalbox.ContentDestroyed {
		return
	}
	d.ended[i] = r
	// One without attempts may have been written by somebody who knew less than the intent.
	if _, again := d.outcomes[e.Call]; !again && len(r.Attempts) > 0 {
		d.outcomes[e.Call] = i
	}
}

// refused tells an entry that can never be decoded from one that can not be decoded now.
func (d *decoder) refused(err error) {
	switch signalbox.CodeOf(err) { // All others will be the same the next time.
	case signalbox.CodeUnavailable, signalbox.CodeTimeout:
		d.failed = err
	default:
		d.bad++
	}
}

// item gives the item of an entry; false where there is none: some can not be decoded, of some nothing is left, and for some the call's outcome
// stands.
func (d *decoder) item(i int) (Item, bool) {
	e := d.entries[i]
	if e.Call == "" {
		return d.plain(e)
	}
	intent, begun := d.intents[e.Call]
	outcome, whole := d.outcomes[e.Call]
	whole = whole && begun && intent < outcome
	if whole && intent <= i && i < outcome {
		return Item{}, false
	}
	if e.Type == signalbox.RecordOutcome {
		r, ok := d.ended[i]
		it := Item{Index: e.Index, Record: r}
		if whole && i == outcome {
			it.Intent = &d.entries[intent].Index
		}
		return it, ok
	}
	return d.plain(e)
}

// plain decodes an entry for which no other stands.
func (d *decoder) plain(e signalbox.Entry) (Item, bool) {
	r, err := d.decode(e)
	if err != nil {
		d.refused(err)
	}
	return Item{Index: e.Index, Record: r}, err == nil && r.Content != signalbox.ContentDestroyed
}
