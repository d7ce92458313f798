package pin

import (
	"slices"
	"time"

	"github.com/signalbox/signalbox"
)

// Rest is how long a held tool is left alone: a server that changes it all the time does not fill the log.
const Rest = time.Minute

// Settings say what becomes of tools that are seen for the first time. Those that change are always held.
type Settings struct {
	HoldFirst   bool // All of them are held until somebody has accepted them.
	HoldFlagged bool // Those that are flagged are.
}

// Decide says what follows from a list of a server's tools: the pins that are new or change, in the order of the list.
// pins are those of the server, by name; inspect finds what is suspicious in an entry, and is asked only about new forms.
func Decide(
	server string, pins map[string]signalbox.Pin, list []Listed, inspect func(Listed) []signalbox.ToolFlag, s Settings, now time.Time,
) (changed []signalbox.Pin) {
	done := map[string]bool{}
	for _, l := range list {
		if done[l.Tool] || !nameable(l.Tool) {
			continue
		}
		done[l.Tool] = true
		p, known := pins[l.Tool]
		switch {
		case !known:
			changed = append(changed, first(server, l, inspect, s, now))
		case isNew(p, l, now):
			f := l.form(now, inspect(l))
			p.State, p.New, p.Since = signalbox.PinHeld, &f, now
			changed = append(changed, p)
		}
	}
	return changed
}

// first pins a tool that was never seen before, or holds it.
func first(server string, l Listed, inspect func(Listed) []signalbox.ToolFlag, s Settings, now time.Time) signalbox.Pin {
	f := l.form(now, inspect(l))
	p := signalbox.Pin{Server: server, Tool: l.Tool, State: signalbox.PinPinned, First: now, Since: now}
	if s.HoldFirst || f.Fault != "" || len(f.Flags) > 0 && s.HoldFlagged || slices.ContainsFunc(f.Flags, remote) {
		p.State, p.New = signalbox.PinHeld, &f
		return p
	}
	p.Pinned = &f
	return p
}

// remote reports whether a flag holds a tool whatever the configuration says.
func remote(f signalbox.ToolFlag) bool { return f.Kind == signalbox.FlagRemoteRef }

// isNew reports whether a tool is in a form that nobody has seen, and that is to be kept now.
func isNew(p signalbox.Pin, l Listed, now time.Time) bool {
	if p.Pinned != nil && p.Pinned.Hash == l.Hash || p.New != nil && p.New.Hash == l.Hash {
		return false
	}
	return p.State != signalbox.PinHeld || now.Sub(p.Since) >= Rest
}

// Usable reports whether a tool may be used in the form that its server lists.
func Usable(p signalbox.Pin, form [32]byte) bool {
	return p.State != signalbox.PinHeld && p.Pinned != nil && p.Pinned.Hash == form
}

// Accept lets the new form of a tool be used, in place of the one before. Errors are of code conflict: nothing waits for
// review, the form is not the one that was looked at, nobody can look at it, or its schema refers to what is elsewhere.
func Accept(p signalbox.Pin, form [32]byte, r signalbox.PinReview) (signalbox.Pin, error) {
	if err := reviewable(p, form); err != nil {
		return p, err
	}
	if p.New.Fault != "" {
		return p, conflict("The tool %s can not be accepted: %s.", p.ID(), p.New.Fault).
			WithRemedy("Have its server describe it with less.")
	}
	if slices.ContainsFunc(p.New.Flags, remote) {
		return p, conflict("The tool %s can not be accepted: its schema refers to what is not a part of it, and could be another one tomorrow.", p.ID()).
			WithRemedy("Have its server put what it refers to into the schema, below $defs.")
	}
	p.State, p.Pinned, p.New, p.Since, p.Review = signalbox.PinPinned, p.New, nil, r.At, r
	return p, nil
}

// Reject keeps the new form of a tool from being used until somebody accepts it. The tool can be used as it was before,
// where it was, once its server lists it so. Errors are of code conflict, as those of [Accept].
func Reject(p signalbox.Pin, form [32]byte, r signalbox.PinReview) (signalbox.Pin, error) {
	if err := reviewable(p, form); err != nil {
		return p, err
	}
	if p.State == signalbox.PinRejected {
		return p, conflict("The new form of the tool %s was rejected already.", p.ID()).WithRemedy("Accept it if that was wrong.")
	}
	p.State, p.Since, p.Review = signalbox.PinRejected, r.At, r
	return p, nil
}

func reviewable(p signalbox.Pin, form [32]byte) error {
	switch {
	case p.New == nil:
		return conflict("The tool %s has no new form: it is pinned as its server has shown it.", p.ID()).
			WithRemedy("There is nothing to review; to forbid the tool, change the permissions.")
	case p.New.Hash != form:
		return conflict("The tool %s has changed again: the form to be reviewed is another one by now.", p.ID()).WithField("form").
			WithRemedy("Look at it once more with `signalbox tool show`, and review the form that it names.")
	}
	return nil
}

func conflict(format string, args ...any) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeConflict, format, args...).WithField("id")
}
