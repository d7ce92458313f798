package guard

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/signalbox/signalbox"
)

// visit is the guard's work on one call. It is safe for concurrent use: what a server says while it works passes beside the
// call's own way.
type visit struct {
	rules  *Rules
	server string

	mu     sync.Mutex
	counts map[found]int64
	looked [2]bool // By direction.
	unseen [2]int64
}

// found is what findings are counted by.
type found struct {
	direction direction
	where     signalbox.GuardPlace
	detector  signalbox.GuardDetector
}

// blocked is the cause of an error of the guard's own: it says which way was blocked.
type blocked struct{ direction direction }

func (blocked) Error() string { return "the guard does not let it pass" }

// look looks at a document that passes, and gives what is to pass in its place: the document itself where nothing has to
// change. The error is of code blocked, or internal where looking failed.
func (v *visit) look(d direction, where signalbox.GuardPlace, doc []byte) (passes []byte, done Scrubbed, err error) {
	if v.rules.action(d) == signalbox.GuardOff {
		return doc, done, nil
	}
	defer func() {
		if cause := recover(); cause != nil {
			passes, err = nil, failed(fmt.Errorf("the guard panicked: %v", cause))
		}
	}()
	done, err = v.rules.scrubber.Scrub(doc, where == signalbox.GuardResult)
	v.note(d, where, done)
	if err != nil {
		return nil, done, v.refuse(d, where, "", fmt.Sprintf("can not be looked at: %v", err), "Send or ask for less at a time.")
	}
	passes, err = v.judge(d, where, doc, done)
	return passes, done, err
}

// arguments looks at the arguments of a call, and makes sure that it still acts on what it was permitted to act on.
func (v *visit) arguments(doc []byte, same func(arguments []byte) bool) (passes []byte, done Scrubbed, err error) {
	passes, done, err = v.look(outward, signalbox.GuardArguments, doc)
	if err != nil || v.rules.action(outward) != signalbox.GuardMask || len(done.edits) == 0 {
		return passes, done, err
	}
	defer func() {
		if cause := recover(); cause != nil {
			passes, err = nil, failed(fmt.Errorf("the guard panicked: %v", cause))
		}
	}()
	if same(passes) {
		return passes, done, nil
	}
	return nil, done, v.refuse(outward, signalbox.GuardArguments, done.Single(same),
		"has something to mask in what the call acts on, which would become something else", "Leave it out there.")
}

// judge does what the action says about what was found.
func (v *visit) judge(d direction, where signalbox.GuardPlace, doc []byte, done Scrubbed) ([]byte, error) {
	action := v.rules.action(d)
	switch {
	case len(done.Counts) == 0, action == signalbox.GuardFlag:
		return doc, nil
	case action == signalbox.GuardBlock:
		first := done.Findings[0]
		return nil, v.refuse(d, where, first.Pointer, "has "+described[first.Detector]+" in it", "Leave it out.")
	case done.Fixed != nil:
		return nil, v.refuse(d, where, done.Fixed.Pointer, "has "+described[done.Fixed.Detector]+
			" as a number or in the name of a member, where nothing can take its place", "Leave it out, or write it as a text.")
	}
	masked, err := done.Doc()
	if err != nil {
		return nil, failed(err)
	}
	return masked, nil
}

// refuse is the error for what does not pass. It says what is where, and never shows it.
func (v *visit) refuse(d direction, where signalbox.GuardPlace, pointer, why, remedy string) error {
	return signalbox.Errorf(signalbox.CodeBlocked, "The guard has stopped the call. %s %s.", d.what(), why).
		WithField(string(where) + pointer).WithCause(blocked{d}).
		WithRemedy(remedy + " What the guard does is for the operator to say, in mcp_servers." + v.server + ".guard." + d.key() + ".")
}

// failed is the error for a guard that failed, which means no.
func failed(cause error) error {
	return signalbox.Errorf(signalbox.CodeInternal, "The guard failed to look at the call, which means no.").WithCause(cause).
		WithRemedy("Give the request id to the operator, whose log has the cause.")
}

// note counts what was found.
func (v *visit) note(d direction, where signalbox.GuardPlace, done Scrubbed) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.looked[d] = true
	v.unseen[d] += done.Unseen
	for detector, n := range done.Counts {
		if v.counts == nil {
			v.counts = map[found]int64{}
		}
		v.counts[found{d, where, detector}] += n
	}
}

// seen reports whether anything of a direction was looked at.
func (v *visit) seen(d direction) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.looked[d]
}

// ToServer looks at what goes to the server beside the arguments.
func (v *visit) ToServer(doc []byte) ([]byte, error) {
	passes, _, err := v.look(outward, signalbox.GuardBeside, doc)
	return passes, err
}

// ToCaller looks at what comes from the server beside the answer.
func (v *visit) ToCaller(doc []byte) ([]byte, error) {
	passes, _, err := v.look(inward, signalbox.GuardBeside, doc)
	return passes, err
}

// Report gives what was found so far.
func (v *visit) Report() *signalbox.Guarded {
	v.mu.Lock()
	defer v.mu.Unlock()
	g := &signalbox.Guarded{Input: v.side(outward), Output: v.side(inward)}
	if g.Input == nil && g.Output == nil {
		return nil
	}
	return g
}

func (v *visit) side(d direction) *signalbox.GuardSide {
	if !v.looked[d] {
		return nil
	}
	s := &signalbox.GuardSide{Action: v.rules.action(d), Unseen: v.unseen[d]}
	for f, n := range v.counts {
		if f.direction == d {
			s.Found = append(s.Found, signalbox.GuardFound{Where: f.where, Detector: f.detector, Count: n})
		}
	}
	slices.SortFunc(s.Found, func(a, b signalbox.GuardFound) int {
		return strings.Compare(string(a.Where)+" "+string(a.Detector), string(b.Where)+" "+string(b.Detector))
	})
	return s
}
