package card

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Limits of reading a card.
const (
	MaxCard     = 64 << 10 // Bytes.
	ReadTimeout = 10 * time.Second
)

const (
	mediaType  = "application/mcp-server-card+json"
	streamable = "streamable-http"
)

// Source is where a card is, and what is configured of its server.
type Source struct {
	Server  string // The server's id.
	URL     string
	Headers map[string]string // To be sent to the server, and with the request for the card.
	Origins []string          // To which headers may be sent besides the card's own: "https://host", with a port where it is another.
}

// Fetch reads the card and gives the remote that is to be used. Errors are of code upstream or timeout, and name the card.
func (s Source) Fetch(ctx context.Context) (Remote, error) {
	ctx, cancel := context.WithTimeout(ctx, ReadTimeout)
	defer cancel()
	data, inside, err := s.read(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return Remote{}, s.refuse(signalbox.CodeTimeout, "could not be read in time").WithCause(err)
		}
		return Remote{}, err
	}
	address, err := s.remote(data)
	if err != nil {
		return Remote{}, err
	}
	own, err := url.Parse(s.URL)
	if err != nil {
		return Remote{}, err
	}
	r := Remote{URL: address.String(), card: shown(s.URL), server: s.Server, inside: inside && sameHost(own, address)}
	switch {
	case address.Scheme != "https" && (!r.inside || !onThisMachine(address.Hostname())):
		return r, s.refuse(signalbox.CodeUpstream, fmt.Sprintf("names the remote %s, which has no TLS", shown(r.URL)))
	case len(s.Headers) > 0 && origin(address) != origin(own) && !slices.Contains(s.Origins, origin(address)):
		return r, s.refuse(signalbox.CodeUpstream, fmt.Sprintf("names the remote %s, and what is configured in headers is not for that origin", shown(r.URL))).
			WithRemedy(fmt.Sprintf("If it may be sent there, add %s to mcp_servers.%s.card_origins.", origin(address), s.Server))
	}
	return r, nil
}

// refuse is the error for a card that can not be used.
func (s Source) refuse(code signalbox.Code, what string) *signalbox.Error {
	return signalbox.Errorf(code, "The card %s of the MCP server %q %s.", shown(s.URL), s.Server, what).
		WithField("mcp_servers." + s.Server + ".card").WithRemedy("Have the card corrected, or configure the server's url instead of its card.")
}

// read gets the card. Inside says that it came from an address that is not public.
func (s Source) read(ctx context.Context) (data []byte, inside bool, err error) {
	r, err := http.NewRequestWithContext(tracing(ctx, &inside), http.MethodGet, s.URL, nil)
	if err != nil {
		return nil, false, s.refuse(signalbox.CodeUpstream, "has an address that is none").WithCause(err)
	}
	for name, value := range s.Headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Accept", mediaType+", application/json;q=0.9")
	client := newClient()
	defer client.CloseIdleConnections()
	response, err := client.Do(r)
	if err != nil {
		return nil, false, s.refuse(signalbox.CodeUpstream, "can not be reached").WithCause(err)
	}
	defer response.Body.Close()
	media, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	switch {
	case response.StatusCode != http.StatusOK:
		return nil, false, s.refuse(signalbox.CodeUpstream, fmt.Sprintf("is answered with status %d", response.StatusCode))
	case err != nil || media != mediaType && media != "application/json":
		return nil, false, s.refuse(signalbox.CodeUpstream, "is not said to be a card: its content type is not "+mediaType)
	}
	data, err = io.ReadAll(io.LimitReader(response.Body, MaxCard+1))
	switch {
	case err != nil:
		return nil, false, s.refuse(signalbox.CodeUpstream, "breaks off").WithCause(err)
	case len(data) > MaxCard:
		return nil, false, s.refuse(signalbox.CodeUpstream, fmt.Sprintf("is larger than %d bytes", MaxCard))
	}
	return data, inside, nil
}

// newClient makes a client for one request.
func newClient() *http.Client {
	dialer := &net.Dialer{Timeout: ReadTimeout}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: MaxCard, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// tracing takes note of the address that answers a request, whatever else was dialled.
func tracing(ctx context.Context, inside *bool) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		at, err := netip.ParseAddrPort(got.Conn.RemoteAddr().String())
		*inside = err == nil && !Public(at.Addr())
	}})
}

// remote gives the address of the first remote that can be spoken to.
func (s Source) remote(data []byte) (*url.URL, error) {
	var card struct {
		Remotes []struct {
			Type string `json:"type"`
			URL  string `json:"url"`
		} `json:"remotes"`
	}
	if err := json.Unmarshal(data, &card); err != nil {
		return nil, s.refuse(signalbox.CodeUpstream, "can not be read").WithCause(err)
	}
	for _, r := range card.Remotes {
		if r.Type != streamable {
			continue
		}
		u, err := url.Parse(r.URL)
		if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || strings.ContainsAny(r.URL, "{}") {
			return nil, s.refuse(signalbox.CodeUpstream, "names a remote whose address can not be used: it is none, or has variables, a user or a fragment")
		}
		return u, nil
	}
	return nil, s.refuse(signalbox.CodeUpstream, "names no remote of type "+streamable)
}

// origin gives scheme, host and port, the last where it is not the scheme's own.
func origin(u *url.URL) string {
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" && port != map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		host += ":" + port
	}
	return u.Scheme + "://" + host
}

func sameHost(a, b *url.URL) bool { return strings.EqualFold(a.Hostname(), b.Hostname()) }

func onThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// shown is an address without what may be a credential.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "that is no address"
	}
	text := strings.ToValidUTF8(u.Scheme+"://"+u.Host+u.EscapedPath(), "?")
	const most = 200
	return text[:min(len(text), most)]
}
