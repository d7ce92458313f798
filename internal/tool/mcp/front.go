package mcp

import (
	"errors"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// checkHead checks what HTTP says of a message. Modern messages repeat in headers what intermediaries decide by, and
// headers that say something else than the body are refused: whoever decided by them decided about another message.
func (r request) checkHead(h http.Header) *signalbox.Error {
	if err := checkTransport(h); err != nil {
		return err
	}
	version := h.Get(rpc.HeaderVersion)
	if r.version == "" && version < rpc.ModernVersion {
		if version != "" && !slices.Contains(rpc.LegacyVersions, version) {
			return unsupported(version)
		}
		return nil
	}
	if r.version != "" || r.id != nil {
		if err := r.checkVersion(version); err != nil {
			return err
		}
	}
	return r.checkRepeated(h)
}

// rebound refuses web pages of other places that have made the browser take this machine for their own host, by changing
// what its name means. Programs send no Origin.
func rebound(r *http.Request) error {
	origin, err := url.Parse(r.Header.Get("Origin"))
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if r.Header.Get("Origin") == "" || !ok || !loopback(local.String()) {
		return nil
	}
	if err != nil || !loopback(origin.Host) {
		return errors.New("the page of another machine speaks to this one")
	}
	return nil
}

// loopback reports whether an address, with or without a port, is this machine's own.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// checkTransport checks the headers that all versions have.
func checkTransport(h http.Header) *signalbox.Error {
	if media, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || media != "application/json" {
		return signalbox.Errorf(signalbox.CodeUnsupported, "The body is not said to be JSON.").WithField("Content-Type").
			WithRemedy("Send the header Content-Type: application/json.")
	}
	if !accepts(h.Values("Accept"), "application/json") || !accepts(h.Values("Accept"), "text/event-stream") {
		return signalbox.Errorf(signalbox.CodeInvalid, "The answer could be of a type that is not accepted.").WithField("Accept").
			WithRemedy("Send the header Accept: application/json, text/event-stream.")
	}
	if h.Get("Last-Event-Id") != "" {
		return signalbox.Errorf(signalbox.CodeInvalid, "A message can not be sent with the request to go on with a stream.").
			WithField("Last-Event-Id").WithRemedy("Leave the header out.")
	}
	return nil
}

// accepts reports whether values of an Accept header name the type or all of its kind.
func accepts(values []string, want string) bool {
	kind, _, _ := strings.Cut(want, "/")
	for _, value := range values {
		for media := range strings.SplitSeq(value, ",") {
			media, _, _ = strings.Cut(media, ";")
			switch strings.ToLower(strings.TrimSpace(media)) {
			case want, kind + "/*", "*/*":
				return true
			}
		}
	}
	return false
}

// checkVersion checks the version and the capabilities that each modern request must name.
func (r request) checkVersion(header string) *signalbox.Error {
	switch {
	case header == "":
		return mismatch(rpc.HeaderVersion, "the header is missing")
	case r.version == "":
		return invalid("params._meta."+rpc.MetaVersion, errors.New("the version of the protocol is missing"))
	case header != r.version:
		return mismatch(rpc.HeaderVersion, "the header says another version than the message")
	case r.version != rpc.ModernVersion:
		return unsupported(r.version)
	case r.id != nil && r.meta.Get(rpc.MetaCapabilities).Kind() != '{':
		return invalid("params._meta."+rpc.MetaCapabilities, errors.New("an object is expected"))
	}
	return nil
}

// checkRepeated checks the headers that repeat what the message says.
func (r request) checkRepeated(h http.Header) *signalbox.Error {
	if r.method == "" {
		return nil
	}
	if method := h.Get(rpc.HeaderMethod); method != r.method {
		return mismatch(rpc.HeaderMethod, "the header is missing or says another method than the message")
	}
	if isTaskMethod(r.method) {
		if h.Get(rpc.HeaderName) != r.task {
			return mismatch(rpc.HeaderName, "the header is missing or names another task than the message")
		}
		return nil
	}
	if !r.act() || r.method == rpc.MethodComplete {
		return nil
	}
	if name, ok := rpc.DecodeName(h.Get(rpc.HeaderName)); !ok || name != r.name {
		return mismatch(rpc.HeaderName, "the header is missing or says another name than the message")
	}
	return nil
}

func mismatch(field, what string) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, "Headers and body disagree: %s.", what).WithField(field).
		WithRemedy("Repeat in the headers exactly what the message says.").WithCause(&rpc.CodeError{Code: rpc.CodeHeaderMismatch})
}

func unsupported(version string) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The version of the protocol is none that Signalbox speaks.").
		WithField(rpc.HeaderVersion).WithRemedy("Use one of: " + strings.Join(rpc.Versions(), ", ") + ".").
		WithCause(&rpc.CodeError{Code: rpc.CodeUnsupportedVersion, More: func(data *rpc.Object) {
			data.Add("supported", rpc.Texts(rpc.Versions()))
			data.Text("requested", rpc.Clip(version))
		}})
}

// missingCapability is the error for who asks for what he has not said that he knows.
func missingCapability(required json.Value) *signalbox.Error {
	field := "params._meta." + rpc.MetaCapabilities
	return signalbox.Errorf(signalbox.CodeInvalid, "The message does not declare a capability that is needed.").WithField(field).
		WithRemedy("Declare it in " + field + " of each message: " + string(required) + ".").
		WithCause(&rpc.CodeError{Code: rpc.CodeMissingCapability, More: func(data *rpc.Object) { data.Add("requiredCapabilities", required) }})
}

func unknownMethod(method string) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeNotFound, "There is no method %q here.", rpc.Clip(method)).WithField("method").
		WithRemedy("Use a method of the protocol's version that the message names.").WithCause(&rpc.CodeError{Code: rpc.CodeMethodNotFound})
}
