package mcp

import (
	"context"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// MetaHeld is the member of a list's _meta that says how many tools are not in it because they are held: they have
// changed, or look suspicious, and wait for a review.
const MetaHeld = "signalbox/held"

// Pins knows in which form tools may be used. It is safe for concurrent use.
type Pins interface {
	// Seen takes note of a list that was just read, as its entries were written, and returns once what follows from it is
	// durable. It gives what tells each entry's form from any other. On an error nothing is known of the list, and it must
	// not be used; the same list can be shown again.
	Seen(ctx context.Context, server string, entries []json.Value) (forms [][32]byte, err error)
	// Refused gives why a tool must be neither called nor listed in that form, nil where it may be. It asks nobody: every
	// call comes by here.
	Refused(server, tool string, form [32]byte) error
}

// pin shows a list that was read to the pins. Without pins every form is good.
func (u *upstream) pin(ctx context.Context, list *toolList) error {
	if u.pins == nil {
		return nil
	}
	entries := make([]json.Value, len(list.tools))
	for i := range list.tools {
		entries[i] = list.tools[i].raw
	}
	forms, err := u.pins.Seen(ctx, u.ID, entries)
	if err != nil {
		return err
	}
	for i := range list.tools {
		list.tools[i].form = forms[i]
	}
	return nil
}

// withheld gives why a tool that is listed must not be used.
func (u *upstream) withheld(tool *listedTool) error {
	if u.pins == nil {
		return nil
	}
	return u.pins.Refused(u.ID, tool.name, tool.form)
}

// usable leaves out tools that must not be used, and counts them.
func (u *upstream) usable(tools []listedTool) (good []listedTool, held int) {
	for i := range tools {
		if u.withheld(&tools[i]) != nil {
			held++
			continue
		}
		good = append(good, tools[i])
	}
	return good, held
}
