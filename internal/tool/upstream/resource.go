package upstream

import (
	"context"
	"slices"

	"github.com/yosida95/uritemplate/v3"
)

// fits reports whether a URI is one that the template makes.
func fits(template, uri string) bool {
	t, err := uritemplate.New(template)
	return err == nil && t.Regexp().MatchString(uri)
}

// WhoHas asks all servers at once whether they list a resource. Of those that can not say, their last lists count. Failed is
// why one of them could not say, where these do not have it.
func WhoHas(ctx context.Context, servers []*Server, uri string) (has []string, failed error) {
	type finding struct {
		id    string
		found bool
		err   error
	}
	findings := make(chan finding, len(servers))
	for _, u := range servers {
		go func() {
			found, err := u.hasResource(ctx, uri)
			findings <- finding{u.ID, found, err}
		}()
	}
	for range servers {
		f := <-findings
		if f.found {
			has = append(has, f.id)
		} else if f.err != nil {
			failed = f.err
		}
	}
	slices.Sort(has)
	return has, failed
}

// hasResource reports whether the server lists the resource, or a template that it fits, or that template itself. Of one that
// can not say, its last lists do, however old they are: a resource that it has still has two owners if another lists it too.
// The error is why it can not say, where they do not have it either.
func (u *Server) hasResource(ctx context.Context, uri string) (bool, error) {
	templates := &EntryList{}
	list, err := u.Resources(ctx)
	if err == nil && !list.has(uri) {
		templates, err = u.Templates(ctx)
	}
	if err != nil {
		list, templates = u.lastLists()
	}
	if list.has(uri) || templates.has(uri) || slices.ContainsFunc(templates.Entries, func(e Entry) bool { return fits(e.Key, uri) }) {
		return true, nil
	}
	return false, err
}

// lastLists gives the resources and templates that the server has listed last; they are empty where it never has.
func (u *Server) lastLists() (resources, templates *EntryList) {
	u.mu.Lock()
	defer u.mu.Unlock()
	resources, templates = &EntryList{}, &EntryList{}
	if u.resourceShelf.last != nil {
		resources = u.resourceShelf.last
	}
	if u.templateShelf.last != nil {
		templates = u.templateShelf.last
	}
	return resources, templates
}
