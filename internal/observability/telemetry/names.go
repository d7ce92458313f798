package telemetry

import "go.opentelemetry.io/otel/attribute"

// Names that semconv v1.41.0 does not have: newer ones of the GenAI conventions, which have moved to a repository without
// a Go package.
const (
	usageCacheWriteKey = attribute.Key("gen_ai.usage.cache_write.input_tokens") // cache_creation until 2026.
	usageReasoningKey  = attribute.Key("gen_ai.usage.reasoning.output_tokens")
	costAmountKey      = attribute.Key("gen_ai.usage.cost.amount") // Proposed in semantic-conventions-genai #443.
	costCurrencyKey    = attribute.Key("gen_ai.usage.cost.currency")
	costSourceKey      = attribute.Key("gen_ai.usage.cost.source")
	tokenModalityKey   = attribute.Key("gen_ai.token.modality")

	metricInputTokens       = "gen_ai.client.inference.usage.input_tokens"
	metricOutputTokens      = "gen_ai.client.inference.usage.output_tokens"
	metricCacheReadTokens   = "gen_ai.client.inference.usage.cache_read.input_tokens"
	metricCacheWriteTokens  = "gen_ai.client.inference.usage.cache_write.input_tokens"
	metricReasoningTokens   = "gen_ai.client.inference.usage.reasoning.output_tokens"
	metricOperationInput    = "gen_ai.client.inference.operation.input_tokens"
	metricOperationOutput   = "gen_ai.client.inference.operation.output_tokens"
	metricOperationDuration = "gen_ai.client.operation.duration"
	metricTokenUsage        = "gen_ai.client.token.usage"
	metricFirstChunk        = "gen_ai.client.operation.time_to_first_chunk"
	metricMCPClient         = "mcp.client.operation.duration"
	metricMCPServer         = "mcp.server.operation.duration"
)

// Names of the deprecated conventions that many back ends still look for.
const (
	systemKey       = attribute.Key("gen_ai.system")
	finishReasonKey = attribute.Key("gen_ai.response.finish_reason")
)

// Names of our own: the seed's first.
const (
	agentIDKey   = attribute.Key("agent.id")
	agentNameKey = attribute.Key("agent.name")
	agentRoleKey = attribute.Key("agent.role")
	agentStepKey = attribute.Key("agent.step")
	runIDKey     = attribute.Key("orchestration.run_id")
	estimateKey  = attribute.Key("gen_ai.cost.estimate_usd")

	callIDKey        = attribute.Key("signalbox.call")
	requestKey       = attribute.Key("signalbox.request_id")
	tenantKey        = attribute.Key("signalbox.tenant")
	teamKey          = attribute.Key("signalbox.team")
	parentAgentKey   = attribute.Key("signalbox.parent_agent.id")
	stepKindKey      = attribute.Key("signalbox.step.kind")
	routeKey         = attribute.Key("signalbox.route")
	outcomeKey       = attribute.Key("signalbox.outcome")
	simulatedKey     = attribute.Key("signalbox.simulated")
	costTotalKey     = attribute.Key("signalbox.cost.usd")
	costBasisKey     = attribute.Key("signalbox.cost.basis")
	attemptKey       = attribute.Key("signalbox.attempt")
	attemptsKey      = attribute.Key("signalbox.attempts")
	inputExcerptKey  = attribute.Key("signalbox.input.excerpt")
	outputExcerptKey = attribute.Key("signalbox.output.excerpt")
	kindKey          = attribute.Key("kind")
	codeKey          = attribute.Key("code")
	outcomeLabelKey  = attribute.Key("outcome")
)

const (
	operationChat = "chat"
	operationTool = "execute_tool"
)

// Bucket boundaries of the conventions.
var (
	secondBuckets = []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	tokenBuckets  = []float64{
		1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
	}
	commitBuckets = []float64{0.0001, 0.0002, 0.0004, 0.0008, 0.0016, 0.0032, 0.0064, 0.0128, 0.0256, 0.05, 0.1, 0.2, 0.5, 1, 5}
)
