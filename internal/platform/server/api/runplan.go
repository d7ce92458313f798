package api

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Bounds and defaults of the plan of a new run.
const (
	MaxPlanCost     = 1_000_000_000 * signalbox.Dollar
	DefaultReserve  = 15 // Per cent.
	maxAmountLength = 64 // Of a number in a plan, in bytes.
	maxExponent     = 30
)

// newRun is a run that is asked for.
type newRun struct {
	plan signalbox.RunPlan
	idle time.Duration
	read *planReader
}

// planReader reads the body of a new run, and remembers where each member was, so that what the plan as a whole is
// refused for has a place too.
type planReader struct {
	doc    []byte
	places map[string]json.Node
}

// readRun reads a run that is to be opened. Amounts are read as they are written and never pass through a float. An
// error is of code invalid, with the field ("agents[2].max_cost_usd") and its place in the body.
func readRun(body []byte) (newRun, error) {
	r := &planReader{doc: body, places: map[string]json.Node{}}
	out := newRun{read: r}
	root, err := json.Object(body)
	if err != nil {
		return out, signalbox.Errorf(signalbox.CodeInvalid, "The body is not a JSON object: %v.", err).WithField("body").
			WithRemedy(`Send {"budget": {"total_max_cost_usd": "0.50"}, "agents": […]}.`)
	}
	if root.Has("flow") {
		return out, signalbox.Errorf(signalbox.CodeNotImplemented, "Flows are not built in this version.").WithField("flow").
			WithRemedy("Open a run with a budget, and drive it from outside with its id in X-Signalbox-Run.")
	}
	idle := int64(0)
	err = r.members(root, "", []member{
		{"budget", true, func(n json.Node, at string) error { return r.budget(n, at, &out.plan) }},
		{"agents", false, func(n json.Node, at string) error { return r.agents(n, at, &out.plan) }},
		{"idle_timeout_seconds", false, r.count(&idle)},
	})
	out.idle = time.Duration(min(idle, int64(MaxIdleSeconds)+1)) * time.Second
	return out, err
}

// MaxIdleSeconds is the longest idle time that can be asked for, as package runs has it.
const MaxIdleSeconds = 30 * 24 * 60 * 60

// member is a member of an object: what it is called, and what reads it.
type member struct {
	name     string
	required bool
	read     func(n json.Node, at string) error
}

// members reads an object that has no others.
func (r *planReader) members(m json.Members, at string, known []member) error {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = k.name
	}
	if unknown, ok := m.Unknown(json.NewNames(names...)); ok {
		return r.unknown(join2(at, unknown.Name), unknown, names)
	}
	for _, k := range known {
		n, field := m.Get(k.name), join2(at, k.name)
		r.places[field] = n
		switch {
		case n.Null() && k.required:
			r.places[field] = m.Node()
			return r.fault(field, "is missing", "Add it.")
		case n.Null():
			continue
		}
		if err := k.read(n, field); err != nil {
			return err
		}
	}
	return nil
}

