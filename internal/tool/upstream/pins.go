package upstream

import (
	"context"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

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

// pin shows a list that was read to the pins, and with it what an older server has said in its handshake. Without pins every form is good.
func (u *Server) pin(ctx context.Context, list *ToolList) error {
	if u.pins == nil {
		return nil
	}
	entries := make([]json.Value, len(list.Tools), len(list.Tools)+1)
	for i := range list.Tools {
		entries[i] = list.Tools[i].Raw
	}
	told := u.unseen()
	if told != nil {
		entries = append(entries, told.entry())
	}
	forms, err := u.pins.Seen(ctx, u.ID, entries)
	if err != nil {
		return err
	}
	for i := range list.Tools {
		list.Tools[i].form = forms[i]
	}
	if told != nil {
		u.saw(told, forms[len(list.Tools)])
	}
	return nil
}

// withheld gives why a tool that is listed must not be used.
func (u *Server) withheld(tool *Tool) error {
	if tool.remote != "" {
		return u.remote(tool)
	}
	if u.pins == nil {
		return nil
	}
	return u.pins.Refused(u.ID, tool.Name, tool.form)
}

// remote is the error for a tool whose schema refers to what is elsewhere: whoever reads it would have to fetch that, and it can
// be another one each time. We never do.
func (u *Server) remote(tool *Tool) error {
	return signalbox.Errorf(signalbox.CodeFrozen, "The tool %q of the MCP server %q is refused: its schema refers to %s, which is not a part of it.",
		rpc.Clip(tool.Name), u.ID, tool.remote).WithField("name").WithRemedy("Have the server put what it refers to into the schema, below $defs.")
}

// Usable leaves out tools that must not be used: it counts those that a review can let be used, and names those that nothing can.
func (u *Server) Usable(tools []Tool) (good []Tool, held int, refused []string) {
	for i := range tools {
		switch {
		case tools[i].remote != "":
			refused = append(refused, tools[i].Name)
		case u.withheld(&tools[i]) != nil:
			held++
		default:
			good = append(good, tools[i])
		}
	}
	return good, held, refused
}
