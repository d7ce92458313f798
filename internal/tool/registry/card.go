package registry

// Media types of what is served.
const (
	CardType    = "application/mcp-server-card+json"
	CatalogType = "application/ai-catalog+json"
)

// Schemas that the documents name.
const (
	cardSchema   = "https://static.modelcontextprotocol.io/schemas/v1/server-card.schema.json"
	serverSchema = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
	specVersion  = "1.0" // Of the AI catalog.
)

// CardSuffix is what stands behind the address of an endpoint for its card.
const CardSuffix = "/server-card"

// Card is a server card.
type Card struct {
	Schema      string   `json:"$schema"`
	Name        string   `json:"name"`
	Version     string   `json:"version"`
	Description string   `json:"description"`
	Title       string   `json:"title,omitempty"`
	Remotes     []Remote `json:"remotes"`
}

// Remote says how a server is reached.
type Remote struct {
	Type      string   `json:"type"` // "streamable-http".
	URL       string   `json:"url"`
	Headers   []Header `json:"headers,omitempty"`
	Protocols []string `json:"supportedProtocolVersions,omitempty"` // In cards alone: server.json has no such member.
}

// Header is one that a client sends.
type Header struct {
	Input
	Name      string           `json:"name"`
	Variables map[string]Input `json:"variables,omitempty"` // What stands in braces in Value.
}

// Input is a value that a client asks its user for.
type Input struct {
	Description string `json:"description,omitempty"`
	Required    bool   `json:"isRequired,omitzero"`
	Secret      bool   `json:"isSecret,omitzero"`
	Value       string `json:"value,omitempty"`
}

// Card describes one server.
func (s Site) Card(server Server) Card {
	title, description := server.describe()
	remote := s.remote(server.ID)
	remote.Protocols = s.Protocols
	return Card{
		Schema: cardSchema, Name: s.Name(server.ID), Version: s.Version, Title: title, Description: description, Remotes: []Remote{remote},
	}
}

// remote is the site's own endpoint of a server. Where tokens are taken the key is not required: a client that has none
// is told by the endpoint where it gets a token.
func (s Site) remote(id string) Remote {
	about := "An API key of Signalbox."
	if s.Tokens {
		about = "An API key of Signalbox. Without one, a token: the endpoint says which authorization server gives it."
	}
	return Remote{Type: "streamable-http", URL: s.endpoint(id), Headers: []Header{{
		Name:      "Authorization",
		Input:     Input{Description: about, Required: !s.Tokens, Secret: true, Value: "Bearer {key}"},
		Variables: map[string]Input{"key": {Description: "The key.", Required: true, Secret: true}},
	}}}
}

// Catalog is an AI catalog.
type Catalog struct {
	SpecVersion string         `json:"specVersion"`
	Entries     []CatalogEntry `json:"entries"`
}

// CatalogEntry says where a card is.
type CatalogEntry struct {
	Identifier  string `json:"identifier"`
	DisplayName string `json:"displayName"`
	Type        string `json:"type"`
	URL         string `json:"url"`
}

// Catalog lists the cards of servers, in their order.
func (s Site) Catalog(servers []Server) Catalog {
	c := Catalog{SpecVersion: specVersion, Entries: []CatalogEntry{}}
	for _, server := range servers {
		title, _ := server.describe()
		if title == "" {
			title = server.ID
		}
		c.Entries = append(c.Entries, CatalogEntry{
			Identifier: s.urn(server.ID), DisplayName: title, Type: CardType, URL: s.endpoint(server.ID) + CardSuffix,
		})
	}
	return c
}
