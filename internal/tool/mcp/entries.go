package mcp

import (
	"context"
	"fmt"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// entry is one resource, template or prompt in a server's list.
type entry struct {
	raw json.Value // As it was written.
	key string     // What it is asked for by: a URI, the template of one, or a name.
}

// entryList is what an upstream has listed, in the upstream's order.
type entryList struct {
	entries []entry
	index   map[string]int
	joint   *jointNames // Of prompts.
}

// MaxEntries bounds the resources of one server, and its templates, and its prompts.
const MaxEntries = 5000

func (l *entryList) has(key string) bool {
	_, ok := l.index[key]
	return ok
}

// readEntries reads a list of entries whose key is the member of that name.
func (u *upstream) readEntries(method, member, key string) func(context.Context) (*entryList, error) {
	return func(ctx context.Context) (*entryList, error) {
		list := &entryList{index: map[string]int{}}
		err := u.readPages(ctx, method, member, func(raw json.Value) error { return list.add(raw, member, key) })
		names := make([]string, 0, len(list.entries))
		for _, e := range list.entries {
			names = append(names, e.key)
		}
		list.joint = newJointNames(u.ID, names)
		return list, err
	}
}

// add adds an entry. One that is listed twice counts once: the server means the same.
func (l *entryList) add(raw json.Value, member, key string) error {
	root, err := json.Parse(raw, json.Limits{CaseVariants: true})
	if err != nil {
		return err
	}
	object, err := root.Object()
	if err != nil {
		return err
	}
	name, err := object.Get(key).Text()
	switch {
	case err != nil || name == "":
		return fmt.Errorf("the list of %s has an entry without %s", member, key)
	case l.has(name):
		return nil
	case len(l.entries) == MaxEntries:
		return fmt.Errorf("the list has more than %d %s", MaxEntries, member)
	}
	l.index[name] = len(l.entries)
	l.entries = append(l.entries, entry{raw: raw, key: name})
	return nil
}

func (u *upstream) resources(ctx context.Context) (*entryList, error) {
	return fetch(ctx, u, &u.resourceShelf, u.readEntries(methodListResources, "resources", "uri"))
}

func (u *upstream) templates(ctx context.Context) (*entryList, error) {
	return fetch(ctx, u, &u.templateShelf, u.readEntries(methodListTemplates, "resourceTemplates", "uriTemplate"))
}

func (u *upstream) prompts(ctx context.Context) (*entryList, error) {
	return fetch(ctx, u, &u.promptShelf, u.readEntries(methodListPrompts, "prompts", "name"))
}
