package config

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/goccy/go-yaml/ast"
)

// Options are what a configuration is checked with beyond this package's knowledge.
type Options struct {
	// CheckExpression compiles the condition of a route and says what is wrong with it. Nil checks nothing.
	CheckExpression func(string) error
}

// Load reads and checks a file. The error, if any, is [Problems].
func Load(path string, env Env, o Options) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, Problems{{File: path, Message: "cannot be read: " + reason(err), Remedy: "check the path and its permissions"}}
	}
	return Parse(path, data, env, o)
}

// readFile reads one byte more than is allowed at most, so that Parse sees that it is too much.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // It was only read.
	return io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
}

// reason gives the cause without the path, which the problem names already.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// Parse checks a configuration. The name is only for messages. A nil env has no variables. The error, if any, is
// [Problems].
func Parse(name string, data []byte, env Env, o Options) (*Config, error) {
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	body, p := parseYAML(data)
	if p != nil {
		p.File = name
		return nil, Problems{*p}
	}
	c := &Config{}
	r := &reader{file: name, env: env, options: o, names: map[category]map[string]place{}, cheaper: map[string]downgrade{}}
	r.whole(c, body)
	if len(r.problems) > 0 {
		return nil, r.problems.sorted()
	}
	return c, nil
}

// whole reads the document. The default tenant is there when the file names none.
func (r *reader) whole(c *Config, body ast.Node) {
	table := configTable(c)
	if body.Type() != ast.MappingType {
		r.problem(r.place(body, ""), "the file must be a mapping from sections to their values, not "+article(body),
			"begin with a section, such as listen: "+DefaultListen)
		return
	}
	table.read(r, body, "")
	if len(c.Tenants) == 0 {
		var t Tenant
		tenantTable(&t)
		t.ID = DefaultTenant
		c.Tenants = []Tenant{t}
		if r.names[aTenant] == nil {
			r.names[aTenant] = map[string]place{}
		}
		r.names[aTenant][DefaultTenant] = place{}
	}
	c.Alerts.complete(c.Tenants)
	r.resolve()
	r.crossCheck()
}
