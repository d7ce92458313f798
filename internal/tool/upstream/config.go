package upstream

import (
	"log/slog"
	"net/url"
	"regexp"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/breaker"
	"github.com/signalbox/signalbox/internal/tool/keeper"
	"github.com/signalbox/signalbox/internal/tool/openapi"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// Defaults of the time-outs.
const (
	DefaultConnectTimeout = 30 * time.Second // Starting a child may mean that its package is fetched first.
	DefaultListTimeout    = 15 * time.Second
	DefaultCallTimeout    = 2 * time.Minute
	DefaultListTTL        = 10 * time.Second // How long a list of tools is believed.
	DefaultPlaceWait      = 2 * time.Second  // How long a call waits for a place among those in flight.
)

// DefaultMaxCalls is how many calls of one server may be in flight.
const DefaultMaxCalls = 64

// DefaultBreaker gives the rules by which calls of a server that fails are stopped.
func DefaultBreaker() breaker.Rules {
	return breaker.Rules{Failures: 5, Within: time.Minute, Pause: 5 * time.Second, MaxPause: time.Minute}
}

// Bounds of what an upstream may send.
const (
	MaxTools     = 1000    // Of one server.
	MaxListBytes = 8 << 20 // Of all its tools' descriptions.
	maxPages     = 100     // Of its list.
)

// Limits of a child.
type Limits = keeper.Limits

// Config is one configured MCP server, or an HTTP API that stands for one. One of URL, Card and Command is set.
type Config struct {
	ID      string            // As in /mcp/{id}: letters a to z, digits and "-".
	URL     string            // A Streamable HTTP endpoint, or where the paths of API begin.
	API     *openapi.API      // The HTTP API at URL, whose operations are the tools; nil for an MCP server.
	Headers map[string]string // Sent to URL with every request, such as an Authorization.

	Card              string   // Where the card of a server is that names its URL, read whenever it is connected. Headers go there too.
	CardOrigins       []string // To which Headers may be sent besides the card's own, as [card.Source] has them.
	Baggage           bool     // The server may see the caller's baggage. An HTTP API never does.
	IdempotencyHeader bool     // POST and PATCH of API carry Idempotency-Key, where the call has a key.

	Authorizer Authorizer // Gives the Authorization of requests to URL; nil: Headers say all. The server closes it.

	Command []string          // A program that speaks over standard input and output, and its arguments.
	Dir     string            // Its working directory; "" is ours.
	Env     map[string]string // Its environment besides PATH, HOME, LANG and TMPDIR.
	Asks    bool              // The program, if it speaks an older version, may ask callers; it has one call at a time.
	Limits  Limits            // Of the child and its descendants; on Linux only. Files 0 is [keeper.DefaultFiles].
	Price   *signalbox.Price  // Of a tools/call; nil where nobody has said.

	ToolPrices map[string]signalbox.Money // Of a call of the tool of that name, in place of Price, or of an act of the method; 0 is free.

	ConnectTimeout time.Duration // Until the handshake is done; 0 is [DefaultConnectTimeout].
	ListTimeout    time.Duration // Of reading all tools; 0 is [DefaultListTimeout].
	CallTimeout    time.Duration // Of one tools/call; 0 is [DefaultCallTimeout].
	ListTTL        time.Duration // 0 is [DefaultListTTL].
	PlaceWait      time.Duration // For a place among MaxCalls; 0 is [DefaultPlaceWait].

	MaxCalls int           // In flight; 0 is [DefaultMaxCalls].
	Breaker  breaker.Rules // The zero value is [DefaultBreaker].
}

// Options of [New]. All are required but Pins, MayAsk and Before.
type Options struct {
	Servers []Config
	Version string // Of Signalbox, as it introduces itself.
	Logger  *slog.Logger
	Now     func() time.Time
	Pins    Pins // Nil: tools may be used in any form.

	// MayAsk reports whether some caller could be asked by a server, by a request of that method. Older servers learn once
	// what they may ask, when they are connected. Nil: nobody is asked.
	MayAsk func(server, method string) bool

	// Before is the set that was in force until now; nil: none. Of it those go on of which Unchanged says that nothing of their
	// configuration differs but prices.
	Before    *Servers
	Unchanged func(server string) bool // Required with Before.
}

var serverID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// complete checks a server's configuration and fills in its defaults.
func (s Config) complete() (Config, error) {
	fail := func(field, format string, args ...any) (Config, error) {
		return s, signalbox.Errorf(signalbox.CodeInvalid, format, args...).WithField("mcp_servers." + s.ID + field).
			WithRemedy("Correct it in the configuration.")
	}
	if !serverID.MatchString(s.ID) {
		return fail("", "%q is not a valid id of a server: use letters a to z, digits and \"-\".", s.ID)
	}
	if ways := s.ways(); ways != 1 {
		return fail("", "The server needs one of url, card and command, and has %d.", ways)
	}
	switch {
	case s.URL != "" && !address(s.URL):
		return fail(".url", "The url of the server is not a valid http or https address.")
	case s.Card != "" && !address(s.Card):
		return fail(".card", "The card of the server is not at a valid http or https address.")
	case s.URL == "" && s.API != nil:
		return fail(".url", "An HTTP API needs a url.")
	case s.Card != "" && s.Authorizer != nil:
		return fail(".credential", "Tokens are for servers with a url.")
	case len(s.Command) > 0 && s.Command[0] == "":
		return fail(".command", "The command of the server is empty.")
	}
	for tool, price := range s.ToolPrices {
		if price < 0 {
			return fail(".tools."+tool+".price", "The price of the tool %q is negative.", tool)
		}
	}
	setDefault(&s.ConnectTimeout, DefaultConnectTimeout)
	setDefault(&s.ListTimeout, DefaultListTimeout)
	setDefault(&s.CallTimeout, DefaultCallTimeout)
	setDefault(&s.ListTTL, DefaultListTTL)
	setDefault(&s.PlaceWait, DefaultPlaceWait)
	if s.MaxCalls <= 0 {
		s.MaxCalls = DefaultMaxCalls
	}
	if s.Asks = s.Asks && len(s.Command) > 0; s.Asks {
		s.MaxCalls = 1
	}
	if len(s.Command) > 0 && s.Limits.Files == 0 {
		s.Limits.Files = keeper.DefaultFiles
	}
	if s.Breaker == (breaker.Rules{}) {
		s.Breaker = DefaultBreaker()
	}
	return s, nil
}

// overHTTP reports whether the server is spoken to over HTTP: its URL is configured, or said by its card.
func (s Config) overHTTP() bool { return s.URL != "" || s.Card != "" }

// ways is in how many ways it is said how to reach the server.
func (s Config) ways() (n int) {
	for _, said := range []bool{s.URL != "", s.Card != "", len(s.Command) > 0} {
		if said {
			n++
		}
	}
	return n
}

func address(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// priceOf is what a call of the tool costs; nil where nobody has said. The server's price is one of its tools: an act of
// another method, such as a question of the server's, costs what is said for the method, if anything is.
func (s Config) priceOf(tool string) *signalbox.Price {
	if own, ok := s.ToolPrices[tool]; ok {
		return &signalbox.Price{Rates: signalbox.Rates{PerCall: own}, Source: "config"}
	}
	if rpc.Reserved(tool) {
		return nil
	}
	return s.Price
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}
