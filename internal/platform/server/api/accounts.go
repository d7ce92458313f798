package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
)

// Accounts reads the ledger's accounts. List gives a page in the order of identities and the cursor of the next one, ""
// at the end; what is over has no cap where no budget names it any more. Reopen lets an account take holds again that an
// overrun has closed, and changes nothing where it is open. Errors are of code not_found, invalid (a bad cursor) or
// unavailable. Safe for concurrent use.
type Accounts interface {
	List(ctx context.Context, f AccountFilter) (items []Standing, next string, err error)
	Reopen(ctx context.Context, by signalbox.Caller, account string) (Standing, error)
}

// AccountFilter chooses accounts of a list. A zero field does not restrict.
type AccountFilter struct {
	Tenants []string // Nil is all tenants; empty and not nil is none.
	Kind    signalbox.OwnerKind
	Run     string // Accounts of this run only: all of them, used or not.
	Current bool   // Of budgets in force in windows that are running now and of open runs, used or not; else what was used ever.
	Cursor  string
	Limit   int
}

// Standing is where an account stands, and the budget that counts for it.
type Standing struct {
	signalbox.AccountView
	Budget  signalbox.Budget // Max is [signalbox.NoCap] where the account only counts.
	ResetAt time.Time        // End of the window; zero where there is none.
}

// Account is a row of the list of accounts. Amounts are decimal strings in the account's unit.
type Account struct {
	Account  string              `json:"account" doc:"Its identity."`
	Kind     signalbox.OwnerKind `json:"kind" enum:"tenant,team,key,agent,permission,run,run_agent,planned,planned_normal,planned_optional,reserve"`
	Tenant   string              `json:"tenant"`
	Team     *string             `json:"team"`
	KeyID    *string             `json:"key_id"`
	Agent    *string             `json:"agent_id"`
	Run      *string             `json:"run_id"`
	Unit     signalbox.Unit      `json:"unit" enum:"usd,tokens,input_tokens,output_tokens,requests,steps,concurrent"`
	Per      *signalbox.Window   `json:"per" enum:"run,second,minute,hour,day,week,month" doc:"Null for calls in flight."`
	StartsAt *time.Time          `json:"starts_at"`
	ResetsAt *time.Time          `json:"resets_at" doc:"Null for a run's life and for calls in flight."`
	Cap      *string             `json:"cap" doc:"In the unit: US dollars, or a whole number. Null where it only counts."`
	Settled  string              `json:"settled"`
	Held     string              `json:"held"`
	Left     *string             `json:"left" doc:"Negative after an overrun."`
	Soft     bool                `json:"soft" doc:"Nothing is refused for it."`
	Closed   bool                `json:"closed" doc:"A provider billed above the bound; it takes nothing until it is reopened."`
	OnCap    *signalbox.OnCap    `json:"on_cap" enum:"refuse,shrink"`
}

// AccountQuery are the filters of the list of accounts.
type AccountQuery struct {
	Paging
	Tenant  string `query:"tenant" maxLength:"128"`
	Kind    string `query:"kind" enum:"tenant,team,key,agent,permission,run,run_agent,planned,planned_normal,planned_optional,reserve"`
	Run     string `query:"run" maxLength:"128"`
	Current bool   `query:"current" default:"true" doc:"Accounts of budgets in force, in windows that are running now, and of open runs, used or not. False: all that were used, past windows too."`
}

// AccountName names an account.
type AccountName struct {
	Account string `json:"account" minLength:"1" maxLength:"1024" doc:"Its identity, as the list has it."`
}

func (s *server) registerAccounts(api huma.API) {
	huma.Register(api, operation("list-accounts", http.MethodGet, "/accounts", "Accounts of the ledger, by kind and name"), s.listAccounts)
	huma.Register(api, operation("reopen-account", http.MethodPost, "/accounts/reopen",
		"Let an account take holds again that an overrun has closed", signalbox.RoleOperator, signalbox.RoleAdmin), s.reopenAccount)
}

func (s *server) listAccounts(ctx context.Context, q *AccountQuery) (*Body[Page[Account]], error) {
	c := callerOf(ctx)
	list, next, err := s.Accounts.List(ctx, AccountFilter{
		Tenants: c.narrow(q.Tenant), Kind: signalbox.OwnerKind(q.Kind), Run: q.Run, Current: q.Current, Cursor: q.Cursor, Limit: q.Limit,
	})
	if err != nil {
		return nil, fail(c, err)
	}
	page := Page[Account]{Items: []Account{}, Next: cursor(next), AsOf: s.Now().UTC()}
	for i := range list {
		page.Items = append(page.Items, accountRow(&list[i]))
	}
	return &Body[Page[Account]]{page}, nil
}

// allAccounts reads all pages.
func (s *server) allAccounts(ctx context.Context, f AccountFilter) ([]Account, error) {
	rows := []Account{}
	f.Limit = signalbox.MaxPage
	for {
		list, next, err := s.Accounts.List(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range list {
			rows = append(rows, accountRow(&list[i]))
		}
		if next == "" {
			return rows, nil
		}
		f.Cursor = next
	}
}

func accountRow(x *Standing) Account {
	a := x.Account
	row := Account{
		Account: a.String(), Kind: a.Kind, Tenant: a.Tenant, Unit: a.Unit, Per: OrNull(a.Per), Settled: amount(a.Unit, x.Settled),
		Held: amount(a.Unit, x.Held), Soft: x.Budget.Soft, Closed: x.Closed,
	}
	row.owner(a)
	if !a.Start.IsZero() {
		row.StartsAt = &a.Start
	}
	if !x.ResetAt.IsZero() {
		row.ResetsAt = &x.ResetAt
	}
	if x.Budget.Max == signalbox.NoCap {
		return row
	}
	most, left, on := amount(a.Unit, x.Budget.Max), amount(a.Unit, left(x)), x.Budget.OnCap
	if on == "" {
		on = signalbox.OnCapRefuse
	}
	row.Cap, row.Left, row.OnCap = &most, &left, &on
	return row
}

// left is what the cap leaves; it saturates.
func left(x *Standing) int64 {
	used := signalbox.Money(x.Settled).Plus(signalbox.Money(x.Held))
	return int64(signalbox.Money(x.Budget.Max).Plus(-used))
}

func (r *Account) owner(a signalbox.Account) {
	name := OrNull(a.Name)
	switch a.Kind {
	case signalbox.OwnerTeam:
		r.Team = name
	case signalbox.OwnerKey:
		r.KeyID = name
	case signalbox.OwnerAgent, signalbox.OwnerPermission:
		r.Agent = name
	case signalbox.OwnerRun, signalbox.OwnerRunAgent, signalbox.OwnerPlanned, signalbox.OwnerPlannedNormal,
		signalbox.OwnerPlannedOptional, signalbox.OwnerReserve:
		r.Run, r.Agent = name, OrNull(a.Agent)
	case signalbox.OwnerTenant:
	}
}

// amount writes an amount in a unit.
func amount(u signalbox.Unit, n int64) string {
	if u == signalbox.UnitUSD {
		return signalbox.Money(n).String()
	}
	return strconv.FormatInt(n, 10)
}

func (s *server) reopenAccount(ctx context.Context, in *Body[AccountName]) (*Body[Account], error) {
	c := callerOf(ctx)
	x, err := s.Accounts.Reopen(ctx, c.caller(), in.Body.Account)
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[Account]{accountRow(&x)}, nil
}
