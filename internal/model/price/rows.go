package price

// The vendors of the table.
const (
	Anthropic = "anthropic"
	OpenAI    = "openai"
	Google    = "google"
	Groq      = "groq"
	MiniMax   = "minimax"
	Mistral   = "mistral"
	Moonshot  = "moonshot"
	XAI       = "xai"
	ZAI       = "zai"
)

// sep and oct are the two sources on the day of their publication.
var (
	sep = source{"genai-prices 0.1.8", "2026-09-23"}
	oct = source{"catwalk 0.52.86", "2026-10-28"}
)

// since is the September source where it names the first day of a price.
func since(day string) source { return source{sep.name, day} }

// Notes that several rows share.
const (
	hourRule = "The source has no rate for hour-long cache writes; twice the input rate, as for the vendor's other models."
	oneTier  = "The source has no rates for long inputs."

	chatLimit = "The price is that of the model without chat in its name, the limit of output that of OpenAI's chat models."
)

func rows() []row {
	var all []row
	for _, list := range [][]row{anthropicRows, openaiRows, googleRows, openRows} {
		all = append(all, list...)
	}
	return all
}

var anthropicRows = []row{
	{vendor: Anthropic, id: "claude-fable-5-1", window: 1_000_000, output: 128_000, source: sep, rates: rates{"10", "50", "0.25", "12.5", "20"}},
	{vendor: Anthropic, id: "claude-fable-5", window: 1_000_000, output: 128_000, source: sep, rates: rates{"10", "50", "1", "12.5", "20"}},
	{vendor: Anthropic, id: "claude-opus-5-5", window: 1_000_000, output: 128_000, source: sep, rates: rates{"4", "20", "0.2", "5", "8"}},
	{vendor: Anthropic, id: "claude-opus-5", window: 1_000_000, output: 128_000, source: sep, rates: rates{"5", "25", "0.5", "6.25", "10"}},
	{vendor: Anthropic, id: "claude-opus-4-8", window: 1_000_000, output: 128_000, source: sep, rates: rates{"5", "25", "0.5", "6.25", "10"}},
	{vendor: Anthropic, id: "claude-opus-4-7", window: 1_000_000, output: 128_000, source: sep, rates: rates{"5", "25", "0.5", "6.25", "10"}},
	{vendor: Anthropic, id: "claude-opus-4-6", window: 1_000_000, output: 128_000, source: since("2026-03-13"), rates: rates{"5", "25", "0.5", "6.25", "10"}},
	{vendor: Anthropic, id: "claude-opus-4-5", window: 200_000, output: 64_000, source: sep, rates: rates{"5", "25", "0.5", "6.25", "10"}},
	{vendor: Anthropic, id: "claude-opus-4-1", window: 200_000, output: 32_000, source: sep, rates: rates{"15", "75", "1.5", "18.75", "30"}},
	{vendor: Anthropic, id: "claude-sonnet-5-5", window: 1_000_000, output: 128_000, source: oct, rates: rates{"2", "10", "0.1", "2.5", "4"}, note: hourRule},
	{vendor: Anthropic, id: "claude-sonnet-5", window: 1_000_000, output: 128_000, source: sep, rates: rates{"2", "10", "0.2", "2.5", "4"}},
	{vendor: Anthropic, id: "claude-sonnet-4-6", window: 1_000_000, output: 128_000, source: since("2026-03-13"), rates: rates{"3", "15", "0.3", "3.75", "6"}},
	{
		vendor: Anthropic, id: "claude-sonnet-4-5", window: 200_000, output: 64_000, source: sep, rates: rates{"3", "15", "0.3", "3.75", "6"},
		above: 200_000, long: rates{"6", "22.5", "0.6", "7.5", "12"},
	},
	{
		vendor: Anthropic, id: "claude-sonnet-4-0", aliases: []string{"claude-sonnet-4"}, window: 200_000, output: 64_000, source: sep,
		rates: rates{"3", "15", "0.3", "3.75", "6"},
	},
	{vendor: Anthropic, id: "claude-haiku-4-5", window: 200_000, output: 64_000, source: sep, rates: rates{"1", "5", "0.1", "1.25", "2"}},
}

