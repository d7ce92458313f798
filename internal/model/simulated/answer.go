package simulated

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/signalbox/signalbox/internal/model/sse"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// begin gives the answer's head and a body that follows at the model's pace.
func (s *session) begin(r *http.Request, replies []reply, truncated bool) *http.Response {
	body := &chunks{ctx: r.Context(), sleep: s.config.Sleep, pace: s.config.pace(), end: io.EOF}
	kind := "application/json"
	if s.question.stream {
		kind = "text/event-stream"
		body.list = s.events(replies)
	} else {
		whole := s.completion(replies)
		body.list = [][]byte{whole[:1], whole[1:]}
		body.pace *= time.Duration(s.output(replies)) // A unary answer takes as long as the stream would.
	}
	if truncated {
		body.list, body.end = half(body.list), io.ErrUnexpectedEOF
	}
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {kind}, "X-Request-Id": {s.id("req_sim_")}}, Body: body, ContentLength: -1,
	}
}

// half keeps the first half of the pieces, at least one.
func half(list [][]byte) [][]byte { return list[:(len(list)+1)/2] }

// id makes an identifier; the same request gets the same one.
func (s *session) id(prefix string) string {
	var b [12]byte
	for i := range b {
		b[i] = byte(s.random.Uint32())
	}
	return prefix + hex.EncodeToString(b[:])
}

// output counts the tokens of all choices.
func (s *session) output(replies []reply) int64 {
	var n int64
	for _, r := range replies {
		n += r.tokens()
	}
	return n
}

// tokens counts the tokens of one choice.
func (r reply) tokens() int64 {
	n := max(tokens(len(r.text)), 1)
	if r.tool != "" {
		n += tokens(len(r.tool) + len(r.args))
	}
	return n
}

func (s *session) usage(replies []reply) string {
	out := s.output(replies)
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, s.question.input, out, s.question.input+out)
}

// completion writes a chat completion.
func (s *session) completion(replies []reply) []byte {
	choices := make([]string, len(replies))
	for i, r := range replies {
		message := `{"role":"assistant","content":` + string(json.Quote(r.text)) + `,"refusal":null}`
		if r.tool != "" {
			message = `{"role":"assistant","content":null,"refusal":null,"tool_calls":[` + s.toolCall(r, string(r.args), "") + `]}`
		}
		choices[i] = fmt.Sprintf(`{"index":%d,"message":%s,"logprobs":null,"finish_reason":%q}`, i, message, r.finish)
	}
	return fmt.Appendf(nil, `{"id":%q,"object":"chat.completion","created":%d,"model":%s,"choices":[%s],"usage":%s}`,
		s.id("chatcmpl-sim-"), s.config.Now().Unix(), json.Quote(s.question.model), strings.Join(choices, ","), s.usage(replies))
}

// toolCall writes the call of a tool; extra is put before its id.
func (s *session) toolCall(r reply, args, extra string) string {
	return fmt.Sprintf(`{%s"id":%q,"type":"function","function":{"name":%s,"arguments":%s}}`,
		extra, s.id("call_sim_"), json.Quote(r.tool), json.Quote(args))
}

// events writes the chunks of a stream.
func (s *session) events(replies []reply) [][]byte {
	w := eventWriter{head: fmt.Sprintf(`{"id":%q,"object":"chat.completion.chunk","created":%d,"model":%s,`,
		s.id("chatcmpl-sim-"), s.config.Now().Unix(), json.Quote(s.question.model)), usage: s.question.usage}
	for i, r := range replies {
		w.delta(i, `{"role":"assistant","content":""}`)
		if r.tool != "" {
			w.delta(i, `{"tool_calls":[`+s.toolCall(r, "", `"index":0,`)+`]}`)
		}
		for _, piece := range pieces(string(r.args)) {
			w.delta(i, `{"tool_calls":[{"index":0,"function":{"arguments":`+string(json.Quote(piece))+`}}]}`)
		}
		for _, piece := range pieces(r.text) {
			w.delta(i, `{"content":`+string(json.Quote(piece))+`}`)
		}
		w.choice(fmt.Sprintf(`{"index":%d,"delta":{},"logprobs":null,"finish_reason":%q}`, i, r.finish))
	}
	if s.question.usage {
		w.chunk(`"choices":[],"usage":` + s.usage(replies))
	}
	w.list = append(w.list, sse.Append(nil, "", []byte("[DONE]")))
	return w.list
}

// eventWriter collects the chunks of a stream.
type eventWriter struct {
	head  string
	usage bool
	list  [][]byte
}

func (w *eventWriter) delta(i int, delta string) {
	w.choice(fmt.Sprintf(`{"index":%d,"delta":%s,"logprobs":null,"finish_reason":null}`, i, delta))
}

func (w *eventWriter) choice(choice string) {
	rest := `"choices":[` + choice + `]`
	if w.usage {
		rest += `,"usage":null`
	}
	w.chunk(rest)
}

func (w *eventWriter) chunk(rest string) {
	w.list = append(w.list, sse.Append(nil, "", []byte(w.head+rest+"}")))
}

// pieces cuts a text into pieces of about a token, at borders of characters.
func pieces(s string) []string {
	var list []string
	for len(s) > 0 {
		piece := clip(s, BytesPerToken)
		list = append(list, piece)
		s = s[len(piece):]
	}
	return list
}

// clip cuts s to at most n bytes at the border of a character, but to one character at least.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	if n == 0 {
		_, n = utf8.DecodeRuneInString(s)
	}
	return s[:n]
}
