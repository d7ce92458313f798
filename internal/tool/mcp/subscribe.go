package mcp

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// Bounds of what a caller listens to.
const (
	MaxSubscriptions = 100              // Resources that one caller hears of.
	KeepAlive        = 25 * time.Second // How often a stream in which nothing happens shows that it is there.
)

// metaSubscription names the request that a notification belongs to.
const metaSubscription = rpc.MetaPrefix + "subscriptionId"

// EndStreams has streams of notifications end when the channel is closed: who waits for changes must not be waited for.
func EndStreams(stopping <-chan struct{}) HandlerOption {
	return func(h *Handler) { h.stopping = stopping }
}

// wanted is what a caller wants to hear of.
type wanted struct {
	methods []string            // Notifications that a list has changed.
	uris    map[string][]string // Resources, by server.
	tasks   []string
}

// subscribe answers a modern caller who wants to hear of changes: with a stream, which ends with a result when we stop.
func (h *Handler) subscribe(ctx context.Context, x *exchange) {
	filter, err := x.params.Get("notifications").Object()
	if err != nil {
		x.response.failure(x.call, invalid("params.notifications", err), true)
		return
	}
	who, err := h.who(x.call)
	if err != nil {
		x.response.failure(x.call, err, true)
		return
	}
	var want wanted
	var honoured rpc.Object
	for _, kind := range []struct{ member, method string }{
		{"toolsListChanged", rpc.MethodListChanged}, {"promptsListChanged", rpc.MethodPromptsChanged}, {"resourcesListChanged", rpc.MethodResourcesChanged},
	} {
		if on, err := filter.Get(kind.member).Bool(); err == nil && on {
			want.methods = append(want.methods, kind.method)
			honoured.Add(kind.member, []byte("true"))
		}
	}
	uris, err := h.resourcesIn(ctx, x, filter.Get("resourceSubscriptions"), &want)
	if err != nil {
		x.response.failure(x.call, err, true)
		return
	}
	if len(uris) > 0 {
		honoured.Add("resourceSubscriptions", rpc.Texts(uris))
	}
	if want.tasks, err = h.tasksIn(ctx, x, filter.Get("taskIds")); err != nil {
		x.response.failure(x.call, err, true)
		return
	}
	if len(want.tasks) > 0 {
		honoured.Add("taskIds", rpc.Texts(want.tasks))
	}
	var params, meta rpc.Object
	params.Add("notifications", honoured.Bytes())
	meta.Add(metaSubscription, x.id)
	params.Add("_meta", meta.Bytes())
	if x.response.tell(rpc.Encode(0, rpc.MethodAcknowledged, params.Bytes())) != nil {
		return
	}
	if h.carry(ctx, x, h.heard(x, who, want), want, nil) {
		var end rpc.Object
		end.Text("resultType", rpc.TypeComplete)
		end.Add("_meta", meta.Bytes())
		x.response.result(end.Bytes())
	}
}

// resourcesIn reads the resources that the caller wants to hear of. Those that he may not read, and those that nobody has,
// are left out: the acknowledgement says which are heard of.
func (h *Handler) resourcesIn(ctx context.Context, x *exchange, list json.Node, want *wanted) ([]string, error) {
	if list.Null() {
		return nil, nil
	}
	nodes, err := list.Array()
	if err != nil || len(nodes) > MaxSubscriptions {
		return nil, invalid("params.notifications.resourceSubscriptions", errors.New("a list of at most 100 URIs is expected"))
	}
	want.uris = map[string][]string{}
	var heard []string
	for _, node := range nodes {
		uri, err := node.Text()
		if err != nil {
			return nil, invalid("params.notifications.resourceSubscriptions", err)
		}
		server, err := h.serverOf(ctx, x, uri)
		if err != nil {
			continue
		}
		want.uris[server] = append(want.uris[server], uri)
		heard = append(heard, uri)
	}
	return heard, nil
}

// serverOf gives the server that has a resource which the caller may read.
func (h *Handler) serverOf(ctx context.Context, x *exchange, uri string) (string, error) {
	who, err := h.who(x.call)
	if err != nil {
		return "", err
	}
	permitted := slices.DeleteFunc(slices.Clone(x.endpoint.servers), func(u *upstream.Server) bool {
		ok, _ := h.may(who, u.ID, rpc.MethodReadResource, "uri", uri)
		return !ok
	})
	if !x.endpoint.joint && len(permitted) == 1 {
		return permitted[0].ID, nil
	}
	ctx, cancel := context.WithTimeout(ctx, JointListWait)
	defer cancel()
	has, _ := upstream.WhoHas(upstream.ForCaller(ctx, JointListWait), permitted, uri)
	if len(has) != 1 {
		return "", signalbox.Errorf(signalbox.CodeNotFound, "The resource is none that you may read, or is that of several servers.").
			WithField("params.uri").WithRemedy("Use one of the URIs that resources/list gives.")
	}
	return has[0], nil
}

// heard gives the servers of which the caller wants to hear something, of those that concern him. Others are not listened to,
// which would mean to connect to them.
func (h *Handler) heard(x *exchange, caller signalbox.Caller, want wanted) []*upstream.Server {
	return slices.DeleteFunc(h.concerning(x, caller), func(u *upstream.Server) bool {
		return len(want.methods) == 0 && len(want.uris[u.ID]) == 0
	})
}