// OpenAI bills a whole call at the long rates from 272,000 input tokens on; models before GPT-5.6 have no rate for cache
// writes, which are then plain input.
var openaiRows = []row{
	{vendor: OpenAI, id: "gpt-6.1-sol", window: 1_050_000, output: 128_000, source: oct, rates: rates{"2", "10", "0.1", "2.5", ""}, note: oneTier},
	{vendor: OpenAI, id: "gpt-6.1-terra", window: 1_050_000, output: 128_000, source: oct, rates: rates{"1", "5", "0.05", "1.25", ""}, note: oneTier},
	{
		vendor: OpenAI, id: "gpt-6-astra", window: 1_050_000, output: 128_000, source: sep, rates: rates{"10", "50", "1", "12.5", ""},
		above: 271_999, long: rates{"20", "75", "2", "25", ""},
	},
	{
		vendor: OpenAI, id: "gpt-6-sol", window: 1_050_000, output: 128_000, source: sep, rates: rates{"2", "10", "0.2", "2.5", ""},
		above: 272_000, long: rates{"4", "15", "0.4", "5", ""},
	},
	{
		vendor: OpenAI, id: "gpt-6-luna", window: 1_050_000, output: 128_000, source: sep, rates: rates{"0.1", "0.5", "0.01", "0.125", ""},
		above: 272_000, long: rates{"0.2", "0.75", "0.02", "0.25", ""},
	},
	{
		vendor: OpenAI, id: "gpt-5.6-sol", aliases: []string{"gpt-5.6"}, window: 1_050_000, output: 128_000,
		source: since("2026-08-21"), rates: rates{"4", "20", "0.4", "5", ""}, above: 271_999, long: rates{"8", "30", "0.8", "10", ""},
	},
	{
		vendor: OpenAI, id: "gpt-5.6-terra", window: 1_050_000, output: 128_000, source: since("2026-07-30"), rates: rates{"2", "12", "0.2", "2.5", ""},
		above: 271_999, long: rates{"4", "18", "0.4", "5", ""},
	},
	{
		vendor: OpenAI, id: "gpt-5.6-luna", window: 1_050_000, output: 128_000, source: since("2026-07-30"), rates: rates{"0.2", "1.2", "0.02", "0.25", ""},
		above: 271_999, long: rates{"0.4", "1.8", "0.04", "0.5", ""},
	},
	{
		vendor: OpenAI, id: "gpt-5.5", aliases: []string{"gpt-5.5-codex"}, window: 1_050_000, output: 128_000, source: sep,
		rates: rates{"5", "30", "0.5", "", ""}, above: 271_999, long: rates{"10", "45", "1", "", ""},
	},
	{
		vendor: OpenAI, id: "gpt-5.4", window: 1_050_000, output: 128_000, source: sep, rates: rates{"2.5", "15", "0.25", "", ""},
		above: 271_999, long: rates{"5", "22.5", "0.5", "", ""},
	},
	{vendor: OpenAI, id: "gpt-5.4-mini", window: 400_000, output: 128_000, source: sep, rates: rates{"0.75", "4.5", "0.075", "", ""}},
	{vendor: OpenAI, id: "gpt-5.4-nano", window: 400_000, output: 128_000, source: sep, rates: rates{"0.2", "1.25", "0.02", "", ""}},
	{
		vendor: OpenAI, id: "gpt-5.2", aliases: []string{"gpt-5.2-codex"}, window: 400_000, output: 128_000, source: sep,
		rates: rates{"1.75", "14", "0.175", "", ""},
	},
	{
		vendor: OpenAI, id: "gpt-5.1", aliases: []string{"gpt-5.1-codex", "gpt-5.1-codex-max"}, window: 400_000, output: 128_000,
		source: sep, rates: rates{"1.25", "10", "0.125", "", ""},
	},
	{
		vendor: OpenAI, id: "gpt-5", aliases: []string{"gpt-5-codex"}, window: 400_000, output: 128_000, source: sep,
		rates: rates{"1.25", "10", "0.125", "", ""},
	},
	{
		vendor: OpenAI, id: "gpt-5.5-chat", window: 1_050_000, output: 16_384, source: sep, note: chatLimit,
		rates: rates{"5", "30", "0.5", "", ""}, above: 271_999, long: rates{"10", "45", "1", "", ""},
	},
	{vendor: OpenAI, id: "gpt-5.2-chat", window: 400_000, output: 16_384, source: sep, note: chatLimit, rates: rates{"1.75", "14", "0.175", "", ""}},
	{vendor: OpenAI, id: "gpt-5.1-chat", window: 400_000, output: 16_384, source: sep, note: chatLimit, rates: rates{"1.25", "10", "0.125", "", ""}},
	{vendor: OpenAI, id: "gpt-5-chat", window: 400_000, output: 16_384, source: sep, note: chatLimit, rates: rates{"1.25", "10", "0.125", "", ""}},
	{vendor: OpenAI, id: "gpt-5-mini", window: 400_000, output: 128_000, source: sep, rates: rates{"0.25", "2", "0.025", "", ""}},
	{vendor: OpenAI, id: "gpt-5-nano", window: 400_000, output: 128_000, source: sep, rates: rates{"0.05", "0.4", "0.005", "", ""}},
	{vendor: OpenAI, id: "gpt-4.1", window: 1_047_576, output: 32_768, source: sep, rates: rates{"2", "8", "0.5", "", ""}},
	{vendor: OpenAI, id: "gpt-4.1-mini", window: 1_047_576, output: 32_768, source: sep, rates: rates{"0.4", "1.6", "0.1", "", ""}},
	{vendor: OpenAI, id: "gpt-4.1-nano", window: 1_047_576, output: 32_768, source: sep, rates: rates{"0.1", "0.4", "0.025", "", ""}},
	{vendor: OpenAI, id: "gpt-4o", window: 128_000, output: 16_384, source: sep, rates: rates{"2.5", "10", "1.25", "", ""}},
	{vendor: OpenAI, id: "gpt-4o-2024-05-13", window: 128_000, output: 4_096, source: sep, rates: rates{"5", "15", "", "", ""}},
	{vendor: OpenAI, id: "gpt-4o-mini", window: 128_000, output: 16_384, source: sep, rates: rates{"0.15", "0.6", "0.075", "", ""}},
	{vendor: OpenAI, id: "o3", window: 200_000, output: 100_000, source: since("2025-06-10"), rates: rates{"2", "8", "0.5", "", ""}},
	{vendor: OpenAI, id: "o4-mini", window: 200_000, output: 100_000, source: sep, rates: rates{"1.1", "4.4", "0.275", "", ""}},
}

