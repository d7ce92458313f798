package idempotency

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
)

func at(minutes int) time.Time {
	return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

// wanted is the use of a key by a call that is about to be made.
func wanted() signalbox.Idempotency {
	return signalbox.Idempotency{Slot: [32]byte{1}, Tenant: "acme", Hash: [32]byte{2}, Call: "call_1", Approval: "appr_1"}
}

func used(state signalbox.IdempotencyState) signalbox.Idempotency {
	u := wanted()
	u.State, u.Begun, u.Expires = state, at(0), at(60)
	if state != signalbox.IdempotencyRunning {
		u.Ended = at(1)
	}
	if state == signalbox.IdempotencyKept {
		u.Content = &signalbox.Sealed{Key: "sk_1"}
	}
	return u
}

func with(u signalbox.Idempotency, change func(*signalbox.Idempotency)) signalbox.Idempotency {
	change(&u)
	return u
}

func TestDecide(t *testing.T) {
	running := used(signalbox.IdempotencyRunning)
	begin := Begin{Use: wanted(), At: at(0), Keep: time.Hour}
	beginWith := func(change func(*signalbox.Idempotency)) Begin {
		return Begin{Use: with(wanted(), change), At: at(0), Keep: time.Hour}
	}
	end := func(kept bool) End { return End{Call: "call_1", Kept: kept, At: at(1), Keep: time.Hour} }
	ended := func(state signalbox.IdempotencyState) signalbox.Idempotency {
		return with(running, func(u *signalbox.Idempotency) { u.State, u.Ended, u.Expires = state, at(1), at(61) })
	}
	for name, c := range map[string]struct {
		from signalbox.Idempotency
		by   Event
		want signalbox.Idempotency // Zero: it can not happen.
	}{
		"a free key is used":                  {by: begin, want: running},
		"what was kept before does not stay":  {by: beginWith(func(u *signalbox.Idempotency) { *u = used(signalbox.IdempotencyKept) }), want: running},
		"an expired one is used again":        {from: with(used(signalbox.IdempotencyKept), func(u *signalbox.Idempotency) { u.Expires = at(0) }), by: begin, want: running},
		"one that runs is not used":           {from: running, by: begin},
		"one that has ended is not used":      {from: used(signalbox.IdempotencyNotKept), by: begin},
		"not without a call":                  {by: beginWith(func(u *signalbox.Idempotency) { u.Call = "" })},
		"not without a slot":                  {by: beginWith(func(u *signalbox.Idempotency) { u.Slot = [32]byte{} })},
		"not without a hash":                  {by: beginWith(func(u *signalbox.Idempotency) { u.Hash = [32]byte{} })},
		"not without a tenant":                {by: beginWith(func(u *signalbox.Idempotency) { u.Tenant = "" })},
		"it ends, and its result is kept":     {from: running, by: end(true), want: ended(signalbox.IdempotencyKept)},
		"it ends, and its result is not kept": {from: running, by: end(false), want: ended(signalbox.IdempotencyNotKept)},
		"it ends once":                        {from: used(signalbox.IdempotencyKept), by: end(true)},
		"another call does not end it":        {from: running, by: End{Call: "call_2", At: at(1)}},
		"what is free does not end":           {by: end(true)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decide(c.from, c.by)
			want := c.want
			if want.Call == "" {
				want = c.from
			}
			if (err != nil) != (c.want.Call == "") || !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v (%v)\nwant %+v", got, err, want)
			}
		})
	}
}

func TestNext(t *testing.T) {
	hash := wanted().Hash
	for name, c := range map[string]struct {
		use    signalbox.Idempotency
		hash   [32]byte // Zero: that of the use.
		others bool     // Somebody else has the claim.
		now    time.Time
		step   Step
		says   string
		after  time.Duration
	}{
		"a free key":                          {step: Make},
		"a free one that somebody looks at":   {others: true, says: "A call with this idempotency key is under way", after: Comeback},
		"one that has expired":                {use: used(signalbox.IdempotencyKept), now: at(60), step: Make},
		"one that has not, quite":             {use: used(signalbox.IdempotencyKept), now: at(60).Add(-1), step: Replay},
		"one that nobody knows, and expired":  {use: used(signalbox.IdempotencyRunning), now: at(60), step: Make},
		"one under way for longer than that":  {use: used(signalbox.IdempotencyRunning), now: at(60), others: true, says: "under way", after: Comeback},
		"its call is under way":               {use: used(signalbox.IdempotencyRunning), others: true, says: "The call call_1 with this idempotency key is under way", after: Comeback},
		"nobody makes its call any more":      {use: used(signalbox.IdempotencyRunning), says: "nobody knows"},
		"its result is kept":                  {use: used(signalbox.IdempotencyKept), step: Replay},
		"kept, and somebody else looks too":   {use: used(signalbox.IdempotencyKept), others: true, step: Replay},
		"its result was too large":            {use: used(signalbox.IdempotencyNotKept), says: "not kept"},
		"its result was erased":               {use: with(used(signalbox.IdempotencyKept), func(u *signalbox.Idempotency) { u.Content = nil }), says: "erased"},
		"so was what it asked for":            {use: with(used(signalbox.IdempotencyKept), func(u *signalbox.Idempotency) { u.Hash, u.Content = [32]byte{}, nil }), hash: hash, says: "erased"},
		"used for something else":             {use: used(signalbox.IdempotencyKept), hash: [32]byte{9}, says: "call_1, which asked for something else"},
		"being used for something else":       {use: used(signalbox.IdempotencyRunning), hash: [32]byte{9}, others: true, says: "something else"},
		"used for something else, long ago":   {use: used(signalbox.IdempotencyKept), hash: [32]byte{9}, now: at(61), step: Make},
		"something else, and too large a one": {use: used(signalbox.IdempotencyNotKept), hash: [32]byte{9}, says: "something else"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.hash == [32]byte{} {
				c.hash = hash
			}
			if c.now.IsZero() {
				c.now = at(2)
			}
			step, err := Next(c.use, c.hash, !c.others, c.now)
			if step != c.step || (err == nil) != (step != Refuse) {
				t.Fatalf("step %v (%v), want %v", step, err, c.step)
			}
			if step != Refuse {
				return
			}
			e := signalbox.AsError(err)
			if e.Code != signalbox.CodeConflict || !strings.Contains(e.Message, c.says) || e.Remedy == "" || e.RetryAfter != c.after {
				t.Errorf("got %+v, want a conflict that says %q", e, c.says)
			}
		})
	}
}

