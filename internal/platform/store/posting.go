package store

import (
	"cmp"
	"slices"
	"time"

	"github.com/signalbox/signalbox"
)

// Posting is what a batch changes in one replica's share of one account.
type Posting struct {
	Account, Replica string
	Held, Settled    int64
	Time             time.Time // Of the latest record that posted.
}

// Door is an account that a batch closes or opens again.
type Door struct {
	Account string
	Closed  bool
}

// Postings sums the entries of a batch, so that an account on which all of its calls post is written once. The zero
// value is empty.
type Postings struct {
	rows  []Posting
	doors []Door
	index map[posted]int
}

type posted struct{ account, replica string }

// Gather sums the effects of a batch that change shares and accounts; it passes over the others.
func Gather(entries []signalbox.Entry) *Postings {
	p := &Postings{}
	for i := range entries {
		for _, effect := range entries[i].Effects {
			switch e := effect.(type) {
			case signalbox.Post:
				p.post(entries[i].Time, e)
			case signalbox.OpenAccount:
				p.doors = append(p.doors, Door{Account: e.Account})
			}
		}
	}
	return p
}

func (p *Postings) post(at time.Time, e signalbox.Post) {
	for _, entry := range e.Entries {
		if entry.Closed {
			p.doors = append(p.doors, Door{Account: entry.Account, Closed: true})
		}
		row := p.row(posted{entry.Account, e.Replica})
		row.Held, row.Settled = plus(row.Held, entry.Held), plus(row.Settled, entry.Settled)
		if at.After(row.Time) {
			row.Time = at
		}
	}
}

func (p *Postings) row(key posted) *Posting {
	if p.index == nil {
		p.index = map[posted]int{}
	}
	i, known := p.index[key]
	if !known {
		i = len(p.rows)
		p.index[key] = i
		p.rows = append(p.rows, Posting{Account: key.account, Replica: key.replica})
	}
	return &p.rows[i]
}

// Rows gives what is to be added, in the order of accounts and replicas, in which every writer takes its locks. What
// comes to nothing is left out.
func (p *Postings) Rows() []Posting {
	p.index = nil // The order is another from here on.
	p.rows = slices.DeleteFunc(p.rows, func(r Posting) bool { return r.Held == 0 && r.Settled == 0 })
	slices.SortFunc(p.rows, func(a, b Posting) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Replica, b.Replica))
	})
	return p.rows
}

// Doors gives the accounts that are closed or opened, each as the batch leaves it, in their order.
func (p *Postings) Doors() []Door {
	slices.Reverse(p.doors) // The last word on an account comes first, and stays.
	slices.SortStableFunc(p.doors, func(a, b Door) int { return cmp.Compare(a.Account, b.Account) })
	p.doors = slices.CompactFunc(p.doors, func(a, b Door) bool { return a.Account == b.Account })
	return p.doors
}
