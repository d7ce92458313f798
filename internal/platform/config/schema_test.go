package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// published is the schema as editors get it: out of its JSON.
func published(t *testing.T) map[string]any {
	t.Helper()
	data, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// objects collects every schema of a mapping with known keys, by its path: "keys[].limits[]", "models.*".
func objects(path string, s map[string]any, into map[string][]string) {
	if properties, ok := s["properties"].(map[string]any); ok {
		into[path] = slices.Sorted(maps.Keys(properties))
		for name, p := range properties {
			objects(strings.TrimPrefix(path+"."+name, "."), p.(map[string]any), into)
		}
	}
	if items, ok := s["items"].(map[string]any); ok {
		objects(path+"[]", items, into)
	}
	if named, ok := s["additionalProperties"].(map[string]any); ok {
		objects(path+".*", named, into)
	}
	if shapes, ok := s["anyOf"].([]any); ok {
		for _, shape := range shapes {
			objects(path, shape.(map[string]any), into)
		}
	}
}

// document writes a file in which only the given path is set: "a[].b" gives {a: [{b: …}]}.
func document(path, inner string) string {
	head, rest, found := strings.Cut(path, ".")
	if found {
		inner = document(rest, inner)
	}
	name, isList := strings.CutSuffix(head, "[]")
	switch {
	case path == "":
		return inner
	case name == "*":
		name = "x"
	}
	if isList {
		inner = "[" + inner + "]"
	}
	return "{" + name + ": " + inner + "}"
}

// The parser itself says which keys it knows where: ask it everywhere, and compare with the schema.
func TestParserAndSchemaKnowTheSameKeys(t *testing.T) {
	const stranger = "qqqqqqqqqqqq"
	all := map[string][]string{}
	objects("", published(t), all)
	if len(all) < 20 {
		t.Fatalf("found only %d mappings in the schema", len(all))
	}
	for path, want := range all {
		t.Run(path, func(t *testing.T) {
			_, err := Parse("x", []byte(document(path, "{"+stranger+": 1}")), nil, Options{})
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v", err)
			}
			for _, p := range problems {
				if _, list, found := strings.Cut(p.Remedy, "known here: "); found {
					got := strings.Split(list, ", ")
					slices.Sort(got)
					equal(t, "keys", got, want)
					return
				}
			}
			t.Errorf("nobody reported the unknown key: %v", problems)
		})
	}
}

