package price

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
)

// Default gives the table that is built in. It fails only if the table itself is wrong, which a test excludes.
func Default() (*Table, error) { return newTable(rows()) }

// row is one price of one model as it is written down: rates are US dollars per million tokens in decimal text, ""
// where the vendor has no such rate. Rows of the same model follow one another, ascending by day.
type row struct {
	vendor, id string
	aliases    []string
	window     int64
	output     int64
	note       string
	source     source
	rates
	above int64 // With more input than this, long applies to the whole call; 0 is never.
	long  rates
}

// source is where a price is known from, and the day from which it holds.
type source struct{ name, day string }

// rates are decimal texts: input, output, cache read, cache write (5 minutes, or the only one), cache write (1 hour).
type rates struct{ in, out, read, write, write1h string }

func newTable(list []row) (*Table, error) {
	t := &Table{index: map[string]int{}}
	for _, r := range list {
		p, err := r.price()
		if err != nil {
			return nil, fmt.Errorf("price of %s/%s: %w", r.vendor, r.id, err)
		}
		t.add(r, p)
	}
	return t, nil
}

// add appends a price to its model, which it creates first if it is the model's first one.
func (t *Table) add(r row, p signalbox.Price) {
	if i, ok := t.index[r.vendor+"/"+r.id]; ok {
		t.models[i].Prices = append(t.models[i].Prices, p)
		return
	}
	t.models = append(t.models, Model{
		Vendor: r.vendor, ID: r.id, Prices: History{p}, ContextWindow: r.window, MaxOutput: r.output, Note: r.note,
	})
	for _, name := range slices.Concat([]string{r.id}, r.aliases) {
		t.index[r.vendor+"/"+strings.ToLower(name)] = len(t.models) - 1
	}
}

func (r row) price() (signalbox.Price, error) {
	base, err := r.parse()
	if err != nil {
		return signalbox.Price{}, err
	}
	p := signalbox.Price{Rates: base, Source: r.source.name, Effective: r.source.day}
	if r.above > 0 {
		long, err := r.long.parse()
		if err != nil {
			return signalbox.Price{}, err
		}
		p.Tiers = []signalbox.Tier{{Above: r.above, Rates: long}}
	}
	return p, nil
}

func (r rates) parse() (signalbox.Rates, error) {
	var out signalbox.Rates
	var err error
	read := func(text string) *signalbox.Money {
		if text == "" || err != nil {
			return nil
		}
		var m signalbox.Money
		m, err = signalbox.ParseMoney(text)
		return &m
	}
	in, output := read(r.in), read(r.out)
	out.CacheRead, out.CacheWrite, out.CacheWrite1h = read(r.read), read(r.write), read(r.write1h)
	if err == nil && (in == nil || output == nil) {
		err = signalbox.ErrMoneySyntax
	}
	if err != nil {
		return signalbox.Rates{}, err
	}
	out.Input, out.Output = *in, *output
	return out, nil
}
