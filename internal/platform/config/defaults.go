package config

import (
	_ "embed"
	"time"
)

// What holds where the file says nothing.
const (
	DefaultListen   = "127.0.0.1:8080"
	DefaultDatabase = "sqlite:data/signalbox.db"
	DefaultTenant   = "default"
	DefaultTimezone = "UTC"

	DefaultAnthropicURL = "https://api.anthropic.com/v1"
	DefaultOpenAIURL    = "https://api.openai.com/v1"

	// A model may think for minutes before the first byte of an answer that is not streamed.
	DefaultConnectTimeout   = 5 * time.Second
	DefaultFirstByteTimeout = 5 * time.Minute
	DefaultIdleTimeout      = time.Minute
	DefaultTotalTimeout     = 10 * time.Minute

	// A tool server may have to be started first.
	DefaultToolConnectTimeout = 30 * time.Second
	DefaultToolTotalTimeout   = 5 * time.Minute
	DefaultToolPlaceTimeout   = 2 * time.Second

	DefaultToolCalls = 64 // In flight, of one server.

	DefaultMaxBodyBytes       = 32 << 20 // The largest request that Anthropic takes.
	DefaultMaxHeaderBytes     = 64 << 10
	DefaultMaxConcurrentCalls = 1024
	DefaultMaxQueuedRecords   = 4096

	DefaultBudgetWait    = 5 * time.Second
	DefaultBudgetWaiting = 1024
	DefaultMaxOutput     = 4096 // Tokens.

	DefaultRunIdleTimeout = time.Hour
	DefaultLease          = 15 * time.Second
	DefaultLongestCall    = time.Hour

	DefaultChannelTimeout = 10 * time.Second

	// DefaultBackupDays is how long backups are taken to be kept, and MaxBackupDays the most: ten years.
	DefaultBackupDays          = 35
	MaxBackupDays              = 3653
	DefaultMinRetentionDays    = 365
	DefaultProjectionRetention = 90 * 24 * time.Hour
	DefaultContent             = ContentSummary
	DefaultAuditOrigin         = "signalbox/log"

	DefaultSimulatedSeed            = 1
	DefaultSimulatedP50             = 150 * time.Millisecond
	DefaultSimulatedP95             = 400 * time.Millisecond
	DefaultSimulatedTokensPerSecond = 200
	DefaultSimulatedMinOutput       = 20
	DefaultSimulatedMaxOutput       = 120
)

// DefaultModels is what a tenant may use: everything.
func DefaultModels() []string { return []string{"*"} }

// DefaultFailures is how simulated providers fail: in every way.
func DefaultFailures() []Failure {
	return []Failure{FailureRateLimited, FailureOverloaded, FailureReset, FailureTruncated}
}

// DefaultTimeouts are those of a provider.
func DefaultTimeouts() Timeouts {
	return Timeouts{DefaultConnectTimeout, DefaultFirstByteTimeout, DefaultIdleTimeout, DefaultTotalTimeout}
}

// DefaultToolTimeouts are those of an MCP server.
func DefaultToolTimeouts() ToolTimeouts {
	return ToolTimeouts{DefaultToolConnectTimeout, DefaultToolTotalTimeout, DefaultToolPlaceTimeout}
}

// DefaultBreaker is that of an MCP server.
func DefaultBreaker() Breaker {
	return Breaker{Failures: 5, Within: time.Minute, Pause: 5 * time.Second}
}

// DefaultPins accepts new tools that do not look suspicious.
func DefaultPins() Pins { return Pins{First: PinAccept, Flagged: PinHold} }

// DefaultLimits is what a process takes on.
func DefaultLimits() Limits {
	return Limits{
		MaxBodyBytes: DefaultMaxBodyBytes, MaxHeaderBytes: DefaultMaxHeaderBytes,
		MaxConcurrentCalls: DefaultMaxConcurrentCalls, MaxQueuedRecords: DefaultMaxQueuedRecords,
		BudgetWait: DefaultBudgetWait, BudgetWaiting: DefaultBudgetWaiting, DefaultMaxOutput: DefaultMaxOutput,
	}
}

// Quickstart is the file behind [Default].
//
//go:embed quickstart.yml
var Quickstart []byte

// Default is the configuration without a file: an embedded database, one tenant, a simulated provider, and the real
// ones whose keys (ANTHROPIC_API_KEY, OPENAI_API_KEY) are in the environment.
func Default(env Env) (*Config, error) {
	c, err := Parse("quickstart.yml", Quickstart, env, Options{})
	if err != nil {
		return nil, err
	}
	for name, p := range c.Providers {
		if p.Kind != KindSimulated && p.APIKey.IsZero() {
			c.drop(name)
		}
	}
	return c, nil
}

// drop removes a provider with its models. No model of the quickstart falls back or downgrades to another provider's.
func (c *Config) drop(provider string) {
	delete(c.Providers, provider)
	for name, m := range c.Models {
		if m.Provider == provider {
			delete(c.Models, name)
		}
	}
}
