package server

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/serve"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/tool/mcp"
	"github.com/signalbox/signalbox/internal/tool/registry"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// Where the servers are described.
const (
	catalogPath  = "/.well-known/ai-catalog.json"
	registryPath = "/v0.1/"
	serversPath  = registryPath + "servers"
)

// discovery describes the servers that a caller may reach, to him alone.
type discovery struct{ *Server }

// serveDiscovery adds the paths.
func (s *Server) serveDiscovery(r *router) {
	d := discovery{s}
	for path, h := range map[string]http.HandlerFunc{
		mcp.JointPattern + registry.CardSuffix: d.card, mcp.Pattern + registry.CardSuffix: d.card, catalogPath: d.catalog,
	} {
		r.HandleFunc("GET "+path, h)
		r.HandleFunc("OPTIONS "+path, preflight)
	}
	r.HandleFunc("GET "+serversPath, d.list)
	r.HandleFunc("GET "+serversPath+"/{name}/versions", d.versions)
	r.HandleFunc("GET "+serversPath+"/{name}/versions/{version}", d.version)
	r.HandleFunc(registryPath, d.other)
}

// preflight tells a browser that a page may ask. It says nothing of what is here.
func preflight(w http.ResponseWriter, _ *http.Request) {
	setOrigins(w.Header())
	w.WriteHeader(http.StatusNoContent)
}

// setOrigins lets pages of any origin read cards, as their draft demands. A page knows no key but one that it was given,
// and a session of the console opens nothing here.
func setOrigins(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", http.MethodGet)
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match, X-Api-Key")
	h.Set("Access-Control-Expose-Headers", "ETag, WWW-Authenticate")
}

// visitor is who asks, and what may be known to him.
type visitor struct {
	servers   []registry.Server // With the joint endpoint.
	requestID string
}

// visit finds out who asks. Tokens count as for the endpoint at the path, which a refusal names too.
func (d discovery) visit(w http.ResponseWriter, r *http.Request, endpoint string) (visitor, error) {
	at := r.WithContext(r.Context())
	at.URL = &url.URL{Path: endpoint}
	c, err := d.keys.door.Admit(w, at, signalbox.KindTool, signalbox.ProtocolMCP)
	w.Header().Set(serve.HeaderRequestID, c.RequestID)
	v := visitor{requestID: c.RequestID}
	if err == nil && c.Invalid != nil {
		err = c.Invalid
	}
	if h := w.Header(); signalbox.CodeOf(err) == signalbox.CodeUnauthenticated && h.Get("WWW-Authenticate") == "" {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if err != nil {
		return v, err
	}
	who, err := d.callerOf(c)
	if err != nil {
		return v, err
	}
	v.servers = registry.WithJoint(d.reachable(who))
	return v, nil
}

// reachable gives the servers of which something could be for the caller, by their ids.
func (s *Server) reachable(c signalbox.Caller) []registry.Server {
	r := s.runtimes.current()
	var list []registry.Server
	for _, id := range slices.Sorted(maps.Keys(r.config.MCPServers)) {
		if m := r.config.MCPServers[id]; m.For(c.Tenant) && s.knows(c, r.config, id) {
			list = append(list, registry.Server{ID: id, Title: m.Title, Description: m.Description})
		}
	}
	return list
}

// knows reports whether a caller's permissions are about a server or, where rules in Cedar may be too, whether something of
// it that was ever seen is visible to him in some way. No server is asked.
func (s *Server) knows(c signalbox.Caller, conf *config.Config, server string) bool {
	if s.reaches(c, server) {
		return true
	}
	if len(conf.Policy.Cedar) == 0 {
		return false
	}
	names := []string{"resources/read", "prompts/get"}
	if seen, err := s.pins.List(s.life, server); err == nil {
		for i := range seen {
			names = append(names, seen[i].Tool)
		}
	}
	yes := true
	ways := []*signalbox.Annotations{nil, {ReadOnly: &yes}, {Destructive: &yes}}
	return slices.ContainsFunc(names, func(name string) bool {
		return slices.ContainsFunc(ways, func(a *signalbox.Annotations) bool {
			shown, _ := s.visible(c, server, name, a)
			return shown
		})
	})
}

// site is this instance as it is reached.
func (s *Server) site() registry.Site {
	_, tokens := s.keys.people.Resource("")
	return registry.Site{
		URL: s.publicURL(), Version: s.options.Version, Protocols: rpc.Versions(), Tokens: tokens, Since: s.runtimes.current().since,
	}
}

// card serves the card of one server, or of all together. A server that the caller can not reach is not there.
func (d discovery) card(w http.ResponseWriter, r *http.Request) {
	setOrigins(w.Header())
	id, endpoint := registry.JointID, mcp.JointPattern
	if name := r.PathValue("server"); name != "" {
		id, endpoint = name, mcp.JointPattern+"/"+name
	}
	v, err := d.visit(w, r, endpoint)
	if err != nil {
		api.WriteError(w, err, v.requestID)
		return
	}
	i := slices.IndexFunc(v.servers, func(one registry.Server) bool { return one.ID == id })
	if i < 0 {
		api.WriteError(w, signalbox.Errorf(signalbox.CodeNotFound, "There is no such card, or none that you may read.").WithField("server").
			WithRemedy("Use one of the addresses in "+catalogPath+"."), v.requestID)
		return
	}
	d.answer(w, r, registry.CardType, d.site().Card(v.servers[i]))
}

// catalog serves the list of cards.
func (d discovery) catalog(w http.ResponseWriter, r *http.Request) {
	setOrigins(w.Header())
	v, err := d.visit(w, r, mcp.JointPattern)
	if err != nil {
		api.WriteError(w, err, v.requestID)
		return
	}
	d.answer(w, r, registry.CatalogType, d.site().Catalog(v.servers))
}

// list serves a page of the registry.
func (d discovery) list(w http.ResponseWriter, r *http.Request) {
	d.registry(w, r, func(s registry.Site, servers []registry.Server) (any, error) {
		q, err := readQuery(r.URL.Query())
		if err != nil {
			return nil, err
		}
		return s.List(servers, q)
	})
}

// versions serves the versions of one server.
func (d discovery) versions(w http.ResponseWriter, r *http.Request) {
	d.registry(w, r, func(s registry.Site, servers []registry.Server) (any, error) {
		return s.Versions(servers, r.PathValue("name"))
	})
}

// version serves one version of a server.
func (d discovery) version(w http.ResponseWriter, r *http.Request) {
	d.registry(w, r, func(s registry.Site, servers []registry.Server) (any, error) {
		return s.Find(servers, r.PathValue("name"), r.PathValue("version"))
	})
}

// other answers for what the registry does not do.
func (d discovery) other(w http.ResponseWriter, r *http.Request) {
	d.registry(w, r, func(registry.Site, []registry.Server) (any, error) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return nil, signalbox.Errorf(signalbox.CodeNotImplemented, "Publishing is not supported by this registry").
				WithRemedy("Configure the server in mcp_servers.")
		}
		return nil, signalbox.Errorf(signalbox.CodeNotFound, "Not found").WithRemedy("Use GET " + serversPath + ".")
	})
}

