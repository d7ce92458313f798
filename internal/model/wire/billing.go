package wire

import (
	"slices"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// This file knows what of a request is billed otherwise than its bytes show. What a bound can cover is noted in the
// request (External, Unseen); what no bound can cover, because it has a fee or a rate of its own or repeats the input as
// often as it likes, is noted too (Unbounded): the ledger refuses such a call unless its tenant allows calls without a
// price. Members and values that nobody here knows pass.

// MaxImageTokens is the most tokens that one image which is part of the request is taken for. The dearest known are
// 48,169, for a large one at a small model of OpenAI's. Its bytes say nothing: an empty picture compresses well.
const MaxImageTokens = 50_000

// unbounded notes a member: what it makes a provider bill has no bound. The first one stands.
func (s scope) unbounded(r *signalbox.ModelRequest, name, why string) {
	path := s.at(name)
	note(r, signalbox.Errorf(signalbox.CodeUnsupported, "%s: %s, so that nobody can say beforehand what the call may cost.", path, why).
		WithField(path).WithRemedy("Leave it out; give the model a tool of an MCP server for what it would have done; or have an operator set allow_unpriced for the tenant."))
}

// otherRate notes a member: the prices known do not hold for it.
func (s scope) otherRate(r *signalbox.ModelRequest, name, remedy string) {
	path := s.at(name)
	note(r, signalbox.Errorf(signalbox.CodeUnsupported, "%s: what it asks for is billed at rates that Signalbox does not know.", path).
		WithField(path).WithRemedy(remedy))
}

func note(r *signalbox.ModelRequest, e *signalbox.Error) {
	r.External = true
	if r.Unbounded == nil {
		r.Unbounded = e
	}
}

// Why things are refused.
const (
	runsThere   = "the provider runs it by itself, with fees and input of its own"
	otherModels = "the provider may answer with another model than the one that is priced"
)

// openAIUnbounded are members of OpenAI's format, or of servers that speak it, without a bound.
var openAIUnbounded = map[string]string{
	"web_search_options": runsThere, "search_parameters": runsThere, "plugins": runsThere, "models": otherModels,
	"prediction": "tokens that were predicted wrongly are billed beside the limit of output",
}

// openAIOutside are members that stand for content which is not in the request.
var openAIOutside = []string{"previous_response_id", "conversation", "extra_body", "container"}

// openAIPlainTiers are the service tiers that cost what the price says, or less.
var openAIPlainTiers = []string{"auto", "default", "flex", "standard", "on_demand"}

// billedByOpenAI looks at everything but the messages.
func billedByOpenAI(s scope, r *signalbox.ModelRequest) {
	for _, m := range s.m.All() {
		if why, ok := openAIUnbounded[m.Name]; ok && !m.Value.Null() && string(m.Value.Bytes()) != "[]" {
			s.unbounded(r, m.Name, why)
		}
	}
	for _, name := range openAIOutside {
		r.External = r.External || s.given(name)
	}
	for i, n := range s.nodes("modalities") {
		if textOf(n) != "text" {
			s.otherRate(r, item("modalities", i), "Ask for text.")
		}
	}
	if s.given("audio") {
		s.otherRate(r, "audio", "Ask for text.")
	}
	if tier := s.text("service_tier"); tier != "" && !slices.Contains(openAIPlainTiers, tier) {
		s.otherRate(r, "service_tier", "Leave it out, or use default or flex.")
	}
	for i, n := range s.nodes("tools") {
		t, err := n.Object()
		if err != nil {
			continue // The provider says what is wrong with it.
		}
		if kind := textOf(t.Get("type")); kind != "" && kind != "function" && kind != "custom" {
			s.unbounded(r, item("tools", i), runsThere)
		}
	}
}

// item names an element of a member.
func item(name string, i int) string { return scope{}.item(name, i) }

// anthropicHere are the tools that Anthropic defines and the caller runs, by the beginnings of their types.
var anthropicHere = []string{"bash_", "text_editor_", "computer_", "memory_"}

// billedByAnthropic looks at everything but the messages.
func billedByAnthropic(s scope, r *signalbox.ModelRequest, tools []scope) {
	if s.given("mcp_servers") && string(s.m.Get("mcp_servers").Bytes()) != "[]" {
		s.unbounded(r, "mcp_servers", runsThere)
	}
	if s.given("container") {
		s.unbounded(r, "container", runsThere)
	}
	if speed := s.text("speed"); speed != "" && speed != "standard" {
		s.otherRate(r, "speed", "Leave it out, or use standard.")
	}
	if geo := s.text("inference_geo"); geo != "" && geo != "global" {
		s.otherRate(r, "inference_geo", "Leave it out, or use global.")
	}
	if tier := s.text("service_tier"); tier != "" && tier != "auto" && tier != "standard_only" {
		s.otherRate(r, "service_tier", "Leave it out, or use standard_only.")
	}
	compaction(s, r)
	for i, t := range tools {
		kind := t.text("type")
		if kind == "" || kind == "custom" {
			continue
		}
		r.External = true // The provider writes the definition.
		if !slices.ContainsFunc(anthropicHere, func(begin string) bool { return strings.HasPrefix(kind, begin) }) {
			s.unbounded(r, item("tools", i), runsThere)
		}
	}
}

// compaction notes the edits of the context in which the provider has the model write a summary.
func compaction(s scope, r *signalbox.ModelRequest) {
	management := s.object("context_management", anthropicManagement)
	for _, e := range management.objects("edits", anthropicEdit) {
		if !strings.HasPrefix(e.text("type"), "clear_") {
			e.unbounded(r, "type", "the model writes and reads summaries beside the answer")
		}
	}
}

var (
	anthropicManagement = json.NewNames("edits")
	anthropicEdit       = json.NewNames("type")
)
