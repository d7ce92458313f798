package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/budget"
)

// retrySoon is when a retry makes sense where room may come back any time.
const retrySoon = 2 * time.Second

// refusal is the error of an ask that was refused.
func (l *Ledger) refusal(ctx context.Context, v verdict) error {
	switch v.reason {
	case withdrawn:
		return signalbox.AsError(context.Cause(ctx))
	case unreachable:
		return errUnreachable(v.cause)
	case full:
		return signalbox.Errorf(signalbox.CodeRateLimited, "%d calls wait for room in budgets already.", l.MaxWaiting).
			WithRemedy("Retry after the time given.").WithRetryAfter(retrySoon)
	case fits, unread, short, never, closed:
	}
	if gated(v.by.name.Unit) {
		return v.limitError(l.Now())
	}
	if v.reason.lasting() {
		return v.exhaustedError()
	}
	return v.shortError(l.Now())
}

// limitError is the refusal of a limit of requests or concurrency.
func (v *verdict) limitError(now time.Time) error {
	remedy, after := "Retry after the time given, or ask an admin for a higher limit.", time.Second
	if v.by.name.Unit == signalbox.UnitConcurrent {
		remedy = "Wait for an earlier call to end, or ask an admin for a higher limit."
	} else if at := v.term.line.ResetAt; !at.IsZero() {
		after = max(at.Sub(now), after)
	}
	if v.by.name.Kind == signalbox.OwnerPermission && v.permission != "" {
		path, _, _ := strings.Cut(v.permission, " (")
		return signalbox.Errorf(signalbox.CodeRateLimited, "The limit of %s is reached, which %s sets.", describe(v.term.line), v.permission).
			WithField(path + ".rate_limit").WithRemedy(remedy).WithRetryAfter(after)
	}
	return signalbox.Errorf(signalbox.CodeRateLimited, "The limit of %s is reached.", describe(v.term.line)).
		WithRemedy(remedy).WithRetryAfter(after)
}

// exhaustedError is the refusal of an account that will have no room in this window.
func (v *verdict) exhaustedError() error {
	e := signalbox.Errorf(signalbox.CodeBudgetExhausted, "The budget of %s %s; %s%s",
		describe(v.term.line), v.why(), v.figures(), v.resets())
	if v.reason == closed {
		return e.WithRemedy("An admin must look at the overrun and open the account again.")
	}
	return e.WithRemedy("Lower max_tokens, wait for the reset if there is one, or ask an admin for a higher budget.")
}

func (v *verdict) why() string {
	switch k := v.by.name.Kind; {
	case v.reason == closed:
		return "is closed because a provider billed more than its bound"
	case k == signalbox.OwnerPlannedNormal || k == signalbox.OwnerPlannedOptional:
		return "has no room for this call, and the rest of its plan is kept for agents of a higher priority"
	}
	return "has no room for this call"
}

// shortError is the refusal of an account whose room is held by others.
func (v *verdict) shortError(now time.Time) error {
	after := retrySoon
	if at := v.term.line.ResetAt; !at.IsZero() {
		after = max(min(after, at.Sub(now)), time.Second)
	}
	return signalbox.Errorf(signalbox.CodeRateLimited, "The budget of %s is held by other calls; %s%s",
		describe(v.term.line), v.figures(), v.resets()).
		WithRemedy("Retry after the time given: what they do not use comes back.").WithRetryAfter(after)
}

func (v *verdict) figures() string {
	u := v.term.account.name.Unit
	return fmt.Sprintf("%s settled, %s held, and this call needs up to %s.",
		amount(u, v.snap.AllSettled), amount(u, v.snap.AllHeld), amount(u, v.term.amount))
}

func (v *verdict) resets() string {
	at := v.term.line.ResetAt
	if at.IsZero() {
		return ""
	}
	return " It resets at " + at.UTC().Format(time.RFC3339) + "."
}

