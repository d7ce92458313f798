package json

import "testing"

func TestScalar(t *testing.T) {
	for _, c := range []struct {
		value, want string
		fails       bool
	}{
		{`"a\u0062"`, "ab", false},
		{`""`, "", false},
		{`true`, "true", false},
		{`false`, "false", false},
		{`0`, "0", false},
		{`7`, "7", false},
		{`-7`, "-7", false},
		{`0.5`, "0.5", false},
		{`-10.05`, "-10.05", false},
		{`9007199254740993`, "9007199254740993", false},
		{`7.0`, "", true},
		{`7e0`, "", true},
		{`1E3`, "", true},
		{`-0`, "", true},
		{`0.50`, "", true},
		{`-0.0`, "", true},
		{`null`, "", true},
		{`[1]`, "", true},
		{`{}`, "", true},
	} {
		t.Run(c.value, func(t *testing.T) {
			n, err := Parse([]byte(c.value), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := n.Scalar()
			if got != c.want || (err != nil) != c.fails {
				t.Errorf("got %q (%v), want %q", got, err, c.want)
			}
		})
	}
	if _, err := (Node{}).Scalar(); err == nil {
		t.Error("an absent value is a scalar")
	}
}
