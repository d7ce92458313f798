package simulated_test

import (
	"strings"
	"testing"

	"github.com/signalbox/signalbox/internal/model/simulated"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Whatever is asked: there is an answer, it is strict JSON, and arguments of tools are too.
func FuzzRequest(f *testing.F) {
	f.Add(request("Hello", ""))
	f.Add(request("Hello", `,"n":2,"max_tokens":1,"tools":[`+searchTool+`]`))
	f.Add(request(`simulate: tool=search {"a":1}`, `,"tools":[`+searchTool+`]`))
	f.Add(`{"messages":[{"role":"user","content":[{"type":"text","text":"Hi"},7]}],"tools":[{"function":{"name":"f","parameters":` +
		`{"type":"object","required":["a","a",1],"properties":{"a":{"type":"integer","minimum":-9223372036854775808,"maximum":9223372036854775807}}}}}]}`)
	f.Add(`{"messages":[{"role":"user","content":"x"}],"tools":[{"function":{"name":"f","parameters":{"required":["a"],"properties":{"a":{"type":"array","minItems":-3,"items":{"allOf":[{}]}}}}}}]}`)
	f.Add(`{"messages":[],"tools":[{"function":{"name":"f","parameters":{"type":"string"}}}],"tool_choice":"required"}`)
	f.Fuzz(func(t *testing.T, body string) {
		if strings.Contains(body, "hang") || strings.Contains(body, `\u`) || len(body) > 4096 {
			return // A script may ask for an answer that never comes.
		}
		status, got, err := ask(t, simulated.Config{ToolCallRate: 1}, body, nil)
		if err != nil || strings.Contains(got, "data: ") {
			return // A script has asked for a failure, or the request for a stream.
		}
		var out completion
		if err := json.Unmarshal([]byte(got), &out); err != nil || status == 0 {
			t.Fatalf("status %d, %v: %s", status, err, got)
		}
		for _, c := range out.Choices {
			for _, call := range c.Message.ToolCalls {
				if err := json.Check([]byte(call.Function.Arguments), json.Limits{CaseVariants: true}); err != nil {
					t.Fatalf("arguments %s: %v", call.Function.Arguments, err)
				}
			}
		}
	})
}

func FuzzParseScript(f *testing.F) {
	f.Add("simulate: fail=overloaded times=1 model=sim-large")
	f.Add("Hello.\nsimulate: delay=250ms tokens=40 text=a\r\n simulate: tool=x {\"a\":1}")
	f.Fuzz(func(t *testing.T, prompt string) {
		got := simulated.ParseScript(prompt)
		if !strings.Contains(prompt, "simulate:") && got != (simulated.Script{}) {
			t.Errorf("%q gave %+v", prompt, got)
		}
	})
}
