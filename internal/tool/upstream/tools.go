package upstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/pin"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// ToolList is what a server has listed, in the server's order. Many read the same one, and nobody changes it.
type ToolList struct {
	Tools    []Tool
	index    map[string]int
	Reserved []string // Names of tools that are left out: they are those of methods, or [pin.Instructions].
	Unfit    []Tool   // They are left out: nobody can tell which headers their calls have.
	overHTTP bool
	Joint    *JointNames // Of Tools.
	age      freshness
}

// find gives the tool of exactly that name: no spelling but the server's own is its name.
func (l *ToolList) find(name string) (Tool, bool) {
	i, ok := l.index[name]
	if !ok {
		return Tool{}, false
	}
	return l.Tools[i], true
}

// Tools gives the server's tools, from memory where they were read a moment ago. Errors, as of all lists: upstream, timeout or
// another code of the server's failure, unavailable in a pause or when we stop, cancelled.
func (u *Server) Tools(ctx context.Context) (*ToolList, error) {
	return fetch(ctx, u, &u.toolShelf, u.readTools)
}

// readTools reads the list, and once more where the server has forgotten the session meanwhile.
func (u *Server) readTools(ctx context.Context) (*ToolList, error) {
	list := &ToolList{index: map[string]int{}, overHTTP: u.overHTTP()}
	says, err := u.readPages(ctx, rpc.MethodListTools, "tools", list.add)
	list.age.says = says
	for i := range list.Unfit {
		u.logger.WarnContext(ctx, "a tool is left out", "server", u.ID, "tool", rpc.Clip(list.Unfit[i].Name), "error", list.Unfit[i].unfit)
	}
	names := make([]string, 0, len(list.Tools))
	for i := range list.Tools {
		names = append(names, list.Tools[i].Name)
		if list.Tools[i].remote != "" {
			u.logger.WarnContext(ctx, "a tool is left out", "server", u.ID, "tool", rpc.Clip(list.Tools[i].Name), "error", u.remote(&list.Tools[i]))
		}
	}
	list.Joint = newJointNames(u.ID, names)
	if err == nil {
		err = u.pin(ctx, list)
	}
	return list, err
}

// add adds a tool.
func (l *ToolList) add(raw json.Value) error {
	tool, err := readListed(raw)
	if err != nil {
		return err
	}
	if rpc.Reserved(tool.Name) || tool.Name == pin.Instructions {
		l.Reserved = append(l.Reserved, tool.Name)
		return nil
	}
	if l.overHTTP && tool.unfit != nil {
		l.Unfit = append(l.Unfit, tool)
		return nil
	}
	if _, twice := l.index[tool.Name]; twice {
		return fmt.Errorf("the list of tools has %q twice", tool.Name)
	}
	if len(l.Tools) == MaxTools {
		return fmt.Errorf("the list has more than %d tools", MaxTools)
	}
	l.index[tool.Name] = len(l.Tools)
	l.Tools = append(l.Tools, tool)
	return nil
}

// readPages reads a list to its end, and gives how long its server says that it counts: ListTTL where it says nothing.
func (u *Server) readPages(ctx context.Context, method, member string, add func(json.Value) error) (says time.Duration, err error) {
	s, err := u.session(ctx)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, u.ListTimeout)
	defer cancel()
	cursor, size := "", 0
	says = u.ListTTL
	for range maxPages {
		result, err := s.wire.request(ctx, method, "", listParams(s, cursor))
		var answered *rpc.Error
		if errors.As(err, &answered) && answered.Code == rpc.CodeMethodNotFound && cursor == "" {
			return says, nil // The server has nothing of the kind.
		}
		if err != nil {
			return 0, err
		}
		if size += len(result); size > MaxListBytes {
			return 0, fmt.Errorf("the list of %s is larger than %d bytes", member, MaxListBytes)
		}
		page, err := readPage(result, member, add)
		if err != nil {
			return 0, err
		}
		if page.says != nil {
			says = min(says, *page.says)
		}
		if cursor = page.next; cursor == "" {
			return says, nil
		}
	}
	return 0, fmt.Errorf("the list of %s has more than %d pages", member, maxPages)
}

func listParams(s *session, cursor string) []byte {
	var o rpc.Object
	if cursor != "" {
		o.Text("cursor", cursor)
	}
	if s.modern {
		o.Add("_meta", s.meta(nil, rpc.NoCapabilities))
	}
	return o.Bytes()
}

// page is what a page of a list says besides its entries.
type page struct {
	next string         // The cursor of the next one; "" where it is the last.
	says *time.Duration // How long it counts; nil where nothing is said.
}

// readPage adds a page's entries.
func readPage(result json.Value, member string, add func(json.Value) error) (page, error) {
	unreadable := func(err error) (page, error) {
		return page{}, fmt.Errorf("the list of %s can not be read: %w", member, err)
	}
	root, err := json.Parse(result, json.Limits{CaseVariants: true})
	if err != nil {
		return unreadable(err)
	}
	members, err := root.Object()
	if err != nil {
		return unreadable(err)
	}
	if entries := members.Get(member); !entries.Null() {
		list, err := entries.Array()
		if err != nil {
			return unreadable(err)
		}
		for _, node := range list {
			if err := add(slices.Clone(node.Bytes())); err != nil {
				return page{}, err
			}
		}
	}
	p := page{says: counts(members.Get("ttlMs"))}
	if cursor := members.Get("nextCursor"); !cursor.Null() {
		if p.next, err = cursor.Text(); err != nil {
			return unreadable(err)
		}
	}
	return p, nil
}

// counts reads how long a list counts. What is there and no number of milliseconds means not at all.
func counts(ttl json.Node) *time.Duration {
	if ttl.Null() {
		return nil
	}
	var says time.Duration
	if ms, err := strconv.ParseFloat(string(ttl.Bytes()), 64); err == nil && ms > 0 {
		says = time.Duration(min(ms, float64(time.Hour.Milliseconds()))) * time.Millisecond
	}
	return &says
}

// unlisted is the error for an upstream whose lists are not known.
func (u *Server) unlisted(err error) *signalbox.Error {
	var known *signalbox.Error
	var w *wireError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &w) && w.status != 0:
		return u.turnedDown(w)
	case errors.Is(err, context.Canceled) && u.life.Err() == nil:
		return errCancelled()
	case errors.Is(err, context.DeadlineExceeded):
		return signalbox.Errorf(signalbox.CodeTimeout, "The MCP server %q did not list what it has within %s.", u.ID, u.ListTimeout).
			WithRemedy("Retry, and see why the server takes so long.").WithCause(err)
	}
	return signalbox.Errorf(signalbox.CodeUpstream, "What the MCP server %q has is not known: it gave no list that can be used.",
		u.ID).WithRemedy("See the cause in the log, and check the server.").WithCause(err)
}
