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
func (r *reader) crossCheck(c *Config) {
	r.checkDowngrades()
	r.checkTools(slices.Sorted(maps.Keys(c.MCPServers)))
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

// demand is something that a section must say because of another one.
type demand struct {
	field string
	fault
}

// checkPostgres reports what replicas that share a database need.
func checkPostgres(s seen, c *Config) {
	for _, n := range c.postgresNeeds() {
		where, found := s.keys[n.field[:strings.Index(n.field, ".")]]
		if !found {
			where = s.keys["database"]
		}
		where.field = n.field
		s.r.problem(where, n.message, n.remedy)
	}
}

func (c *Config) postgresNeeds() []demand {
	if c.Database.Kind != DatabasePostgres {
		return nil
	}
	var needs []demand
	if c.Audit.Key.IsZero() {
		needs = append(needs, demand{"audit.key", fault{
			"is missing: with PostgreSQL no signing key is generated, as all replicas need the same one",
			"name a file with it, such as audit: {key: /etc/signalbox/audit.key}",
		}})
	}
	if c.Audit.MasterKey.IsZero() {
		needs = append(needs, demand{"audit.master_key", fault{
			"is missing: with PostgreSQL no master key is generated, as all replicas need the same one",
			"name a file with it, such as audit: {master_key: /etc/signalbox/master.key}",
		}})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Providers)) {
		needs = c.outlived(needs, c.Providers[name].Timeouts.Total, "provider "+name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.MCPServers)) {
		needs = c.outlived(needs, c.MCPServers[name].Timeouts.Total, "MCP server "+name)
	}
	return needs
}

// outlived adds that calls may run longer than the replicas wait for those of a dead one.
func (c *Config) outlived(needs []demand, total time.Duration, of string) []demand {
	if total <= c.Cluster.LongestCall {
		return needs
	}
	return append(needs, demand{"cluster.longest_call", fault{
		fmt.Sprintf("%s is shorter than timeouts.total of %s, %s", durationText(c.Cluster.LongestCall), of, durationText(total)),
		"raise it, or shorten the other",
	}})
}

// WithDatabase gives the same configuration with another database, as a command line names it. The error is a
// *DatabaseError where the address is wrong, or says what else the configuration must have for it.
func (c *Config) WithDatabase(address string) (*Config, error) {
	d, err := ParseDatabase(address)
	if err != nil {
		return nil, err
	}
	changed := *c
	changed.Database = d
	if needs := changed.postgresNeeds(); len(needs) > 0 {
		n := needs[0]
		return nil, &DatabaseError{"is PostgreSQL, and in the configuration " + n.field + " " + n.message, n.remedy}
	}
	return &changed, nil
}