var googleRows = []row{
	{vendor: Google, id: "gemini-4-argon", window: 1_048_576, output: 65_536, source: oct, rates: rates{"2", "10", "0.1", "", ""}, note: oneTier},
	{vendor: Google, id: "gemini-3.8-flash", window: 1_048_576, output: 65_536, source: sep, rates: rates{"0.75", "3.75", "0.075", "", ""}},
	{vendor: Google, id: "gemini-3.8-flash", source: since("2027-01-01"), rates: rates{"1.5", "7.5", "0.15", "", ""}},
	{vendor: Google, id: "gemini-3.7-flash", window: 1_048_576, output: 65_536, source: sep, rates: rates{"0.75", "3.75", "0.075", "", ""}},
	{vendor: Google, id: "gemini-3.7-flash", source: since("2027-01-01"), rates: rates{"1.5", "7.5", "0.15", "", ""}},
	{vendor: Google, id: "gemini-3.5-flash", window: 1_048_576, output: 65_536, source: sep, rates: rates{"1.5", "9", "0.15", "", ""}},
	{vendor: Google, id: "gemini-3.5-flash-lite", window: 1_048_576, output: 65_536, source: sep, rates: rates{"0.3", "2.5", "0.03", "", ""}},
	{
		vendor: Google, id: "gemini-3.1-pro-preview", window: 1_048_576, output: 65_536, source: sep, rates: rates{"2", "12", "0.2", "", ""},
		above: 200_000, long: rates{"4", "18", "0.4", "", ""},
	},
	{vendor: Google, id: "gemini-3.1-flash-lite", window: 1_048_576, output: 65_536, source: sep, rates: rates{"0.25", "1.5", "0.025", "", ""}},
	{
		vendor: Google, id: "gemini-2.5-pro", window: 1_048_576, output: 65_536, source: sep, rates: rates{"1.25", "10", "0.125", "", ""},
		above: 200_000, long: rates{"2.5", "15", "0.25", "", ""},
	},
	{vendor: Google, id: "gemini-2.5-flash", window: 1_048_576, output: 65_536, source: sep, rates: rates{"0.3", "2.5", "0.03", "", ""}},
	{vendor: Google, id: "gemini-2.5-flash-lite", window: 1_048_576, output: 65_536, source: sep, rates: rates{"0.1", "0.4", "0.01", "", ""}},
}

