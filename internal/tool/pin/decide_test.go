package pin

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// listed is a tool in its n-th form.
func listed(t testing.TB, tool string, n int) Listed {
	t.Helper()
	l, err := Read(json.Value(fmt.Sprintf(`{"name":%q,"description":"Form %d."}`, tool, n)))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func none(Listed) []signalbox.ToolFlag { return nil }

func flagged(kind signalbox.FlagKind) func(Listed) []signalbox.ToolFlag {
	return func(Listed) []signalbox.ToolFlag { return []signalbox.ToolFlag{{Kind: kind}} }
}

func TestFirstSight(t *testing.T) {
	large := listed(t, "a", 1)
	large.Definition = strings.Repeat("x", MaxDefinition+1)
	deep := listed(t, "a", 1)
	deep.Definition = strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1)
	for _, c := range []struct {
		name     string
		list     Listed
		inspect  func(Listed) []signalbox.ToolFlag
		settings Settings
		want     signalbox.PinState
	}{
		{"good", listed(t, "a", 1), none, Settings{HoldFlagged: true}, signalbox.PinPinned},
		{"all are held", listed(t, "a", 1), none, Settings{HoldFirst: true}, signalbox.PinHeld},
		{"flagged", listed(t, "a", 1), flagged(signalbox.FlagHidden), Settings{HoldFlagged: true}, signalbox.PinHeld},
		{"flagged, which is accepted", listed(t, "a", 1), flagged(signalbox.FlagHidden), Settings{}, signalbox.PinPinned},
		{"a remote reference is never accepted", listed(t, "a", 1), flagged(signalbox.FlagRemoteRef), Settings{}, signalbox.PinHeld},
		{"too large", large, none, Settings{}, signalbox.PinHeld},
		{"too deep", deep, none, Settings{}, signalbox.PinHeld},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := Decide("s", nil, []Listed{c.list}, c.inspect, c.settings, noon)
			if len(changed) != 1 {
				t.Fatalf("%d changed", len(changed))
			}
			p := changed[0]
			if p.State != c.want || p.ID() != "s.a" || p.First != noon || p.Since != noon || p.Shown().Hash != c.list.Hash || p.Shown().Seen != noon {
				t.Errorf("got %+v", p)
			}
			if usable := Usable(p, c.list.Hash); usable != (c.want == signalbox.PinPinned) || Usable(p, [32]byte{1}) {
				t.Errorf("usable: %v", usable)
			}
			if again := Decide("s", map[string]signalbox.Pin{"a": p}, []Listed{c.list}, c.inspect, c.settings, noon.Add(time.Hour)); again != nil {
				t.Errorf("what is unchanged changes %+v", again)
			}
		})
	}
}

func TestNamesThatCanNotBeKept(t *testing.T) {
	for name, tool := range map[string]string{"none": "", "control": "a\x00", "line feed": "a\nb", "long": strings.Repeat("a", MaxName+1)} {
		t.Run(name, func(t *testing.T) {
			if got := Decide("s", nil, []Listed{{Tool: tool, Definition: "{}"}}, none, Settings{}, noon); got != nil {
				t.Errorf("got %+v", got)
			}
		})
	}
	if got := Decide("s", nil, []Listed{listed(t, "a", 1), listed(t, "a", 2)}, none, Settings{}, noon); len(got) != 1 {
		t.Errorf("a name that is there twice is pinned %d times", len(got))
	}
}

// held is a tool that was seen in the form 1 and is shown in the form 2.
func held(t *testing.T) (p signalbox.Pin, now Listed) {
	t.Helper()
	now = listed(t, "a", 2)
	before := Decide("s", nil, []Listed{listed(t, "a", 1)}, none, Settings{}, noon)[0]
	return Decide("s", map[string]signalbox.Pin{"a": before}, []Listed{now}, flagged(signalbox.FlagHidden), Settings{}, noon.Add(time.Hour))[0], now
}

func TestAHeldToolIsNotUsedAtAll(t *testing.T) {
	p, now := held(t)
	if p.State != signalbox.PinHeld || Usable(p, now.Hash) || Usable(p, p.Pinned.Hash) || p.First != noon || p.Since != noon.Add(time.Hour) {
		t.Errorf("got %+v", p)
	}
	if len(p.New.Flags) != 1 || len(p.Pinned.Flags) != 0 {
		t.Errorf("flags: %v, %v", p.New.Flags, p.Pinned.Flags)
	}
	pins, third := map[string]signalbox.Pin{"a": p}, []Listed{listed(t, "a", 3)}
	if got := Decide("s", pins, third, none, Settings{}, p.Since.Add(Rest-1)); got != nil {
		t.Errorf("a held tool is looked at again too early: %+v", got)
	}
	if got := Decide("s", pins, third, none, Settings{}, p.Since.Add(Rest)); len(got) != 1 || got[0].New.Hash != third[0].Hash {
		t.Errorf("a held tool is not looked at again: %+v", got)
	}
}

