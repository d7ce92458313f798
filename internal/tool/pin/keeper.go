package pin

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Store is where pins are kept. It is used from many goroutines. What it gives is the caller's own, and as new as the last
// record that was durable before it was asked. Its errors mean that it could not be asked.
type Store interface {
	// Pins gives the pins of a server, by their names; "" is all servers.
	Pins(ctx context.Context, server string) ([]signalbox.Pin, error)
	// Claim takes a name for a holder; false where another holds it. The claim of a process that is gone ends when that
	// can commit nothing any more. Claiming again what one holds may give either.
	Claim(ctx context.Context, name, holder string) (bool, error)
	// Unclaim gives it back; what is not held is left as it is.
	Unclaim(ctx context.Context, name, holder string) error
}

// Options of [New]. All are required but Held.
type Options struct {
	Store    Store
	Log      call.Log
	Masker   call.Masker // Of what servers call their tools, in records.
	Now      func() time.Time
	Holder   string // Of claims, and the replica of records: this process, as the store knows it.
	Settings func(server string) Settings
	Held     func(server string, pins []signalbox.Pin) // Told of tools that are held once that is durable. It must not block.
}

// Keeper keeps the pins of all servers for one process. It is safe for concurrent use, and owns no goroutine.
type Keeper struct {
	o   Options
	all atomic.Pointer[pins] // Replaced as a whole, and never changed.

	mu   sync.Mutex // Of who changes pins.
	left string     // The claim that the store has to take back; "" where there is none.

	known   sync.Mutex // Of who replaces all.
	changes int        // Of all, but for what Load has read.
}

// pins are those of all servers, by server and name.
type pins map[string]map[string]signalbox.Pin

// New makes a keeper that knows no pins before [Keeper.Load].
func New(o Options) *Keeper {
	if o.Held == nil {
		o.Held = func(string, []signalbox.Pin) {}
	}
	k := &Keeper{o: o}
	k.all.Store(&pins{})
	return k
}

// Load reads all pins: at the start, and when another process has changed some.
func (k *Keeper) Load(ctx context.Context) error {
	for {
		k.known.Lock()
		before := k.changes
		k.known.Unlock()
		list, err := k.o.Store.Pins(ctx, "")
		if err != nil {
			return err
		}
		if k.replace(list, before) { // Else this process has changed some, and what was read may be older.
			return nil
		}
	}
}

func (k *Keeper) replace(list []signalbox.Pin, before int) bool {
	all := pins{}
	for _, p := range list {
		if all[p.Server] == nil {
			all[p.Server] = map[string]signalbox.Pin{}
		}
		all[p.Server][p.Tool] = p
	}
	k.known.Lock()
	defer k.known.Unlock()
	if k.changes != before {
		return false
	}
	k.all.Store(&all)
	return true
}

// put replaces the pins of a server in memory.
func (k *Keeper) put(server string, now map[string]signalbox.Pin) {
	k.known.Lock()
	defer k.known.Unlock()
	all := maps.Clone(*k.all.Load())
	all[server] = now
	k.all.Store(&all)
	k.changes++
}

// List gives the pins of a server as they are kept; "" is all servers.
func (k *Keeper) List(ctx context.Context, server string) ([]signalbox.Pin, error) {
	return k.o.Store.Pins(ctx, server)
}

// Count gives how many tools of a server are held, and how many are flagged in the form that is to be looked at, as far
// as this process knows.
func (k *Keeper) Count(server string) (held, flagged int64) {
	for _, p := range (*k.all.Load())[server] {
		if p.State == signalbox.PinHeld {
			held++
		}
		if len(p.Shown().Flags) > 0 {
			flagged++
		}
	}
	return held, flagged
}

// Seen takes note of a server's list and returns once what follows from it is durable: nothing, most of the time, and then
// it asks nobody. It gives the hash of each entry's form, in their order. Errors: unavailable, or whatever the store and the
// log say; what an entry has that can not be read, without a code.
func (k *Keeper) Seen(ctx context.Context, server string, entries []json.Value) (forms [][32]byte, err error) {
	list := make([]Listed, len(entries))
	forms = make([][32]byte, len(entries))
	for i, entry := range entries {
		if list[i], err = Read(entry); err != nil {
			return nil, err
		}
		forms[i] = list[i].Hash
	}
	if len(k.decide(server, (*k.all.Load())[server], list)) == 0 {
		return forms, nil
	}
	return forms, k.change(ctx, server, func(ctx context.Context, now map[string]signalbox.Pin) error {
		return k.note(ctx, server, now, k.decide(server, now, list))
	})
}

