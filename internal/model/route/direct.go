package route

import (
	"cmp"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// direct finds what a provider's own name of a model means: a configured model of that name, else the one provider whose
// vendor knows the name.
func (r *Resolver) direct(name string) (entry, bool) {
	for _, configured := range r.names {
		if e := r.known[configured]; e.candidate.Upstream == name {
			return e, true
		}
	}
	var found []string
	for id, p := range r.config.Providers {
		if _, ok := r.config.Prices.Find(p.Vendor, name); ok {
			found = append(found, id)
		}
	}
	if len(found) != 1 {
		return entry{}, false
	}
	return r.config.describe(name, found[0], r.config.Providers[found[0]], name), true
}

// directCandidate is the model that was asked for by its provider's name, with its fallbacks if it is configured.
func (r *Resolver) directCandidate(t *call.Track, asked string, e entry) ([]signalbox.Candidate, error) {
	tenant := t.Gate.Caller.Tenant
	if !r.permits(tenant, asked) && !r.permits(tenant, e.candidate.Name) {
		return nil, forbidden(asked)
	}
	found := []signalbox.Candidate{e.at(t.Call.Received)}
	for _, name := range e.fallbacks {
		if r.permits(tenant, name) {
			found = append(found, r.known[name].at(t.Call.Received))
		}
	}
	return found, nil
}

func forbidden(name string) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeForbidden, "This tenant may not use %q.", name).WithField("model").
		WithRemedy("Ask for a model that GET /v1/models lists, or have the operator permit this one.")
}

// MaxShown bounds what is shown of a name that came from outside, in bytes.
const MaxShown = 100

func (r *Resolver) notFound(name, tenant string) *signalbox.Error {
	shown := strings.ToValidUTF8(name[:min(len(name), MaxShown)], "")
	return signalbox.Errorf(signalbox.CodeNotFound, "There is no model or route %q.", shown).WithField("model").
		WithRemedy("Ask for another" + r.suggest(name, tenant) + "; GET /v1/models lists all.")
}

// maxSuggested bounds the names that an error suggests.
const maxSuggested = 5

// suggest lists the names nearest to one that does not exist, out of those the tenant may use.
func (r *Resolver) suggest(name, tenant string) string {
	type near struct {
		id       string
		distance int
	}
	var list []near
	for _, m := range r.Models(tenant) {
		if m.ID != Auto {
			list = append(list, near{m.ID, distance(strings.ToLower(name), strings.ToLower(m.ID))})
		}
	}
	slices.SortStableFunc(list, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	var names []string
	for _, n := range list[:min(len(list), maxSuggested)] {
		names = append(names, n.id)
	}
	if len(names) == 0 {
		return ""
	}
	return ", such as " + strings.Join(names, ", ")
}

// distance counts the insertions, deletions and replacements that turn a into b. Long names are compared by their
// beginnings.
func distance(a, b string) int {
	a, b = a[:min(len(a), MaxShown)], b[:min(len(b), MaxShown)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
