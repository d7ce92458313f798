// Package wire translates model calls between wire formats: requests, whole answers, streams and errors.
//
// # Concepts
//
// A caller speaks one of two formats, OpenAI's chat completions or Anthropic's messages, and so does a backend. A [Pair]
// joins one format of a caller with one of a backend; there is one file of requests and one of answers for each pair
// that translates, and one file for each that does not:
//
//	             backend OpenAI                backend Anthropic
//	OpenAI       openai_openai.go              openai_anthropic*.go
//	Anthropic    anthropic_openai*.go          anthropic_anthropic.go
//
// With the same format on both sides, requests are edited by span only (the model's name where it differs, the limit of
// output tokens, and stream_options.include_usage on OpenAI streams) and answers pass byte for byte; what is not known survives. Across,
// everything is translated, and what can not be carried over is refused with a 400 that names the field.
//
// # Invariants
//
//   - A stream has exactly one terminal part, and only after the upstream's own end marker ([DONE], message_stop). What
//     makes an answer look complete is all in that part: for OpenAI the chunk in which the last choice gets its
//     finish_reason and everything behind it, for Anthropic everything from the message_delta with the stop_reason. Where
//     the upstream closes before its marker, [Stream.End] is an error.
//   - Nothing of a request that has an effect on the answer is dropped.
//   - Every request that leaves carries [Target.Limit] where there is one, in max_tokens or max_completion_tokens: in the
//     member the caller used, else in the one the provider knows. A budget for thinking that reaches the limit is lowered
//     in proportion, so that the answer keeps its share; below [MinThinking] the call is refused as budget_exhausted.
//   - A usage is what the upstream reported, or nil with a reason. Counts that are negative, no integers, contradict one
//     another, or leave no input at all are not believed, nor is the first reading of a stream that broke. Input includes cached tokens, output includes reasoning.
//   - Nothing an upstream says about our credential or account reaches a caller.
//
// # What a request can cost
//
// A bound counts a token for each byte of a request, and max_tokens for each choice. The parsers say where that is not
// enough, and note what has no bound or other rates than the price says (Unbounded): the ledger refuses that (unsupported)
// unless the tenant allows calls without a price:
//
//	Unseen     images that are part of the request: [MaxImageTokens] each, since their bytes say nothing
//	External   images by address or id, files and documents that are no plain text (also inline: they become pages and
//	           pictures), parts and blocks that are not known, previous_response_id, conversation, container and
//	           extra_body in OpenAI's format, the tools Anthropic defines and the caller runs (bash, text_editor,
//	           computer, memory)
//	Unbounded  tools that the provider runs and tools of types that are not known (web_search, web_fetch,
//	           code_execution, MCP), web_search_options, search_parameters, plugins, container and mcp_servers in
//	           Anthropic's format: they have fees and read the context as often as they like; models (other models may
//	           answer); prediction (billed beside the limit); compaction (more answers than one); audio (other rates);
//	           service_tier priority, scale, fast and performance; speed fast; inference_geo but global
//	passes     n (bounded by its number), service_tier flex (billed at less than what is booked), Anthropic's auto tier
//	           (capacity that is bought in advance is not priced here), members that nobody here knows: what they bill
//	           beyond the bound shows as an overrun
//
// # From OpenAI to Anthropic
//
//	carried over     model, messages, max_tokens, max_completion_tokens (else, and without a limit of the target, its maximum or DefaultMaxTokens),
//	                 temperature up to 1, top_p, stop, stream, stream_options.include_usage, tools of type function,
//	                 tool_choice, parallel_tool_calls, user or safety_identifier (as metadata.user_id), images as data or
//	                 URL, refusals (as text), system and developer messages at the start
//	dropped, hints   store: false, metadata, prompt_cache_*, stream_options.include_obfuscation; defaults: n: 1,
//	                 logprobs: false, top_logprobs: 0, penalties of 0, logit_bias: {}, modalities: ["text"], image detail
//	                 auto, response_format of type text, service_tier auto or default, verbosity medium; empty texts
//	refused          everything else, among it n above 1, store: true, seed, reasoning_effort, response_format, logprobs,
//	                 logit_bias, audio, files, functions, custom tools, allowed_tools, web_search_options, names of
//	                 participants, system messages in the middle, temperature above 1
//	answers          thinking is left out, as OpenAI leaves its own out; pings are not passed on
//
// # From Anthropic to OpenAI
//
//	carried over     model, system, messages, max_tokens, temperature, top_p, up to four stop_sequences, stream, tools of
//	                 the caller, tool_choice, disable_parallel_tool_use, metadata.user_id (as user), images as base64 or URL,
//	                 service_tier standard_only (as default), is_error of a tool's result (as the word "Error: " before it)
//	dropped, hints   cache_control, eager_input_streaming; defaults: thinking disabled, output_config {}, service_tier auto
//	refused          everything else, among it thinking, top_k, output_config, containers, MCP servers, server tools,
//	                 documents, thinking blocks, citations, images in results of tools, an answer begun by the caller
//	answers          stop_sequence is always null, because OpenAI does not say which one it was; message_start counts no
//	                 tokens yet, message_delta has the usage, with zeros where the upstream reported none
//
// A stop or finish reason without a counterpart is an error: to rename it would hide that an answer is unfinished.
package wire
