package policy

import (
	"errors"
	"net/url"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/signalbox/signalbox"
)

// method is what a request of an MCP server other than tools/call does. Such requests are judged as if the method were a
// tool of the server, "server.resources/read", so that permissions, rules and grants name both alike.
type method struct {
	mapping signalbox.ToolMapping
	names   argumentNames
}

// methods are those that act. Reading is reading; what a server asks of its caller takes something out of the house, and
// so counts as writing.
var methods = map[string]method{
	"resources/read": newMethod(signalbox.OperationRead, signalbox.ResourceArgument{Argument: "uri", Kind: signalbox.ResourceURI}),
	"prompts/get":    newMethod(signalbox.OperationRead, signalbox.ResourceArgument{Argument: "name", Kind: signalbox.ResourceName}),
	"completion/complete": newMethod(signalbox.OperationRead,
		signalbox.ResourceArgument{Argument: "ref.name", Kind: signalbox.ResourceName},
		signalbox.ResourceArgument{Argument: "ref.uri", Kind: signalbox.ResourceName}),
	"sampling/createMessage": newMethod(signalbox.OperationWrite),
	"elicitation/create":     newMethod(signalbox.OperationWrite),
	"roots/list":             newMethod(signalbox.OperationRead),
}

func newMethod(operation signalbox.Operation, resources ...signalbox.ResourceArgument) method {
	return method{mapping: signalbox.ToolMapping{Operation: operation, Resources: resources}, names: newArgumentNames(resources)}
}

// URI is the form of a resource's URI: the scheme and the host in lower case, the path decoded once and without steps. The
// host is not looked at further: it need not be one. Query and fragment stay, as part of the name.
func URI(value string) (string, error) {
	switch err := suspicious(value); {
	case err != nil:
		return "", err
	case strings.Contains(value, `\`):
		return "", errors.New(`has a backslash, which not all read alike`)
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme == "":
		return "", errors.New("is not a URI with a scheme")
	case u.User != nil:
		return "", errors.New(`has a user before the host`)
	case u.Opaque != "":
		return opaqueURI(u)
	case strings.Contains(u.Host, "%") || u.Host != "" && strings.Trim(u.Host, ".") == "":
		return "", errors.New("has a host that some read as a step")
	}
	p := ""
	if u.Path != "" {
		if p, err = pathOf(u); err != nil {
			return "", err
		}
	}
	return u.Scheme + "://" + norm.NFC.String(strings.ToLower(u.Host)) + p + rest(u), nil
}

// opaqueURI is the form of a URI without a hierarchy, such as "urn:isbn:1".
func opaqueURI(u *url.URL) (string, error) {
	if escaped.MatchString(u.Opaque) {
		return "", errors.New("has escapes where no path is, which not all read alike")
	}
	name, err := Name(u.Opaque)
	return u.Scheme + ":" + name + rest(u), err
}

// rest is what follows the path.
func rest(u *url.URL) string {
	text := ""
	if u.RawQuery != "" || u.ForceQuery {
		text = "?" + u.RawQuery
	}
	if u.Fragment != "" {
		text += "#" + u.EscapedFragment()
	}
	return text
}
