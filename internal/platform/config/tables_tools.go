package config

import (
	"time"

	"github.com/signalbox/signalbox"
)

// Whether the annotations of a server's tools are believed.
const (
	annotationsTrusted   = "trusted"
	annotationsUntrusted = "untrusted"
)

func mcpServerTable(_ string, m *MCPServer) value {
	m.Timeouts, m.MaxCalls, m.Breaker = DefaultToolTimeouts(), DefaultToolCalls, DefaultBreaker()
	m.Pins = DefaultPins()
	var annotations string
	return object{fields: []field{
		key("url", "Address of a Streamable HTTP server, or where the paths of an HTTP API begin.", endpoint{into: &m.URL, query: true}),
		key("card", "Address of the server's card, which says where the server is.", cardEndpoint{&m.Card}),
		key("card_origins", "Origins to which headers may be sent besides the card's own, where the card names them.", listOf(&m.CardOrigins, func(s *string) value { return originValue{s} }).atLeastOne()),
		key("openapi", "File with the OpenAPI document (3.0 or 3.1, YAML or JSON) of the HTTP API at url, whose operations are the tools.", openAPIFile(&m.OpenAPI)),
		key("command", "Program and arguments of a stdio server.", listOf(&m.Command, func(s *string) value { return textInto(s, singleLine) }).atLeastOne()),
		key("env", "Variables for the program.", dictOf(&m.Env, variableText, func(_ string, s *Secret) value { return secret{into: s, empty: true} })),
		key("headers", "Headers to send with every request.", headersTable(&m.Headers)),
		key("credential", "How to get the tokens that the server demands.", credentialKey{&m.Credential}),
		key("baggage", "Hand the caller's W3C baggage on to this server; it may name users and tenants. False by default.", boolean(&m.Baggage)),
		key("idempotency_header", "Whether an HTTP API is sent what stands for a call's idempotency key, as Idempotency-Key of POST and PATCH; false by default.", boolean(&m.IdempotencyHeader)),
		key("timeouts", "Bounds of one call.", toolTimeoutsTable(&m.Timeouts)),
		key("max_concurrent_calls", "Calls of its tools that may be in flight in this process.", integer(&m.MaxCalls, 1, 100_000)),
		key("asks", "The program may ask its callers while it works for them, if the permissions allow it; it then gets one call at a time.", boolean(&m.Asks)),
		key("breaker", "When calls are refused at once, because the server fails.", breakerTable(&m.Breaker)),
		key("limits", "Of the program and what it starts; on Linux only.", childLimitsTable(&m.Limits)),
		key("price", "What calls of its tools cost; acts of other methods cost nothing.", toolPriceTable(&m.Price)),
		key("tools", "Tools that differ, by the name that the server gives them, and other acts, by their method.", dictOf(&m.Tools, toolText, toolTable)),
		key("annotations", "Whether what the server says of its tools (read-only, destructive) is believed; untrusted by default.", oneOf(&annotations, annotationsUntrusted, annotationsTrusted)),
		key("pins", "What becomes of tools that are seen for the first time.", pinsTable(&m.Pins)),
		key("guard", "What is done about personal data and secrets in calls of its tools; off by default.", guardTable(&m.Guard)),
		key("title", "What people call the server who look for one.", textInto(&m.Title, listedText)),
		key("description", "What it is good for, for people who look for one.", textInto(&m.Description, listedText)),
		key("tenants", "The tenants that it exists for; for all unless given.", listOf(&m.Tenants, func(s *string) value {
			return textInto(s, refers(aTenant))
		}).atLeastOne()),
	}, check: func(s seen) {
		m.Trusted = annotations == annotationsTrusted
		checkMCPServer(s)
		once(s, "tenants", m.Tenants, "tenant")
		checkAsks(s, m)
		checkIdempotencyHeader(s, m)
		checkCredential(s, m)
		checkGuard(s, m)
	}}
}

func breakerTable(b *Breaker) value {
	return object{fields: []field{
		key("failures", "Failed calls in a row that begin a pause; 0: none.", integer(&b.Failures, 0, 1000)),
		key("within", "A failure so long after the one before begins a new row.", duration(&b.Within, time.Second, time.Hour)),
		key("pause", "How long calls are refused; each further pause is twice as long, up to a minute.", duration(&b.Pause, 100*time.Millisecond, time.Minute)),
	}}
}

func childLimitsTable(l *ChildLimits) value {
	return object{fields: []field{
		key("cpu_time", "CPU time that each process may use in its life.", duration(&l.CPU, time.Second, 365*24*time.Hour)),
		key("memory", "Private memory of each process.", size(&l.Memory, 64<<20, 1<<40)),
		key("files", "Files that each process may have open.", integer(&l.Files, 16, 1<<20)),
		key("processes", "Processes, the program and all its descendants together; counted once a second.", integer(&l.Processes, 1, 1<<20)),
	}}
}

