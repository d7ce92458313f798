package wire_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/sse"
	"github.com/signalbox/signalbox/internal/model/wire"
	"github.com/signalbox/signalbox/internal/platform/json"
)

var words = rapid.StringMatching(`[a-z"\\한 \n]{1,12}`)

// drawMessages writes a conversation of the kinds that both formats know, in OpenAI's format.
func drawMessages(t *rapid.T) []byte {
	var list []any
	text := func(role string) map[string]any {
		return map[string]any{"role": role, "content": words.Draw(t, role)}
	}
	if rapid.Bool().Draw(t, "system?") {
		list = append(list, text("system"))
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "turns") {
		list = append(list, text("user"))
		answer := text("assistant")
		calls := rapid.IntRange(0, 3).Draw(t, "calls")
		var tools, results []any
		for j := range calls {
			id := fmt.Sprintf("call_%d_%d", i, j)
			f := map[string]any{"name": "f", "arguments": `{"a": ` + string(json.Quote(words.Draw(t, "argument"))) + `}`}
			tools = append(tools, map[string]any{"id": id, "type": "function", "function": f})
			results = append(results, map[string]any{"role": "tool", "tool_call_id": id, "content": words.Draw(t, "result")})
		}
		if calls > 0 {
			answer["tool_calls"] = tools
			if rapid.Bool().Draw(t, "silent") {
				delete(answer, "content")
			}
		}
		list = append(append(list, answer), results...)
	}
	list = append(list, text("user"))
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRequestRoundTrip translates a conversation to Anthropic's format and back: it must be the same one.
func TestRequestRoundTrip(t *testing.T) {
	there, back := pair(t, openAI, anthropic), pair(t, anthropic, openAI)
	rapid.Check(t, func(t *rapid.T) {
		messages := drawMessages(t)
		body := []byte(`{"model":"upstream-model","messages":` + string(messages) + `,"stop":["x"],"temperature":0.25,"user":"u",` +
			`"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":"required"}`)
		middle, err := there.Request(body, target)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := wire.ParseAnthropicMessages(middle); err != nil {
			t.Fatalf("%s: %v", middle, err)
		}
		again, err := back.Request(middle, target)
		if err != nil {
			t.Fatalf("%s: %v", middle, err)
		}
		want := strings.TrimSuffix(string(body), "}") + `,"max_completion_tokens":8192}`
		if got, want := canonical(t, again), canonical(t, []byte(want)); got != want {
			t.Fatalf("got  %s\nwant %s\nover %s", got, want, middle)
		}
	})
}

func canonical(t *rapid.T, doc []byte) string {
	c, err := json.Canonical(doc)
	if err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return string(c)
}

// answer is a generated answer, as pieces.
type answer struct {
	text  []string
	tools [][]string // Pieces of arguments of each call.
}

func drawAnswer(t *rapid.T) answer {
	a := answer{text: rapid.SliceOfN(words, 0, 4).Draw(t, "text")}
	for range rapid.IntRange(0, 3).Draw(t, "tools") {
		value := string(json.Quote(words.Draw(t, "argument")))
		at := rapid.IntRange(0, len(value)).Draw(t, "cut")
		for at < len(value) && value[at]&0xC0 == 0x80 {
			at++
		}
		a.tools = append(a.tools, []string{`{"a":` + value[:at], value[at:] + `}`})
	}
	return a
}

// openAIStream writes the answer as a stream in OpenAI's format.
func (a answer) openAIStream() []byte {
	var out []byte
	chunk := func(delta, finish string) {
		out = sse.Append(out, "", []byte(`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":`+
			delta+`,"finish_reason":`+finish+`}],"usage":null}`))
	}
	chunk(`{"role":"assistant","content":""}`, "null")
	for _, text := range a.text {
		chunk(`{"content":`+string(json.Quote(text))+`}`, "null")
	}
	for i, pieces := range a.tools {
		chunk(fmt.Sprintf(`{"tool_calls":[{"index":%d,"id":"t%d","type":"function","function":{"name":"f","arguments":""}}]}`, i, i), "null")
		for _, p := range pieces {
			chunk(fmt.Sprintf(`{"tool_calls":[{"index":%d,"function":{"arguments":%s}}]}`, i, json.Quote(p)), "null")
		}
	}
	finish := `"stop"`
	if len(a.tools) > 0 {
		finish = `"tool_calls"`
	}
	chunk("{}", finish)
	out = sse.Append(out, "", []byte(`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":`+
		`{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"prompt_tokens_details":{"cached_tokens":4}}}`))
	return sse.Append(out, "", []byte("[DONE]"))
}

// translate feeds a whole stream and returns what came out, with the number of terminal parts and of parts with data.
func translate(s wire.Stream, stream []byte) (out []byte, terminals, parts int, err error) {
	r := sse.NewReader(strings.NewReader(string(stream)))
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, terminals, parts, s.End()
		}
		if err != nil {
			return out, terminals, parts, err
		}
		p, err := s.Feed(e)
		if err != nil {
			return out, terminals, parts, err
		}
		if len(p.Data) > 0 {
			parts++
		}
		if p.Terminal {
			terminals++
		}
		out = append(out, p.Data...)
	}
}