// carry carries notifications of the servers to the caller until he leaves, changed is closed, or we stop, which it reports.
func (h *Handler) carry(ctx context.Context, x *exchange, servers []*upstream.Server, want wanted, changed <-chan struct{}) (stopped bool) {
	var ended <-chan struct{}
	if x.session != nil {
		ended = x.session.ended
	}
	behind := x.endpoint
	told, stop := h.followTasks(ctx, x, want.tasks)
	defer stop()
	// The first of them end it, or keep it alive, or are of tasks; the others are the servers'.
	keepAlive := time.NewTicker(KeepAlive)
	defer keepAlive.Stop()
	cases := []reflect.SelectCase{
		receive(ctx.Done()), receive(ended), receive(changed), receive(h.stopping), receive(behind.closing()), receive(told), receive(keepAlive.C),
	}
	fixed := len(cases)
	for _, u := range servers {
		notices, stop := u.Watch(want.uris[u.ID])
		defer stop()
		cases = append(cases, receive(notices))
	}
	for {
		i, value, _ := reflect.Select(cases)
		switch {
		case i == 4 && h.stays(&behind):
			cases[i] = receive(behind.closing())
		case i == 3 || i == 4:
			return true
		case i == fixed-1:
			if x.response.comment() != nil {
				return false
			}
		case i == fixed-2:
			if x.response.tell(value.Bytes()) != nil {
				return false
			}
		case i < fixed:
			return false
		default:
			m, _ := value.Interface().(rpc.Message)
			if !h.pass(x, servers[i-fixed].ID, want, m) {
				return false
			}
		}
	}
}

func receive(ch any) reflect.SelectCase {
	return reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ch)}
}

// pass tells the caller of a notification that he wants, and reports whether he still hears.
func (h *Handler) pass(x *exchange, server string, want wanted, m rpc.Message) bool {
	if !h.exists(server, x.call.Caller.Tenant) {
		return true // It was taken from his tenant meanwhile.
	}
	switch m.Method {
	case rpc.MethodUpdated:
		uri := rpc.TextIn(m.Params, "uri")
		who, err := h.who(x.call)
		if ok, _ := h.may(who, server, rpc.MethodReadResource, "uri", uri); err != nil || !ok || !slices.Contains(want.uris[server], uri) {
			return true
		}
	default:
		if !slices.Contains(want.methods, m.Method) {
			return true
		}
	}
	params := m.Params
	if x.modern() {
		var meta rpc.Object
		meta.Add(metaSubscription, x.id)
		params = added(params, "_meta", meta.Bytes())
	}
	return x.response.tell(rpc.Encode(0, m.Method, params)) == nil
}

// added gives an object with one more member.
func added(raw json.Value, member string, value json.Value) json.Value {
	var o rpc.Object
	if members, err := json.Object(raw); err == nil {
		for _, m := range members.All() {
			o.Add(m.Name, m.Value.Bytes())
		}
	}
	o.Add(member, value)
	return o.Bytes()
}

// subscribeInSession answers a legacy caller who wants to hear of a resource, or no more. Without a session he would hear
// nothing.
func (h *Handler) subscribeInSession(ctx context.Context, x *exchange) (json.Value, error) {
	if x.session == nil {
		return nil, unknownMethod(x.method)
	}
	uri, wrong := nameIn(x.params, "uri", "params.uri", MaxURI)
	if wrong != nil {
		return nil, wrong
	}
	server, err := h.serverOf(ctx, x, uri)
	if err != nil && x.method == rpc.MethodSubscribe {
		return nil, err
	}
	return json.Value("{}"), x.session.want(server, uri, x.method == rpc.MethodSubscribe)
}

// want notes that the caller wants to hear of a resource, or not any more.
func (s *callerSession) want(server, uri string, on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := 0
	for _, uris := range s.uris {
		total += len(uris)
	}
	list := slices.DeleteFunc(slices.Clone(s.uris[server]), func(u string) bool { return u == uri })
	if on && total >= MaxSubscriptions {
		return signalbox.Errorf(signalbox.CodeRateLimited, "The session hears of %d resources, which is the most.", MaxSubscriptions).
			WithRemedy("Unsubscribe from others first.")
	}
	if on {
		list = append(list, uri)
	}
	s.uris[server] = list
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

// wishes gives what the session wants to hear of, and what is closed when that changes.
func (s *callerSession) wishes() (wanted, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := wanted{tasks: slices.Clone(s.tasks), methods: []string{rpc.MethodListChanged, rpc.MethodPromptsChanged, rpc.MethodResourcesChanged}, uris: map[string][]string{}}
	for server, uris := range s.uris {
		w.uris[server] = slices.Clone(uris)
	}
	return w, s.changed
}

// listenInSession is the stream of a legacy caller, in which he hears of changes.
func (h *Handler) listenInSession(ctx context.Context, x *exchange) {
	who, err := h.who(x.call)
	if err != nil {
		x.response.refusal(x.call, err)
		return
	}
	if x.response.comment() != nil {
		return
	}
	for {
		want, changed := x.session.wishes()
		if h.carry(ctx, x, h.heard(x, who, want), want, changed); !isClosed(changed) {
			return
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
