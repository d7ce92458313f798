package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/signalbox/signalbox"
)

// Bounds of budgets and limits. Sums of several of them stay far from overflowing.
const (
	MaxBudget      = 1_000_000_000 * signalbox.Dollar // Of money, also of an alert's threshold.
	MaxBudgetCount = 1_000_000_000_000_000            // Of tokens and steps.
	MaxLimit       = 1_000_000_000                    // Of requests and concurrency.
)

// The units and windows of budgets, and the units of limits. A second is too short to pay in.
var (
	budgetUnits = []signalbox.Unit{
		signalbox.UnitUSD, signalbox.UnitTokens, signalbox.UnitInputTokens, signalbox.UnitOutputTokens, signalbox.UnitSteps,
	}
	budgetWindows = []signalbox.Window{
		signalbox.WindowRun, signalbox.WindowMinute, signalbox.WindowHour, signalbox.WindowDay, signalbox.WindowWeek,
		signalbox.WindowMonth,
	}
	limitUnits   = []signalbox.Unit{signalbox.UnitRequests, signalbox.UnitConcurrent}
	limitWindows = []signalbox.Window{
		signalbox.WindowSecond, signalbox.WindowMinute, signalbox.WindowHour, signalbox.WindowDay, signalbox.WindowWeek,
		signalbox.WindowMonth,
	}
)

// counted is what two entries of one list must not have in common: they would be one account with two caps.
type counted map[signalbox.Budget]bool

// second reports an entry whose unit and window another one has.
func (c counted) second(s seen, b *signalbox.Budget, what string) {
	if b.Unit == "" || (b.Per == "" && b.Unit != signalbox.UnitConcurrent) {
		return // Reported already.
	}
	k := signalbox.Budget{Unit: b.Unit, Per: b.Per}
	if c[k] {
		s.r.problem(s.self, "a second "+what+" for the same unit and window", "keep one")
	}
	c[k] = true
}

// limitListTable reads limits of requests and concurrency.
func limitListTable(into *[]signalbox.Budget) value {
	given := counted{}
	return listOf(into, func(l *signalbox.Budget) value {
		return object{fields: []field{
			need("unit", "What is counted: requests started, or calls in flight.", oneOf(&l.Unit, limitUnits...).hinting(limitHint)),
			key("per", "The window in which requests are counted, by the tenant's calendar.", oneOf(&l.Per, limitWindows...)),
			need("max", "How many are allowed.", integer(&l.Max, 1, MaxLimit)),
		}, check: func(s seen) {
			checkLimit(s, l)
			given.second(s, l, "limit")
		}}
	})
}

func checkLimit(s seen, l *signalbox.Budget) {
	switch {
	case l.Unit == signalbox.UnitRequests && !s.has("per"):
		s.problem("per", "is missing", "add it: second, minute, hour, day, week or month")
	case l.Unit == signalbox.UnitConcurrent:
		s.refuse("calls in flight have no window", "per")
	}
}

func limitHint(text string) (fault, bool) {
	return fault{"is counted by a budget, not by a limit", "move it to `budgets`"}, slices.Contains(budgetUnits, signalbox.Unit(text))
}

// draft is a budget while it is read: how its amounts are read depends on its unit, which may stand after them.
type draft struct {
	budget    *signalbox.Budget
	max       written
	onOverrun string
}

// What an overrun does to its account.
const (
	overrunClose = "close"
	overrunKeep  = "keep"
)

// budgetListTable reads budgets of money, tokens and steps.
func budgetListTable(into *[]signalbox.Budget) value {
	given := counted{}
	return listOf(into, func(b *signalbox.Budget) value {
		b.OnCap = signalbox.OnCapRefuse
		d := &draft{budget: b}
		return object{fields: []field{
			need("unit", "What is counted: US dollars, tokens (all, or those of one direction), or steps of a run.", oneOf(&b.Unit, budgetUnits...).hinting(unitHint)),
			need("per", "The window: run, minute, hour, day, week or month, by the tenant's calendar.", oneOf(&b.Per, budgetWindows...).hinting(windowHint)),
			need("max", "The cap; US dollars with up to nine decimals, read exactly, or a whole number. 0 lets nothing pass.", amount{&d.max}),
			key("warn_at", "Part of max at which an alert is raised, such as 0.8.", thousandths(&b.WarnAt)),
			key("soft", "Only count and warn; nothing is refused for it.", boolean(&b.Soft)),
			key("on_cap", "What happens to a call whose bound does not fit: it is refused, or sent with a smaller max_tokens.", oneOf(&b.OnCap, signalbox.OnCapRefuse, signalbox.OnCapShrink)),
			key("min_output", "The smallest max_tokens that shrink may send; 256 without it.", integer(&b.MinOutput, 1, signalbox.MaxTokens)),
			key("on_overrun", "Whether a bill above the bound closes the account.", oneOf(&d.onOverrun, overrunClose, overrunKeep)),
		}, check: func(s seen) {
			d.check(s)
			given.second(s, b, "budget")
		}}
	})
}

