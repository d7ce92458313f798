package price

import "testing"

func TestWrongRowsAreErrors(t *testing.T) {
	good := rates{in: "1", out: "2"}
	for name, r := range map[string]row{
		"no input":      {rates: rates{out: "1"}},
		"no output":     {rates: rates{in: "1"}},
		"no number":     {rates: rates{in: "1", out: "two"}},
		"too precise":   {rates: rates{in: "0.0000000001", out: "1"}},
		"bad cache":     {rates: rates{in: "1", out: "1", read: "-"}},
		"bad long rate": {rates: good, above: 1, long: rates{in: "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := newTable([]row{r}); err == nil {
				t.Error("the row was taken")
			}
		})
	}
}
