package signalbox

import (
	"errors"
	"fmt"
	"math"
	"math/big"
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
	sign, n := "", uint64(m)
	if m < 0 {
		sign, n = "-", -n
	}
	s := sign + strconv.FormatUint(n/uint64(Dollar), 10)
	if rest := n % uint64(Dollar); rest != 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%09d", rest), "0")
	}
	return s
}

// MarshalText makes money a decimal string in JSON, so that no reader rounds it through a float.
func (m Money) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

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

// ceilDiv is n/d rounded up, saturating at [MaxMoney]; n and d are not negative, d is not zero.
func ceilDiv(n *big.Int, d int64) Money {
	q, r := new(big.Int).QuoRem(n, big.NewInt(d), new(big.Int))
	if r.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	if !q.IsInt64() {
		return MaxMoney
	}
	return Money(q.Int64())
}
