package signalbox

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Money is an amount of US dollars in nano-dollars (1e-9 USD). The largest amount is about 9.2 billion dollars.
type Money int64

// Dollar is one US dollar.
const Dollar Money = 1_000_000_000

// MaxMoney is the largest amount; sums saturate here instead of wrapping, so that no overflow can turn a cost into a
// credit.
const MaxMoney Money = math.MaxInt64

// Errors of [ParseMoney].
var (
	ErrMoneySyntax    = errors.New("not a decimal amount of US dollars such as 0.25")
	ErrMoneyPrecision = errors.New("more than nine decimal places; the smallest unit is a nano-dollar")
	ErrMoneyRange     = errors.New("amount is out of range")
)

// ParseMoney reads a plain decimal amount of US dollars ("12", "-0.000000001"). It never passes through a float.
func ParseMoney(s string) (Money, error) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, dotted := strings.Cut(digits, ".")
	if !allDigits(whole) || (dotted && !allDigits(fraction)) {
		return 0, fmt.Errorf("%q: %w", s, ErrMoneySyntax)
	}
	if len(strings.TrimRight(fraction, "0")) > 9 {
		return 0, fmt.Errorf("%q: %w", s, ErrMoneyPrecision)
	}
	nano, err := strconv.ParseInt(whole+(fraction + "000000000")[:9], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q: %w", s, ErrMoneyRange)
	}
	if negative {
		nano = -nano
	}
	return Money(nano), nil
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// String gives the plain decimal amount without needless zeros: "0.0000125", "3", "-0.5".
func (m Money) String() string {
	return string(m.append(make([]byte, 0, longestMoney)))
}

// longestMoney is the length of the longest amount: a sign, ten digits, the point and nine decimal places.
const longestMoney = 1 + 10 + 1 + 9

func (m Money) append(b []byte) []byte {
	n := magnitude(int64(m))
	if m < 0 {
		b = append(b, '-')
	}
	b = strconv.AppendUint(b, n/uint64(Dollar), 10)
	rest := n % uint64(Dollar)
	if rest == 0 {
		return b
	}
	b = append(b, '.')
	for unit := uint64(Dollar) / 10; rest > 0; unit /= 10 {
		b = append(b, '0'+byte(rest/unit))
		rest %= unit
	}
	return b
}

// MarshalText makes money a decimal string in JSON, so that no reader rounds it through a float.
func (m Money) MarshalText() ([]byte, error) { return m.AppendText(make([]byte, 0, longestMoney)) }

// AppendText adds what [Money.MarshalText] gives to b.
func (m Money) AppendText(b []byte) ([]byte, error) { return m.append(b), nil }

// UnmarshalText reads what [Money.MarshalText] wrote.
func (m *Money) UnmarshalText(b []byte) error {
	v, err := ParseMoney(string(b))
	*m = v
	return err
}

// Plus adds and saturates at [MaxMoney] (and its negative).
func (m Money) Plus(o Money) Money {
	sum := m + o
	switch {
	case m > 0 && o > 0 && sum < 0:
		return MaxMoney
	case m < 0 && o < 0 && (sum >= 0 || sum < -MaxMoney):
		return -MaxMoney
	}
	return sum
}
