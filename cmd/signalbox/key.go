package main

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

type keyCmd struct {
	Create keyCreateCmd `cmd:"" help:"Make a key; its secret is shown this once."`
	List   keyListCmd   `cmd:"" help:"List keys."`
	Revoke keyRevokeCmd `cmd:"" help:"Revoke a key at once."`
}

type keyCreateCmd struct {
	remote
	format
	Tenant string         `required:"" help:"Tenant the key belongs to."`
	Team   string         `help:"Team the key belongs to."`
	Agent  string         `help:"Agent the key is bound to; without it a header may name one."`
	User   string         `help:"User the key is bound to; without it a header may name one."`
	Role   signalbox.Role `default:"agent" enum:"agent,developer,approver,auditor,operator,admin" help:"${enum}"`
}

// Run makes a key.
func (k *keyCreateCmd) Run(c *console) error {
	var made api.CreatedKey
	err := k.do(c.ctx, http.MethodPost, "/keys", api.NewKey{
		Tenant: k.Tenant, Team: k.Team, Agent: k.Agent, User: k.User, Role: k.Role,
	}, &made)
	if err != nil {
		return err
	}
	if err := k.print(c, made, []string{"ID", "SECRET"}, [][]string{{made.ID, made.Secret}}); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.errOut, "The secret is not stored and can not be shown again.")
	return err
}

type keyListCmd struct {
	remote
	format
	Limit int `default:"50" help:"Keys to show, newest first."`
}

// Run lists keys.
func (k *keyListCmd) Run(c *console) error {
	var page api.Page[api.Key]
	if err := k.get(c.ctx, "/keys", url.Values{"limit": {fmt.Sprint(k.Limit)}}, &page); err != nil {
		return err
	}
	var rows [][]string
	for _, key := range page.Items {
		rows = append(rows, []string{
			key.ID, text(key.Hint), key.Tenant, text(key.Team), text(key.Agent), text(key.User), string(key.Role), keyState(key),
		})
	}
	return k.print(c, page, []string{"ID", "HINT", "TENANT", "TEAM", "AGENT", "USER", "ROLE", "STATE"}, rows)
}

func keyState(k api.Key) string {
	switch {
	case k.Revoked != nil:
		return "revoked " + k.Revoked.Format(time.RFC3339)
	case k.Static:
		return "static"
	}
	return "good"
}

type keyRevokeCmd struct {
	remote
	ID string `arg:"" help:"The key's id, as key list shows it."`
}

// Run revokes a key.
func (k *keyRevokeCmd) Run(c *console) error {
	var key api.Key
	if err := k.do(c.ctx, http.MethodDelete, "/keys/"+url.PathEscape(k.ID), nil, &key); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.out, "%s %s\n", key.ID, keyState(key))
	return err
}
