package count_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/tiktoken-go/tokenizer"
	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/count"
	"github.com/signalbox/signalbox/internal/model/wire"
	"github.com/signalbox/signalbox/internal/platform/json"
)

func modelCall(t testing.TB, format signalbox.Protocol, body string) *signalbox.Call {
	t.Helper()
	c := &signalbox.Call{Kind: signalbox.KindModel, Protocol: format, Body: []byte(body)}
	var err error
	if format == signalbox.ProtocolAnthropic {
		c.Model, c.Stream, err = wire.ParseAnthropicMessages(c.Body)
	} else {
		c.Model, c.Stream, err = wire.ParseOpenAIChat(c.Body)
	}
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return c
}

func openAI(model string) signalbox.Candidate {
	return signalbox.Candidate{
		Name: "m", Provider: "openai", ProviderName: "openai", Format: signalbox.ProtocolOpenAIChat, Upstream: model,
	}
}

func TestEncodingOf(t *testing.T) {
	for model, want := range map[string]count.Encoding{
		"gpt-4o": count.O200k, "gpt-4o-2024-08-06": count.O200k, "GPT-4o-mini": count.O200k, "gpt-4.1-nano": count.O200k,
		"gpt-4": count.Cl100k, "gpt-4-turbo": count.Cl100k, "gpt-3.5-turbo-0125": count.Cl100k, "gpt-5": count.O200k,
		"gpt-5-mini": count.O200k, "o1": count.O200k, "o3-mini": count.O200k, "o4-mini": count.O200k, "chatgpt-4o-latest": count.O200k,
		"gpt-5.6": "", "gpt-6-sol": "", "gpt-40": "", "o10": "", "llama": "", "": "",
	} {
		if got, ok := count.EncodingOf(model); got != want || ok != (want != "") {
			t.Errorf("%s: got %q, %v; want %q", model, got, ok, want)
		}
	}
}

func TestWhatIsCounted(t *testing.T) {
	const hi = `"messages":[{"role":"user","content":"hi"}]`
	chat, claude := signalbox.ProtocolOpenAIChat, signalbox.ProtocolAnthropic
	other, sim, elsewhere := openAI("gpt-9"), openAI("gpt-4o"), openAI("gpt-4o")
	sim.Simulated, elsewhere.ProviderName = true, "local"
	message := openAI("gpt-4o")
	message.Format = claude
	tests := []struct {
		name      string
		format    signalbox.Protocol
		body      string
		candidate signalbox.Candidate
		want      bool
	}{
		{"a text", chat, `{"model":"m",` + hi + `}`, openAI("gpt-4o"), true},
		{"by the older encoding", chat, `{"model":"m",` + hi + `}`, openAI("gpt-4"), true},
		{"members without tokens", chat, `{"model":"m",` + hi + `,"n":2,"stream":true,"temperature":1,"user":"u","seed":null}`, openAI("gpt-4o"), true},
		{"parts, tools and calls of them", chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x"}]},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"r"}],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto","response_format":{"type":"json_object"}}`, openAI("gpt-4o"), true},
		{"from another format", claude, `{"model":"m","max_tokens":5,` + hi + `,"system":"s"}`, openAI("gpt-4o"), true},
		{"a model nobody knows", chat, `{"model":"m",` + hi + `}`, other, false},
		{"another provider", chat, `{"model":"m",` + hi + `}`, elsewhere, false},
		{"a simulated model without its own count", chat, `{"model":"m",` + hi + `}`, sim, false},
		{"another format of the provider", chat, `{"model":"m",` + hi + `}`, message, false},
		{"a member nobody knows", chat, `{"model":"m",` + hi + `,"new":1}`, openAI("gpt-4o"), false},
		{"a member of a message nobody knows", chat, `{"model":"m","messages":[{"role":"user","content":"x","new":1}]}`, openAI("gpt-4o"), false},
		{"an image", chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}]}`, openAI("gpt-4o"), false},
		{"a file", chat, `{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]}`, openAI("gpt-4o"), false},
		{"what can not be carried over", claude, `{"model":"m","max_tokens":5,` + hi + `,"top_k":3}`, openAI("gpt-4o"), false},
		{"too large", chat, `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("x ", count.MaxBytes/2) + `"}]}`, openAI("gpt-4o"), false},
	}
	counter := count.New(nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, ok := counter.CountInput(t.Context(), modelCall(t, tt.format, tt.body), tt.candidate)
			if ok != tt.want || ok && n < 8 {
				t.Errorf("got %d, %v; want %v", n, ok, tt.want)
			}
		})
	}
}

func TestNoModelIsNotCounted(t *testing.T) {
	counter := count.New(nil)
	for name, c := range map[string]*signalbox.Call{
		"a tool":     {Kind: signalbox.KindTool, Tool: &signalbox.ToolRequest{}},
		"no model":   {Kind: signalbox.KindModel},
		"no request": {Kind: signalbox.KindModel, Model: &signalbox.ModelRequest{}, Invalid: signalbox.Errorf(signalbox.CodeInvalid, "x")},
	} {
		if n, ok := counter.CountInput(t.Context(), c, openAI("gpt-4o")); ok {
			t.Errorf("%s: counted %d", name, n)
		}
	}
}