// describe names a line's budget: "100 USD per day of tenant acme".
func describe(l *budget.Line) string {
	what := amount(l.Account.Unit, l.Budget.Max)
	switch l.Account.Per {
	case signalbox.WindowNone, signalbox.WindowRun:
	case signalbox.WindowSecond, signalbox.WindowMinute, signalbox.WindowHour, signalbox.WindowDay, signalbox.WindowWeek,
		signalbox.WindowMonth:
		what += " per " + string(l.Account.Per)
	}
	return what + " of " + owner(l.Account)
}

func owner(a signalbox.Account) string {
	switch a.Kind {
	case signalbox.OwnerTenant:
		return "tenant " + a.Tenant
	case signalbox.OwnerRunAgent:
		return "agent " + a.Agent + " in run " + a.Name
	case signalbox.OwnerPermission:
		return "agent " + a.Name + " for " + a.Agent
	case signalbox.OwnerPlanned:
		return "the plan of run " + a.Name + " without its reserve"
	case signalbox.OwnerPlannedNormal:
		return "run " + a.Name + " for agents of a lower priority than critical"
	case signalbox.OwnerPlannedOptional:
		return "run " + a.Name + " for agents of the lowest priority"
	case signalbox.OwnerReserve:
		return "the reserve of run " + a.Name
	case signalbox.OwnerTeam, signalbox.OwnerKey, signalbox.OwnerAgent, signalbox.OwnerRun:
	}
	return string(a.Kind) + " " + a.Name
}

// amount gives a number in the words of its unit.
func amount(u signalbox.Unit, n int64) string {
	switch u {
	case signalbox.UnitUSD:
		return signalbox.Money(n).String() + " USD"
	case signalbox.UnitInputTokens:
		return fmt.Sprintf("%d input tokens", n)
	case signalbox.UnitOutputTokens:
		return fmt.Sprintf("%d output tokens", n)
	case signalbox.UnitConcurrent:
		return fmt.Sprintf("%d concurrent calls", n)
	case signalbox.UnitTokens, signalbox.UnitRequests, signalbox.UnitSteps:
	}
	return fmt.Sprintf("%d %s", n, u)
}

var errNoAnswer = errors.New("it did not answer in time")

func errUnreachable(cause error) error {
	if cause == nil {
		cause = errNoAnswer
	}
	var e *signalbox.Error
	if errors.As(cause, &e) && e.Code == signalbox.CodeUnavailable {
		return e
	}
	return signalbox.Errorf(signalbox.CodeUnavailable, "What this call pays from can not be read; without that nothing leaves.").
		WithRemedy("Retry shortly; the operator finds the reason in the health report.").
		WithRetryAfter(time.Second).WithCause(cause)
}

func errClosed() error {
	return signalbox.Errorf(signalbox.CodeUnavailable, "Signalbox is stopping and takes no more calls.").
		WithRemedy("Retry shortly.").WithRetryAfter(time.Second)
}

func errUnpriced(c signalbox.Candidate) error {
	return signalbox.Errorf(signalbox.CodeUnpriced, "Nobody knows what model %q costs, so it can not be held against a budget.", c.Name).
		WithField("models." + c.Name + ".price").
		WithRemedy("Set models." + c.Name + ".price, or allow_unpriced for the tenant.")
}

func errForeignRun(id string) error {
	return signalbox.Errorf(signalbox.CodeForbidden, "Run %s was opened with another key.", id).
		WithField("X-Signalbox-Run").WithRemedy("Use the key that opened it, or open a run with this one.")
}

func errHalted(id string) error {
	return signalbox.Errorf(signalbox.CodeFrozen, "Run %s is halted.", id).
		WithField("X-Signalbox-Run").WithRemedy("An operator can resume it.")
}

func errOverRun(id string, state signalbox.RunState) error {
	return signalbox.Errorf(signalbox.CodeConflict, "Run %s has %s and takes no more calls.", id, state).
		WithField("X-Signalbox-Run").WithRemedy("Open another run.")
}
