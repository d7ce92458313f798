package config

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// Options are what a configuration is checked with beyond this package's knowledge.
type Options struct {
	// CheckExpression compiles the condition of a route and says what is wrong with it. Nil checks nothing.
	CheckExpression func(string) error
	// CheckRisk does the same for the condition of a risk.
	CheckRisk func(expr string) error
	// CheckCedar says what is wrong with a file of Cedar rules by itself; an error of several ([errors.Join]) gives as many
	// problems. Nil checks nothing.
	CheckCedar func(name, text string) error
	// CheckPolicy looks at a configuration that is right so far: whether its policy compiles, and what in it is doubtful. An
	// error of several ([errors.Join]) gives as many problems; the Field of a *signalbox.Error, a key such as policy.cedar[0],
	// says where each stands. Nil checks nothing.
	CheckPolicy func(*Config) (warnings []Warning, err error)
	// ReadFile reads a file that the configuration names, at most [MaxOpenAPIBytes] and one more. Nil: [Load] reads beside the
	// configuration, and [Parse] reads nothing and reports each such file.
	ReadFile func(path string) ([]byte, error)
}

// Warning is something doubtful that keeps no configuration from being used.
type Warning struct {
	Text   string // One sentence.
	Source string // Where it stands: "agents[0].permissions.tools[1] (signalbox.yml:41)"; "" if it has no place.
}

// String gives both on one line.
func (w Warning) String() string {
	if w.Source == "" {
		return w.Text
	}
	return w.Source + ": " + w.Text
}

// Load reads and checks a file. The error, if any, is [Problems].
func Load(path string, env Env, o Options) (*Config, error) {
	data, err := readFile(path, MaxFileBytes)
	if err != nil {
		return nil, Problems{{File: path, Message: "cannot be read: " + reason(err), Remedy: "check the path and its permissions"}}
	}
	if o.ReadFile == nil {
		o.ReadFile = func(name string) ([]byte, error) { return readFile(beside(path, name), MaxOpenAPIBytes) }
	}
	return Parse(path, data, env, o)
}

// Files gives the paths of the files that are part of the configuration of that path: it, and those that it names. A change
// of one of them is a change of the configuration.
func (c *Config) Files(path string) []string {
	files := []string{path}
	for _, f := range c.Policy.Cedar {
		files = append(files, beside(path, f.Path))
	}
	for _, id := range slices.Sorted(maps.Keys(c.MCPServers)) {
		if document := c.MCPServers[id].OpenAPI.Path; document != "" {
			files = append(files, beside(path, document))
		}
	}
	return files
}

// beside gives the path of a file that a configuration names.
func beside(path, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(path), name)
}

// readFile reads one byte more than is allowed at most, so that the reader sees that it is too much.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // It was only read.
	return io.ReadAll(io.LimitReader(f, most+1))
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
	r := &reader{file: name, env: env, options: o, names: map[category]map[string]place{}, cheaper: map[string]downgrade{}, placed: map[string]place{}}
	r.whole(c, body)
	if len(r.problems) == 0 {
		r.policy(c)
	}
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
	r.crossCheck(c)
}
