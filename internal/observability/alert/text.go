package alert

import (
	"fmt"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// raisedOf makes the alert of a rule, and the brake it sets.
func raisedOf(id string, r *signalbox.AlertRule, o *Observation, m measured) Raised {
	a := signalbox.Alert{
		ID: id, Rule: r.ID, Level: r.Level, Action: r.Action, Per: r.Per, Tenant: o.Tenant, Run: o.Run, Agent: o.Agent,
		Call: o.Call, Account: m.total.Account, Threshold: int64(r.Threshold), Value: int64(m.value), Raised: o.Now,
	}
	brake := brakeOf(&a, m.total)
	a.Text = textOf(&a, o, m, brake)
	if brake != nil {
		brake.Reason = a.Text
	}
	return Raised{Alert: a, Brake: brake, Channels: r.Channels}
}

// brakeOf gives the brake that an alert sets: on its run, or on the tenant until the window ends. Nil where the action
// sets none, where there is no run, and where the window is over.
func brakeOf(a *signalbox.Alert, total Total) *signalbox.Brake {
	b := &signalbox.Brake{ID: a.ID, Tenant: a.Tenant, Since: a.Raised}
	switch a.Action {
	case signalbox.ActionThrottle:
		b.Kind = signalbox.BrakeThrottle
	case signalbox.ActionHalt:
		b.Kind = signalbox.BrakeHalt
	case signalbox.ActionLog, signalbox.ActionNotify:
		return nil
	default:
		return nil
	}
	if ofRun(a.Per) {
		b.Run = a.Run
		if a.Run == "" {
			return nil
		}
		return b
	}
	b.Until = total.End
	if !a.Raised.Before(total.End) {
		return nil
	}
	return b
}

// ofRun reports whether a brake of the scope is one on a run.
func ofRun(per signalbox.AlertScope) bool {
	return per == signalbox.AlertPerRequest || per == signalbox.AlertPerRun
}

// textOf says in a sentence or two what happened.
func textOf(a *signalbox.Alert, o *Observation, m measured, brake *signalbox.Brake) string {
	var subject string
	switch {
	case a.Per == signalbox.AlertPerRequest:
		subject = "A request" + by(a.Agent)
	case m.single:
		subject = "A call without a run" + by(a.Agent)
	case a.Per == signalbox.AlertPerRun:
		subject = fmt.Sprintf("Run %q", a.Run)
	default:
		subject = fmt.Sprintf("Tenant %q in this %s", a.Tenant, a.Per)
	}
	so := ""
	if o.Running {
		so = ", as estimated while its answer streams"
	}
	return fmt.Sprintf("%s has cost %s USD%s: more than the %s USD of rule %q.%s",
		subject, m.value, so, signalbox.Money(a.Threshold), a.Rule, consequence(a, o.Running && m.single, brake))
}

func by(agent string) string {
	if agent == "" {
		return ""
	}
	return fmt.Sprintf(" of agent %q", agent)
}

// consequence says what the action has done.
func consequence(a *signalbox.Alert, running bool, brake *signalbox.Brake) string {
	what := "throttled: cheaper models are used where one is declared"
	switch {
	case a.Action != signalbox.ActionThrottle && a.Action != signalbox.ActionHalt:
		return ""
	case a.Action == signalbox.ActionHalt:
		what = "halted"
	}
	switch {
	case brake != nil && brake.Run != "":
		return fmt.Sprintf(" Run %q is %s.", brake.Run, what)
	case brake != nil:
		return fmt.Sprintf(" The tenant is %s, until %s.", what, brake.Until.UTC().Format("2006-01-02 15:04 MST"))
	case ofRun(a.Per) && running && a.Action == signalbox.ActionHalt:
		return " The call is stopped."
	case ofRun(a.Per):
		return " It belongs to no run, so that nothing further could be stopped or slowed."
	}
	return " The window is over, so that nothing was stopped or slowed."
}

// budgetOf makes the alert about an account.
func budgetOf(id string, o *Observation, b call.Balance, account string, level signalbox.AlertLevel, threshold int64) Raised {
	verb := "has reached the part at which it warns"
	if level == signalbox.AlertCritical {
		verb = "is exceeded; it is soft, so that calls go on"
	}
	return Raised{Alert: signalbox.Alert{
		ID: id, Rule: RuleBudget, Level: level, Action: signalbox.ActionNotify, Per: signalbox.AlertScope(b.Account.Per),
		Tenant: o.Tenant, Run: o.Run, Agent: o.Agent, Call: o.Call, Account: account, Threshold: threshold, Value: b.Settled,
		Raised: o.Now,
		Text: fmt.Sprintf("The budget of %s per %s %s: %s of %s are used.",
			owner(b.Account), b.Account.Per, verb, amount(b.Account.Unit, b.Settled), amount(b.Account.Unit, b.Cap)),
	}}
}

// owner names whose an account is.
func owner(a signalbox.Account) string {
	switch a.Kind {
	case signalbox.OwnerTenant:
		return fmt.Sprintf("tenant %q", a.Tenant)
	case signalbox.OwnerRunAgent:
		return fmt.Sprintf("agent %q in run %q", a.Agent, a.Name)
	case signalbox.OwnerPermission:
		return fmt.Sprintf("agent %q for %s", a.Name, a.Agent)
	case signalbox.OwnerPlanned:
		return fmt.Sprintf("run %q for first attempts", a.Name)
	case signalbox.OwnerPlannedNormal:
		return fmt.Sprintf("run %q beyond what is kept for critical agents", a.Name)
	case signalbox.OwnerPlannedOptional:
		return fmt.Sprintf("run %q beyond what is kept for critical and normal agents", a.Name)
	case signalbox.OwnerReserve:
		return fmt.Sprintf("run %q for further attempts", a.Name)
	case signalbox.OwnerTeam, signalbox.OwnerKey, signalbox.OwnerAgent, signalbox.OwnerRun:
	}
	return fmt.Sprintf("%s %q", a.Kind, a.Name)
}

// amount writes an amount in its unit.
func amount(unit signalbox.Unit, n int64) string {
	if unit == signalbox.UnitUSD {
		return signalbox.Money(n).String() + " USD"
	}
	return fmt.Sprintf("%d %s", n, strings.ReplaceAll(string(unit), "_", " "))
}

// overrunOf makes the alert about an attempt that was billed above what was held.
func overrunOf(o *Observation, x Overrun) Raised {
	closed, account := "", ""
	if len(o.Closed) > 0 {
		closed = fmt.Sprintf(" Closed until an operator opens them again: %s.", strings.Join(o.Closed, "; "))
		account = o.Closed[0]
	}
	return Raised{Alert: signalbox.Alert{
		ID: digest(RuleOverrun, o.Tenant, o.Call, fmt.Sprint(x.Attempt)).id(0), Rule: RuleOverrun,
		Level: signalbox.AlertCritical, Action: signalbox.ActionNotify, Per: signalbox.AlertPerRequest, Tenant: o.Tenant,
		Run: o.Run, Agent: o.Agent, Call: o.Call, Account: account, Threshold: int64(x.Held), Value: int64(x.Cost), Raised: o.Now,
		Text: fmt.Sprintf("Attempt %d of a call%s was billed %s USD, more than the %s USD that were held for it; it is booked in full.%s",
			x.Attempt, by(o.Agent), x.Cost, x.Held, closed),
	}}
}
