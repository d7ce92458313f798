package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/wire"
)

// TestWhatBytesDoNotShow goes through the content that is billed otherwise than its bytes. Bodies are the members of a
// request, behind a model, a limit and (unless they bring their own) a message.
func TestWhatBytesDoNotShow(t *testing.T) {
	const (
		external = "external"
		plain    = "plain"
		refused  = "unsupported "
	)
	one, two := fmt.Sprint(wire.MaxImageTokens), fmt.Sprint(2*wire.MaxImageTokens)
	part := func(p string) string { return `"messages":[{"role":"user","content":[` + p + `]}]` }
	tests := []struct {
		format        signalbox.Protocol
		members, want string
	}{
		{openAI, `"temperature":1`, plain},
		{openAI, part(`{"type":"text","text":"x"}`), plain},
		{openAI, part(`{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}`), one},
		{openAI, part(`{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}`), two},
		{openAI, part(`{"type":"image_url","image_url":{"url":"https://x"}}`), external},
		{openAI, part(`{"type":"image_url","image_url":{"file_id":"f"}}`), external},
		{openAI, part(`{"type":"file","file":{"file_id":"f"}}`), external},
		{openAI, part(`{"type":"file","file":{"file_data":"data:application/pdf;base64,AA"}}`), external},
		{openAI, part(`{"type":"video_url","video_url":{"url":"data:x"}}`), external},
		{openAI, part(`{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}`), refused + "messages[0].content[0].type"},
		{openAI, `"messages":[{"role":"assistant","audio":{"id":"a"}}]`, refused + "messages[0].audio"},
		{openAI, `"messages":[{"role":"assistant","audio":null,"content":"x"}]`, plain},
		{openAI, `"modalities":["text"]`, plain},
		{openAI, `"modalities":["text","audio"]`, refused + "modalities[1]"},
		{openAI, `"audio":{"voice":"alloy","format":"wav"}`, refused + "audio"},
		{openAI, `"previous_response_id":"resp_1"`, external},
		{openAI, `"previous_response_id":null`, plain},
		{openAI, `"conversation":"conv_1"`, external},
		{openAI, `"extra_body":{"google":{"cached_content":"c"}}`, external},
		{openAI, `"web_search_options":{}`, refused + "web_search_options"},
		{openAI, `"web_search_options":null`, plain},
		{openAI, `"search_parameters":{"mode":"on"}`, refused + "search_parameters"},
		{openAI, `"plugins":[{"id":"web"}]`, refused + "plugins"},
		{openAI, `"plugins":[]`, plain},
		{openAI, `"models":["a","b"]`, refused + "models"},
		{openAI, `"prediction":{"type":"content","content":"x"}`, refused + "prediction"},
		{openAI, `"Prediction":{"type":"content","content":"x"}`, "invalid body"},
		{openAI, `"service_tier":"default"`, plain},
		{openAI, `"service_tier":"flex"`, plain},
		{openAI, `"service_tier":"priority"`, refused + "service_tier"},
		{openAI, `"service_tier":"fast"`, refused + "service_tier"},
		{openAI, `"service_tier":7`, "invalid service_tier"},
		{openAI, `"tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"c"}}]`, plain},
		{openAI, `"tools":[{"type":"function","function":{"name":"f"}},{"type":"web_search"}]`, refused + "tools[1]"},
		{openAI, `"tools":[{"type":"mcp","server_url":"https://x"}]`, refused + "tools[0]"},
		{openAI, `"tools":[{"type":"code_interpreter"}]`, refused + "tools[0]"},

		{anthropic, `"temperature":1`, plain},
		{anthropic, part(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}`), one},
		{anthropic, part(`{"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":{"type":"base64","data":"AA"}}]}`), one},
		{anthropic, part(`{"type":"image","source":{"type":"url","url":"https://x"}}`), external},
		{anthropic, part(`{"type":"image","source":{"type":"file","file_id":"f"}}`), external},
		{anthropic, part(`{"type":"document","source":{"type":"text","data":"x"}}`), plain},
		{anthropic, part(`{"type":"document","source":{"type":"base64","data":"AA"}}`), external},
		{anthropic, part(`{"type":"document","source":{"type":"url","url":"https://x"}}`), external},
		{anthropic, part(`{"type":"document","source":{"type":"content","content":[{"type":"image"}]}}`), external},
		{anthropic, part(`{"type":"container_upload","file_id":"f"}`), external},
		{anthropic, part(`{"type":"thinking","thinking":"t","signature":"s"}`), plain},
		{anthropic, `"container":{"id":"c"}`, refused + "container"},
		{anthropic, `"mcp_servers":[{"type":"url","url":"https://x"}]`, refused + "mcp_servers"},
		{anthropic, `"mcp_servers":[]`, plain},
		{anthropic, `"tools":[{"name":"x","input_schema":{}},{"type":"custom","name":"y"}]`, plain},
		{anthropic, `"tools":[{"type":"web_search_20250305","name":"web_search"}]`, refused + "tools[0]"},
		{anthropic, `"tools":[{"type":"web_fetch_20250910","name":"web_fetch"}]`, refused + "tools[0]"},
		{anthropic, `"tools":[{"type":"code_execution_20250825","name":"code_execution"}]`, refused + "tools[0]"},
		{anthropic, `"tools":[{"type":"tool_search_tool_regex_20251119","name":"s"}]`, refused + "tools[0]"},
		{anthropic, `"tools":[{"type":"computer_20250124","name":"computer"}]`, external},
		{anthropic, `"tools":[{"type":"bash_20250124","name":"bash"}]`, external},
		{anthropic, `"speed":"fast"`, refused + "speed"},
		{anthropic, `"speed":"standard"`, plain},
		{anthropic, `"inference_geo":"us"`, refused + "inference_geo"},
		{anthropic, `"inference_geo":"global"`, plain},
		{anthropic, `"service_tier":"standard_only"`, plain},
		{anthropic, `"service_tier":"priority"`, refused + "service_tier"},
		{anthropic, `"context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]}`, plain},
		{anthropic, `"context_management":{"edits":[{"type":"compact_20260112"}]}`, refused + "context_management.edits[0].type"},
		{anthropic, `"something_new":{"x":1}`, plain},
	}
	for _, tt := range tests {
		t.Run(string(tt.format)+" "+strings.NewReplacer(`"`, "", " ", "").Replace(tt.members), func(t *testing.T) {
			body := `{"model":"m","max_tokens":7,` + tt.members
			if !strings.Contains(tt.members, `"messages"`) {
				body += `,"messages":[{"role":"user","content":"hi"}]`
			}
			r, _, err := parse(tt.format, body+"}")
			got := plain
			var e *signalbox.Error
			if err == nil && r.Unbounded != nil {
				err = r.Unbounded
			}
			switch {
			case errors.As(err, &e):
				got = fmt.Sprintf("%s %s", e.Code, e.Field)
				if e.Remedy == "" {
					t.Error("no remedy")
				}
			case r.External:
				got = external
			case r.Unseen > 0:
				got = fmt.Sprint(r.Unseen)
			}
			if got != tt.want {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
		})
	}
}
