package main

import (
	"net/http"
	"net/url"
	"time"

	"github.com/signalbox/signalbox/internal/platform/server/api"
)

type sessionCmd struct {
	List   sessionListCmd   `cmd:"" help:"List the logins that are open: all for an admin, else one's own."`
	Revoke sessionRevokeCmd `cmd:"" help:"End a login."`
}

type sessionListCmd struct {
	remote
	format
}

// Run lists sessions.
func (k *sessionListCmd) Run(c *console) error {
	all, err := pages[api.SessionRow](c, k.remote, "/sessions", url.Values{"limit": {"500"}})
	if err != nil {
		return err
	}
	var rows [][]string
	for _, s := range all.Items {
		rows = append(rows, []string{
			s.ID, s.Tenant, string(s.Role), text(s.KeyID), plain(text(s.UserID)), s.Opened.Format(time.RFC3339),
			s.Expires.Format(time.RFC3339), text(s.Source),
		})
	}
	return k.print(c, all, []string{"ID", "TENANT", "ROLE", "KEY", "USER", "OPENED", "EXPIRES", "SOURCE"}, rows)
}

type sessionRevokeCmd struct {
	remote
	format
	ID string `arg:"" help:"The session's id."`
}

// revoked says what was ended.
type revoked struct {
	ID string `json:"id"`
}

// Run ends a session.
func (k *sessionRevokeCmd) Run(c *console) error {
	if err := k.do(c.ctx, http.MethodPost, "/sessions/"+url.PathEscape(k.ID)+"/revoke", nil, nil); err != nil {
		return err
	}
	return k.print(c, revoked{k.ID}, []string{"REVOKED"}, [][]string{{k.ID}})
}