// Every field of Config can be set in the file, under the name that its tag says.
func TestSchemaCoversConfig(t *testing.T) {
	all := map[string][]string{}
	objects("", published(t), all)
	otherwise := []reflect.Type{reflect.TypeFor[Database](), reflect.TypeFor[Tool](), reflect.TypeFor[CedarFile](), reflect.TypeFor[OpenAPIFile]()} // See below.
	var walk func(path string, typ reflect.Type)
	walk = func(path string, typ reflect.Type) {
		known := 0
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if name == "-" {
				continue // Not written in the file.
			}
			known++
			if !slices.Contains(all[path], name) {
				t.Errorf("%q has no key %q", path, name)
			}
			inner, below := typ.Field(i).Type, strings.TrimPrefix(path+"."+name, ".")
			switch {
			case inner.Kind() == reflect.Slice:
				inner, below = inner.Elem(), below+"[]"
			case inner.Kind() == reflect.Map:
				inner, below = inner.Elem(), below+".*"
			}
			ours := inner.PkgPath() == reflect.TypeFor[Config]().PkgPath() && !slices.Contains(otherwise, inner)
			if ours && inner.Kind() == reflect.Struct && inner.Field(0).IsExported() {
				walk(below, inner)
			}
		}
		if known != len(all[path]) {
			t.Errorf("%q: %d fields, %d keys %v", path, known, len(all[path]), all[path])
		}
	}
	walk("", reflect.TypeFor[Config]())
	// What the file writes in another way than Go holds it.
	for _, owner := range []string{"tenants[]", "keys[]", "teams[]", "agents[]"} {
		equal(t, "keys of a budget of "+owner, all[owner+".budgets[]"], []string{
			"max", "min_output", "on_cap", "on_overrun", "per", "soft", "unit", "warn_at",
		})
	}
	equal(t, "keys of a tenant's limit", all["tenants[].limits[]"], []string{"max", "per", "unit"})
	equal(t, "keys of a key's limit", all["keys[].limits[]"], []string{"max", "per", "unit"})
	equal(t, "keys of an alert rule", all["alerts.rules[]"], []string{
		"action", "channels", "cooldown_minutes", "id", "level", "per", "tenant", "threshold_usd",
	})
	for path, want := range map[string][]string{
		"agents[].permissions":                    {"data", "max_tokens", "models", "network", "requires_approval", "tools"},
		"agents[].permissions.tools[]":            {"name", "operations", "rate_limit", "resources"},
		"agents[].permissions.tools[].rate_limit": {"max_per_minute"},
		"agents[].permissions.data":               {"columns", "max_rows", "row_filter", "tables"},
		"agents[].permissions.network":            {"allow", "block", "max_per_minute"},
		"mcp_servers.*.tools.*":                   {"guard", "operation", "price", "resources"},
		"mcp_servers.*.tools.*.resources[]":       {"arg", "kind", "operation"},
		"policy.risk[]":                           {"level", "when"},
		"approvals.tiers":                         {"high", "low", "medium"},
		"approvals.tiers.high":                    {"approvers", "role"},
		"approvals.rules[]":                       {"agent", "approvers", "role", "tool"},
	} {
		equal(t, "keys of "+path, all[path], want)
	}
	equal(t, "keys of a tool's price", all["mcp_servers.*.tools.*.price"], []string{"per_call"})
	equal(t, "keys of a price", all["models.*.price"], []string{
		"cache_read", "cache_write", "cache_write_1h", "effective", "input", "output", "per_call", "tiers",
	})
	equal(t, "keys of a tier", all["models.*.price.tiers[]"], []string{
		"above", "cache_read", "cache_write", "cache_write_1h", "input", "output", "per_call",
	})
}

func TestEveryKeyIsDocumented(t *testing.T) {
	var walk func(path string, s map[string]any)
	walk = func(path string, s map[string]any) {
		properties, _ := s["properties"].(map[string]any)
		for name, p := range properties {
			doc, _ := p.(map[string]any)["description"].(string)
			if !strings.HasSuffix(doc, ".") || len(doc) < 10 {
				t.Errorf("%s.%s: description %q", path, name, doc)
			}
		}
		for name, inner := range s {
			if m, ok := inner.(map[string]any); ok {
				walk(path+"."+name, m)
			}
		}
	}
	walk("", published(t))
}

func TestSchemaAcceptsGoodFiles(t *testing.T) {
	s := published(t)
	files := append(matching(t, "*.good.yml", 10), "quickstart.yml", filepath.Join("..", "..", "..", "examples", "signalbox.yml"))
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if wrong := conform("", s, decoded(t, path)); wrong != "" {
				t.Error(wrong)
			}
		})
	}
}

// What a schema can say, it says: these files are refused by an editor too.
func TestSchemaRefuses(t *testing.T) {
	s := published(t)
	for _, name := range []string{
		"unknown_keys", "not_built", "missing_required", "wrong_types", "empty_texts", "names", "limits_of_tenant",
		"prices", "simulated", "timeouts", "roles", "postgres", "routes", "not_a_mapping", "all_at_once", "budgets",
		"budget_amounts", "budget_keys", "downgrades", "alerts", "alerts_list",
		"permissions", "network", "tool_mappings", "policy", "approvals", "approvals_tiers", "oidc",
	} {
		t.Run(name, func(t *testing.T) {
			if conform("", s, decoded(t, filepath.Join("testdata", name+".bad.yml"))) == "" {
				t.Error("accepted")
			}
		})
	}
}