func join2(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// unknown refuses a member that nobody reads; what names a currency is told so.
func (r *planReader) unknown(field string, m json.Member, names []string) error {
	r.places[field] = m.Value
	if stem, currency, ok := cutLast(m.Name, "_"); m.Name == "currency" || ok && strings.HasSuffix(stem, "max_cost") && currency != "usd" {
		return r.fault(field, "asks for a currency: money is counted in US dollars only",
			"Convert the amounts, and give them as …_usd.")
	}
	return r.fault(field, "is not known here", "Remove it; there are "+strings.Join(names, ", ")+".")
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// budget reads what concerns the run as a whole.
func (r *planReader) budget(n json.Node, at string, plan *signalbox.RunPlan) error {
	m, err := n.Object()
	if err != nil {
		return r.fault(at, "is not an object", `Write {"total_max_cost_usd": "0.50", "reserve_percent": 15}.`)
	}
	plan.Reserve = DefaultReserve
	return r.members(m, at, []member{
		{"total_max_cost_usd", true, r.money(&plan.Total)},
		{"reserve_percent", false, r.percent(&plan.Reserve)},
		{"max_steps", false, r.count(&plan.Steps)},
	})
}

// agents reads the agents' parts.
func (r *planReader) agents(n json.Node, at string, plan *signalbox.RunPlan) error {
	list, err := n.Array()
	if err != nil {
		return r.fault(at, "is not a list", `Write [{"agent_id": "researcher", "max_cost_usd": "0.20"}].`)
	}
	for i, entry := range list {
		a, field := signalbox.AgentBudget{Priority: signalbox.PriorityNormal}, fmt.Sprintf("%s[%d]", at, i)
		r.places[field] = entry
		m, err := entry.Object()
		if err != nil {
			return r.fault(field, "is not an object", `Write {"agent_id": "researcher", "max_cost_usd": "0.20"}.`)
		}
		if err := r.members(m, field, []member{
			{"agent_id", true, r.text(&a.Agent)},
			{"max_input_tokens", false, optional(r.count, &a.MaxInput)},
			{"max_output_tokens", false, optional(r.count, &a.MaxOutput)},
			{"max_cost_usd", false, optional(r.money, &a.MaxCost)},
			{"max_steps", false, optional(r.count, &a.MaxSteps)},
			{"model", false, r.text(&a.Model)},
			{"priority", false, func(n json.Node, at string) error { return r.text((*string)(&a.Priority))(n, at) }},
		}); err != nil {
			return err
		}
		plan.Agents = append(plan.Agents, a)
	}
	return nil
}

// optional reads a value that may be left out.
func optional[T any](read func(*T) func(json.Node, string) error, into **T) func(json.Node, string) error {
	return func(n json.Node, at string) error {
		v := new(T)
		if err := read(v)(n, at); err != nil {
			return err
		}
		*into = v
		return nil
	}
}

func (r *planReader) text(into *string) func(json.Node, string) error {
	return func(n json.Node, at string) (err error) {
		if *into, err = n.Text(); err != nil {
			return r.fault(at, "is not a string", "Write it in quotes.")
		}
		return nil
	}
}

func (r *planReader) count(into *int64) func(json.Node, string) error {
	return func(n json.Node, at string) (err error) {
		if *into, err = n.Int(); err != nil {
			return r.fault(at, "is not a whole number", "Write digits only, such as 2000.")
		}
		return nil
	}
}

// money reads US dollars, as a decimal string or a number.
func (r *planReader) money(into *signalbox.Money) func(json.Node, string) error {
	return func(n json.Node, at string) error {
		m, wrong, remedy := readDollars(n)
		if wrong != "" {
			return r.fault(at, wrong, remedy)
		}
		*into = m
		return nil
	}
}

// percent reads whole per cents; a fraction below 1 is a share of the whole: 0.15 is 15 per cent.
func (r *planReader) percent(into *int64) func(json.Node, string) error {
	return func(n json.Node, at string) error {
		v, wrong, _ := readDollars(n)
		if v > 0 && v < signalbox.Dollar {
			v *= 100
		}
		if wrong != "" || v%signalbox.Dollar != 0 {
			return r.fault(at, "is not a number of whole per cents", "Write 15 to 20, or 0.15 to 0.20.")
		}
		*into = int64(v / signalbox.Dollar)
		return nil
	}
}

// readDollars reads an amount, or says what is wrong with it and what helps.
func readDollars(n json.Node) (m signalbox.Money, wrong, remedy string) {
	text, err := n.Text()
	if err != nil {
		text = string(n.Bytes())
	}
	if err != nil && n.Kind() != '0' {
		return 0, "is not an amount", `Write a plain decimal number of US dollars, such as "0.25".`
	}
	if m, err = exactly(text); err == nil && m <= MaxPlanCost {
		return m, "", ""
	}
	sign := strings.Trim(text, "0123456789.,+- ")
	switch {
	case err == nil, errors.Is(err, signalbox.ErrMoneyRange):
		return 0, "is too much", "Give at most " + MaxPlanCost.String() + "."
	case errors.Is(err, signalbox.ErrMoneyPrecision):
		return 0, "has more than nine decimals", "Round it; the smallest unit is a nano-dollar, 0.000000001."
	case sign == "$" || strings.EqualFold(sign, "usd") || strings.EqualFold(sign, "us$"):
		return 0, "is not a plain number", "Write the number alone; it is in US dollars."
	case isCurrency(sign):
		return 0, "is in another currency: money is counted in US dollars", "Convert it, and write the number alone."
	}
	return 0, "is not an amount of US dollars", `Write a plain decimal number, such as "0.25".`
}

// isCurrency reports whether a text is a currency's sign or has the form of its code.
func isCurrency(s string) bool {
	letters := len(s) == 3
	for _, r := range s {
		if unicode.Is(unicode.Sc, r) {
			return true
		}
		letters = letters && unicode.IsLetter(r)
	}
	return letters
}

// exactly reads a decimal number, with an exponent as JSON allows it.
func exactly(s string) (signalbox.Money, error) {
	mantissa, exponent, scaled := strings.Cut(strings.ToLower(s), "e")
	if !scaled {
		return signalbox.ParseMoney(s)
	}
	e, err := strconv.Atoi(exponent)
	r, ok := new(big.Rat).SetString(mantissa)
	switch {
	case err != nil || !ok || len(s) > maxAmountLength || strings.ContainsAny(mantissa, "/_x"):
		return 0, signalbox.ErrMoneySyntax
	case e > maxExponent:
		return 0, signalbox.ErrMoneyRange
	case e < -maxExponent:
		return 0, signalbox.ErrMoneyPrecision
	}
	ten := new(big.Rat).SetInt64(10)
	for range max(e, -e) {
		if e > 0 {
			r.Mul(r, ten)
		} else {
			r.Quo(r, ten)
		}
	}
	return signalbox.ParseMoney(strings.TrimSuffix(trimZeros(r.FloatString(2*maxExponent)), "."))
}

func trimZeros(s string) string { return strings.TrimRight(s, "0") }

// fault is an error about a member, with its place in the body.
func (r *planReader) fault(field, what, remedy string) error {
	return r.at(signalbox.Errorf(signalbox.CodeInvalid, "The value %s.", what).WithField(field).WithRemedy(remedy))
}

// at adds to an error where in the body its field is, or the closest thing around it.
func (r *planReader) at(e *signalbox.Error) *signalbox.Error {
	for field := e.Field; field != ""; {
		if n, ok := r.places[field]; ok && n.Exists() {
			before := r.doc[:n.Start]
			line := 1 + bytes.Count(before, []byte("\n"))
			column := 1 + len(before) - (bytes.LastIndexByte(before, '\n') + 1)
			e.Message = fmt.Sprintf("%s (line %d, column %d)", strings.TrimSuffix(e.Message, "."), line, column)
			return e
		}
		i := strings.LastIndexAny(field, ".[")
		if i < 0 {
			break
		}
		field = field[:i]
	}
	return e
}

// ofPlan names the fields of an error about the plan as the body has them.
func (r *planReader) ofPlan(err error) error {
	var e *signalbox.Error
	if !errors.As(err, &e) || e.Code != signalbox.CodeInvalid {
		return err
	}
	moved := *e
	switch e.Field {
	case "total_max_cost_usd", "reserve_percent", "max_steps":
		moved.Field = "budget." + e.Field
	}
	return r.at(&moved)
}
