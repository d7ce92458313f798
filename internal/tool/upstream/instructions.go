package upstream

import (
	"context"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/pin"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// MaxInstructions bounds a server's instructions, in bytes. Longer ones are passed on to nobody, and are not pinned.
const MaxInstructions = 16 << 10

// instructions are what a server has told once of how to use it. They are shown to the pins once, soon after they were heard, and not
// whenever somebody wants them: an older server tells them when the session begins, and what it said then is no change of what
// another process has heard since.
type instructions struct {
	text string
	seen bool     // By the pins. The upstream's mutex guards it, and form.
	form [32]byte // As [Pins] tells it from others.
}

func (i *instructions) long() bool { return len(i.text) > MaxInstructions }

// entry is what the pins are shown: as if it were a tool.
func (i *instructions) entry() json.Value {
	var o rpc.Object
	o.Text("name", pin.Instructions)
	o.Text("description", i.text)
	return o.Bytes()
}

// unseen gives the instructions of a session with an older server where the pins have not seen them yet, else nil. A modern server is
// asked anew by who wants to know.
func (u *Server) unseen() *instructions {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.current == nil || u.current.modern || u.current.declared.instructions == nil {
		return nil
	}
	if i := u.current.declared.instructions; !i.seen && !i.long() {
		return i
	}
	return nil
}

// saw notes that the pins have seen instructions.
func (u *Server) saw(i *instructions, form [32]byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	i.seen, i.form = true, form
}

// show shows instructions to the pins, where that was not done before, and gives what tells them from others.
func (u *Server) show(ctx context.Context, i *instructions) (form [32]byte, err error) {
	u.mu.Lock()
	form, seen := i.form, i.seen
	u.mu.Unlock()
	if seen {
		return form, nil
	}
	forms, err := u.pins.Seen(ctx, u.ID, []json.Value{i.entry()})
	if err != nil {
		return form, err
	}
	u.saw(i, forms[0])
	return forms[0], nil
}

// Instructions gives what the server tells models in the handshake of how to use it: to a caller who may use something of it, as
// uses finds by its tools. It is "" where there is nothing to tell, to him or at all, and where it waits for a review. The text is
// pinned like what the server says of a tool, and not before its tools: that it speaks of those is nothing suspicious. Errors are
// those of lists and of [Pins].
func (u *Server) Instructions(ctx context.Context, d *Declared, uses func(*ToolList) bool) (string, error) {
	if d == nil || d.instructions == nil {
		return "", nil
	}
	list, err := u.Tools(ctx)
	if err != nil || !uses(list) {
		return "", err
	}
	i := d.instructions
	if i.long() {
		u.logger.WarnContext(ctx, "the instructions of an MCP server are left out: they are too long", "server", u.ID, "bytes", len(i.text))
		return "", nil
	}
	if u.pins == nil {
		return i.text, nil
	}
	form, err := u.show(ctx, i)
	if err != nil || u.pins.Refused(u.ID, pin.Instructions, form) != nil {
		return "", err
	}
	return i.text, nil
}