func (k *Keeper) decide(server string, now map[string]signalbox.Pin, list []Listed) []signalbox.Pin {
	names := sync.OnceValue(func() Names { return k.names(server, list) })
	inspect := func(l Listed) []signalbox.ToolFlag { return Inspect(server, l, names()) }
	return Decide(server, now, list, inspect, k.o.Settings(server), k.now())
}

// names are those of the other servers' tools and of the list.
func (k *Keeper) names(server string, list []Listed) Names {
	tools := map[string][]string{}
	for id, of := range *k.all.Load() {
		if id != server {
			tools[id] = slices.Sorted(maps.Keys(of))
		}
	}
	for _, l := range list {
		tools[server] = append(tools[server], l.Tool)
	}
	for name := range (*k.all.Load())[server] {
		if !slices.Contains(tools[server], name) { // It has gone; who takes its place is looked at.
			tools[server] = append(tools[server], name)
		}
	}
	return NewNames(tools)
}

// now is the time as stores keep it.
func (k *Keeper) now() time.Time { return k.o.Now().UTC().Truncate(time.Microsecond) }

// note records what a list has changed: tools that are pinned, and those that are held.
func (k *Keeper) note(ctx context.Context, server string, now map[string]signalbox.Pin, changed []signalbox.Pin) error {
	held := slices.DeleteFunc(slices.Clone(changed), func(p signalbox.Pin) bool { return p.State != signalbox.PinHeld })
	good := slices.DeleteFunc(slices.Clone(changed), func(p signalbox.Pin) bool { return p.State == signalbox.PinHeld })
	if err := k.write(ctx, signalbox.ActionPinned, server, now, good, signalbox.Who{}, nil); err != nil {
		return err
	}
	if err := k.write(ctx, signalbox.ActionPinHeld, server, now, held, signalbox.Who{}, nil); err != nil {
		return err
	}
	if len(held) > 0 {
		k.o.Held(server, held)
	}
	return nil
}

// write makes pins durable with their record, and then known. No pins are no record.
func (k *Keeper) write(
	ctx context.Context, action, server string, now map[string]signalbox.Pin, changed []signalbox.Pin, who signalbox.Who, detail map[string]string,
) error {
	if len(changed) == 0 {
		return nil
	}
	at := k.now()
	what := describe(changed, k.o.Masker)
	maps.Copy(what.Detail, detail)
	what.Action = action
	_, err := k.o.Log.Append(ctx, signalbox.Record{
		Type: signalbox.RecordAdmin, Time: at, When: signalbox.When{Timestamp: at}, Who: who, What: what,
		Context: signalbox.Context{Replica: k.o.Holder},
	}, signalbox.PutPins{Pins: changed})
	if err != nil {
		return err
	}
	for _, p := range changed {
		now[p.Tool] = p
	}
	k.put(server, maps.Clone(now))
	return nil
}

// Review is somebody's verdict about the new form of a tool.
type Review struct {
	Server string
	Tool   string
	Form   string // The form that was looked at: the first digits of its hash, eight at the least.
	Accept bool   // Else it is rejected.
	By     string // Key and user.
	Who    signalbox.Who
	Reason string
}

// Review decides about the new form of a tool. Errors are of code not_found, conflict as those of [Accept] and [Reject],
// or of the store and the log.
func (k *Keeper) Review(ctx context.Context, r Review) (done signalbox.Pin, err error) {
	err = k.change(ctx, r.Server, func(ctx context.Context, now map[string]signalbox.Pin) error {
		p, found := now[r.Tool]
		if !found {
			return signalbox.Errorf(signalbox.CodeNotFound, "There is no tool %q of a server %q that was ever seen.", shorten(r.Tool, maxQuoted), r.Server).
				WithField("id").WithRemedy("List them with `signalbox tool list`; a tool is seen when its server's tools are first listed.")
		}
		action, decide := signalbox.ActionPinRejected, Reject
		if r.Accept {
			action, decide = signalbox.ActionPinAccepted, Accept
		}
		before := p
		if p, err = decide(p, r.form(p), signalbox.PinReview{By: r.By, Reason: r.Reason, At: k.now()}); err != nil {
			return err
		}
		done = p
		return k.write(ctx, action, r.Server, now, []signalbox.Pin{p}, r.Who, map[string]string{"reason": r.Reason, "reviewed": Short(before.New.Hash)})
	})
	return done, err
}

// form gives the hash of the new form where that is the one the review names, and else one that no form has.
func (r Review) form(p signalbox.Pin) [32]byte {
	if p.New != nil && len(r.Form) >= MinForm && strings.HasPrefix(Hex(p.New.Hash), r.Form) {
		return p.New.Hash
	}
	return [32]byte{}
}
