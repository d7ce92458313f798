package mcp

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// Members of a list's _meta.
const (
	MetaPolicy  = "signalbox/policy"  // Why the list is empty although the server has something.
	MetaMissing = "signalbox/missing" // In the joint list: the servers that gave none, and the code of the error.
	MetaHeld    = "signalbox/held"    // How many tools are left out because they have changed, or look suspicious, and wait for a review.
	MetaRefused = "signalbox/refused" // Entries that are left out and that nothing lets be used: their names are taken for others', or their schemas are none to use.
)

// JointListWait is how long a joint list waits for each server; for one whose last list has failed, from when somebody has begun
// to ask it again. One that comes later is in the next list.
const JointListWait = 3 * time.Second

// listKind is one of the lists that callers ask for.
type listKind struct {
	member string // Of the result.
	what   string // One entry, for people.
	read   func(h *Handler, ctx context.Context, caller signalbox.Caller, u *upstream.Server, joint bool) (*listing, error)
}

// listing is what one server's list shows to a caller.
type listing struct {
	shown   []json.Value
	hidden  int      // How many entries the policy hides,
	rules   []string // and by what, each once.
	held    int      // How many tools wait for somebody to look at them.
	refused []string // Names of entries that nobody can use.
	ttl     time.Duration
}

var listKinds = map[string]listKind{
	rpc.MethodListTools:     {"tools", "tool", (*Handler).listTools},
	rpc.MethodListResources: {"resources", "resource", (*Handler).listResources},
	rpc.MethodListTemplates: {"resourceTemplates", "template of resources", (*Handler).listTemplates},
	rpc.MethodListPrompts:   {"prompts", "prompt", (*Handler).listPrompts},
}

// list answers one of the list methods. Our lists have one page.
func (h *Handler) list(ctx context.Context, x *exchange, kind listKind) (json.Value, error) {
	if err := x.onePage(); err != nil {
		return nil, err
	}
	caller, err := h.who(x.call)
	if err != nil {
		return nil, err
	}
	if x.endpoint.joint {
		return h.jointList(ctx, x, kind, caller), nil
	}
	u := x.endpoint.servers[0]
	l, err := kind.read(h, upstream.ForCaller(ctx, 0), caller, u, false)
	if err != nil {
		h.unlisted(ctx, x, u, err)
		return nil, err
	}
	var meta rpc.Object
	if len(l.shown) == 0 && l.held == 0 && l.hidden > 0 {
		meta.Text(MetaPolicy, hidden(kind.what, u.ID, caller, l.rules))
	}
	if l.held > 0 {
		meta.Add(MetaHeld, strconv.AppendInt(nil, int64(l.held), 10))
	}
	if len(l.refused) > 0 {
		meta.Add(MetaRefused, rpc.Texts(l.refused))
	}
	return encodeList(kind.member, l.shown, l.ttl, meta), nil
}

// onePage refuses who asks for another page than the first: our lists have no other.
func (x *exchange) onePage() error {
	if cursor := x.params.Get("cursor"); !cursor.Null() {
		return signalbox.Errorf(signalbox.CodeInvalid, "The cursor is none that Signalbox has given.").WithField("params.cursor").
			WithRemedy("Ask for the list without a cursor; it has one page.")
	}
	return nil
}

func (h *Handler) unlisted(ctx context.Context, x *exchange, u *upstream.Server, err error) {
	h.logger.WarnContext(ctx, "an MCP server could not be listed", "server", u.ID, "list", x.method, "request_id", x.call.RequestID, "error", err)
}

// jointList puts the servers' lists together, in the order of their ids. A server that gives none in time is named; one of
// which nothing could be for the caller is not asked.
func (h *Handler) jointList(ctx context.Context, x *exchange, kind listKind, caller signalbox.Caller) json.Value {
	ctx, cancel := context.WithTimeout(ctx, JointListWait)
	defer cancel()
	ctx = upstream.ForCaller(ctx, JointListWait)
	servers := h.concerning(x, caller)
	lists, errs := make([]*listing, len(servers)), make([]error, len(servers))
	var wg sync.WaitGroup
	for i, u := range servers {
		wg.Go(func() { lists[i], errs[i] = kind.read(h, ctx, caller, u, true) })
	}
	wg.Wait()
	var missing, meta rpc.Object
	var shown []json.Value
	var refused []string
	ttl, held := upstream.DefaultListTTL, 0
	for i, u := range servers {
		if errs[i] != nil {
			h.unlisted(ctx, x, u, errs[i])
			if h.reaches == nil || h.reaches(caller, u.ID) {
				missing.Text(u.ID, string(signalbox.CodeOf(errs[i])))
			}
			ttl = 0 // Who asks again may get it.
			continue
		}
		ttl, held = min(ttl, lists[i].ttl), held+lists[i].held
		shown, refused = append(shown, lists[i].shown...), append(refused, lists[i].refused...)
	}
	if !missing.Empty() {
		meta.Add(MetaMissing, missing.Bytes())
	}
	if held > 0 {
		meta.Add(MetaHeld, strconv.AppendInt(nil, int64(held), 10))
	}
	if len(refused) > 0 {
		meta.Add(MetaRefused, rpc.Texts(refused))
	}
	return encodeList(kind.member, shown, ttl, meta)
}

// concerning gives the servers of the endpoint that concern the caller; on a path of one server it is that one.
func (h *Handler) concerning(x *exchange, caller signalbox.Caller) []*upstream.Server {
	return slices.DeleteFunc(slices.Clone(x.endpoint.servers), func(u *upstream.Server) bool {
		return x.endpoint.joint && h.concerns != nil && !h.concerns(caller, u.ID)
	})
}

