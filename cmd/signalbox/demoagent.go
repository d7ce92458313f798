package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// demo is one conversation.
type demo struct {
	*demoCmd
	console *console
	run     string
	trace   string
	steps   atomic.Int64
	mu      sync.Mutex
}

func (d *demo) printf(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.console.out, format, args...)
}

// demoAgent is one agent of the conversation. Its span is its own: Signalbox never sees it, only calls that name it as
// their parent.
type demoAgent struct {
	*demo
	name, parent, span string
}

func (d *demo) agent(name, parent string) *demoAgent {
	return &demoAgent{demo: d, name: name, parent: parent, span: randomHex(8)}
}

// headers are all that an agent adds to its requests.
func (a *demoAgent) headers(kind string) http.Header {
	h := http.Header{}
	h.Set("Authorization", "Bearer "+a.Key)
	h.Set("Content-Type", "application/json")
	h.Set("Traceparent", "00-"+a.trace+"-"+a.span+"-01")
	h.Set("X-Signalbox-Run", a.run)
	h.Set("X-Signalbox-Agent", a.name)
	h.Set("X-Signalbox-Step", fmt.Sprint(a.steps.Add(1)-1))
	h.Set("X-Signalbox-Step-Kind", kind)
	if a.parent != "" {
		h.Set("X-Signalbox-Parent-Agent", a.parent)
	}
	return h
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type modelRequest struct {
	Model     string    `json:"model"`
	Stream    bool      `json:"stream,omitzero"`
	MaxTokens int       `json:"max_tokens"`
	Messages  []message `json:"messages"`
}

func (a *demoAgent) request(model, prompt string) modelRequest {
	return modelRequest{Model: model, MaxTokens: 400, Messages: []message{{"user", prompt}}}
}

// chat asks over the OpenAI API.
func (a *demoAgent) chat(ctx context.Context, model, kind, prompt string) (string, error) {
	var answer struct {
		Choices []struct {
			Message message `json:"message"`
		} `json:"choices"`
	}
	if err := a.post(ctx, "/v1/chat/completions", kind, a.request(model, prompt), &answer); err != nil {
		return "", err
	}
	if len(answer.Choices) == 0 {
		return "", errors.New("the answer has no choice")
	}
	return answer.Choices[0].Message.Content, nil
}

// messages asks over the Anthropic API.
func (a *demoAgent) messages(ctx context.Context, model, kind, prompt string) (string, error) {
	var answer struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
	}
	if err := a.post(ctx, "/v1/messages", kind, a.request(model, prompt), &answer); err != nil {
		return "", err
	}
	if len(answer.Content) == 0 {
		return "", errors.New("the answer has no content")
	}
	return answer.Content[0].Text, nil
}

func (a *demoAgent) post(ctx context.Context, path, kind string, body, into any) error {
	start := time.Now()
	answer, err := a.send(ctx, path, kind, body)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return err
	}
	a.tell(path, kind, answer, time.Since(start))
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s: %s", path, answer.Status, data)
	}
	return json.Unmarshal(data, into)
}

func (a *demoAgent) send(ctx context.Context, path, kind string, body any) (*http.Response, error) {
	payload, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(a.URL, "/")+path, bytes.NewReader(payload))
	if err != nil {
		return nil, &usageError{err.Error()}
	}
	req.Header = a.headers(kind)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, &unreachableError{a.URL, err}
	}
	return answer, nil
}

func (a *demoAgent) tell(path, kind string, answer *http.Response, took time.Duration) {
	h := answer.Header
	cost := h.Get("X-Signalbox-Cost-Usd")
	if cost == "" {
		cost = answer.Trailer.Get("X-Signalbox-Cost-Usd")
	}
	simulated := ""
	if h.Get("X-Signalbox-Simulated") == "true" {
		simulated = " (simulated)"
	}
	a.printf("%-18s %-10s %-21s %d %s%s %s USD, %d ms\n", a.name, kind, path, answer.StatusCode, h.Get("X-Signalbox-Model"),
		simulated, cost, took.Milliseconds())
}

// chatStream asks over the OpenAI API and reads the answer as it comes.
func (a *demoAgent) chatStream(ctx context.Context, model, kind, prompt string) (string, error) {
	start := time.Now()
	body := a.request(model, prompt)
	body.Stream = true
	answer, err := a.send(ctx, "/v1/chat/completions", kind, body)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := readChunks(answer.Body)
	a.tell("/v1/chat/completions", kind, answer, time.Since(start))
	return text, err
}

// readChunks reads a stream up to its end mark; a stream without one is an error.
func readChunks(r io.Reader) (string, error) {
	var text strings.Builder
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxAnswer)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if data == "[DONE]" {
			_, err := io.Copy(io.Discard, r)
			return text.String(), err
		}
		var chunk struct {
			Choices []struct {
				Delta message `json:"delta"`
			} `json:"choices"`
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			return "", err
		}
		for _, c := range chunk.Choices {
			text.WriteString(c.Delta.Content)
		}
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	return "", io.ErrUnexpectedEOF
}

// search calls the tool over MCP.
func (a *demoAgent) search(ctx context.Context, query string) (string, error) {
	start := time.Now()
	client := mcp.NewClient(&mcp.Implementation{Name: "signalbox-demo", Version: version}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint:   strings.TrimRight(a.URL, "/") + "/mcp/" + a.Server,
		HTTPClient: &http.Client{Transport: withHeaders{a.headers("search")}}, DisableStandaloneSSE: true,
	}, nil)
	if err != nil {
		return "", err
	}
	defer session.Close() //nolint:errcheck // Nothing is left to lose.
	result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "web_search", Arguments: map[string]any{"query": query}})
	if err != nil {
		return "", err
	}
	a.printf("%-18s %-10s %-21s %s %d ms\n", a.name, "search", "/mcp/"+a.Server, "web_search", time.Since(start).Milliseconds())
	for _, c := range result.Content {
		if t, ok := c.(*mcp.TextContent); ok {
			return t.Text, nil
		}
	}
	return "", errors.New("the tool gave no text")
}

// withHeaders adds an agent's headers to what the MCP client sends.
type withHeaders struct{ header http.Header }

// RoundTrip sends a request with the headers.
func (t withHeaders) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name := range t.header {
		if name != "Content-Type" {
			r.Header.Set(name, t.header.Get(name))
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}