// check reads what depends on the unit, and refuses what contradicts itself.
func (d *draft) check(s seen) {
	b := d.budget
	b.KeepOpen = d.onOverrun == overrunKeep
	if b.Unit == signalbox.UnitSteps && b.Per != "" && b.Per != signalbox.WindowRun {
		s.problem("per", "steps are counted in a run", "write per: run, or limit requests under `limits`")
	}
	if s.has("max") && d.max.given && b.Unit != "" {
		v, wrong := d.max.in(b.Unit)
		d.max.report(s.r, wrong)
		b.Max = v
	}
	d.checkShrink(s)
	if b.Soft {
		s.refuse("a soft budget refuses nothing and stays open", "on_cap", "min_output", "on_overrun")
	}
}

func (d *draft) checkShrink(s seen) {
	b := d.budget
	switch {
	case b.OnCap != signalbox.OnCapShrink:
		s.refuse("belongs to on_cap: shrink", "min_output")
		return
	case b.Unit == signalbox.UnitInputTokens || b.Unit == signalbox.UnitSteps:
		s.problem("on_cap", "a smaller max_tokens saves none of the "+string(b.Unit)+" of this budget", "use refuse")
	case b.Unit != signalbox.UnitUSD && b.Unit != "" && b.Max > 0 && b.MinOutput > b.Max:
		s.problem("min_output", "is more than max", "give a smaller one")
	}
	if !s.has("min_output") {
		b.MinOutput = signalbox.DefaultMinOutput
	}
}

// unitHint explains units that are none of a budget.
func unitHint(text string) (fault, bool) {
	if slices.Contains(limitUnits, signalbox.Unit(text)) {
		return fault{"is counted by a limit, not by a budget", "move it to `limits` of the tenant or key"}, true
	}
	switch currencyOf(text) {
	case domestic:
		return fault{"is not known here", "write unit: usd"}, !strings.EqualFold(text, string(signalbox.UnitUSD))
	case foreign:
		return fault{"is another currency: money is counted in US dollars", "write unit: usd, and convert max"}, true
	case noCurrency:
	}
	return fault{}, false
}

func windowHint(text string) (fault, bool) {
	return fault{"is too short for a budget", "use minute or more, or limit requests under `limits`"}, text == string(signalbox.WindowSecond)
}

// written is an amount as it stands in the file.
type written struct {
	scalar
	where place
	given bool
}

// report puts a problem at the amount, unless there is none.
func (w written) report(r *reader, wrong fault) {
	if wrong != (fault{}) {
		r.problem(w.where, w.shown()+" "+wrong.message, wrong.remedy)
	}
}

// amount is a value that is read later, see [written.in]. It may be in quotes.
type amount struct{ into *written }

func (v amount) read(r *reader, n ast.Node, field string) {
	if s, ok := r.scalar(n, field, "an amount"); ok {
		*v.into = written{s, r.place(n, field), true}
	}
}

func (v amount) schema() *schemaNode { return orVariable(moneySchema()) }

var digits = regexp.MustCompile(`^[0-9]+$`)

// in reads the amount as one of the unit. It says what is wrong, or gives no fault.
func (w written) in(unit signalbox.Unit) (int64, fault) {
	rest, negative := strings.CutPrefix(w.text, "-")
	switch c := currencyOf(w.text); {
	case c == foreign:
		return 0, fault{"is in another currency: money is counted in US dollars", "convert it, and write the number alone"}
	case c == domestic:
		return 0, fault{"is not a plain number", "write the number alone; it is in US dollars"}
	case negative && decimal.MatchString(rest):
		return 0, fault{"is negative", "give 0, which lets nothing pass, or more"}
	case unit == signalbox.UnitUSD:
		return inDollars(w.text)
	case !digits.MatchString(w.text):
		return 0, fault{"is not a whole number of " + string(unit), "write digits only, such as 50000"}
	}
	n, err := strconv.ParseInt(w.text, 10, 64)
	if err != nil || n > MaxBudgetCount {
		return 0, fault{"is too much", fmt.Sprintf("give at most %d", int64(MaxBudgetCount))}
	}
	return n, fault{}
}

// inDollars reads digits, never through a float.
func inDollars(text string) (int64, fault) {
	if !decimal.MatchString(text) {
		return 0, fault{"is not an amount of US dollars", "write a plain decimal number, such as 0.25"}
	}
	m, err := signalbox.ParseMoney(text)
	switch {
	case errors.Is(err, signalbox.ErrMoneyPrecision):
		return 0, fault{"has more than nine decimals", "round it; the smallest unit is a nano-dollar, 0.000000001"}
	case err != nil || m > MaxBudget:
		return 0, fault{"is too much", "give at most " + MaxBudget.String() + " US dollars"}
	}
	return int64(m), fault{}
}

// thousandths reads a fraction above 0, at most 1, in parts per thousand.
func thousandths(into *int64) value {
	parse := func(s string) (int64, error) {
		whole, fraction, _ := strings.Cut(s, ".")
		fraction = strings.TrimRight(fraction, "0")
		if !decimal.MatchString(s) || len(fraction) > 3 {
			return 0, strconv.ErrSyntax
		}
		n, err := strconv.ParseInt(whole+(fraction + "000")[:3], 10, 64)
		return n, within(n, 1, 1000, err)
	}
	shape := func() *schemaNode { return &schemaNode{Type: "number", Minimum: floatOf(0.001), Maximum: float(1)} }
	return parsed[int64]{into, "a fraction above 0 and at most 1, such as 0.8, with at most three decimals", true, parse, shape}
}