func decoded(t *testing.T, path string) any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal([]byte(strings.TrimPrefix(string(data), "\ufeff")), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// conform says where a value does not fit the schema, "" if it does. It knows the words that ours uses.
func conform(path string, s map[string]any, v any) string {
	if choices, ok := s["anyOf"].([]any); ok {
		for _, c := range choices {
			if conform(path, c.(map[string]any), v) == "" {
				return ""
			}
		}
		return fmt.Sprintf("%s: %v fits none of %v", path, v, choices)
	}
	if !slices.Contains(typeNames(s["type"]), typeName(v)) {
		return fmt.Sprintf("%s: %v is of type %s, want %v", path, v, typeName(v), s["type"])
	}
	switch v := v.(type) {
	case map[string]any:
		return conformObject(path, s, v)
	case []any:
		return conformList(path, s, v)
	case string:
		return conformText(path, s, v)
	case uint64, int64, float64:
		var n float64
		fmt.Sscan(fmt.Sprint(v), &n)
		if least, ok := s["minimum"].(float64); ok && n < least {
			return fmt.Sprintf("%s: %v is below %v", path, v, least)
		}
		if most, ok := s["maximum"].(float64); ok && n > most {
			return fmt.Sprintf("%s: %v is above %v", path, v, most)
		}
	}
	return ""
}

func conformObject(path string, s map[string]any, v map[string]any) string {
	required, _ := s["required"].([]any)
	for _, name := range required {
		if _, found := v[name.(string)]; !found {
			return fmt.Sprintf("%s: %v is missing", path, name)
		}
	}
	properties, _ := s["properties"].(map[string]any)
	for name, inner := range v {
		below, ok := properties[name].(map[string]any)
		if !ok {
			below, ok = s["additionalProperties"].(map[string]any)
		}
		if !ok {
			return fmt.Sprintf("%s: unknown key %s", path, name)
		}
		if names, ok := s["propertyNames"].(map[string]any); ok {
			if wrong := conformText(path, names, name); wrong != "" {
				return wrong
			}
		}
		if wrong := conform(path+"."+name, below, inner); wrong != "" {
			return wrong
		}
	}
	return ""
}

func conformList(path string, s map[string]any, v []any) string {
	if least, ok := s["minItems"].(float64); ok && len(v) < int(least) {
		return path + ": too few"
	}
	for i, inner := range v {
		if wrong := conform(fmt.Sprintf("%s[%d]", path, i), s["items"].(map[string]any), inner); wrong != "" {
			return wrong
		}
	}
	return ""
}

func conformText(path string, s map[string]any, v string) string {
	if p, ok := s["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(v) {
		return fmt.Sprintf("%s: %q does not match %s", path, v, p)
	}
	if words, ok := s["enum"].([]any); ok && !slices.Contains(words, any(v)) {
		return fmt.Sprintf("%s: %q is none of %v", path, v, words)
	}
	if least, ok := s["minLength"].(float64); ok && len(v) < int(least) {
		return fmt.Sprintf("%s: %q is too short", path, v)
	}
	return ""
}

func typeNames(v any) []string {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var names []string
	for _, name := range list {
		names = append(names, name.(string))
		if name == "number" {
			names = append(names, "integer")
		}
	}
	return names
}

func typeName(v any) string {
	switch v.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case uint64, int64:
		return "integer"
	}
	return "null"
}

// The documents promise that the example shows every section, and what a tool server can have.
func TestTheExampleShowsEveryKey(t *testing.T) {
	example, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "signalbox.yml"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{}
	objects("", published(t), known)
	for _, path := range []string{"", "mcp_servers.*"} {
		if len(known[path]) == 0 {
			t.Errorf("no keys are known of %q", path)
		}
		for _, key := range known[path] {
			if !regexp.MustCompile(`\b` + key + `:`).Match(example) {
				t.Errorf("examples/signalbox.yml does not show the key %s of %q", key, path)
			}
		}
	}
}