func (l *listing) add(shown bool, rule string, raw json.Value) {
	switch {
	case shown:
		l.shown = append(l.shown, raw)
		return
	case rule != "" && !slices.Contains(l.rules, rule):
		l.rules = append(l.rules, rule)
	}
	l.hidden++
}

// addNamed adds an entry that has a name of its own in joint lists.
func (l *listing) addNamed(shown bool, rule string, raw json.Value, name string, joint *upstream.JointNames) {
	if joint != nil && joint.Imitated(name) {
		if shown { // Else nobody need know of it.
			l.refused = append(l.refused, joint.Server+"."+name)
		}
		return
	}
	if joint != nil && shown {
		raw = rpc.Renamed(raw, "name", joint.Joint(name))
	}
	l.add(shown, rule, raw)
}

func (h *Handler) listTools(ctx context.Context, caller signalbox.Caller, u *upstream.Server, joint bool) (*listing, error) {
	list, err := u.Tools(ctx)
	if err != nil {
		return nil, err
	}
	l := &listing{ttl: u.Fresh(list)}
	for _, name := range list.Reserved {
		l.refused = append(l.refused, u.ID+"."+name)
	}
	for i := range list.Unfit {
		if shown, _ := h.sees(caller, u.ID, list.Unfit[i].Name, list.Unfit[i].Annotations); shown {
			l.refused = append(l.refused, u.ID+"."+list.Unfit[i].Name)
		}
	}
	var names *upstream.JointNames
	if joint {
		names = list.Joint
	}
	var visible []upstream.Tool
	for _, tool := range list.Tools {
		if shown, rule := h.sees(caller, u.ID, tool.Name, tool.Annotations); shown {
			visible = append(visible, tool)
		} else {
			l.add(false, rule, nil)
		}
	}
	visible, held, refused := u.Usable(visible)
	l.held = held
	for _, name := range refused {
		l.refused = append(l.refused, u.ID+"."+name)
	}
	for _, tool := range visible {
		l.addNamed(true, "", tool.Raw, tool.Name, names)
	}
	return l, nil
}

func (h *Handler) listResources(ctx context.Context, caller signalbox.Caller, u *upstream.Server, _ bool) (*listing, error) {
	list, err := u.Resources(ctx)
	if err != nil {
		return nil, err
	}
	l := &listing{ttl: u.Fresh(list)}
	for _, e := range list.Entries {
		shown, rule := h.may(caller, u.ID, rpc.MethodReadResource, "uri", e.Key)
		l.add(shown, rule, e.Raw)
	}
	return l, nil
}

// listTemplates shows all templates where some resource of the server may be read: which, a template does not say.
func (h *Handler) listTemplates(ctx context.Context, caller signalbox.Caller, u *upstream.Server, _ bool) (*listing, error) {
	list, err := u.Templates(ctx)
	if err != nil {
		return nil, err
	}
	l := &listing{ttl: u.Fresh(list)}
	shown, rule := h.sees(caller, u.ID, rpc.MethodReadResource, nil)
	for _, e := range list.Entries {
		l.add(shown, rule, e.Raw)
	}
	return l, nil
}

func (h *Handler) listPrompts(ctx context.Context, caller signalbox.Caller, u *upstream.Server, joint bool) (*listing, error) {
	list, err := u.Prompts(ctx)
	if err != nil {
		return nil, err
	}
	l := &listing{ttl: u.Fresh(list)}
	var names *upstream.JointNames
	if joint {
		names = list.Joint
	}
	for _, e := range list.Entries {
		shown, rule := h.may(caller, u.ID, rpc.MethodGetPrompt, "name", e.Key)
		l.addNamed(shown, rule, e.Raw, e.Key, names)
	}
	return l, nil
}

// sees asks the policy whether the caller could use a tool, or make a request of that method, in some way.
func (h *Handler) sees(caller signalbox.Caller, server, tool string, a *signalbox.Annotations) (bool, string) {
	if h.visible == nil {
		return true, ""
	}
	return h.visible(caller, server, tool, a)
}

// may asks the policy whether the caller could make a request about what an argument names.
func (h *Handler) may(caller signalbox.Caller, server, method, argument, value string) (bool, string) {
	if h.permits == nil {
		return true, ""
	}
	var arguments rpc.Object
	arguments.Text(argument, value)
	return h.permits(caller, server, method, arguments.Bytes())
}

// maxRules is how many rules an empty list names.
const maxRules = 5

// hidden says why a list is empty.
func hidden(what, server string, caller signalbox.Caller, rules []string) string {
	who := "a caller that names no agent"
	if caller.Agent != "" {
		who = "the agent " + strconv.Quote(caller.Agent)
	}
	text := "The policy shows no " + what + " of the MCP server " + strconv.Quote(server) + " to " + who
	if len(rules) == 0 {
		return text + "."
	}
	more := ""
	if len(rules) > maxRules {
		more = ", and " + strconv.Itoa(len(rules)-maxRules) + " more rules"
	}
	return text + ": " + strings.Join(rules[:min(len(rules), maxRules)], "; ") + more
}

// encodeList writes the result of a list method. Callers may keep it as long as we keep the servers' lists.
func encodeList(member string, list []json.Value, ttl time.Duration, meta rpc.Object) json.Value {
	var o rpc.Object
	o.Text("resultType", "complete")
	o.Add(member, rpc.Array(list))
	cacheable(&o, ttl)
	if !meta.Empty() {
		o.Add("_meta", meta.Bytes())
	}
	return o.Bytes()
}
