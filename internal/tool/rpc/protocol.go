package rpc

import (
	"maps"
	"slices"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// Methods and notifications that we use.
const (
	MethodDiscover         = "server/discover"
	MethodInitialize       = "initialize"
	MethodInitialized      = "notifications/initialized"
	MethodCancelled        = "notifications/cancelled"
	MethodProgress         = "notifications/progress"
	MethodLogged           = "notifications/message"
	MethodListChanged      = "notifications/tools/list_changed"
	MethodResourcesChanged = "notifications/resources/list_changed"
	MethodPromptsChanged   = "notifications/prompts/list_changed"
	MethodListTools        = "tools/list"
	MethodCallTool         = "tools/call"
	MethodListResources    = "resources/list"
	MethodListTemplates    = "resources/templates/list"
	MethodReadResource     = "resources/read"
	MethodListPrompts      = "prompts/list"
	MethodGetPrompt        = "prompts/get"
	MethodComplete         = "completion/complete"
	MethodSetLevel         = "logging/setLevel"
	MethodListen           = "subscriptions/listen"
	MethodAcknowledged     = "notifications/subscriptions/acknowledged"
	MethodSubscribe        = "resources/subscribe"
	MethodUnsubscribe      = "resources/unsubscribe"
	MethodUpdated          = "notifications/resources/updated"
	MethodElicit           = "elicitation/create"
	MethodSample           = "sampling/createMessage"
	MethodRoots            = "roots/list"
	MethodElicited         = "notifications/elicitation/complete"
	MethodPing             = "ping"
)

// Codes of JSON-RPC and MCP.
const (
	CodeParse              = -32700
	CodeInvalidRequest     = -32600
	CodeMethodNotFound     = -32601
	CodeInvalidParams      = -32602
	CodeInternal           = -32603
	CodeNotAnswered        = -1     // As clients answer who have been asked and do not want to.
	CodeResourceNotFound   = -32002 // Of the older versions.
	CodeHeaderMismatch     = -32020
	CodeMissingCapability  = -32021
	CodeUnsupportedVersion = -32022
	CodeURLRequired        = -32042 // Of the older versions: something has to be done at a URL first.
)

// Versions of the protocol: the newest one, and the newest of the older kind. Upstreams are offered these two.
const (
	ModernVersion = "2026-07-28" // And later: no handshake, each request says its version.
	LegacyVersion = "2025-11-25" // And earlier: a session that begins with initialize.
)

// Names in _meta. Whatever begins with MetaPrefix belongs to the protocol.
const (
	MetaPrefix       = "io.modelcontextprotocol/"
	MetaVersion      = MetaPrefix + "protocolVersion"
	MetaClient       = MetaPrefix + "clientInfo"
	MetaCapabilities = MetaPrefix + "clientCapabilities"
	MetaLogLevel     = MetaPrefix + "logLevel"
	MetaServer       = MetaPrefix + "serverInfo"
)

// Names of ours in _meta.
const (
	MetaIdempotency = "signalbox/idempotency-key" // Of a tools/call: from callers their key, to servers what stands for it.
	MetaReplayOf    = "signalbox/replay-of"       // Of a result that was given before: the id of the call that it is of.
)

// HeaderIdempotency is the header with the idempotency key of a tools/call, and of requests to HTTP APIs.
const HeaderIdempotency = "Idempotency-Key"

// NoCapabilities is what servers are told where no caller is there who could do anything for them.
var NoCapabilities = json.Value("{}")

// Headers of the protocol.
const (
	HeaderVersion = "Mcp-Protocol-Version"
	HeaderMethod  = "Mcp-Method"
	HeaderName    = "Mcp-Name"
	HeaderSession = "Mcp-Session-Id"
)

// LegacyVersions are those that begin with initialize, newest first.
var LegacyVersions = slices.DeleteFunc(sdk.SupportedProtocolVersions(), func(v string) bool { return v >= ModernVersion })

// Versions are all that callers may speak, newest first.
func Versions() []string { return append([]string{ModernVersion}, LegacyVersions...) }

// Types of results, which are also the reasons why a call finished.
const (
	TypeComplete      = "complete"
	TypeInputRequired = "input_required" // The server asks its caller for something first.
)

// asked are what servers ask of their callers: the method, by the capability that a caller declares for it.
var asked = map[string]string{"elicitation": MethodElicit, "sampling": MethodSample, "roots": MethodRoots}

// Questions gives the capabilities of callers by which servers ask them something, sorted.
func Questions() []string { return slices.Sorted(maps.Keys(asked)) }

// MethodFor gives the method by which a server uses a capability of its caller, "" for all others.
func MethodFor(capability string) string { return asked[capability] }

// CapabilityFor gives the capability that a method of a server's needs, "" for methods by which it asks nothing.
func CapabilityFor(method string) string {
	for capability, m := range asked {
		if m == method {
			return capability
		}
	}
	return ""
}

// Level gives the place of a level of log lines among those of the protocol, of which 0 is the most talkative; -1 for what
// is none.
func Level(name string) int { return slices.Index(levels, name) }

// levels are those of the protocol.
var levels = []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

// reserved are methods that act on a server. As the name of a tool each would be taken for the act: permissions name
// both alike, as "server.resources/read".
var reserved = []string{MethodReadResource, MethodGetPrompt, MethodComplete, MethodSample, MethodElicit, MethodRoots}

// Reserved reports whether a tool can not have the name.
func Reserved(name string) bool { return slices.Contains(reserved, name) }
