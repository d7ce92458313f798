package house

import (
	"fmt"
	"strings"
	"testing"
)

// zone is a part of the house and what it may import of ours besides itself.
type zone struct {
	dir   string // The zone holds this folder and all below it; "" is the root package alone.
	name  string
	allow []string // Folders, each with all below it; "" is the root package, "*" is everything but commands.
	why   string
}

const whyLayer = "layers know the domain, the stations and strict JSON, never each other: " +
	"declare a small interface where you need the other side, and let internal/platform/server join the two"

const (
	call       = "internal/call"
	strictJSON = "internal/platform/json"
)

// zones is the import rule. The longest dir that holds a package decides.
var zones = []zone{
	{"", "the domain", nil, "the domain imports nothing of ours, so that everything can import it"},
	{call, "the stations", []string{"", strictJSON}, "the stations know the domain only; what serves them is handed in"},

	{"internal/gate", "layer gate", []string{"", call, strictJSON}, whyLayer},
	{"internal/orchestration", "layer orchestration", []string{"", call, strictJSON}, whyLayer},
	{"internal/model", "layer model", []string{"", call, strictJSON}, whyLayer},
	{"internal/tool", "layer tool", []string{"", call, strictJSON}, whyLayer},
	{"internal/governance", "layer governance", []string{"", call, strictJSON}, whyLayer},
	{"internal/observability", "layer observability", []string{"", call, strictJSON}, whyLayer},

	{strictJSON, "strict JSON", []string{""}, "it is below everything else"},
	{"internal/platform/store", "the stores", []string{"", strictJSON}, "a store fulfils interfaces that its users own; it knows none of them"},
	{"internal/platform/config", "the configuration", []string{"", strictJSON}, "it describes; cmd and the server turn it into parts"},
	{"internal/platform/server", "the server", []string{"*"}, "it wires the layers"},

	{"console", "the console's files", nil, "it only embeds"},
	{"cmd", "the commands", []string{"*"}, "they wire the layers"},
	{"bench", "the benchmark", []string{"*"}, "it measures the parts together"},
	{"tests", "the tests of the whole", []string{"*"}, "they test the parts together"},
	{"examples", "the examples", []string{""}, "they show what a user can write"},
}

// zoneOf finds the zone of a folder.
func zoneOf(dir string) (zone, bool) {
	best, found := zone{}, false
	for _, z := range zones {
		if holds(z.dir, dir) && (!found || len(z.dir) > len(best.dir)) {
			best, found = z, true
		}
	}
	return best, found
}

// holds reports whether dir is zone or below it. The root package holds only itself.
func holds(zone, dir string) bool {
	if zone == "" {
		return dir == ""
	}
	return dir == zone || strings.HasPrefix(dir, zone+"/")
}

// breach says in a sentence what is wrong with a package in folder from importing the one in folder to, "" if nothing
// is. Test files may use the real platform (a store, say) instead of a copy of it, and check that they fulfil what the
// stations ask for; other layers stay closed to them.
func breach(from, to string, test bool) string {
	z, found := zoneOf(from)
	if !found {
		return fmt.Sprintf("%s has no room in the house: add it to zones in tests/house/imports_test.go and to docs/architecture.md", from)
	}
	if holds(z.dir, to) {
		return ""
	}
	for _, allowed := range z.allow {
		if allowed == "*" && !holds("cmd", to) || holds(allowed, to) {
			return ""
		}
	}
	if test && (holds(call, to) || holds("internal/platform", to) && !holds("internal/platform/server", to)) {
		return ""
	}
	return fmt.Sprintf("%s (%q) must not import %q: %s", z.name, from, to, z.why)
}

func TestImportsKeepTheLayersApart(t *testing.T) {
	for _, s := range sources(t) {
		if _, found := zoneOf(s.dir()); !found {
			t.Errorf("%s: %s", s.path, breach(s.dir(), "", false))
			continue
		}
		for _, imported := range s.imports() {
			to, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			if sentence := breach(s.dir(), strings.TrimPrefix(to, "/"), s.test()); sentence != "" {
				t.Errorf("%s: %s", s.path, sentence)
			}
		}
	}
}

func TestImportRule(t *testing.T) {
	for _, c := range []struct {
		name, from, to string
		test           bool
		forbidden      bool
	}{
		{"domain imports a layer", "", "internal/gate", false, true},
		{"domain imports the stations", "", call, false, true},
		{"stations import the domain", call, "", false, false},
		{"stations import a layer", call, "internal/model/provider", false, true},
		{"layer imports the domain", "internal/gate", "", false, false},
		{"layer imports the stations", "internal/tool/mcp", call, false, false},
		{"layer imports its own", "internal/model/provider", "internal/model/wire", false, false},
		{"layer imports another", "internal/model/route", "internal/governance/ledger", false, true},
		{"a name that only begins alike is not the layer", "internal/model", "internal/modelling", false, true},
		{"layer imports a store", "internal/governance/audit", "internal/platform/store/sqlite", false, true},
		{"test of a layer uses a real store", "internal/governance/audit", "internal/platform/store/sqlite", true, false},
		{"test of a layer uses another layer", "internal/governance/audit", "internal/model/route", true, true},
		{"test of a layer uses the server", "internal/governance/audit", "internal/platform/server", true, true},
		{"store imports the stations", "internal/platform/store", call, false, true},
		{"test of a store uses the stations", "internal/platform/store", call, true, false},
		{"store imports a layer", "internal/platform/store/sqlite", "internal/governance/audit", false, true},
		{"server imports a layer", "internal/platform/server", "internal/model/route", false, false},
		{"server imports a command", "internal/platform/server", "cmd/signalbox", false, true},
		{"command imports the server", "cmd/signalbox", "internal/platform/server", false, false},
		{"folder without a room", "internal/utils", "", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			sentence := breach(c.from, c.to, c.test)
			if got := sentence != ""; got != c.forbidden {
				t.Errorf("breach(%q, %q, test=%v) = %q, want forbidden %v", c.from, c.to, c.test, sentence, c.forbidden)
			}
		})
	}
}