// openRows are open models at their makers and at one host, and the makers' closed ones.
var openRows = []row{
	{vendor: Groq, id: "openai/gpt-oss-120b", window: 131_072, source: sep, rates: rates{"0.15", "0.6", "0.075", "", ""}},
	{vendor: Groq, id: "openai/gpt-oss-20b", window: 131_072, source: sep, rates: rates{"0.075", "0.3", "0.0375", "", ""}},
	{vendor: Groq, id: "llama-3.3-70b-versatile", window: 131_072, source: sep, rates: rates{"0.59", "0.79", "", "", ""}},
	{vendor: Groq, id: "qwen/qwen3-32b", window: 131_072, source: sep, rates: rates{"0.29", "0.59", "", "", ""}},
	{vendor: MiniMax, id: "minimax-m2.7", window: 204_800, output: 128_000, source: sep, rates: rates{"0.3", "1.2", "0.06", "0.375", ""}},
	{vendor: Mistral, id: "mistral-large-2512", window: 262_144, source: sep, rates: rates{"0.5", "1.5", "0.05", "", ""}},
	{vendor: Mistral, id: "mistral-medium-3-5", aliases: []string{"mistral-medium-3.5"}, window: 262_144, source: sep, rates: rates{"1.5", "7.5", "0.15", "", ""}},
	{vendor: Mistral, id: "mistral-small-2603", window: 262_144, source: sep, rates: rates{"0.15", "0.6", "0.015", "", ""}},
	{vendor: Mistral, id: "codestral-2508", window: 256_000, source: sep, rates: rates{"0.3", "0.9", "0.03", "", ""}},
	{vendor: Mistral, id: "devstral-2512", window: 262_144, source: sep, rates: rates{"0.4", "2", "0.04", "", ""}},
	{vendor: Moonshot, id: "kimi-k3", window: 1_048_576, output: 131_072, source: sep, rates: rates{"3", "15", "0.3", "", ""}},
	{vendor: Moonshot, id: "kimi-k2.6", window: 262_144, output: 32_768, source: sep, rates: rates{"0.95", "4", "0.16", "", ""}},
	{vendor: Moonshot, id: "kimi-k2.5", window: 262_144, output: 32_768, source: sep, rates: rates{"0.6", "3", "0.1", "", ""}},
	{vendor: XAI, id: "grok-4.6", window: 500_000, source: sep, rates: rates{"2", "6", "0.5", "", ""}, above: 199_999, long: rates{"4", "12", "1", "", ""}},
	{vendor: XAI, id: "grok-4.5", window: 500_000, source: sep, rates: rates{"2", "6", "0.3", "", ""}, above: 199_999, long: rates{"4", "12", "0.6", "", ""}},
	{vendor: XAI, id: "grok-4.3", window: 1_000_000, source: sep, rates: rates{"1.25", "2.5", "0.2", "", ""}, above: 199_999, long: rates{"2.5", "5", "0.4", "", ""}},
	{vendor: ZAI, id: "glm-5.3", window: 1_000_000, output: 131_072, source: sep, rates: rates{"1.4", "4.4", "0.26", "", ""}},
}