func (d discovery) registry(w http.ResponseWriter, r *http.Request, answer func(registry.Site, []registry.Server) (any, error)) {
	v, err := d.visit(w, r, mcp.JointPattern)
	var body any
	if err == nil {
		body, err = answer(d.site(), v.servers)
	}
	if err != nil {
		failRegistry(w, err, v.requestID)
		return
	}
	d.answer(w, r, "application/json", body)
}

// readQuery reads the parameters of a list. What is not known to the registry's API is left alone.
func readQuery(v url.Values) (registry.Query, error) {
	q := registry.Query{Cursor: v.Get("cursor"), Search: v.Get("search"), Version: v.Get("version")}
	invalid := func(name, remedy string) error {
		return signalbox.Errorf(signalbox.CodeInvalid, "The parameter %s can not be read.", name).WithField(name).WithRemedy(remedy)
	}
	var err error
	if text := v.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 {
			return q, invalid("limit", "Send a number from 1 to "+strconv.Itoa(registry.MaxLimit)+".")
		}
	}
	if text := v.Get("updated_since"); text != "" {
		if q.UpdatedSince, err = time.Parse(time.RFC3339, text); err != nil {
			return q, invalid("updated_since", "Send a time such as 2026-01-31T10:00:00Z.")
		}
	}
	return q, nil
}

// answer writes a document that belongs to the caller alone; one that he has already is not sent again.
func (d discovery) answer(w http.ResponseWriter, r *http.Request, media string, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		api.WriteError(w, err, w.Header().Get(serve.HeaderRequestID))
		return
	}
	sum := sha256.Sum256(data)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", "private, no-cache") // Permissions may change at any time.
	h.Set("Vary", "Authorization, X-Api-Key, X-Signalbox-Agent")
	if hasTag(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", media)
	_, _ = w.Write(data) // Nobody is left to be told that the client has gone.
}

// hasTag reports whether one of the headers names the tag, as a weak one or not.
func hasTag(headers []string, tag string) bool {
	for _, header := range headers {
		for one := range strings.SplitSeq(header, ",") {
			if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// registryError is the shape of the registry API's errors, with what ours say besides.
type registryError struct {
	Error     string         `json:"error"`
	Code      signalbox.Code `json:"code"`
	Remedy    string         `json:"remedy,omitempty"`
	Field     *string        `json:"field,omitempty"`
	RequestID string         `json:"request_id"`
}

func failRegistry(w http.ResponseWriter, err error, requestID string) {
	known := api.NewAnswerError(err, requestID)
	data, err := json.Marshal(registryError{known.Err.Message, known.Err.Code, known.Err.Remedy, known.Err.Field, requestID})
	maps.Copy(w.Header(), known.GetHeaders())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(known.GetStatus())
	if err == nil {
		_, _ = w.Write(data) // As above.
	}
}
