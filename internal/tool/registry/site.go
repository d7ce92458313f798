package registry

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Site is an instance as it is reached from outside.
type Site struct {
	URL       string    // The address, without a slash at its end.
	Version   string    // Of Signalbox, which is what answers at every remote.
	Protocols []string  // Versions of MCP that are spoken at every remote, newest first.
	Tokens    bool      // Whether tokens of an authorization server are taken there too.
	Since     time.Time // When what is described has come into force.
}

// Server is one server that may be known to the caller.
type Server struct {
	ID          string // As in /mcp/{id}, or [JointID].
	Title       string // "": none.
	Description string // "": one is made.
}

// Limits of the formats, in characters.
const (
	MaxText = 100 // Of a title or description.

	maxNamespace = 120 // Leaves room for a path and an id in the 200 of a name.
	maxPath      = 15
)

// JointID stands for the endpoint that shows all servers together.
const JointID = "all_servers"

// Joint is the endpoint that shows all servers together.
func Joint() Server {
	return Server{ID: JointID, Title: "All servers", Description: "All tools, resources and prompts that you may use, from one endpoint."}
}

// WithJoint adds the joint endpoint to servers, where there are any.
func WithJoint(servers []Server) []Server {
	if len(servers) == 0 {
		return nil
	}
	return append([]Server{Joint()}, servers...)
}

// endpoint is where a server is reached.
func (s Site) endpoint(id string) string {
	if id == JointID {
		return s.URL + "/mcp"
	}
	return s.URL + "/mcp/" + id
}

// Name is the name of a server in all documents.
func (s Site) Name(id string) string {
	_, namespace, path := s.parts()
	return namespace + "/" + path + id
}

// urn is the name of a server in the catalog.
func (s Site) urn(id string) string {
	publisher, _, path := s.parts()
	return "urn:air:" + publisher + ":mcp:" + path + id
}

// parts takes the address apart: the host, the same as a namespace, and what of the path stands before ids.
func (s Site) parts() (publisher, namespace, path string) {
	u, err := url.Parse(s.URL)
	if err != nil || u.Hostname() == "" {
		return "localhost", "localhost", ""
	}
	for part := range strings.SplitSeq(strings.Trim(u.Path, "/"), "/") {
		if part = safe(part); part != "" {
			path += part + "."
		}
	}
	path = shortened(path, maxPath)
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		host := strings.ReplaceAll(ip.WithZone("").String(), ":", "-")
		return host, host, path
	}
	var labels []string
	for label := range strings.SplitSeq(strings.ToLower(strings.Trim(u.Hostname(), ".")), ".") {
		labels = append(labels, safe(label))
	}
	publisher = strings.Join(labels, ".")
	slices.Reverse(labels)
	return publisher, strings.TrimRight(shortened(strings.Join(labels, "."), maxNamespace), "."), path
}

// safe leaves the characters that names may have.
func safe(label string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, label)
}

// shortened cuts a text that is ASCII.
func shortened(text string, most int) string { return text[:min(len(text), most)] }

// describe gives the description of a server, and its title.
func (s Server) describe() (title, description string) {
	title, description = cut(s.Title), cut(s.Description)
	if description == "" {
		description = cut("The MCP server " + s.ID + ", through Signalbox.")
	}
	return title, description
}

// cut shortens a text to what the formats take.
func cut(text string) string {
	letters := []rune(strings.TrimSpace(text))
	if len(letters) <= MaxText {
		return string(letters)
	}
	return string(letters[:MaxText-1]) + "…"
}
