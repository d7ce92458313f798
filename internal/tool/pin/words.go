package pin

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// MinForm is how many digits of a form's hash name it.
const MinForm = 8

// maxTools is how many characters of names a record holds.
const maxTools = 2000

// Hex is a hash as people and programs name a form.
func Hex(form [32]byte) string { return hex.EncodeToString(form[:]) }

// Short is the part of it that commands show.
func Short(form [32]byte) string { return Hex(form)[:12] }

// Refused gives why a tool must not be used in the form that its server lists, nil where it may be. It reads memory only.
// The error is of code frozen.
func (k *Keeper) Refused(server, tool string, form [32]byte) error {
	p, known := (*k.all.Load())[server][tool]
	if known && Usable(p, form) {
		return nil
	}
	id := server + "." + tool
	e := signalbox.Errorf(signalbox.CodeFrozen, "The tool %s can not be used: %s.", quoted(id), why(p, known)).WithField("name")
	if !known {
		return e.WithRemedy("Have its server give it another name, or retry in a moment.")
	}
	return e.WithRemedy("Have an operator look at it: `signalbox tool show " + Visible(id) + "`, then `signalbox tool accept` or `reject`.")
}

// why says what keeps a tool from being used.
func why(p signalbox.Pin, known bool) string {
	switch {
	case !known:
		return "nothing of that name is pinned, since its name can not be kept, or was not kept yet"
	case p.State == signalbox.PinHeld && p.Pinned == nil:
		return "nobody has accepted it yet" + suspicion(p.Shown())
	case p.State == signalbox.PinHeld:
		return "its " + change(p) + " since " + p.Pinned.Seen.Format(time.DateOnly) + ", and nobody has accepted that yet" + suspicion(p.Shown())
	case p.State == signalbox.PinRejected:
		return "its server shows it in a form that was rejected, or that is new"
	}
	return "its server shows it in another form than the one that is pinned"
}

// change says which members of a tool's definition differ.
func change(p signalbox.Pin) string {
	if p.New.Fault != "" {
		return "definition has changed"
	}
	names := Changed(p.Pinned.Definition, p.New.Definition)
	if len(names) == 1 {
		return names[0] + " has changed"
	}
	return strings.Join(names, ", ") + " have changed"
}

// suspicion says what is odd about a form, in a few words.
func suspicion(f signalbox.ToolForm) string {
	if f.Fault != "" {
		return " (" + f.Fault + ")"
	}
	var kinds []string
	for _, g := range f.Flags {
		if !slices.Contains(kinds, string(g.Kind)) {
			kinds = append(kinds, string(g.Kind))
		}
	}
	if len(kinds) == 0 {
		return ""
	}
	return " (flagged: " + strings.Join(kinds, ", ") + ")"
}

// describe says in a record what has become of tools of one server. Digest is of all their names and forms, so that
// whoever has the pins can tell whether they are those of the record.
func describe(changed []signalbox.Pin, m call.Masker) signalbox.What {
	list := slices.SortedFunc(slices.Values(changed), func(a, b signalbox.Pin) int { return cmp.Compare(a.Tool, b.Tool) })
	flagged, digest := 0, Digest(list)
	var names []string
	for i := range list {
		if len(list[i].Shown().Flags) > 0 {
			flagged++
		}
		names = append(names, entry(&list[i]))
	}
	what := signalbox.What{ResourceID: list[0].Server, Detail: map[string]string{
		"tools": m.Mask(shorten(Visible(strings.Join(names, ", ")), maxTools)), "count": strconv.Itoa(len(list)), "flagged": strconv.Itoa(flagged),
		"digest": hex.EncodeToString(digest[:]),
	}}
	if len(list) == 1 {
		what.ToolName = m.Mask(Visible(list[0].ID()))
	}
	return what
}

// Digest is of the names and forms of pins, in their order.
func Digest(list []signalbox.Pin) [32]byte {
	sum := sha256.New()
	for i := range list {
		fmt.Fprintf(sum, "%d %s %x\n", len(list[i].Tool), list[i].Tool, list[i].Shown().Hash)
	}
	return [32]byte(sum.Sum(nil))
}

// entry names a tool in a record, with why it is held.
func entry(p *signalbox.Pin) string {
	if p.State != signalbox.PinHeld {
		return p.Tool
	}
	if p.Pinned == nil {
		return p.Tool + suspicion(p.Shown())
	}
	return p.Tool + " [" + change(*p) + "]" + suspicion(p.Shown())
}
