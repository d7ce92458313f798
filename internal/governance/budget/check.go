package budget

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
)

// MaxBudgets is the most budgets that one owner can have.
const MaxBudgets = 64

// CheckAll checks an owner's budgets: each by itself ([Check]), their number, and that no two are for one unit and
// window. The field of an error begins with the name given: "budgets[1].max".
func CheckAll(field string, list []signalbox.Budget) *signalbox.Error {
	if len(list) > MaxBudgets {
		return invalid(field, "There are %d budgets; %d are allowed.", len(list), MaxBudgets).
			WithRemedy("Remove those that others make needless.")
	}
	for i, b := range list {
		at := fmt.Sprintf("%s[%d]", field, i)
		if err := Check(b); err != nil {
			return err.WithField(at + "." + err.Field)
		}
		first := slices.IndexFunc(list, func(o signalbox.Budget) bool { return o.Unit == b.Unit && o.Per == b.Per })
		if first < i {
			return invalid(at, "A second budget of %s, like %s[%d].", what(b), field, first).WithRemedy("Keep one.")
		}
	}
	return nil
}

// what names the unit and window of a budget: "usd per day".
func what(b signalbox.Budget) string {
	if b.Per == signalbox.WindowNone {
		return string(b.Unit)
	}
	return string(b.Unit) + " per " + string(b.Per)
}

// Check says what is wrong with a budget that somebody asks for: an error with code invalid, whose field is the budget's
// member as in JSON; nil where it can be kept. A cap of 0 is good: nothing passes.
func Check(b signalbox.Budget) *signalbox.Error {
	for _, check := range []func(signalbox.Budget) *signalbox.Error{checkUnit, checkWindow, checkMax, checkCap} {
		if err := check(b); err != nil {
			return err
		}
	}
	return nil
}

func checkUnit(b signalbox.Budget) *signalbox.Error {
	switch {
	case b.Unit == "":
		return invalid("unit", "The unit is missing.").WithRemedy("Use " + oneOf(signalbox.Units()) + ".")
	case !slices.Contains(signalbox.Units(), b.Unit):
		return invalid("unit", "%q is not a unit.", clip(string(b.Unit))).WithRemedy("Use " + oneOf(signalbox.Units()) + ".")
	}
	return nil
}

func checkWindow(b signalbox.Budget) *signalbox.Error {
	switch {
	case b.Unit == signalbox.UnitConcurrent && b.Per != signalbox.WindowNone:
		return invalid("per", "Calls in flight have no window.").WithRemedy("Remove it.")
	case b.Unit == signalbox.UnitConcurrent:
		return nil
	case b.Per == signalbox.WindowNone:
		return invalid("per", "The window is missing.").WithRemedy("Use " + oneOf(signalbox.Windows()) + ".")
	case !slices.Contains(signalbox.Windows(), b.Per):
		return invalid("per", "%q is not a window.", clip(string(b.Per))).WithRemedy("Use " + oneOf(signalbox.Windows()) + ".")
	case b.Unit == signalbox.UnitSteps && b.Per != signalbox.WindowRun:
		return invalid("per", "Steps are counted per run only, not per %s.", b.Per).
			WithRemedy("Use run, or count requests instead.")
	}
	return nil
}

func checkMax(b signalbox.Budget) *signalbox.Error {
	if b.Max < 0 {
		return invalid("max", "A cap of %s is negative.", amount(b.Unit, b.Max)).
			WithRemedy("Use 0 or more; 0 lets nothing pass.")
	}
	return nil
}

// shrinkable are the units of which a smaller max_tokens takes less.
var shrinkable = []signalbox.Unit{signalbox.UnitUSD, signalbox.UnitTokens, signalbox.UnitOutputTokens}

func checkCap(b signalbox.Budget) *signalbox.Error {
	shrink := b.OnCap == signalbox.OnCapShrink
	switch {
	case b.OnCap != "" && b.OnCap != signalbox.OnCapRefuse && !shrink:
		return invalid("on_cap", "%q is not what can happen at a cap.", clip(string(b.OnCap))).WithRemedy("Use refuse or shrink.")
	case shrink && b.Soft:
		return invalid("on_cap", "A soft budget refuses nothing, so that there is nothing to shrink for.").
			WithRemedy("Remove on_cap or soft.")
	case shrink && !slices.Contains(shrinkable, b.Unit):
		return invalid("on_cap", "A smaller max_tokens takes no fewer %s.", b.Unit).
			WithRemedy("Use refuse, or a budget of " + oneOf(shrinkable) + ".")
	case b.MinOutput < 0:
		return invalid("min_output", "A floor of %d tokens is negative.", b.MinOutput).
			WithRemedy(fmt.Sprintf("Use 1 or more, or 0 for the default of %d.", signalbox.DefaultMinOutput))
	case b.MinOutput > 0 && !shrink:
		return invalid("min_output", "A floor means something only where calls are shrunk.").
			WithRemedy("Set on_cap to shrink, or remove min_output.")
	case b.WarnAt < 0 || b.WarnAt > 1000:
		return invalid("warn_at", "%d thousandths are not a part of the cap.", b.WarnAt).
			WithRemedy("Use a share from 0 to 1; 0 never warns.")
	}
	return nil
}

// amount writes an amount with its unit.
func amount(unit signalbox.Unit, n int64) string {
	if unit == signalbox.UnitUSD {
		return usd(signalbox.Money(n))
	}
	return fmt.Sprintf("%d %s", n, unit)
}

func usd(m signalbox.Money) string { return m.String() + " USD" }

// oneOf lists choices for a person: "refuse or shrink".
func oneOf[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, s := range list {
		texts[i] = string(s)
	}
	last := len(texts) - 1
	return strings.Join(texts[:last], ", ") + " or " + texts[last]
}

func invalid(field, format string, args ...any) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, format, args...).WithField(field)
}

func twice(field, kind, id string) *signalbox.Error {
	return invalid(field, "A second %s %q.", kind, clip(id)).WithRemedy("Give each " + kind + " once.")
}

// clip cuts what somebody gave to what an error can quote.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
