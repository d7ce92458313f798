package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
)

// Key is an API key without its secret.
type Key struct {
	ID      string         `json:"id"`
	Hint    *string        `json:"hint" doc:"The first characters of the secret; null for keys of the configuration."`
	Tenant  string         `json:"tenant"`
	Team    *string        `json:"team"`
	Agent   *string        `json:"agent"`
	User    *string        `json:"user"`
	Role    signalbox.Role `json:"role"`
	Static  bool           `json:"static" doc:"It comes from the configuration file."`
	Created *time.Time     `json:"created"`
	Revoked *time.Time     `json:"revoked"`
}

// NewKey is what a new key is bound to.
type NewKey struct {
	Tenant string         `json:"tenant" minLength:"1" maxLength:"128"`
	Team   string         `json:"team,omitempty" maxLength:"128"`
	Agent  string         `json:"agent,omitempty" maxLength:"128"`
	User   string         `json:"user,omitempty" maxLength:"128"`
	Role   signalbox.Role `json:"role" enum:"agent,developer,approver,auditor,operator,admin"`
}

// CreatedKey is a new key with its secret, which is shown this once.
type CreatedKey struct {
	Key
	Secret string `json:"secret"`
}

func (s *server) registerKeys(api huma.API) {
	readers := []signalbox.Role{signalbox.RoleAdmin, signalbox.RoleOperator, signalbox.RoleAuditor}
	huma.Register(api, operation("list-keys", http.MethodGet, "/keys", "API keys", readers...), s.listKeys)
	create := operation("create-key", http.MethodPost, "/keys", "Make an API key", signalbox.RoleAdmin)
	create.DefaultStatus = http.StatusCreated
	huma.Register(api, create, s.createKey)
	huma.Register(api, operation("revoke-key", http.MethodDelete, "/keys/{id}", "Revoke an API key", signalbox.RoleAdmin), s.revokeKey)
}

func keyRow(k signalbox.Key) Key {
	row := Key{
		ID: k.ID, Hint: OrNull(k.Hint), Tenant: k.Tenant, Team: OrNull(k.Team), Agent: OrNull(k.Agent), User: OrNull(k.User),
		Role: k.Role, Static: k.Static,
	}
	if !k.Created.IsZero() {
		row.Created = &k.Created
	}
	if !k.Revoked.IsZero() {
		row.Revoked = &k.Revoked
	}
	return row
}

// listKeys pages over the keys in memory, newest first; the cursor is the id of the last one shown.
func (s *server) listKeys(ctx context.Context, q *Paging) (*Body[Page[Key]], error) {
	all := s.Keys.List()
	slices.Reverse(all)
	if q.Cursor != "" {
		last := slices.IndexFunc(all, func(k signalbox.Key) bool { return k.ID == q.Cursor })
		if last < 0 {
			return nil, fail(callerOf(ctx), errCursor())
		}
		all = all[last+1:]
	}
	page := Page[Key]{Items: []Key{}, AsOf: s.Now().UTC()}
	if len(all) > q.Limit {
		all = all[:q.Limit]
		page.Next = cursor(all[q.Limit-1].ID)
	}
	for _, k := range all {
		page.Items = append(page.Items, keyRow(k))
	}
	return &Body[Page[Key]]{page}, nil
}

func (s *server) createKey(ctx context.Context, in *Body[NewKey]) (*Body[CreatedKey], error) {
	c := callerOf(ctx)
	b := in.Body
	if err := noSecrets(named{"tenant", b.Tenant}, named{"team", b.Team}, named{"agent", b.Agent}, named{"user", b.User}); err != nil {
		return nil, fail(c, err)
	}
	k, secret, err := s.Keys.Create(ctx, c.caller(), signalbox.Key{
		Tenant: in.Body.Tenant, Team: in.Body.Team, Agent: in.Body.Agent, User: in.Body.User, Role: in.Body.Role,
	})
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[CreatedKey]{CreatedKey{keyRow(k), secret}}, nil
}

func (s *server) revokeKey(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"128"`
},
) (*Body[Key], error) {
	c := callerOf(ctx)
	k, err := s.Keys.Revoke(ctx, c.caller(), in.ID)
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[Key]{keyRow(k)}, nil
}
