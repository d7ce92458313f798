package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml/ast"

	"github.com/signalbox/signalbox"
)

// text is a string. Numbers and truth values must be in quotes, so that 1.10 stays "1.10".
type text[S ~string] struct {
	into    *S
	rules   []rule
	choices []string
	hint    func(text string) (fault, bool) // Explains what is no choice; may be nil.
}

func textInto[S ~string](into *S, rules ...rule) text[S] { return text[S]{into: into, rules: rules} }

// oneOf is a text out of a few.
func oneOf[S ~string](into *S, choices ...S) text[S] {
	t := text[S]{into: into}
	for _, c := range choices {
		t.choices = append(t.choices, string(c))
	}
	return t
}

// hinting adds what to say of texts that one may expect to be choices.
func (t text[S]) hinting(hint func(string) (fault, bool)) text[S] {
	t.hint = hint
	return t
}

func (t text[S]) read(r *reader, n ast.Node, field string) {
	s, ok := r.scalar(n, field, "text")
	if !ok {
		return
	}
	where := r.place(n, field)
	switch {
	case !s.quoted && s.kind != ast.StringType:
		r.problem(where, "must be text, not "+article(n), t.remedy("put it in quotes"))
	case s.text == "":
		r.problem(where, "is empty", "give a value, or remove the key")
	case t.choices != nil && !slices.Contains(t.choices, s.text):
		wrong := t.unknown(s)
		r.problem(where, s.shown()+" "+wrong.message, wrong.remedy)
	default:
		for _, rule := range t.rules {
			rule.check(r, s.text, s.shown(), where)
		}
		*t.into = S(s.text)
	}
}

// unknown says why a text is no choice.
func (t text[S]) unknown(s scalar) fault {
	if t.hint != nil {
		if f, found := t.hint(s.text); found {
			return f
		}
	}
	return fault{"is not known here", remedyFor(s.source, t.choices, t.remedy(""))}
}

func (t text[S]) remedy(otherwise string) string {
	if t.choices == nil {
		return otherwise
	}
	return "use one of: " + strings.Join(t.choices, ", ")
}

// parsed is a scalar that one function reads; want completes "must be …".
type parsed[T any] struct {
	into  *T
	want  string
	bare  bool // Must not be in quotes.
	parse func(string) (T, error)
	shape func() *schemaNode
}

func (p parsed[T]) read(r *reader, n ast.Node, field string) {
	s, ok := r.scalar(n, field, p.want)
	if !ok {
		return
	}
	v, err := p.parse(s.text)
	switch {
	case p.bare && !s.plain():
		r.problem(r.place(n, field), "must be "+p.want+", not text", "remove the quotes")
	case err != nil:
		r.problem(r.place(n, field), "must be "+p.want+", not "+s.shown(), "correct the value")
	default:
		*p.into = v
	}
}

// integer is a whole number within bounds.
func integer(into *int64, least, most int64) value {
	want := fmt.Sprintf("a whole number from %d to %d", least, most)
	if most == math.MaxInt64 {
		want = fmt.Sprintf("a whole number from %d", least)
	}
	parse := func(s string) (int64, error) {
		v, err := strconv.ParseInt(s, 10, 64)
		return v, within(v, least, most, err)
	}
	return parsed[int64]{into, want, true, parse, func() *schemaNode { return integerSchema(least, most) }}
}

type ordered interface{ ~int64 | ~float64 }

func within[T ordered](v, least, most T, err error) error {
	if err == nil && (v < least || v > most) {
		return strconv.ErrRange
	}
	return err
}

// boolean is true or false and nothing else.
func boolean(into *bool) value {
	parse := func(s string) (bool, error) {
		if s != "true" && s != "false" {
			return false, strconv.ErrSyntax
		}
		return s == "true", nil
	}
	return parsed[bool]{into, "true or false", true, parse, func() *schemaNode { return &schemaNode{Type: "boolean"} }}
}

var decimal = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

// rate is a share from 0 to 1.
func rate(into *float64) value {
	parse := func(s string) (float64, error) {
		if !decimal.MatchString(s) {
			return 0, strconv.ErrSyntax
		}
		v, err := strconv.ParseFloat(s, 64)
		return v, within(v, 0, 1, err)
	}
	return parsed[float64]{into, "a number from 0 to 1", true, parse, rateSchema}
}

// MaxRate bounds a configured price: US dollars per million tokens, or per call.
const MaxRate = 1_000_000 * signalbox.Dollar

// money is a price in US dollars. It is read from the digits of the file and never passes through a float; it may be
// written with or without quotes.
func money(into *signalbox.Money) value {
	return parsed[signalbox.Money]{into, moneyWords, false, parseMoney, moneySchema}
}