func pinsTable(p *Pins) value {
	return object{fields: []field{
		key("first", "Of all of them: accept (the default) pins them as they are, hold keeps them from being used until somebody accepts them.",
			oneOf(&p.First, PinAccept, PinHold)),
		key("flagged", "Of those that look suspicious: hold is the default.", oneOf(&p.Flagged, PinHold, PinAccept)),
	}}
}

func guardTable(g *signalbox.GuardRules) value {
	return object{fields: []field{
		key("arguments", "About what goes to the server: flag records it, mask puts a tag in its place, block refuses the call.", oneOf(&g.Arguments, signalbox.GuardActions()...)),
		key("results", "About what comes from it: flag records it, mask puts a tag in its place, block withholds the answer.", oneOf(&g.Results, signalbox.GuardActions()...)),
		key("detectors", "What is looked for; all by default.", listOf(&g.Detectors, func(d *signalbox.GuardDetector) value {
			return oneOf(d, signalbox.GuardDetectors()...)
		}).atLeastOne()),
	}, check: func(s seen) {
		once(s, "detectors", g.Detectors, "detector")
	}}
}

// checkGuard refuses detectors that nobody uses: who names them wants something to be done.
func checkGuard(s seen, m *MCPServer) {
	acts := m.Guard.Arguments != "" || m.Guard.Results != ""
	for _, tool := range m.Tools {
		acts = acts || tool.Guard.Arguments != "" || tool.Guard.Results != ""
	}
	if m.Guard.Detectors != nil && !acts {
		s.problem("guard", "names detectors, and nothing to do about what they find", "add arguments or results: flag, mask or block")
	}
}

func toolTable(_ string, t *Tool) value {
	var p ToolPrice
	price := toolPriceTable(&p)
	price.check = func(seen) { t.Price = &p }
	m := &signalbox.ToolMapping{}
	return object{fields: []field{
		key("price", "What calls of this tool cost, instead of the server's price.", price),
		key("operation", "What the tool does: read, write or delete.", oneOf(&m.Operation, signalbox.Operations()...)),
		key("resources", "The arguments that say what it does that to.", listOf(&m.Resources, resourceArgumentTable)),
		key("guard", "What is done about personal data and secrets in its calls; as its server's where it does not say.", guardTable(&t.Guard)),
	}, check: func(s seen) {
		if m.Operation == "" && len(m.Resources) == 0 {
			return
		}
		var names []string
		for _, a := range m.Resources {
			names = append(names, a.Argument)
		}
		once(s, "resources", names, "argument")
		m.Source = s.source()
		t.Mapping = m
	}}
}

// argumentText is the name of a member of a tool's arguments, or a way into one.
var argumentText = pattern(`[^\s.]+(\.[^\s.]+)*`, "the argument's name, with a dot before each member of an object within")

func resourceArgumentTable(a *signalbox.ResourceArgument) value {
	return object{fields: []field{
		need("arg", "The argument; a.b is the member b of the object a.", textInto(&a.Argument, argumentText)),
		need("kind", "How its value is read: as a path of files, a URL, a URI of a resource, or a name.", oneOf(&a.Kind, signalbox.ResourcePath, signalbox.ResourceURL, signalbox.ResourceURI, signalbox.ResourceName)),
		key("operation", "What is done to this one, where that is not the tool's operation.", oneOf(&a.Operation, signalbox.Operations()...)),
	}}
}

func toolPriceTable(p *ToolPrice) object {
	return object{fields: []field{need("per_call", "US dollars per call.", money(&p.PerCall))}}
}

// checkAsks refuses what can not be where a program asks: it does not say for which of several calls.
func checkAsks(s seen, m *MCPServer) {
	switch {
	case s.has("asks") && !s.has("command"):
		s.problem("asks", "belongs to servers with a command; others ask without it", "remove it")
	case m.Asks && s.has("max_concurrent_calls"):
		s.problem("max_concurrent_calls", "a program that asks gets one call at a time", "remove it, or asks")
	case m.Asks:
		m.MaxCalls = 1
	}
}

func checkMCPServer(s seen) {
	checkCard(s)
	switch {
	case s.has("card"):
	case s.has("openapi") && s.has("command"):
		s.problem("command", "a server has either a command or an openapi document", "remove one")
	case s.has("openapi") && !s.has("url"):
		s.problem("url", "is missing: requests go nowhere else, whatever servers the document names", "add the address where its paths begin")
	case s.has("openapi"):
		s.refuse("has no meaning for an HTTP API, whose methods say what its operations do", "annotations")
		s.refuse("an HTTP API is never handed baggage", "baggage")
		s.refuse("belongs to servers with a command", "env", "limits")
	case s.has("url") && s.has("command"):
		s.problem("command", "a server has either a url or a command", "remove one")
	case s.has("url"):
		s.refuse("belongs to servers with a command", "env", "limits")
	case s.has("command"):
		s.refuse("belongs to servers with a url", "headers", "credential")
	default:
		s.r.problem(s.self, "has neither url nor card nor command", "add one; an HTTP API has url and openapi")
	}
}
