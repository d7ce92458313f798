package mcp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// toolList is what an upstream has listed, in the upstream's order.
type toolList struct {
	tools   []listedTool
	fetched time.Time
}

// find gives the tool of exactly that name: no spelling but the server's own is its name.
func (l *toolList) find(name string) (listedTool, bool) {
	i := slices.IndexFunc(l.tools, func(t listedTool) bool { return t.name == name })
	if i < 0 {
		return listedTool{}, false
	}
	return l.tools[i], true
}

// tools gives the upstream's tools, from memory where they were read a moment ago.
func (u *upstream) tools(ctx context.Context) (*toolList, error) {
	u.mu.Lock()
	if u.list != nil && u.now().Sub(u.list.fetched) < u.ListTTL {
		defer u.mu.Unlock()
		return u.list, nil
	}
	if u.life.Err() != nil {
		defer u.mu.Unlock()
		return nil, errClosed(u.ID)
	}
	if u.listing == nil {
		u.listing = launch(u.life, &u.wg, u.ConnectTimeout+u.ListTimeout, u.fetch)
	}
	f := u.listing
	u.mu.Unlock()
	list, err := f.wait(ctx)
	if err != nil {
		return nil, u.unlisted(err)
	}
	return list, nil
}

// fetch reads the list. It is the work of one flight at a time.
func (u *upstream) fetch(ctx context.Context) (*toolList, error) {
	u.mu.Lock()
	epoch := u.epoch
	u.mu.Unlock()
	list, err := passing(ctx, u, func() (*toolList, error) { return u.readTools(ctx) })
	if err == nil {
		err = u.pin(ctx, list)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.listing = nil
	if err != nil {
		return nil, err
	}
	list.fetched = u.now()
	if epoch == u.epoch { // Else it may be the list before the change.
		u.list = list
	}
	return list, nil
}

// readTools reads the list, and once more where the server has forgotten the session meanwhile.
func (u *upstream) readTools(ctx context.Context) (*toolList, error) {
	list, err := u.readPages(ctx)
	if errors.Is(err, errExpired) {
		return u.readPages(ctx)
	}
	return list, err
}

func (u *upstream) readPages(ctx context.Context) (*toolList, error) {
	s, err := u.session(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, u.ListTimeout)
	defer cancel()
	list, cursor, size := &toolList{}, "", 0
	for range maxPages {
		result, err := s.wire.request(ctx, methodListTools, "", listParams(s, cursor))
		if err != nil {
			return nil, err
		}
		if size += len(result); size > MaxListBytes {
			return nil, fmt.Errorf("the list of tools is larger than %d bytes", MaxListBytes)
		}
		if cursor, err = list.add(result); err != nil || cursor == "" {
			return list, err
		}
	}
	return nil, fmt.Errorf("the list of tools has more than %d pages", maxPages)
}

func listParams(s *session, cursor string) []byte {
	var o object
	if cursor != "" {
		o.text("cursor", cursor)
	}
	if s.modern {
		o.add("_meta", s.meta(nil))
	}
	return o.bytes()
}

// add adds a page and gives the cursor of the next one.
func (l *toolList) add(result json.Value) (string, error) {
	var page struct {
		Tools []json.Value `json:"tools"`
		Next  string       `json:"nextCursor"`
	}
	if err := json.Unmarshal(result, &page); err != nil {
		return "", fmt.Errorf("the list of tools can not be read: %w", err)
	}
	for _, raw := range page.Tools {
		tool, err := readListed(raw)
		if err != nil {
			return "", err
		}
		if _, twice := l.find(tool.name); twice {
			return "", fmt.Errorf("the list of tools has %q twice", tool.name)
		}
		if len(l.tools) == MaxTools {
			return "", fmt.Errorf("the list has more than %d tools", MaxTools)
		}
		l.tools = append(l.tools, tool)
	}
	return page.Next, nil
}

// unlisted is the error for an upstream whose tools are not known.
func (u *upstream) unlisted(err error) *signalbox.Error {
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
		return signalbox.Errorf(signalbox.CodeTimeout, "The MCP server %q did not list its tools within %s.", u.ID, u.ListTimeout).
			WithRemedy("Retry, and see why the server takes so long to list its tools.").WithCause(err)
	}
	return signalbox.Errorf(signalbox.CodeUpstream, "The tools of the MCP server %q are not known: it gave no list that can be used.",
		u.ID).WithRemedy("See the cause in the log, and check the server.").WithCause(err)
}
