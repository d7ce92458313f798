package upstream

import (
	"context"
	"fmt"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// Entry is one resource, template or prompt in a server's list.
type Entry struct {
	Raw json.Value // As it was written.
	Key string     // What it is asked for by: a URI, the template of one, or a name.
}

// EntryList is what a server has listed, in the server's order. Many read the same one, and nobody changes it.
type EntryList struct {
	Entries []Entry
	index   map[string]int
	Joint   *JointNames // Of prompts.
	age     freshness
}

// MaxEntries bounds the resources of one server, and its templates, and its prompts.
const MaxEntries = 5000

func (l *EntryList) has(key string) bool {
	_, ok := l.index[key]
	return ok
}

// readEntries reads a list of entries whose key is the member of that name.
func (u *Server) readEntries(method, member, key string) func(context.Context) (*EntryList, error) {
	return func(ctx context.Context) (*EntryList, error) {
		list := &EntryList{index: map[string]int{}}
		says, err := u.readPages(ctx, method, member, func(raw json.Value) error { return list.add(raw, member, key) })
		list.age.says = says
		names := make([]string, 0, len(list.Entries))
		for _, e := range list.Entries {
			names = append(names, e.Key)
		}
		list.Joint = newJointNames(u.ID, names)
		return list, err
	}
}

// add adds an entry. One that is listed twice counts once: the server means the same.
func (l *EntryList) add(raw json.Value, member, key string) error {
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
	case len(l.Entries) == MaxEntries:
		return fmt.Errorf("the list has more than %d %s", MaxEntries, member)
	}
	l.index[name] = len(l.Entries)
	l.Entries = append(l.Entries, Entry{Raw: raw, Key: name})
	return nil
}

// Resources gives the server's resources, by their URIs.
func (u *Server) Resources(ctx context.Context) (*EntryList, error) {
	return fetch(ctx, u, &u.resourceShelf, u.readEntries(rpc.MethodListResources, "resources", "uri"))
}

// Templates gives the server's templates of resources, by themselves.
func (u *Server) Templates(ctx context.Context) (*EntryList, error) {
	return fetch(ctx, u, &u.templateShelf, u.readEntries(rpc.MethodListTemplates, "resourceTemplates", "uriTemplate"))
}

// Prompts gives the server's prompts, by their names.
func (u *Server) Prompts(ctx context.Context) (*EntryList, error) {
	return fetch(ctx, u, &u.promptShelf, u.readEntries(rpc.MethodListPrompts, "prompts", "name"))
}