// optionalMoney tells 0 from not given.
func optionalMoney(into **signalbox.Money) value {
	parse := func(s string) (*signalbox.Money, error) {
		v, err := parseMoney(s)
		return &v, err
	}
	return parsed[*signalbox.Money]{into, moneyWords, false, parse, moneySchema}
}

const moneyWords = "an amount of US dollars from 0 to 1000000, such as 0.25, with at most nine decimals"

func parseMoney(s string) (signalbox.Money, error) {
	if !decimal.MatchString(s) {
		return 0, signalbox.ErrMoneySyntax
	}
	v, err := signalbox.ParseMoney(s)
	return v, within(v, 0, MaxRate, err)
}

var days = regexp.MustCompile(`^([0-9]{1,5})d$`)

// duration is a time span in Go's notation, or whole days such as 90d.
func duration(into *time.Duration, least, most time.Duration) value {
	want := fmt.Sprintf("a duration from %s to %s, such as 500ms, 30s, 5m, 12h or 90d", durationText(least), durationText(most))
	parse := func(s string) (time.Duration, error) {
		if m := days.FindStringSubmatch(s); m != nil {
			n, _ := strconv.Atoi(m[1]) // At most five digits.
			s = strconv.Itoa(n*24) + "h"
		}
		v, err := time.ParseDuration(s)
		return v, within(v, least, most, err)
	}
	return parsed[time.Duration]{into, want, false, parse, durationSchema}
}

// durationText leaves out the zero minutes and seconds of whole hours and minutes.
func durationText(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

var sizes = regexp.MustCompile(`^([0-9]{1,18})(KiB|MiB|GiB)?$`)

// size is a number of bytes.
func size(into *int64, least, most int64) value {
	want := fmt.Sprintf("a size from %s to %s, such as 65536 or 8MiB", sizeText(least), sizeText(most))
	parse := func(s string) (int64, error) {
		m := sizes.FindStringSubmatch(s)
		if m == nil {
			return 0, strconv.ErrSyntax
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		factor := map[string]int64{"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[m[2]]
		if n > math.MaxInt64/factor {
			return 0, strconv.ErrRange
		}
		return n * factor, within(n*factor, least, most, err)
	}
	return parsed[int64]{into, want, false, parse, sizeSchema}
}

func sizeText(n int64) string {
	if n%(1<<20) == 0 {
		return strconv.FormatInt(n>>20, 10) + "MiB"
	}
	return strconv.FormatInt(n>>10, 10) + "KiB"
}

// secret is a text that is never shown. It may be empty where a missing one has a meaning.
type secret struct {
	into  *Secret
	least int  // Characters.
	empty bool // "" means none.
}

func (v secret) read(r *reader, n ast.Node, field string) {
	s, ok := r.scalar(n, field, "text")
	if !ok {
		return
	}
	where := r.place(n, field)
	switch {
	case !s.quoted && s.kind != ast.StringType:
		r.problem(where, "must be text, not "+article(n), "put it in quotes")
	case s.text == "" && !v.empty:
		r.problem(where, "is empty", "give a value")
	case strings.ContainsFunc(s.text, notPrintable):
		r.problem(where, "contains a control character or one beyond ASCII", "check for a line break or a stray quote")
	case v.least > 0 && strings.ContainsRune(s.text, ' '):
		r.problem(where, "contains a space", "use letters, digits and signs only")
	case len(s.text) < v.least:
		r.problem(where, fmt.Sprintf("is shorter than %d characters", v.least), "use a longer random one")
	default:
		*v.into = NewSecret(s.text)
	}
}

// notPrintable is true for what an HTTP header cannot carry everywhere.
func notPrintable(c rune) bool { return c > unicode.MaxASCII || unicode.IsControl(c) }

// endpoint is the URL of an upstream.
type endpoint struct {
	into    *Endpoint
	query   bool // A query is allowed.
	private bool // Path and query may be a credential. The URL is kept as it is.
	exact   bool // A slash at the end counts.
}

func (v endpoint) read(r *reader, n ast.Node, field string) {
	var s string
	before := len(r.problems)
	textInto(&s).read(r, n, field)
	if len(r.problems) > before {
		return
	}
	wrong := absoluteURL(s)
	if !v.query && strings.Contains(s, "?") {
		wrong = fault{"has a query (?…)", "put parameters into headers, or leave them out"}
	}
	if wrong != (fault{}) {
		r.problem(r.place(n, field), wrong.message, wrong.remedy)
		return
	}
	switch {
	case v.private:
		*v.into = NewPrivateEndpoint(s)
	case v.exact:
		*v.into = NewEndpoint(s)
	default:
		*v.into = NewEndpoint(strings.TrimSuffix(s, "/"))
	}
}
