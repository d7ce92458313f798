package signalbox_test

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
)

func TestParseMoney(t *testing.T) {
	tests := []struct {
		in   string
		want signalbox.Money
		err  error
	}{
		{"0", 0, nil},
		{"-0", 0, nil},
		{"12", 12 * signalbox.Dollar, nil},
		{"0.25", 250_000_000, nil},
		{"0.000000001", 1, nil},
		{"-0.000000001", -1, nil},
		{"1.5000000000000", 1_500_000_000, nil},
		{"007.10", 7_100_000_000, nil},
		{"9223372036.854775807", signalbox.MaxMoney, nil},
		{"9223372036.854775808", 0, signalbox.ErrMoneyRange},
		{"-9223372036.854775808", 0, signalbox.ErrMoneyRange},
		{"99999999999999999999", 0, signalbox.ErrMoneyRange},
		{"0.0000000001", 0, signalbox.ErrMoneyPrecision},
		{"", 0, signalbox.ErrMoneySyntax},
		{"-", 0, signalbox.ErrMoneySyntax},
		{".5", 0, signalbox.ErrMoneySyntax},
		{"5.", 0, signalbox.ErrMoneySyntax},
		{"+5", 0, signalbox.ErrMoneySyntax},
		{"--5", 0, signalbox.ErrMoneySyntax},
		{"1e3", 0, signalbox.ErrMoneySyntax},
		{"1,000", 0, signalbox.ErrMoneySyntax},
		{"1.2.3", 0, signalbox.ErrMoneySyntax},
		{" 1", 0, signalbox.ErrMoneySyntax},
		{"NaN", 0, signalbox.ErrMoneySyntax},
		{"١", 0, signalbox.ErrMoneySyntax},
	}
	for _, test := range tests {
		t.Run(test.in, func(t *testing.T) {
			got, err := signalbox.ParseMoney(test.in)
			if got != test.want || !errors.Is(err, test.err) {
				t.Errorf("got %d, %v; want %d, %v", got, err, test.want, test.err)
			}
		})
	}
}

func TestMoneyString(t *testing.T) {
	for m, want := range map[signalbox.Money]string{
		0: "0", 1: "0.000000001", -1: "-0.000000001", 12_500: "0.0000125", 3 * signalbox.Dollar: "3",
		-signalbox.Dollar / 2: "-0.5", signalbox.MaxMoney: "9223372036.854775807", -signalbox.MaxMoney - 1: "-9223372036.854775808",
	} {
		if got := m.String(); got != want {
			t.Errorf("%d prints %q, want %q", int64(m), got, want)
		}
	}
}

func drawMoney(t *rapid.T, label string) signalbox.Money {
	return signalbox.Money(rapid.Int64Range(-int64(signalbox.MaxMoney), int64(signalbox.MaxMoney)).Draw(t, label))
}

func TestMoneyTextGoesBothWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMoney(t, "money")
		text, err := m.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back signalbox.Money
		if err := back.UnmarshalText(text); err != nil || back != m {
			t.Fatalf("%d → %s → %d, %v", int64(m), text, int64(back), err)
		}
		exact, ok := new(big.Rat).SetString(string(text))
		if !ok || exact.Cmp(big.NewRat(int64(m), int64(signalbox.Dollar))) != 0 {
			t.Fatalf("%s is not %d nano-dollars", text, int64(m))
		}
		if strings.ContainsAny(string(text), "eE+") {
			t.Fatalf("%s is not plain decimal", text)
		}
	})
}

func TestUnmarshalRefusesWhatParseRefuses(t *testing.T) {
	m := signalbox.Money(7)
	if err := m.UnmarshalText([]byte("a lot")); !errors.Is(err, signalbox.ErrMoneySyntax) || m != 0 {
		t.Errorf("got %v and %d, want a syntax error and nothing of the old amount", err, int64(m))
	}
}

func TestPlusSaturates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawMoney(t, "a"), drawMoney(t, "b")
		want := new(big.Int).Add(big.NewInt(int64(a)), big.NewInt(int64(b)))
		limit := big.NewInt(int64(signalbox.MaxMoney))
		if want.CmpAbs(limit) > 0 {
			want.Mul(limit, big.NewInt(int64(want.Sign())))
		}
		if got := a.Plus(b); int64(got) != want.Int64() {
			t.Fatalf("%d + %d = %d, want %s", a, b, got, want)
		}
	})
}

func TestPlusAtTheEdges(t *testing.T) {
	const most = signalbox.MaxMoney
	tests := []struct{ a, b, want signalbox.Money }{
		{most, 0, most},
		{most, 1, most},
		{most, most, most},
		{-most, -1, -most},
		{-most, -most, -most},
		{-most - 1, -most - 1, -most},
		{most, -most, 0},
		{-1, 1, 0},
	}
	for _, test := range tests {
		if got := test.a.Plus(test.b); got != test.want {
			t.Errorf("%d + %d = %d, want %d", int64(test.a), int64(test.b), int64(got), int64(test.want))
		}
	}
}
