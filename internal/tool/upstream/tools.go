package upstream

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// ToolList is what a server has listed, in the server's order. Many read the same one, and nobody changes it.
type ToolList struct {
	Tools    []Tool
	index    map[string]int
	Reserved []string // Names of tools that are left out: they are those of methods.
	Unfit    []Tool   // They are left out: nobody can tell which headers their calls have.
	overHTTP bool
	Joint    *JointNames // Of Tools.
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
	err := u.readPages(ctx, rpc.MethodListTools, "tools", list.add)
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
	if rpc.Reserved(tool.Name) {
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

// readPages reads a list to its end.
func (u *Server) readPages(ctx context.Context, method, member string, add func(json.Value) error) error {
	s, err := u.session(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, u.ListTimeout)
	defer cancel()
	cursor, size := "", 0
	for range maxPages {
		result, err := s.wire.request(ctx, method, "", listParams(s, cursor))
		var answered *rpc.Error
		if errors.As(err, &answered) && answered.Code == rpc.CodeMethodNotFound && cursor == "" {
			return nil // The server has nothing of the kind.
		}
		if err != nil {
			return err
		}
		if size += len(result); size > MaxListBytes {
			return fmt.Errorf("the list of %s is larger than %d bytes", member, MaxListBytes)
		}
		if cursor, err = addPage(result, member, add); err != nil || cursor == "" {
			return err
		}
	}
	return fmt.Errorf("the list of %s has more than %d pages", member, maxPages)
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

// addPage adds a page's entries and gives the cursor of the next one.
func addPage(result json.Value, member string, add func(json.Value) error) (string, error) {
	unreadable := func(err error) (string, error) {
		return "", fmt.Errorf("the list of %s can not be read: %w", member, err)
	}
	root, err := json.Parse(result, json.Limits{CaseVariants: true})
	if err != nil {
		return unreadable(err)
	}
	page, err := root.Object()
	if err != nil {
		return unreadable(err)
	}
	if entries := page.Get(member); !entries.Null() {
		list, err := entries.Array()
		if err != nil {
			return unreadable(err)
		}
		for _, node := range list {
			if err := add(slices.Clone(node.Bytes())); err != nil {
				return "", err
			}
		}
	}
	cursor := page.Get("nextCursor")
	if cursor.Null() {
		return "", nil
	}
	next, err := cursor.Text()
	if err != nil {
		return unreadable(err)
	}
	return next, nil
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
