package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/registry"
)

// Search looks for tools and agents. It gives all hits for a caller, best first, and the servers whose tools could not be
// known in time. It returns within a bound, however slow servers are, and is safe for concurrent use.
type Search func(ctx context.Context, c signalbox.Caller, words string) ([]Found, []Missing)

// Found is a tool or an agent that was found.
type Found struct {
	Kind        string               `json:"kind" enum:"tool,agent"`
	ID          string               `json:"id" doc:"server.tool, or the agent's id."`
	Server      *string              `json:"server" doc:"Of a tool."`
	Name        string               `json:"name" doc:"As its server calls it, or as people call the agent."`
	Title       *string              `json:"title"`
	Description *string              `json:"description" doc:"As the tool's server writes it, at most 1000 characters of it; null for a tool that is held. Of an agent its role."`
	Operation   *signalbox.Operation `json:"operation" enum:"read,write,delete" doc:"The most that a call of the tool does."`
	Price       *string              `json:"price_per_call" doc:"US dollars; null where nobody has said."`
	Held        *bool                `json:"held" doc:"Whether the tool waits for a review, or was rejected, so that nobody can call it; null for an agent."`

	Place registry.Place `json:"-"` // In the order of all hits.
}

// Missing is a server whose tools are not among those that were looked at.
type Missing struct {
	Server string         `json:"server"`
	Code   signalbox.Code `json:"code" doc:"Of the error: timeout where it was only slow."`
}

// FoundPage is a page of what was found.
type FoundPage struct {
	Page[Found]
	Missing []Missing `json:"missing" doc:"Servers whose tools could not be looked at, of those that the caller may use."`
}

// SearchQuery are the parameters of a search.
type SearchQuery struct {
	Paging
	Words string `query:"q" required:"true" minLength:"1" maxLength:"200" doc:"What to look for: each word must be somewhere."`
	Agent string `query:"agent" maxLength:"128" doc:"Looks as this agent; the key's own unless given."`
	Kind  string `query:"kind" enum:"tool,agent"`
}

func (s *server) registerSearch(api huma.API) {
	huma.Register(api, operation("search", http.MethodGet, "/search", "Tools that the caller could use, and agents, what fits best first"), s.search)
}

func (s *server) search(ctx context.Context, q *SearchQuery) (*Body[FoundPage], error) {
	c := callerOf(ctx)
	page := FoundPage{Page: Page[Found]{Items: []Found{}, AsOf: s.Now().UTC()}, Missing: []Missing{}}
	caller := c.caller()
	switch {
	case q.Agent == "" || q.Agent == caller.Agent:
	case caller.Agent == "":
		caller.Agent = q.Agent
	default:
		return nil, fail(c, signalbox.Errorf(signalbox.CodeForbidden, "The key is bound to another agent.").WithField("agent").
			WithRemedy("Leave the parameter out, or use the key of that agent."))
	}
	after, err := readPlace(q.Cursor)
	if err != nil {
		return nil, fail(c, err)
	}
	hits, missing := s.Search(ctx, caller, q.Words)
	page.Missing = append(page.Missing, missing...)
	for i := range hits {
		if q.Kind != "" && hits[i].Kind != q.Kind || after != nil && hits[i].Place.Compare(*after) <= 0 {
			continue
		}
		if len(page.Items) == q.Limit {
			page.Next = cursor(placeCursor(page.Items[q.Limit-1].Place))
			break
		}
		page.Items = append(page.Items, hits[i])
	}
	return &Body[FoundPage]{page}, nil
}

// placeCursor is where the next page begins: behind this place.
func placeCursor(p registry.Place) string { return strconv.Itoa(p.Rank) + " " + p.Kind + " " + p.ID }

func readPlace(cursor string) (*registry.Place, error) {
	if cursor == "" {
		return nil, nil
	}
	parts := strings.SplitN(cursor, " ", 3)
	rank, err := strconv.Atoi(parts[0])
	if err != nil || len(parts) != 3 {
		return nil, errCursor()
	}
	return &registry.Place{Rank: rank, Kind: parts[1], ID: parts[2]}, nil
}
