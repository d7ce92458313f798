package serve

import (
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
	Models(models []Model, since time.Time) ([]byte, error)
	Model(m Model, since time.Time) ([]byte, error)
}

// Models serves GET /v1/models and GET /v1/models/{id} in the shape of one API. All fields are required.
type Models struct {
	API       Lister
	Door      Door
	Catalogue Catalogue
	Since     time.Time // What is given as the day on which models were created: nobody knows better.
	Now       func() time.Time
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
	body, err := m.body(key.Tenant, r.PathValue("id"))
	if err != nil {
		WriteError(w, m.API, signalbox.AsError(err), requestID)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(body) // A caller that is gone can not be told.
}

func (m *Models) body(tenant, id string) ([]byte, error) {
	models := m.Catalogue.Models(tenant)
	if id == "" {
		return m.API.Models(models, m.Since)
	}
	for _, model := range models {
		if model.ID == id {
			return m.API.Model(model, m.Since)
		}
	}
	return nil, signalbox.Errorf(signalbox.CodeNotFound, "There is no model %q for this tenant.", id).WithField("model").
		WithRemedy("GET /v1/models lists the models that can be asked for.")
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
