package card

import (
	"net/netip"
	"slices"
	"syscall"

	"github.com/signalbox/signalbox"
)

// notPublic are the parts of IPv4 that lead to no place that everybody means: RFC 6890 and what came after it.
var notPublic = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
)

// In IPv6 what is public is a part itself, but for what tunnels lead through or documents use.
var (
	public6    = netip.MustParsePrefix("2000::/3")
	notPublic6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
	nat64      = netip.MustParsePrefix("64:ff9b::/96") // Has an IPv4 address at its end.
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// Public reports whether an address is one of the public internet: neither this machine, nor a private network, nor a link,
// nor a group.
func Public(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	if a = a.Unmap(); nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	within := func(p netip.Prefix) bool { return p.Contains(a) }
	if a.Is4() {
		return !slices.ContainsFunc(notPublic, within)
	}
	return public6.Contains(a) && !slices.ContainsFunc(notPublic6, within)
}

// Remote is where a card says that its server is.
type Remote struct {
	URL string

	card   string // Its address, as people may see it.
	server string
	inside bool // It may be at an address that is not public.
}

// Control is for [net.Dialer]: it refuses addresses that the remote must not be at. Every dial comes by here, after names
// have become addresses.
func (r Remote) Control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err == nil && (r.inside || Public(at.Addr())) {
		return nil
	}
	return signalbox.Errorf(signalbox.CodeUpstream, "The card %s of the MCP server %q names the remote %s, which leads to the private address %s.",
		r.card, r.server, shown(r.URL), at.Addr()).WithField("mcp_servers." + r.server + ".card").
		WithRemedy("Have the card corrected or, where the server is meant to be there, configure its url instead of its card.")
}