func TestWhoWaitsForATaskIsToldOfItsApproval(t *testing.T) {
	_, err := Next(used(signalbox.IdempotencyRunning), wanted().Hash, false, at(2))
	if got := signalbox.AsError(err).Approval; got != "appr_1" {
		t.Errorf("approval %q", got)
	}
}

func TestCame(t *testing.T) {
	failed := signalbox.Errorf(signalbox.CodeTimeout, "late")
	for name, c := range map[string]struct {
		course Course
		want   Fate
	}{
		"refused before its intent":         {Course{Err: failed}, Nothing},
		"a result":                          {Course{Begun: true, Left: true, Size: MaxResult}, Keep},
		"one that is too large":             {Course{Begun: true, Left: true, Size: MaxResult + 1}, Discard},
		"a question":                        {Course{Begun: true, Left: true, Asks: true}, Free},
		"a large question":                  {Course{Begun: true, Left: true, Asks: true, Size: MaxResult + 1}, Free},
		"a failure, and it may have acted":  {Course{Begun: true, Left: true, Err: failed}, Keep},
		"a failure, and it has not acted":   {Course{Begun: true, Err: failed}, Free},
		"a failure while it asks":           {Course{Begun: true, Left: true, Asks: true, Err: failed}, Keep},
		"nothing left, and there is no end": {Course{}, Nothing},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Came(c.course); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// A key's whole life by random events: between a use and its expiry or its release no other call is made, whoever asks for
// whatever.
func TestOneKeyMakesOneCall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var u signalbox.Idempotency
		now, made, until := at(0), "", time.Time{} // The call that is not to be joined by another one until then.
		calls := 0
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "minutes")) * time.Minute)
			hash := [32]byte{byte(rapid.IntRange(1, 2).Draw(t, "request"))}
			alone := rapid.Bool().Draw(t, "alone")
			if u.State == signalbox.IdempotencyRunning && rapid.Bool().Draw(t, "ends") {
				u, made, until = end(t, u, now, made, until)
				continue
			}
			step, err := Next(u, hash, alone, now)
			if (step == Refuse) != (err != nil) {
				t.Fatalf("step %v with %v", step, err)
			}
			switch {
			case step == Replay && (u.Hash != hash || u.State != signalbox.IdempotencyKept || made == "" && u.Call == ""):
				t.Fatalf("%+v is given to who asks for %v", u, hash[0])
			case step == Make && !alone:
				t.Fatal("a call is made without the claim")
			case step == Make && made != "" && now.Before(until):
				t.Fatalf("a second call is made at %s, before %s", now, until)
			case step == Make:
				calls++
				use := signalbox.Idempotency{Slot: [32]byte{7}, Tenant: "acme", Hash: hash, Call: "call_" + string(rune('a'+calls))}
				if u, err = Decide(u, Begin{Use: use, At: now, Keep: time.Hour}); err != nil {
					t.Fatal(err)
				}
				made, until = u.Call, now.Add(time.Hour)
			}
		}
	})
}

// end ends the call that uses the key in some way.
func end(t *rapid.T, u signalbox.Idempotency, now time.Time, made string, until time.Time) (signalbox.Idempotency, string, time.Time) {
	course := Course{
		Begun: true, Left: rapid.Bool().Draw(t, "left"), Asks: rapid.Bool().Draw(t, "asks"),
		Size: rapid.SampledFrom([]int{0, MaxResult, MaxResult + 1}).Draw(t, "size"),
	}
	if rapid.Bool().Draw(t, "fails") {
		course.Err = signalbox.Errorf(signalbox.CodeUpstream, "broken")
	}
	fate := Came(course)
	if fate == Free {
		return signalbox.Idempotency{}, "", time.Time{}
	}
	n, err := Decide(u, End{Call: u.Call, Kept: fate == Keep, At: now, Keep: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if fate == Keep {
		n.Content = &signalbox.Sealed{}
	}
	return n, made, now.Add(time.Hour)
}