// heard collects an answer out of a stream in OpenAI's format.
func heard(t *rapid.T, stream []byte) (text string, tools []string, finish string) {
	r := sse.NewReader(strings.NewReader(string(stream)))
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return text, tools, finish
		}
		if err != nil || e.Data == nil || string(e.Data) == "[DONE]" {
			continue
		}
		var c struct {
			Choices []struct {
				Delta struct {
					Content string `json:"content"`
					Tools   []struct {
						Index    int `json:"index"`
						Function struct {
							Arguments string `json:"arguments"`
						} `json:"function"`
					} `json:"tool_calls"`
				} `json:"delta"`
				Finish string `json:"finish_reason"`
			} `json:"choices"`
		}
		if err := json.Unmarshal(e.Data, &c); err != nil {
			t.Fatalf("%s: %v", e.Data, err)
		}
		for _, choice := range c.Choices {
			text += choice.Delta.Content
			finish += choice.Finish
			for _, tool := range choice.Delta.Tools {
				for len(tools) <= tool.Index {
					tools = append(tools, "")
				}
				tools[tool.Index] += tool.Function.Arguments
			}
		}
	}
}

// TestStreamRoundTrip translates a stream to Anthropic's format and back. Text, arguments, finish reason and usage must
// be the same, each piece must have come out as a piece, and there must be one terminal part each time.
func TestStreamRoundTrip(t *testing.T) {
	there, back := pair(t, anthropic, openAI), pair(t, openAI, anthropic)
	rapid.Check(t, func(t *rapid.T) {
		a := drawAnswer(t)
		in := a.openAIStream()
		first, second := there.Stream(wire.Asked{}), back.Stream(wire.Asked{UsageWanted: true})
		middle, terminals, parts, err := translate(first, in)
		if err != nil || terminals != 1 {
			t.Fatalf("%d terminal parts, %v\n%s", terminals, err, middle)
		}
		if want := 2 + len(a.text) + 3*len(a.tools); parts < want-len(a.tools) {
			t.Fatalf("%d parts, want about %d: pieces were bunched", parts, want)
		}
		out, terminals, _, err := translate(second, middle)
		if err != nil || terminals != 1 {
			t.Fatalf("%d terminal parts, %v\n%s", terminals, err, middle)
		}
		text, tools, finish := heard(t, in)
		text2, tools2, finish2 := heard(t, out)
		if text != text2 || finish != finish2 || strings.Join(tools, "|") != strings.Join(tools2, "|") {
			t.Fatalf("%q %v %s became %q %v %s", text, tools, finish, text2, tools2, finish2)
		}
		want := signalbox.Usage{Input: 11, Output: 7, CacheRead: 4}
		if u := first.Report().Usage; u == nil || *u != want {
			t.Fatalf("usage %v, want %v", u, want)
		}
		if u := second.Report().Usage; u == nil || *u != want {
			t.Fatalf("usage after both %v, want %v", u, want)
		}
	})
}

// TestNoPrefixIsComplete cuts streams before their last event: no pair may call one of them complete.
func TestNoPrefixIsComplete(t *testing.T) {
	toAnthropic := pair(t, anthropic, openAI)
	rapid.Check(t, func(t *rapid.T) {
		streams := map[signalbox.Protocol][]byte{openAI: drawAnswer(t).openAIStream()}
		streams[anthropic], _, _, _ = translate(toAnthropic.Stream(wire.Asked{}), streams[openAI])
		for backend, stream := range streams {
			events := strings.SplitAfter(strings.TrimSuffix(string(stream), "\n\n"), "\n\n")
			keep := rapid.IntRange(0, len(events)-1).Draw(t, "keep")
			prefix := []byte(strings.Join(events[:keep], ""))
			for _, client := range []signalbox.Protocol{openAI, anthropic} {
				p, _ := wire.PairOf(client, backend)
				out, terminals, _, err := translate(p.Stream(wire.Asked{UsageWanted: true}), prefix)
				if err == nil || terminals != 0 {
					t.Fatalf("%s from %s: %d terminal parts, error %v", client, backend, terminals, err)
				}
				for _, mark := range []string{"[DONE]", `"finish_reason":"`, "message_stop", `"stop_reason":"`} {
					if strings.Contains(string(out), mark) {
						t.Fatalf("%s from %s: an incomplete stream shows %s", client, backend, mark)
					}
				}
			}
		}
	})
}
