package registry

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// Limits of a list.
const (
	DefaultLimit = 30
	MaxLimit     = 100
	MaxSearch    = 200 // Bytes of what is looked for, and of a cursor.
)

// latest stands for the newest version, which is the only one here.
const latest = "latest"

// Query says which servers a list is to have.
type Query struct {
	Cursor       string
	Limit        int       // 0 is [DefaultLimit].
	Search       string    // A part of the name, in any case; "" is all.
	UpdatedSince time.Time // Zero is ever.
	Version      string    // "latest", or a version exactly; "" is all.
}

// List is a page of servers.
type List struct {
	Servers  []Answer `json:"servers"`
	Metadata Metadata `json:"metadata"`
}

// Metadata is about a page.
type Metadata struct {
	NextCursor string `json:"nextCursor,omitempty"`
	Count      int    `json:"count"`
}

// Answer is a server with what the registry says of it.
type Answer struct {
	Server Document `json:"server"`
	Meta   Meta     `json:"_meta"`
}

// Document is a server.json.
type Document struct {
	Schema      string   `json:"$schema"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Title       string   `json:"title,omitempty"`
	Version     string   `json:"version"`
	Remotes     []Remote `json:"remotes"`
}

// Meta is what the registry says of a server.
type Meta struct {
	Official Status `json:"io.modelcontextprotocol.registry/official"`
}

// Status is the state of a version.
type Status struct {
	Status    string    `json:"status"`
	Changed   time.Time `json:"statusChangedAt"`
	Published time.Time `json:"publishedAt"`
	Updated   time.Time `json:"updatedAt"`
	Latest    bool      `json:"isLatest"`
}

// Answer describes one server.
func (s Site) Answer(server Server) Answer {
	title, description := server.describe()
	since := s.Since.UTC()
	return Answer{
		Server: Document{
			Schema: serverSchema, Name: s.Name(server.ID), Title: title, Description: description, Version: s.Version, Remotes: []Remote{s.remote(server.ID)},
		},
		Meta: Meta{Status{Status: "active", Changed: since, Published: since, Updated: since, Latest: true}},
	}
}

// List gives a page. Errors are of code invalid and name the parameter.
func (s Site) List(servers []Server, q Query) (List, error) {
	after, err := readCursor(q.Cursor)
	if err != nil {
		return List{}, err
	}
	switch {
	case q.Limit < 0 || q.Limit > MaxLimit:
		return List{}, signalbox.Errorf(signalbox.CodeInvalid, "The limit is not from 1 to %d.", MaxLimit).WithField("limit").
			WithRemedy("Ask for fewer servers, and follow metadata.nextCursor.")
	case len(q.Search) > MaxSearch:
		return List{}, signalbox.Errorf(signalbox.CodeInvalid, "What is looked for has more than %d bytes.", MaxSearch).WithField("search").
			WithRemedy("Look for a part of the name.")
	}
	found := slices.DeleteFunc(slices.Clone(servers), func(one Server) bool { return !s.fits(one, q, after) })
	slices.SortFunc(found, func(a, b Server) int { return cmp.Compare(s.Name(a.ID), s.Name(b.ID)) })
	return s.page(found, cmp.Or(q.Limit, DefaultLimit)), nil
}

// fits reports whether a server belongs to the list behind a name.
func (s Site) fits(one Server, q Query, after string) bool {
	name := s.Name(one.ID)
	return name > after && strings.Contains(strings.ToLower(name), strings.ToLower(strings.TrimSpace(q.Search))) &&
		!s.Since.Before(q.UpdatedSince) && (q.Version == "" || s.is(q.Version))
}

// is reports whether a version is the one that there is.
func (s Site) is(version string) bool { return version == latest || version == s.Version }

func (s Site) page(servers []Server, limit int) List {
	page := List{Servers: []Answer{}}
	for _, one := range servers[:min(limit, len(servers))] {
		page.Servers = append(page.Servers, s.Answer(one))
	}
	page.Metadata.Count = len(page.Servers)
	if len(servers) > limit {
		page.Metadata.NextCursor = base64.RawURLEncoding.EncodeToString([]byte(s.Name(servers[limit-1].ID)))
	}
	return page
}

func readCursor(cursor string) (string, error) {
	name, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(cursor) > 2*MaxSearch {
		return "", signalbox.Errorf(signalbox.CodeInvalid, "The cursor is none that this registry has given.").WithField("cursor").
			WithRemedy("Take metadata.nextCursor of the page before, or leave it out.")
	}
	return string(name), nil
}

// Versions lists the versions of one server. The error is of code not_found.
func (s Site) Versions(servers []Server, name string) (List, error) {
	one, err := s.Find(servers, name, latest)
	if err != nil {
		return List{}, err
	}
	return List{Servers: []Answer{one}, Metadata: Metadata{Count: 1}}, nil
}

// Find gives one version of a server. The error is of code not_found.
func (s Site) Find(servers []Server, name, version string) (Answer, error) {
	i := slices.IndexFunc(servers, func(one Server) bool { return s.Name(one.ID) == name })
	switch {
	case i < 0:
		return Answer{}, signalbox.Errorf(signalbox.CodeNotFound, "Server not found").WithField("serverName").
			WithRemedy("Use a name that the list of servers has, URL-encoded.")
	case !s.is(version):
		return Answer{}, signalbox.Errorf(signalbox.CodeNotFound, "Server version not found").WithField("version").
			WithRemedy("Use latest: there is one version of each server, which is Signalbox's.")
	}
	return s.Answer(servers[i]), nil
}
