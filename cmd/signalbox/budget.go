package main

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/signalbox/signalbox/internal/platform/server/api"
)

type budgetCmd struct {
	List   budgetListCmd   `cmd:"" help:"List accounts with their caps, what is settled, held and left."`
	Reopen budgetReopenCmd `cmd:"" help:"Let an account take holds again that an overrun has closed."`
}

type budgetListCmd struct {
	remote
	format
	Tenant string `help:"Only of this tenant."`
	Kind   string `enum:",tenant,team,key,agent,permission,run,run_agent,planned,planned_normal,planned_optional,reserve" default:"" help:"Only accounts of this kind: ${enum}."`
	OfRun  string `name:"run" help:"Only of this run."`
	Past   bool   `help:"Windows that are over too, and only what was used."`
}

// Run lists all accounts that the filters leave.
func (k *budgetListCmd) Run(c *console) error {
	q := tenantQuery(k.Tenant)
	q.Set("limit", "500")
	q.Set("current", strconv.FormatBool(!k.Past))
	for name, value := range map[string]string{"kind": k.Kind, "run": k.OfRun} {
		if value != "" {
			q.Set(name, value)
		}
	}
	all, err := pages[api.Account](c, k.remote, "/accounts", q)
	if err != nil {
		return err
	}
	return k.print(c, all, accountHeading, accountLines(all.Items))
}

// pages reads a whole list.
func pages[T any](c *console, r remote, path string, q url.Values) (api.Page[T], error) {
	all := api.Page[T]{Items: []T{}}
	for {
		var page api.Page[T]
		if err := r.get(c.ctx, path, q, &page); err != nil {
			return all, err
		}
		all.Items, all.AsOf = append(all.Items, page.Items...), page.AsOf
		if page.Next == nil {
			return all, nil
		}
		q.Set("cursor", *page.Next)
	}
}

var accountHeading = []string{"ACCOUNT", "CAP", "SETTLED", "HELD", "LEFT", "RESETS", "STATE"}

func accountLines(list []api.Account) [][]string {
	var rows [][]string
	for _, a := range list {
		resets := "-"
		if a.ResetsAt != nil {
			resets = a.ResetsAt.Format(time.RFC3339)
		}
		rows = append(rows, []string{a.Account, text(a.Cap), a.Settled, a.Held, text(a.Left), resets, accountState(a)})
	}
	return rows
}

func accountState(a api.Account) string {
	switch {
	case a.Closed:
		return "closed"
	case a.Cap == nil:
		return "counts"
	case a.Soft:
		return "soft"
	}
	return "open"
}

type budgetReopenCmd struct {
	remote
	format
	Account string `arg:"" help:"The account, in quotes, as budget list shows it."`
}

// Run reopens an account.
func (k *budgetReopenCmd) Run(c *console) error {
	var a api.Account
	if err := k.do(c.ctx, http.MethodPost, "/accounts/reopen", api.AccountName{Account: k.Account}, &a); err != nil {
		return err
	}
	return k.print(c, a, accountHeading, accountLines([]api.Account{a}))
}
