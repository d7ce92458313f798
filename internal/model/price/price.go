// Package price knows what widely used models cost.
//
// # Concepts
//
// A [Table] maps a vendor and the name by which that vendor knows a model to the model's [History]: its prices, each
// with the day from which it holds. The vendor is who sends the bill. The same open model has another price at every
// host, so that a name alone prices nothing: a model behind an OpenAI-compatible address is priced only where the host
// of that address belongs to a vendor in the table, and is unpriced otherwise. A price in the configuration comes
// before this table; that is decided where candidates are made (package route).
//
// # Units
//
// A rate is [signalbox.Money] per million tokens: the text "0.25" of a price list becomes 250,000,000 nano-dollars. No
// rate passes through a float.
//
// # Where the figures are from
//
// Every entry names its source. The sources are price collections with a permissive licence, read as facts:
// "genai-prices 0.1.8" (2026-09-23) and "catwalk 0.52.86" (2026-10-28). Where they disagree the newer one counts if it
// can be explained, and the model is left out if it can not: an unpriced model is visible, a wrong price is not. Left
// out for that reason are gemini-3.6-flash (the sources differ by a factor of two), glm-5.2 (nought in one of them) and
// DeepSeek's models (their price changes with the hour of the day, which a rate here can not say).
//
// Effective is the day that the source names as the start of a rate, else the day on which the source was published:
// the rate held on that day at the latest.
//
// # Invariants
//
// A model's prices ascend by day, its tiers by size; a cache read never costs more than plain input. The tests hold the
// table to that. Audio, images, searches and the like are not priced here.
package price

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// History is the prices of one model, ascending by the day from which they hold.
type History []signalbox.Price

// At gives the price that holds at a time, nil where none does yet. A price without a day always holds. The result is
// shared and must not be changed.
func (h History) At(t time.Time) *signalbox.Price {
	day := t.UTC().Format(time.DateOnly)
	for i := len(h) - 1; i >= 0; i-- {
		if h[i].Effective <= day {
			return &h[i]
		}
	}
	return nil
}

// Model is one line of the table.
type Model struct {
	Vendor        string  // Who bills: "anthropic", "openai", "google" and so on.
	ID            string  // The vendor's name of the model, without a snapshot's date.
	Prices        History // Never empty.
	ContextWindow int64   // In tokens; 0 is unknown.
	MaxOutput     int64   // The most output tokens the model can give; 0 is unknown.
	Note          string  // What a reader of the price must know; mostly "".
}

// Table finds models. It is immutable and safe for concurrent use.
type Table struct {
	models []Model
	index  map[string]int // By vendor, "/" and name, in lower case; aliases included.
}

// snapshot is the date or word that vendors put behind a model's name for one state of it.
var snapshot = regexp.MustCompile(`(-\d{8}|-\d{4}-\d{2}-\d{2}|-latest)$`)

// Find gives the model of that name. Names match without regard to case, and a snapshot ("-20251001", "-2025-08-07",
// "-latest") has the price of its model unless it has a line of its own.
func (t *Table) Find(vendor, model string) (Model, bool) {
	name := strings.ToLower(model)
	for _, n := range []string{name, snapshot.ReplaceAllString(name, "")} {
		if i, ok := t.index[vendor+"/"+n]; ok {
			return t.models[i], true
		}
	}
	return Model{}, false
}

// Vendors gives the vendors that know a model of this name, sorted.
func (t *Table) Vendors(model string) []string {
	var found []string
	for _, m := range t.models {
		if slices.Contains(found, m.Vendor) {
			continue
		}
		if _, ok := t.Find(m.Vendor, model); ok {
			found = append(found, m.Vendor)
		}
	}
	slices.Sort(found)
	return found
}

// Models lists the table by vendor and model.
func (t *Table) Models() []Model { return slices.Clone(t.models) }

// hosts says whose API answers at a host: the host itself and everything below it.
var hosts = map[string]string{
	"api.anthropic.com": Anthropic, "api.openai.com": OpenAI, "generativelanguage.googleapis.com": Google,
	"api.groq.com": Groq, "api.minimax.io": MiniMax, "api.mistral.ai": Mistral, "api.moonshot.ai": Moonshot,
	"api.x.ai": XAI, "api.z.ai": ZAI,
}

// VendorAt gives the vendor whose API answers at this host (without a port), or "".
func VendorAt(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for known, vendor := range hosts {
		if host == known || strings.HasSuffix(host, "."+known) {
			return vendor
		}
	}
	return ""
}
