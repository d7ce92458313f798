package mcp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// MaxJointName bounds the names of tools and prompts in joint lists, in bytes: model APIs allow no more.
const MaxJointName = 64

// jointMark stands between a server's id, which has none in it, and a name.
const jointMark = "__"

// hashed is how many hexadecimal digits close a joint name that is not the whole name.
const hashed = 8

// jointName gives the name that a tool or prompt has in joint lists, "server__name". Model APIs allow letters, digits, "_"
// and "-". A name with anything else, or one that is too long, is cleaned and cut, and closed by a hash of the whole.
func jointName(server, name string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, name)
	joint := server + jointMark + clean
	if clean == name && len(joint) <= MaxJointName {
		return joint
	}
	sum := sha256.Sum256([]byte(server + "." + name))
	return joint[:min(len(joint), MaxJointName-hashed-1)] + "_" + hex.EncodeToString(sum[:])[:hashed]
}

// jointNames are the joint names of one server's tools, or of its prompts.
type jointNames struct {
	server     string
	of         map[string]string // By name.
	names      map[string]string // By joint name.
	imitations map[string]bool   // Names that another one of the server is easily taken for. None of them is served.
}

func newJointNames(server string, names []string) *jointNames {
	j := &jointNames{server: server, of: map[string]string{}, names: map[string]string{}, imitations: map[string]bool{}}
	looks := map[string]string{}
	for _, name := range names {
		joint := jointName(server, name)
		for _, look := range []string{"name " + look(name), "joint " + strings.ToLower(joint)} {
			if other, taken := looks[look]; taken {
				j.imitations[name], j.imitations[other] = true, true
			}
			looks[look] = name
		}
		j.of[name], j.names[joint] = joint, name
	}
	return j
}

// look is what of a name is seen at a glance: case and the kind of separator are not.
func look(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '-', '.', ' ', '/':
			return '_'
		}
		return r
	}, strings.ToLower(name))
}

// renamed gives a JSON object with another text as the value of a member.
func renamed(raw json.Value, member, text string) json.Value {
	return replaced(raw, member, json.Quote(text))
}

// replaced gives a JSON object with another value of a member. What is no object stays as it is: both what callers and what
// servers wrote was read as one before.
func replaced(raw json.Value, member string, value json.Value) json.Value {
	root, err := json.Parse(raw, json.Limits{CaseVariants: true})
	if err != nil {
		return raw
	}
	members, err := root.Object()
	if err != nil {
		return raw
	}
	var o object
	for _, m := range members.All() {
		if m.Name == member {
			o.add(member, value)
			continue
		}
		o.add(m.Name, m.Value.Bytes())
	}
	return o.bytes()
}

// endpoint is the servers behind one of our paths.
type endpoint struct {
	servers []*upstream // In the order of their ids.
	joint   bool
}

// endpoint gives the servers behind the path with that id; "" is the path of all servers.
func (s *Servers) endpoint(id string) (endpoint, error) {
	if id == "" {
		e := endpoint{joint: true}
		for _, id := range s.ids {
			e.servers = append(e.servers, s.byID[id])
		}
		return e, nil
	}
	u, err := s.upstream(id)
	return endpoint{servers: []*upstream{u}}, err
}

// locate finds the server that an act is meant for, and calls things by that server's names. On a path of one server
// there is nothing to find.
func (h *Handler) locate(ctx context.Context, x *exchange) error {
	if !x.endpoint.joint {
		return nil
	}
	if x.method == methodReadResource || (x.method == methodComplete && x.refKind() == refResource) {
		return h.locateResource(ctx, x)
	}
	for _, u := range x.endpoint.servers {
		prefix := u.ID + jointMark
		if !strings.HasPrefix(x.name, prefix[:min(len(prefix), MaxJointName-hashed-1)]) {
			continue
		}
		names, err := u.jointNames(ctx, x.method)
		if err != nil {
			return err
		}
		name, ok := names.names[x.name]
		switch {
		case ok && names.imitations[name]:
			x.call.Tool.Server = u.ID
			return signalbox.Errorf(signalbox.CodeConflict, "The MCP server %q has several names that are easily taken for %q.", u.ID, clip(name)).
				WithField("name").WithRemedy("Use the path of that server, /mcp/" + u.ID + ", where names are its own.")
		case ok:
			x.address(u.ID, name)
			return nil
		}
	}
	return signalbox.Errorf(signalbox.CodeNotFound, "No MCP server has what is called %q here.", clip(x.name)).WithField("name").
		WithRemedy("Use one of the names that the lists of this path give, exactly as they are written there.")
}

