package sdk

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/upstream"
)

// result is what one scenario of sdks.mjs printed.
type result struct {
	Text      string   `json:"text"`
	Finish    string   `json:"finish"`
	Input     int64    `json:"input"`
	Output    int64    `json:"output"`
	Tool      string   `json:"tool"`
	Arguments string   `json:"arguments"`
	Class     string   `json:"class"`
	Status    int      `json:"status"`
	Code      string   `json:"code"`
	Requests  int      `json:"requests"`
	Names     []string `json:"names"`
	Thrown    string   `json:"thrown"`
}

func (b bench) node(t *testing.T, openAIPrefix, anthropicPrefix string) map[string]result {
	t.Helper()
	c := exec.CommandContext(t.Context(), "node", "sdks.mjs", b.URL, harness.Agent, openAIPrefix, anthropicPrefix)
	c.Dir = harness.Node(t)
	var errOut strings.Builder
	c.Stderr = &errOut
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errOut.String())
	}
	var results map[string]result
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return results
}

// nodeWants is what each scenario must come to; a broken stream's error depends on the SDK, and is looked at apart.
func nodeWants() map[string]result {
	in, out := int64(upstream.Input), upstream.Output()
	return map[string]result{
		"openai unary":                {Text: upstream.Text, Finish: "stop", Input: in, Output: out},
		"openai stream":               {Text: upstream.Text, Finish: "stop", Input: in, Output: out},
		"openai stream without usage": {Text: upstream.Text, Finish: "stop"},
		"openai tools":                {Text: upstream.Text, Finish: "tool_calls", Tool: "get_weather", Arguments: upstream.Arguments},
		"anthropic unary":             {Text: upstream.Text, Finish: "end_turn", Input: in, Output: out},
		"anthropic stream":            {Text: upstream.Text, Finish: "end_turn", Output: out},
		"anthropic tools":             {Text: upstream.Text, Finish: "tool_use", Tool: "get_weather", Arguments: upstream.Arguments},
		"openai provider fails":       {Class: "InternalServerError", Status: 502, Code: "upstream", Requests: 2},
		"anthropic provider fails":    {Class: "InternalServerError", Status: 502, Code: "upstream", Requests: 2},
		"openai unknown model":        {Class: "NotFoundError", Status: 404, Code: "not_found", Requests: 1},
		"anthropic unknown model":     {Class: "NotFoundError", Status: 404, Code: "not_found", Requests: 1},
		"openai unknown key":          {Class: "AuthenticationError", Status: 401, Code: "unauthenticated", Requests: 1},
		"anthropic unknown key":       {Class: "AuthenticationError", Status: 401, Code: "unauthenticated", Requests: 1},
	}
}

func TestNode(t *testing.T) {
	b := start(t)
	for name, prefixes := range map[string][2]string{
		"same format":    {"openai-", "anthropic-"},
		"across formats": {"anthropic-", "openai-"},
	} {
		t.Run(name, func(t *testing.T) {
			results := b.node(t, prefixes[0], prefixes[1])
			for scenario, want := range nodeWants() {
				if got := results[scenario]; !equal(got, want) {
					t.Errorf("%s:\n got %+v\nwant %+v", scenario, got, want)
				}
			}
			for _, api := range []string{"openai", "anthropic"} {
				for _, how := range []string{" stream breaks", " stream is reset"} {
					if got := results[api+how]; got.Class == "none" || got.Class == "" || got.Requests != 1 {
						t.Errorf("%s%s: the program sees %+v", api, how, got)
					}
				}
				if names := results[api+" models"].Names; !slices.Contains(names, "openai-good") {
					t.Errorf("the models are %v (%s)", names, results[api+" models"].Thrown)
				}
			}
		})
	}
	b.Complete(t)
}

func equal(a, b result) bool {
	a.Names, b.Names = nil, nil
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
