package upstream

import (
	"context"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Offer is what may be told of one tool of a server to whoever looks for tools.
type Offer struct {
	Name        string
	Title       string                 // As its server says; "" where it says nothing, and of tools that are held.
	Description string                 // Likewise.
	Annotations *signalbox.Annotations // What the server says the tool does. Nothing here believes it.
	Price       *signalbox.Price       // Of a call; nil where nobody has said.
	Held        bool                   // It waits for a review, or was rejected: nobody can call it.
}

// Offers gives the tools of the server with that id, in its order, with errors like those of [Server.Tools], or of
// [Servers.Find]. It asks no policy who may know them.
func (s *Servers) Offers(ctx context.Context, server string) ([]Offer, error) {
	u, err := s.Find(server)
	if err != nil {
		return nil, err
	}
	list, err := u.Tools(ctx)
	if err != nil {
		return nil, err
	}
	offers := make([]Offer, len(list.Tools))
	for i := range list.Tools {
		offers[i] = u.offer(&list.Tools[i])
		offers[i].Price = s.prices[server].priceOf(list.Tools[i].Name)
	}
	return offers, nil
}

// offer tells of a tool, but for its price. What is said of one that is held may be why it is.
func (u *Server) offer(tool *Tool) Offer {
	o := Offer{Name: tool.Name, Annotations: tool.Annotations, Held: u.withheld(tool) != nil}
	var said struct {
		Title       string `json:"title"`
		Description string `json:"description"`
	}
	if !o.Held && json.Unmarshal(tool.Raw, &said) == nil {
		o.Title, o.Description = said.Title, said.Description
	}
	return o
}
