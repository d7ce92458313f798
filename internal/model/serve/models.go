package serve

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// Model is a name that a caller may ask for.
type Model struct {
	ID    string // Of a model or route.
	Owner string // The provider's id in the configuration; "signalbox" for routes.
}

// Catalogue knows what tenants may ask for. It is safe for concurrent use.
type Catalogue interface {
	// Models lists what a tenant may ask for, sorted by id.
	Models(tenant string) []Model
}

// Lister is an API that lists models.
type Lister interface {
	API
	// Models writes the list; policy says why it is empty where the policy hides all there is, and is "" otherwise.
	Models(models []Model, since time.Time, policy string) ([]byte, error)
	Model(m Model, since time.Time) ([]byte, error)
}

// Visible decides whether a list shows a model to a caller. Where it does not, rule names what hides it, for people. It is
// safe for concurrent use.
type Visible func(caller signalbox.Caller, model string) (shown bool, rule string)

// HeaderAgent is the header in which a caller whose key is bound to no agent names one.
const HeaderAgent = "X-Signalbox-Agent"

// Models serves GET /v1/models and GET /v1/models/{id} in the shape of one API. All fields but Visible are required. A list
// decides nothing: a call is judged by the stations, whatever was listed.
type Models struct {
	API       Lister
	Door      Door
	Catalogue Catalogue
	Since     time.Time // What is given as the day on which models were created: nobody knows better.
	Now       func() time.Time
	Visible   Visible // Nil: all of the tenant's models are shown to all of its callers.
}

// ServeHTTP lists the models of the caller's tenant, or shows the one whose id is in the path value "id".
func (m *Models) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := requestID(r, m.Now)
	setRequestID(w.Header(), m.API.Protocol(), requestID)
	key, err := m.Door.Authenticate(w, r)
	if err != nil {
		WriteError(w, m.API, signalbox.AsError(err), requestID)
		return
	}
	body, err := m.body(callerOf(key, r.Header), r.PathValue("id"))
	if err != nil {
		WriteError(w, m.API, signalbox.AsError(err), requestID)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(body) // A caller that is gone can not be told.
}

// callerOf is who asks. What a key is bound to wins; a list is no call that a contradiction could be refused for.
func callerOf(key signalbox.Key, h http.Header) signalbox.Caller {
	caller := signalbox.Caller{
		Tenant: key.Tenant, Team: key.Team, Key: key.ID, Role: key.Role, Agent: key.Agent, User: key.User,
	}
	if named := h.Get(HeaderAgent); caller.Agent == "" && signalbox.ValidID(named) {
		caller.Agent = named
	}
	return caller
}

func (m *Models) body(caller signalbox.Caller, id string) ([]byte, error) {
	models := m.Catalogue.Models(caller.Tenant)
	if id == "" {
		shown, rule := m.shown(caller, models)
		return m.API.Models(shown, m.Since, rule)
	}
	for _, model := range models {
		if model.ID == id {
			return m.one(caller, model)
		}
	}
	return nil, signalbox.Errorf(signalbox.CodeNotFound, "There is no model %q for this tenant.", id).WithField("model").
		WithRemedy("GET /v1/models lists the models that can be asked for.")
}

// one gives a model of the tenant.
func (m *Models) one(caller signalbox.Caller, model Model) ([]byte, error) {
	if m.Visible != nil {
		if ok, rule := m.Visible(caller, model.ID); !ok {
			return nil, signalbox.Errorf(signalbox.CodeForbidden, "The policy does not let this caller use the model %q: %s.", model.ID, rule).
				WithField("model").WithRemedy("GET /v1/models lists the models that can be asked for.")
		}
	}
	return m.API.Model(model, m.Since)
}

// shown gives the models that the caller may see and, where these are none of some, the first rule that hides one.
func (m *Models) shown(caller signalbox.Caller, models []Model) (shown []Model, rule string) {
	if m.Visible == nil {
		return models, ""
	}
	for _, model := range models {
		ok, why := m.Visible(caller, model.ID)
		if ok {
			shown = append(shown, model)
		}
		rule = cmp.Or(rule, why)
	}
	if len(shown) > 0 || len(models) == 0 {
		return shown, ""
	}
	return nil, "The policy shows no model to this caller: " + cmp.Or(rule, "no rule permits one")
}

// Headers picks the headers of these names (in lower case) out of h; several lines of one header are joined. It is nil
// where there are none.
func Headers(h http.Header, names []string) map[string]string {
	var picked map[string]string
	for _, name := range names {
		values := h.Values(name)
		if len(values) == 0 {
			continue
		}
		if picked == nil {
			picked = map[string]string{}
		}
		picked[name] = strings.Join(values, ",")
	}
	return picked
}