func TestReview(t *testing.T) {
	r := signalbox.PinReview{By: "key_1", Reason: "fine", At: noon.Add(2 * time.Hour)}
	p, now := held(t)
	accepted, err := Accept(p, now.Hash, r)
	if err != nil || accepted.State != signalbox.PinPinned || accepted.New != nil || accepted.Pinned.Hash != now.Hash || accepted.Review != r ||
		accepted.Since != r.At || !Usable(accepted, now.Hash) || Usable(accepted, p.Pinned.Hash) {
		t.Errorf("accepted: %+v, %v", accepted, err)
	}
	rejected, err := Reject(p, now.Hash, r)
	if err != nil || rejected.State != signalbox.PinRejected || Usable(rejected, now.Hash) || !Usable(rejected, p.Pinned.Hash) || rejected.Review != r {
		t.Errorf("rejected: %+v, %v", rejected, err)
	}
	if again, err := Accept(rejected, now.Hash, r); err != nil || !Usable(again, now.Hash) {
		t.Errorf("accepted after all: %+v, %v", again, err)
	}
	foreign := p
	foreign.New = &signalbox.ToolForm{Hash: now.Hash, Definition: now.Definition, Flags: flagged(signalbox.FlagRemoteRef)(now)}
	if _, err := Accept(foreign, now.Hash, r); signalbox.CodeOf(err) != signalbox.CodeConflict {
		t.Errorf("a remote reference was accepted: %v", err)
	}
	third := []Listed{listed(t, "a", 3)}
	if got := Decide("s", map[string]signalbox.Pin{"a": rejected}, third, none, Settings{}, r.At); len(got) != 1 || got[0].State != signalbox.PinHeld {
		t.Errorf("another form after a rejection: %+v", got)
	}
	unreadable := p
	unreadable.New = &signalbox.ToolForm{Hash: now.Hash, Fault: "it is too large"}
	for name, c := range map[string]struct {
		pin  signalbox.Pin
		form [32]byte
		do   func(signalbox.Pin, [32]byte, signalbox.PinReview) (signalbox.Pin, error)
		want string
	}{
		"nothing to accept":  {accepted, now.Hash, Accept, "no new form"},
		"nothing to reject":  {accepted, now.Hash, Reject, "no new form"},
		"another form":       {p, [32]byte{}, Accept, "changed again"},
		"reject another":     {p, [32]byte{}, Reject, "changed again"},
		"rejected already":   {rejected, now.Hash, Reject, "rejected already"},
		"can not be read":    {unreadable, now.Hash, Accept, "too large"},
		"the form of before": {p, p.Pinned.Hash, Accept, "changed again"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.do(c.pin, c.form, r)
			e := signalbox.AsError(err)
			if err == nil || e.Code != signalbox.CodeConflict || e.Remedy == "" || !strings.Contains(e.Message, c.want) {
				t.Errorf("got %v", err)
			}
			if !reflect.DeepEqual(got, c.pin) {
				t.Errorf("a refused review changes %+v", got)
			}
		})
	}
}

func TestShownOfNothing(t *testing.T) {
	if got := (signalbox.Pin{}).Shown(); !reflect.DeepEqual(got, signalbox.ToolForm{}) {
		t.Errorf("got %+v", got)
	}
}

// naive knows of one tool what a person would remember: everything that has happened.
type naive struct {
	accepted, waits int // Forms; 0 is none.
	held            bool
	since           int // Minutes.
}

func (n *naive) list(form, minute int, hold bool) (changes bool) {
	switch {
	case form == n.accepted, form == n.waits:
		return false
	case n.accepted == 0 && n.waits == 0 && !hold:
		n.accepted = form
	case n.held && minute < n.since+1:
		return false
	default:
		n.waits, n.held = form, true
	}
	n.since = minute
	return true
}

func (n *naive) review(form, minute int, accept bool) (ok bool) {
	if form != n.waits || n.waits == 0 || !accept && !n.held {
		return false
	}
	if accept {
		n.accepted, n.waits = form, 0
	}
	n.held, n.since = false, minute
	return true
}

// Whatever servers show and people decide, tools are used in the forms, and only in the forms, that somebody who
// remembers all of it would allow.
func TestNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Settings{HoldFirst: rapid.Bool().Draw(t, "hold first")}
		pins, people := map[string]signalbox.Pin{}, map[string]*naive{"a": {}, "b": {}}
		form := func(tool string, n int) Listed {
			text := fmt.Sprintf(`{"description":"%d","name":%q}`, n, tool)
			return Listed{Tool: tool, Definition: text, Hash: sha256.Sum256([]byte(text))}
		}
		for minute := range rapid.IntRange(1, 40).Draw(t, "steps") {
			now := noon.Add(time.Duration(minute/2) * time.Minute)
			tool, n := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "tool"), rapid.IntRange(1, 4).Draw(t, "form")
			who, l := people[tool], form(tool, n)
			switch do := rapid.SampledFrom([]string{"list", "list", "gone", "accept", "reject"}).Draw(t, "do"); do {
			case "list":
				changed := Decide("s", pins, []Listed{l}, none, s, now)
				if want := who.list(n, minute/2, s.HoldFirst); want != (len(changed) == 1) {
					t.Fatalf("%d pins change, want %v", len(changed), want)
				}
				for _, p := range changed {
					pins[p.Tool] = p
				}
			case "gone":
				if changed := Decide("s", pins, nil, none, s, now); changed != nil {
					t.Fatalf("an empty list changes %v", changed)
				}
			default:
				decide := map[string]func(signalbox.Pin, [32]byte, signalbox.PinReview) (signalbox.Pin, error){"accept": Accept, "reject": Reject}[do]
				p, err := decide(pins[tool], l.Hash, signalbox.PinReview{At: now})
				if want := who.review(n, minute/2, do == "accept"); want != (err == nil) {
					t.Fatalf("%s: %v, want ok %v", do, err, want)
				}
				if err == nil {
					pins[tool] = p
				}
			}
			for name, who := range people {
				for n := 1; n <= 4; n++ {
					p, known := pins[name]
					if got, want := known && Usable(p, form(name, n).Hash), !who.held && who.accepted == n; got != want {
						t.Fatalf("%s in form %d: %v, want %v", name, n, got, want)
					}
				}
			}
		}
	})
}
