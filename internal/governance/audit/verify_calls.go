package audit

import (
	"cmp"
	"hash/maphash"
	"maps"
	"slices"

	"github.com/signalbox/signalbox"
)

// calls follows every call through the log. It keeps the calls under way, and of each ended one 16 bytes, so that a log
// of ten million calls is verified within 160 MB.
type calls struct {
	seed  maphash.Seed
	open  map[string]openCall
	ended []endedCall
}

type openCall struct {
	tenant string
	intent int64 // Index of its intent.
}

type endedCall struct {
	hash  uint64 // Of the call's id.
	index int64  // Of its outcome.
}

func newCalls() *calls { return &calls{seed: maphash.MakeSeed(), open: map[string]openCall{}} }

// record checks one entry against what is known of its call.
func (c *calls) record(v *verifier, at *checked) {
	e := &at.entry
	if at.contentErr != nil {
		v.found(CheckContent, e.Index, e.Call, "Its content is not a record: %v.", at.contentErr)
		return
	}
	if at.tenant != e.Tenant {
		v.found(CheckContent, e.Index, e.Call, "Its content is of tenant %q, its column of %q.", at.tenant, e.Tenant)
	}
	switch e.Type {
	case signalbox.RecordIntent:
		c.intent(v, e)
	case signalbox.RecordAttempt:
		c.attempt(v, e)
	case signalbox.RecordOutcome:
		c.outcome(v, at)
	case signalbox.RecordAdmin:
		if e.Call != "" {
			v.found(CheckCall, e.Index, e.Call, "An admin record names a call.")
		}
	default:
		v.found(CheckContent, e.Index, e.Call, "Its type %q is unknown.", e.Type)
	}
}

func (c *calls) intent(v *verifier, e *signalbox.Entry) {
	if was, twice := c.open[e.Call]; twice {
		v.found(CheckCall, e.Index, e.Call, "The call has a second intent; the first is record %d.", was.intent)
		return
	}
	if e.Call == "" {
		v.found(CheckCall, e.Index, "", "The intent names no call.")
		return
	}
	c.open[e.Call] = openCall{tenant: e.Tenant, intent: e.Index}
}

func (c *calls) attempt(v *verifier, e *signalbox.Entry) {
	if was, ok := c.open[e.Call]; !ok || was.tenant != e.Tenant {
		v.found(CheckCall, e.Index, e.Call, "The attempt belongs to no call of its tenant that is under way.")
	}
}

func (c *calls) outcome(v *verifier, at *checked) {
	e := &at.entry
	was, intended := c.open[e.Call]
	switch {
	case at.outcome == "" && !e.Destroyed():
		v.found(CheckCall, e.Index, e.Call, "The outcome does not say how the call ended.")
	case intended && was.tenant != e.Tenant:
		v.found(CheckCall, e.Index, e.Call, "The outcome is of tenant %q, the call of %q.", e.Tenant, was.tenant)
	case !intended && (at.attempted || at.outcome == signalbox.OutcomeOK && !at.replay):
		v.found(CheckCall, e.Index, e.Call, "The call was attempted, but there is no intent before its outcome.")
	}
	delete(c.open, e.Call)
	c.ended = append(c.ended, endedCall{hash: maphash.String(c.seed, e.Call), index: e.Index})
}

// finish counts, and reports open calls where none can be under way.
func (c *calls) finish(v *verifier) {
	v.report.Calls, v.report.Open = int64(len(c.ended)), int64(len(c.open))
	slices.SortFunc(c.ended, func(a, b endedCall) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.index, b.index))
	})
	byIntent := func(a, b string) int { return cmp.Compare(c.open[a].intent, c.open[b].intent) }
	for _, call := range slices.SortedFunc(maps.Keys(c.open), byIntent) {
		switch {
		case c.hasEnded(call):
			v.found(CheckCall, c.open[call].intent, call, "The intent comes after an outcome of the same call.")
		case v.opts.Complete:
			v.found(CheckCall, c.open[call].intent, call, "The call has an intent and no outcome.")
		}
	}
}

func (c *calls) hasEnded(call string) bool {
	hash := maphash.String(c.seed, call)
	_, found := slices.BinarySearchFunc(c.ended, hash, func(e endedCall, h uint64) int { return cmp.Compare(e.hash, h) })
	return found
}

// confirm reports calls with more than one outcome. Equal hashes are looked up, so that chance accuses nobody.
func (c *calls) confirm(v *verifier) error {
	for i := 1; i < len(c.ended); i++ {
		if c.ended[i].hash != c.ended[i-1].hash {
			continue
		}
		first, err := callOf(v, c.ended[i-1].index)
		if err != nil {
			return err
		}
		second, err := callOf(v, c.ended[i].index)
		if err != nil {
			return err
		}
		if first == second {
			v.found(CheckCall, c.ended[i].index, second, "The call has a second outcome; the first is record %d.", c.ended[i-1].index)
		}
	}
	return nil
}

func callOf(v *verifier, index int64) (string, error) {
	for e, err := range v.src.Entries(v.ctx, index) {
		return e.Call, err
	}
	return "", nil
}
