package mcp

import (
	"maps"
	"slices"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// Methods and notifications that we use.
const (
	methodDiscover         = "server/discover"
	methodInitialize       = "initialize"
	methodInitialized      = "notifications/initialized"
	methodCancelled        = "notifications/cancelled"
	methodProgress         = "notifications/progress"
	methodLogged           = "notifications/message"
	methodListChanged      = "notifications/tools/list_changed"
	methodResourcesChanged = "notifications/resources/list_changed"
	methodPromptsChanged   = "notifications/prompts/list_changed"
	methodListTools        = "tools/list"
	methodCallTool         = "tools/call"
	methodListResources    = "resources/list"
	methodListTemplates    = "resources/templates/list"
	methodReadResource     = "resources/read"
	methodListPrompts      = "prompts/list"
	methodGetPrompt        = "prompts/get"
	methodComplete         = "completion/complete"
	methodSetLevel         = "logging/setLevel"
	methodListen           = "subscriptions/listen"
	methodAcknowledged     = "notifications/subscriptions/acknowledged"
	methodSubscribe        = "resources/subscribe"
	methodUnsubscribe      = "resources/unsubscribe"
	methodUpdated          = "notifications/resources/updated"
	methodPing             = "ping"
)

// Codes of JSON-RPC and MCP.
const (
	rpcInvalidRequest     = -32600
	rpcMethodNotFound     = -32601
	rpcInvalidParams      = -32602
	rpcInternal           = -32603
	rpcNotAnswered        = -1     // As clients answer who have been asked and do not want to.
	rpcResourceNotFound   = -32002 // Of the older versions.
	rpcHeaderMismatch     = -32020
	rpcMissingCapability  = -32021
	rpcUnsupportedVersion = -32022
)

// Protocol versions that we offer to upstreams.
const (
	modernVersion = "2026-07-28" // And later: no handshake, each request says its version.
	legacyVersion = "2025-11-25" // And earlier: a session that begins with initialize.
)

// Names in _meta. Whatever begins with metaPrefix belongs to the protocol.
const (
	metaPrefix       = "io.modelcontextprotocol/"
	metaVersion      = metaPrefix + "protocolVersion"
	metaClient       = metaPrefix + "clientInfo"
	metaCapabilities = metaPrefix + "clientCapabilities"
	metaLogLevel     = metaPrefix + "logLevel"
	metaServer       = metaPrefix + "serverInfo"
)

// noCapabilities is what we say that we can do for an upstream, where no caller is there who could.
var noCapabilities = json.Value("{}")

// Headers of the protocol.
const (
	headerVersion = "Mcp-Protocol-Version"
	headerMethod  = "Mcp-Method"
	headerName    = "Mcp-Name"
	headerSession = "Mcp-Session-Id"
)

// legacyVersions are those that begin with initialize, newest first.
var legacyVersions = slices.DeleteFunc(sdk.SupportedProtocolVersions(), func(v string) bool { return v >= modernVersion })

// Types of results, which are also the reasons why a call finished.
const (
	typeComplete      = "complete"
	typeInputRequired = "input_required" // The server asks its caller for something first.
)

// asked are what servers ask of their callers: the method, by the capability that a caller declares for it.
var asked = map[string]string{"elicitation": "elicitation/create", "sampling": "sampling/createMessage", "roots": "roots/list"}

// questions gives the capabilities of callers by which servers ask them something, sorted.
func questions() []string { return slices.Sorted(maps.Keys(asked)) }

// methodFor gives the method by which a server uses a capability of its caller, "" for all others.
func methodFor(capability string) string { return asked[capability] }

// capabilityFor gives the capability that a method of a server's needs, "" for methods by which it asks nothing.
func capabilityFor(method string) string {
	for capability, m := range asked {
		if m == method {
			return capability
		}
	}
	return ""
}

// levelOf gives the place of a level of log lines among those of the protocol, of which 0 is the most talkative; -1 for what
// is none.
func levelOf(name string) int { return slices.Index(logLevels, name) }

// logLevels are those of the protocol.
var logLevels = []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

// reservedNames are methods that act on a server. As the name of a tool each would be taken for the act: permissions name
// both alike, as "server.resources/read".
var reservedNames = []string{methodReadResource, methodGetPrompt, methodComplete, "sampling/createMessage", "elicitation/create", "roots/list"}

// reserved reports whether a tool can not have the name.
func reserved(name string) bool { return slices.Contains(reservedNames, name) }
