package ledger

import (
	"github.com/signalbox/signalbox"
)

// Correct makes a correction of what is settled, and knows it here from then on: commit writes the record whose entries
// these are, for this replica, and is called once. What it returns is returned; after an error nothing is corrected. Held
// amounts of the entries are not looked at. What was given back can be held at once.
func (l *Ledger) Correct(entries []signalbox.LedgerEntry, commit func() error) error {
	var accounts []*account
	l.do(func(b *book) { accounts = b.correcting(entries) })
	err := commit()
	l.do(func(b *book) { b.corrected(accounts, entries, err == nil) })
	return err
}

// correcting notes that a record of these accounts is on its way, so that no share that is read meanwhile is taken for
// exact. It gives the accounts of the entries; nil stands for one that is not known here.
func (b *book) correcting(entries []signalbox.LedgerEntry) []*account {
	list := make([]*account, len(entries))
	for i, e := range entries {
		if a := b.accounts[e.Account]; a != nil && a.known {
			b.pin(a)
			a.draw.posting++
			list[i] = a
		}
	}
	return list
}

// corrected notes how that record ended. An account that has come up meanwhile may have been read before it was written:
// it is read again.
func (b *book) corrected(list []*account, entries []signalbox.LedgerEntry, durable bool) {
	for i, a := range list {
		switch {
		case a == nil:
			b.readAgain(entries[i].Account)
			continue
		case durable:
			a.settled = clamp(saturate(a.settled, entries[i].Settled))
		}
		b.landed(a)
		b.touch(a)
		b.unpin(a)
	}
	b.run()
}

func (b *book) readAgain(key string) {
	a := b.accounts[key]
	if a == nil {
		return
	}
	a.draw.read = true
	if a.draw.posting == 0 {
		b.schedule(a)
	}
}
