package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"github.com/signalbox/signalbox"
)

// MaxResource bounds the value of an argument that names a resource, in bytes.
const MaxResource = 4096

// errDots is the reason against segments such as "..." and "..;".
var errDots = errors.New(`has a segment of only dots and blanks, or of dots before ";", which some read as a step up`)

// escaped is what would be decoded once more.
var escaped = regexp.MustCompile("%[0-9a-fA-F]{2}")

// Resource brings the value of an argument into the form that globs are matched with. An error says what is wrong with
// it, as the end of a sentence that begins with the value.
func Resource(kind signalbox.ResourceKind, value string) (string, error) {
	if len(value) > MaxResource {
		return "", fmt.Errorf("is longer than %d bytes", MaxResource)
	}
	switch kind {
	case signalbox.ResourcePath:
		return Path(value)
	case signalbox.ResourceURL:
		return URL(value)
	case signalbox.ResourceURI:
		return URI(value)
	case signalbox.ResourceName:
		return Name(value)
	}
	return "", fmt.Errorf("is of a kind %q that does not exist", kind)
}

// Name is the form of a name: Unicode's NFC. A name that reads like a path with steps up is refused: it was
// probably meant to be one.
func Name(value string) (string, error) {
	if err := suspicious(value); err != nil {
		return "", err
	}
	for segment := range strings.SplitSeq(value, "/") {
		if segment == ".." {
			return "", errors.New(`has the segment ".."`)
		}
	}
	return norm.NFC.String(value), nil
}

// Path is the form of a path of files: NFC, without ".", ".." and empty segments. A relative path stays relative. What
// leads out of the root is refused, and so are backslashes, which are separators for some and part of a name for others.
// Escapes with "%" are left as they are: for files they mean nothing.
func Path(value string) (string, error) {
	switch err := suspicious(value); {
	case err != nil:
		return "", err
	case strings.Contains(value, `\`):
		return "", errors.New(`has a backslash, which not all read alike; write "/"`)
	case disguised(value):
		return "", errors.New("has characters that look like separators")
	}
	return cleaned(norm.NFC.String(value))
}

// cleaned takes a path's steps. Unlike path.Clean it refuses steps up from the root.
func cleaned(p string) (string, error) {
	depth := 0
	for segment := range strings.SplitSeq(p, "/") {
		switch before, _, _ := strings.Cut(segment, ";"); {
		case segment == "" || segment == ".":
		case segment == "..":
			if depth--; depth < 0 {
				return "", errors.New("leads out of its root")
			}
		case strings.Trim(before, ". ") == "" && before != "":
			return "", errDots
		default:
			depth++
		}
	}
	return path.Clean(p), nil
}

// URL is the form of an address: "host/path", the host in lower case and ASCII, with the port where it is not the
// scheme's own, the path decoded once and cleaned. Query and fragment are left out.
func URL(value string) (string, error) {
	switch err := suspicious(value); {
	case err != nil:
		return "", err
	case strings.Contains(value, `\`):
		return "", errors.New(`has a backslash, which not all read alike`)
	}
	u, err := url.Parse(value)
	switch {
	case err != nil:
		return "", errors.New("is not an address")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("is not an http or https address")
	case u.Opaque != "" || u.Host == "":
		return "", errors.New("names no host")
	case u.User != nil:
		return "", errors.New(`has a user before the host`)
	}
	host, err := hostOf(u)
	if err != nil {
		return "", err
	}
	p, err := pathOf(u)
	return host + p, err
}

// pathOf gives the cleaned path of an address, with its slash.
func pathOf(u *url.URL) (string, error) {
	raw := strings.ToLower(u.EscapedPath())
	slash := strings.Contains(raw, "%2f")
	switch err := suspicious(u.Path); {
	case err != nil:
		return "", err
	case strings.Contains(u.Path, `\`):
		return "", errors.New(`has an escaped backslash, which not all read alike`)
	case escaped.MatchString(u.Path):
		return "", errors.New(`has an escaped "%", so that its path could be decoded twice`)
	case disguised(u.Path):
		return "", errors.New("has characters that look like separators")
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if slash && (segment == "." || segment == "..") {
			return "", errors.New("hides steps in escaped slashes")
		}
	}
	return cleaned("/" + norm.NFC.String(strings.TrimLeft(u.Path, "/")))
}

// hostOf gives the host in its one form, with the port where it is not the scheme's own.
func hostOf(u *url.URL) (string, error) {
	host, err := hostName(u.Hostname())
	if err != nil {
		return "", err
	}
	if u.Port() == "" {
		return host, nil
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || n == 0 {
		return "", errors.New("has a port that does not exist")
	}
	if u.Scheme == "http" && n == 80 || u.Scheme == "https" && n == 443 {
		return host, nil
	}
	return host + ":" + strconv.FormatUint(n, 10), nil
}

// lookup maps names of hosts as a browser does before it asks for their addresses.
var lookup = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(false))

func hostName(host string) (string, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return address(a)
	}
	name, err := lookup.ToASCII(host)
	if err != nil {
		return "", errors.New("has a host that is not a name")
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", errors.New("has a host that is not a name")
		}
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	if _, err := strconv.ParseUint(last, 0, 64); err == nil || strings.Trim(last, "0123456789") == "" {
		return hostNumber(name)
	}
	return name, nil
}

// hostNumber is a host that ends in a number: only an address in its usual form is one. Others, such as 2130706433 or
// 0x7f.1, mean an address to some.
func hostNumber(name string) (string, error) {
	a, err := netip.ParseAddr(name)
	if err != nil {
		return "", errors.New("has a host in an unusual form of an address")
	}
	return address(a)
}

func address(a netip.Addr) (string, error) {
	switch a = a.Unmap(); {
	case a.Zone() != "":
		return "", errors.New("has an address with a zone")
	case a.Is6():
		return "[" + a.String() + "]", nil
	}
	return a.String(), nil
}
