package guard

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// MaxPhoneChecks is how many candidates of one text are checked with the numbering plans (17 µs each); further ones are
// hidden unchecked.
const MaxPhoneChecks = 32

// phone judges groups as a telephone number and gives where it begins: a "+" or "(" before the digits belongs to it.
func (n *numbers) phone(groups []group, raw, digits string) (int, bool) {
	from := groups[0].from
	if len(digits) > 15+2 || strings.Contains(raw, "/") {
		return 0, false
	}
	if from > 0 && n.text[from-1] == '(' {
		from--
	}
	if from > 0 && n.text[from-1] == '+' {
		return from - 1, n.valid("+"+digits, "ZZ")
	}
	switch {
	case strings.HasPrefix(digits, "00") && len(groups) > 1:
		return from, n.valid("+"+digits[2:], "ZZ")
	case digits[0] == '0' && koreanShape(groups, digits):
		return from, n.valid(digits, "KR")
	case americanShape(groups, raw):
		return from, n.valid(digits, "US")
	}
	return 0, false
}

// koreanShape tells a Korean number from other digits that begin with a zero: groups of area, office and line, or a
// mobile number in one piece.
func koreanShape(groups []group, digits string) bool {
	switch len(groups) {
	case 1:
		return strings.HasPrefix(digits, "01") && (len(digits) == 10 || len(digits) == 11)
	case 2, 3:
		last := groups[len(groups)-1]
		return last.to-last.from == 4 && len(digits) >= 9 && len(digits) <= 11
	}
	return false
}

// americanShape wants the usual groups of area, office and line, with an optional 1 before them. Dots alone can be a
// version number, but not one of these lengths.
func americanShape(groups []group, raw string) bool {
	return lengths(groups, 3, 3, 4) || (lengths(groups, 1, 3, 3, 4) && raw[0] == '1')
}

// valid asks the numbering plans.
func (n *numbers) valid(number, region string) bool {
	if *n.checks--; *n.checks < 0 {
		return true
	}
	p, err := phonenumbers.Parse(number, region)
	return err == nil && phonenumbers.IsValidNumber(p)
}
