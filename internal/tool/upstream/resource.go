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

// WhoHas asks all servers at once whether they list a resource. Failed is why one of them could not say.
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

// hasResource reports whether the server lists the resource, or a template that it fits, or that template itself.
func (u *Server) hasResource(ctx context.Context, uri string) (bool, error) {
	list, err := u.Resources(ctx)
	if err != nil || list.has(uri) {
		return err == nil, err
	}
	templates, err := u.Templates(ctx)
	if err != nil {
		return false, err
	}
	return templates.has(uri) || slices.ContainsFunc(templates.Entries, func(e Entry) bool { return fits(e.Key, uri) }), nil
}