// TestNotBelowWhatIsPublished compares with the rules that OpenAI publishes for messages and functions.
func TestNotBelowWhatIsPublished(t *testing.T) {
	codec, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	tokens := func(s string) int64 {
		n, err := codec.Count(s)
		if err != nil {
			t.Fatal(err)
		}
		return int64(n)
	}
	counter := count.New(nil)
	words := rapid.StringMatching(`[a-zA-Z "\\한국신호\n,<|>]{0,30}`)
	rapid.Check(t, func(rt *rapid.T) {
		published := int64(3)
		var messages, tools []any
		for range rapid.IntRange(1, 5).Draw(rt, "messages") {
			m := map[string]any{"role": "user", "content": words.Draw(rt, "content")}
			published += 3 + tokens("user") + tokens(m["content"].(string))
			if rapid.Bool().Draw(rt, "named") {
				m["name"] = "n" + words.Draw(rt, "name")
				published += 1 + tokens(m["name"].(string))
			}
			messages = append(messages, m)
		}
		for range rapid.IntRange(0, 3).Draw(rt, "tools") {
			values := rapid.SliceOfN(words, 1, 8).Draw(rt, "values")
			about := words.Draw(rt, "about")
			published += 12 + tokens("find:"+about) + 3 + 3 + tokens("key:string:"+about) - 3
			for _, v := range values {
				published += 3 + tokens(v)
			}
			property := map[string]any{"type": "string", "description": about, "enum": values}
			tools = append(tools, map[string]any{"type": "function", "function": map[string]any{
				"name": "find", "description": about,
				"parameters": map[string]any{"type": "object", "properties": map[string]any{"key": property}},
			}})
		}
		body, err := json.Marshal(map[string]any{"model": "m", "messages": messages, "tools": tools})
		if err != nil {
			rt.Fatal(err)
		}
		got, ok := counter.CountInput(t.Context(), modelCall(t, signalbox.ProtocolOpenAIChat, string(body)), openAI("gpt-4o"))
		if !ok || got < published {
			rt.Fatalf("got %d, %v; published rules give %d for %s", got, ok, published, body)
		}
	})
}

func TestCloseToWhatIsPublished(t *testing.T) {
	text := strings.Repeat("The signalman sets the points before the train is let in. ", 500)
	codec, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	exact, err := codec.Count(text)
	if err != nil {
		t.Fatal(err)
	}
	c := modelCall(t, signalbox.ProtocolOpenAIChat, `{"model":"m","messages":[{"role":"user","content":"`+text+`"}]}`)
	got, ok := count.New(nil).CountInput(t.Context(), c, openAI("gpt-4o"))
	if most := int64(exact) * 104 / 100; !ok || got <= int64(exact) || got > most {
		t.Errorf("got %d, %v for a text of %d; want at most %d", got, ok, exact, most)
	}
}

// fixed is a provider that counts, or does not.
type fixed struct {
	n  int64
	ok bool
}

func (f fixed) CountInput(context.Context, *signalbox.Call, signalbox.Candidate) (int64, bool) {
	return f.n, f.ok
}

func TestProvidersAreAskedFirst(t *testing.T) {
	c := modelCall(t, signalbox.ProtocolOpenAIChat, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`)
	if n, ok := count.New(map[string]count.Provider{"openai": fixed{7, true}}).CountInput(t.Context(), c, openAI("gpt-4o")); n != 7 || !ok {
		t.Errorf("got %d, %v; want 7", n, ok)
	}
	if n, ok := count.New(map[string]count.Provider{"openai": fixed{7, false}}).CountInput(t.Context(), c, openAI("gpt-4o")); n < 8 || !ok {
		t.Errorf("got %d, %v; want the tokenizer's count", n, ok)
	}
	if n, ok := count.New(map[string]count.Provider{"openai": fixed{7, false}}).CountInput(t.Context(), c, openAI("gpt-9")); ok {
		t.Errorf("got %d of a model that nobody knows", n)
	}
}

func TestManyAtOnce(t *testing.T) {
	counter := count.New(nil)
	c := modelCall(t, signalbox.ProtocolOpenAIChat, `{"model":"m","messages":[{"role":"user","content":"`+strings.Repeat("hi ", 500)+`"}]}`)
	want, _ := counter.CountInput(t.Context(), c, openAI("gpt-4o"))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if n, ok := counter.CountInput(gone, c, openAI("gpt-4o")); ok {
		t.Errorf("counted %d for a caller who is gone", n)
	}
	var all sync.WaitGroup
	for _, model := range []string{"gpt-4o", "gpt-4", "gpt-4o", "gpt-4", "gpt-4o"} {
		all.Go(func() {
			if n, ok := counter.CountInput(t.Context(), c, openAI(model)); !ok || n < 500 || model == "gpt-4o" && n != want {
				t.Errorf("%s: got %d, %v; want %d", model, n, ok, want)
			}
		})
	}
	all.Wait()
}

func BenchmarkCount(b *testing.B) {
	counter := count.New(nil)
	c := modelCall(b, signalbox.ProtocolOpenAIChat, `{"model":"m","messages":[{"role":"user","content":"`+strings.Repeat("The signalman sets the points. ", 300)+`"}]}`)
	b.SetBytes(int64(len(c.Body)))
	for b.Loop() {
		if _, ok := counter.CountInput(b.Context(), c, openAI("gpt-4o")); !ok {
			b.Fatal("not counted")
		}
	}
}
