package simulated

import (
	"errors"
	"strings"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// question is what is read of a request.
type question struct {
	model     string
	stream    bool
	usage     bool // Usage is wanted in the stream.
	choices   int
	maxTokens int64 // 0 is no limit.
	prompt    string
	result    string // The last tool's result, if it is the last message.
	answered  bool   // The last message is a tool's result.
	input     int64  // Tokens.
	tools     []tool
	toolMode  string // "none", "auto", "required", or the name of a tool that must be called.
}

// tool is a function that may be called.
type tool struct {
	name   string
	schema json.Node // The zero Node where it has none.
}

var errNoMessages = errors.New("messages must be an array of objects")

// readQuestion reads a request that package wire has written. Members of unexpected types count as missing.
func readQuestion(body []byte) (question, error) {
	root, err := json.Parse(body, json.Limits{CaseVariants: true})
	if err != nil {
		return question{}, err
	}
	m, err := root.Object()
	if err != nil {
		return question{}, err
	}
	q := question{model: text(m.Get("model")), choices: 1, toolMode: "auto"}
	q.stream, _ = m.Get("stream").Bool()
	if options, err := m.Get("stream_options").Object(); err == nil {
		q.usage, _ = options.Get("include_usage").Bool()
	}
	if n, err := m.Get("n").Int(); err == nil && n > 0 {
		q.choices = int(min(n, 128))
	}
	q.maxTokens = limit(m)
	q.readTools(m)
	return q, q.readMessages(m.Get("messages"))
}

func limit(m json.Members) int64 {
	for _, name := range []string{"max_completion_tokens", "max_tokens"} {
		if n, err := m.Get(name).Int(); err == nil && n > 0 {
			return n
		}
	}
	return 0
}

// readMessages finds the last question and counts the input: the text, and four tokens for each message.
func (q *question) readMessages(n json.Node) error {
	list, err := n.Array()
	if err != nil {
		return errNoMessages
	}
	for _, message := range list {
		m, err := message.Object()
		if err != nil {
			return errNoMessages
		}
		content := contentText(m.Get("content"))
		q.input += tokens(len(content)) + tokens(len(m.Get("tool_calls").Bytes())) + 4
		role := text(m.Get("role"))
		q.answered = role == "tool"
		switch role {
		case "user":
			q.prompt = content
		case "tool":
			q.result = content
		}
	}
	return nil
}

func (q *question) readTools(m json.Members) {
	list, err := m.Get("tools").Array()
	if err != nil {
		return
	}
	for _, n := range list {
		q.input += tokens(len(n.Bytes()))
		function := member(n, "function")
		if name := text(member(function, "name")); name != "" {
			q.tools = append(q.tools, tool{name: name, schema: member(function, "parameters")})
		}
	}
	choice := m.Get("tool_choice")
	if mode := text(choice); mode != "" {
		q.toolMode = mode
	}
	if name := text(member(member(choice, "function"), "name")); name != "" {
		q.toolMode = name
	}
}

// member gives a member of n, or the zero Node.
func member(n json.Node, name string) json.Node {
	m, err := n.Object()
	if err != nil {
		return json.Node{}
	}
	return m.Get(name)
}

// text gives a string, "" for anything else.
func text(n json.Node) string {
	s, err := n.Text()
	if err != nil {
		return ""
	}
	return s
}

// contentText gives the text of a message's content, a string or an array of parts.
func contentText(n json.Node) string {
	parts, err := n.Array()
	if err != nil {
		return text(n)
	}
	var b strings.Builder
	for _, part := range parts {
		b.WriteString(text(member(part, "text")))
	}
	return b.String()
}

// tokens gives the tokens of that many bytes.
func tokens(bytes int) int64 {
	return int64(bytes+BytesPerToken-1) / BytesPerToken
}
