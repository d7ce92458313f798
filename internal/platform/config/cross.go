package config

import (
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"
)

// secretAt is a static key's secret and where it stands.
type secretAt struct {
	value Secret
	where place
}

func (r *reader) noteSecret(s Secret, where place) {
	if !s.IsZero() {
		r.secrets = append(r.secrets, secretAt{s, where})
	}
}

// downgrade is the cheaper model that a model names.
type downgrade struct {
	to    string
	where place
}

func (r *reader) noteDowngrade(model, to string, s seen) {
	switch to {
	case "":
	case model:
		s.problem("downgrade_to", "names the model itself", "name a cheaper one, or remove it")
	default:
		r.cheaper[model] = downgrade{to, s.keys["downgrade_to"]}
	}
}

// checkDowngrades reports every circle once.
func (r *reader) checkDowngrades() {
	done := map[string]bool{}
	for _, start := range slices.Sorted(maps.Keys(r.cheaper)) {
		var way []string
		steps := map[string]int{}
		for at := start; r.cheaper[at].to != "" && !done[at]; at = r.cheaper[at].to {
			if first, found := steps[at]; found {
				r.circle(way[first:])
				break
			}
			steps[at] = len(way)
			way = append(way, at)
		}
		for _, model := range way {
			done[model] = true
		}
	}
}

// circle reports models that downgrade to each other, at the first of them by name.
func (r *reader) circle(models []string) {
	const most = 10
	first := slices.Index(models, slices.Min(models))
	models = append(slices.Clone(models[first:]), models[:first]...)
	where := r.cheaper[models[0]].where
	if len(models) > most {
		models = append(models[:most:most], "…")
	}
	r.problem(where, "goes round in a circle: "+strings.Join(append(models, models[0]), " → "), "let one of them name none")
}

// crossCheck reports what concerns several sections.
func (r *reader) crossCheck() {
	r.checkDowngrades()
	for name, where := range r.names[aRoute] {
		if model, found := r.names[aModel][name]; found {
			r.problem(where, "a model has the same name, see line "+strconv.Itoa(model.line), "rename one: requests ask for both by name")
		}
	}
	seenAt := map[string]place{}
	for _, s := range r.secrets {
		if first, found := seenAt[s.value.Reveal()]; found {
			r.problem(s.where, "is the secret of another key, see line "+strconv.Itoa(first.line), "give each key its own")
			continue
		}
		seenAt[s.value.Reveal()] = s.where
	}
}

func canonicalHeader(name string) string { return textproto.CanonicalMIMEHeaderKey(name) }

// checkPostgres reports what replicas that share a database need.
func checkPostgres(s seen, c *Config) {
	if c.Database.Kind != DatabasePostgres {
		return
	}
	if c.Audit.Key == "" {
		where := s.keys["database"]
		where.field = "audit.key"
		s.r.problem(where, "is missing: with PostgreSQL no signing key is generated, as all replicas need the same one",
			"name a file with it, such as audit: {key: /etc/signalbox/audit.key}")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Providers)) {
		s.longEnough(c.Cluster.LongestCall, c.Providers[name].Timeouts.Total, "provider "+name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.MCPServers)) {
		s.longEnough(c.Cluster.LongestCall, c.MCPServers[name].Timeouts.Total, "MCP server "+name)
	}
}

// longEnough reports calls that outlive what the cluster waits for.
func (s seen) longEnough(longest, total time.Duration, of string) {
	if total <= longest {
		return
	}
	where, found := s.keys["cluster"]
	if !found {
		where = s.keys["database"]
	}
	where.field = "cluster.longest_call"
	s.r.problem(where, fmt.Sprintf("%s is shorter than timeouts.total of %s, %s", durationText(longest), of, durationText(total)),
		"raise it, or shorten the other")
}