// jointNames gives the joint names of the tools, or of the prompts for methods about prompts.
func (u *upstream) jointNames(ctx context.Context, method string) (*jointNames, error) {
	if method == methodCallTool {
		list, err := u.tools(ctx)
		if err != nil {
			return nil, err
		}
		return list.joint, nil
	}
	list, err := u.prompts(ctx)
	if err != nil {
		return nil, err
	}
	return list.joint, nil
}

// refKind is what the argument to complete belongs to.
func (r request) refKind() string {
	ref, err := r.params.Get("ref").Object()
	if err != nil {
		return ""
	}
	kind, _ := ref.Get("type").Text()
	return kind
}

// address makes the act one of the server, about what that server calls so.
func (x *exchange) address(server, name string) {
	t := x.call.Tool
	t.Server = server
	switch x.method {
	case methodCallTool:
		t.Name = name
		params := renamed(x.params.Node().Bytes(), "name", name)
		x.call.Body = replaced(x.call.Body, "params", params) // As it would have come in on the server's own path.
	case methodGetPrompt:
		t.Arguments = renamed(t.Arguments, "name", name)
	case methodComplete:
		if ref := x.params.Get("ref"); x.refKind() == refPrompt {
			t.Arguments = replaced(t.Arguments, "ref", renamed(ref.Bytes(), "name", name))
		}
	}
}

// locateResource finds the server that lists the resource, or has a template that it fits. Of servers that the caller may
// not read it from, nothing is said.
func (h *Handler) locateResource(ctx context.Context, x *exchange) error {
	caller, err := h.who(x.call)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, JointListWait)
	defer cancel()
	permitted := slices.DeleteFunc(slices.Clone(x.endpoint.servers), func(u *upstream) bool {
		ok, _ := h.asks(caller, u.ID, x)
		return !ok
	})
	has, failed := whoHas(ctx, permitted, x.name)
	switch {
	case len(has) == 1:
		x.address(has[0], "")
		return nil
	case len(has) > 1:
		return signalbox.Errorf(signalbox.CodeConflict, "Several MCP servers have the resource: %s.", strings.Join(has, ", ")).WithField("uri").
			WithRemedy("Ask one of them on its own path, such as /mcp/" + has[0] + ".")
	case failed != nil:
		return failed
	}
	return signalbox.Errorf(signalbox.CodeNotFound, "No MCP server lists the resource, or none that you may read it from.").
		WithField("uri").WithRemedy("Use one of the URIs that resources/list gives, or one that a template allows.")
}

// asks asks the policy about the act as it would be on one server.
func (h *Handler) asks(caller signalbox.Caller, server string, x *exchange) (bool, string) {
	if h.permits == nil {
		return true, ""
	}
	return h.permits(caller, server, x.method, x.call.Tool.Arguments)
}

// whoHas asks all servers at once whether they list a resource. Failed is why one of them could not say.
func whoHas(ctx context.Context, servers []*upstream, uri string) (has []string, failed error) {
	type finding struct {
		id    string
		found bool
		err   error
	}
	findings := make(chan finding, len(servers))
	for _, u := range servers {
		go func() {
			found, err := u.hasResource(ctx, uri)
			findings <- finding{u.ID, found, err}
		}()
	}
	for range servers {
		f := <-findings
		if f.found {
			has = append(has, f.id)
		} else if f.err != nil {
			failed = f.err
		}
	}
	slices.Sort(has)
	return has, failed
}

// hasResource reports whether the server lists the resource, or a template that it fits, or that template itself.
func (u *upstream) hasResource(ctx context.Context, uri string) (bool, error) {
	list, err := u.resources(ctx)
	if err != nil || list.has(uri) {
		return err == nil, err
	}
	templates, err := u.templates(ctx)
	if err != nil {
		return false, err
	}
	return templates.has(uri) || slices.ContainsFunc(templates.entries, func(e entry) bool { return fits(e.key, uri) }), nil
}
