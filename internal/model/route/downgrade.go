package route

import (
	"fmt"
	"slices"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// checkDowngrade says what is wrong with the line of cheaper models that begins at a model; nil where nothing is.
func (c Config) checkDowngrade(name string) error {
	line := []string{name}
	for next := c.Models[name].DowngradeTo; next != ""; next = c.Models[next].DowngradeTo {
		if _, ok := c.Models[next]; !ok {
			return fmt.Errorf("model %q: downgrade_to: there is no model %q", name, next)
		}
		if slices.Contains(line, next) {
			return fmt.Errorf("model %q: downgrade_to leads in a circle, back to %q", name, next)
		}
		line = append(line, next)
	}
	return nil
}

// downgraded puts cheaper models in the place of candidates and reports whether it did.
func (r *Resolver) downgraded(t *call.Track, via string, found []signalbox.Candidate) ([]signalbox.Candidate, bool) {
	tenant := t.Gate.Caller.Tenant
	all := via != "" && r.permits(tenant, via)
	var list []signalbox.Candidate
	changed := false
	for _, c := range found {
		if cheaper, ok := r.cheaper(t, c, all); ok {
			c, changed = cheaper, true
		}
		if !slices.ContainsFunc(list, func(other signalbox.Candidate) bool { return other.Name == c.Name }) {
			list = append(list, c)
		}
	}
	return list, changed
}

// cheaper gives the cheapest of the models that may take the candidate's place, by input and output together. One whose
// price is not known counts as cheaper than those before it in the line: the operator put it behind them.
func (r *Resolver) cheaper(t *call.Track, c signalbox.Candidate, all bool) (best signalbox.Candidate, ok bool) {
	for name := r.known[c.Name].downgrade; name != ""; name = r.known[name].downgrade {
		if !all && !r.permits(t.Gate.Caller.Tenant, name) {
			continue
		}
		next := r.known[name].at(t.Call.Received)
		if !ok || next.Price == nil || best.Price == nil || sum(next) <= sum(best) {
			best, ok = next, true
		}
	}
	return best, ok
}

func sum(c signalbox.Candidate) signalbox.Money { return c.Price.Input.Plus(c.Price.Output) }
