package overshoot

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// rates are those of every model, as in the configuration of the tests.
var rates = signalbox.Rates{Input: 3 * signalbox.Dollar, Output: 15 * signalbox.Dollar}

// biller is a model provider that keeps its own books.
type biller struct {
	http *httptest.Server
	caps map[string]signalbox.Money // By account: "tenant", "run r1", "agent a1".
	pace time.Duration              // Between two events of a slow stream.

	mu     sync.Mutex
	billed map[string]signalbox.Money
	report signalbox.Money // Of the billed, what was told in usage.
	over   []string        // What was billed beyond a cap.
	calls  int
	kinds  map[string]int
}

// order is what the biller reads of a request.
type order struct {
	MaxTokens           int64 `json:"max_tokens"`
	MaxCompletionTokens int64 `json:"max_completion_tokens"`
	Stream              bool  `json:"stream"`
	Messages            []struct {
		Content string `json:"content"`
	} `json:"messages"`
}

func newBiller(caps map[string]signalbox.Money) *biller {
	b := &biller{caps: caps, pace: 5 * time.Millisecond, billed: map[string]signalbox.Money{}, kinds: map[string]int{}}
	b.http = httptest.NewServer(http.HandlerFunc(b.serve))
	return b
}

func (b *biller) close() {
	b.http.CloseClientConnections()
	b.http.Close()
}

// serve answers in one of the ways in which providers answer.
func (b *biller) serve(w http.ResponseWriter, r *http.Request) {
	var o order
	if err := readJSON(r, &o); err != nil {
		http.Error(w, `{"error":{"message":"bad request"}}`, http.StatusBadRequest)
		return
	}
	switch n := rand.IntN(100); {
	case n < 8:
		b.note("error 500")
		http.Error(w, `{"error":{"message":"overloaded","type":"server_error"}}`, http.StatusInternalServerError)
	case n < 12:
		b.note("error 429")
		w.Header().Set("Retry-After", "1")
		http.Error(w, `{"error":{"message":"slow down","type":"rate_limit"}}`, http.StatusTooManyRequests)
	default:
		b.answer(w, o, n)
	}
}

// answer bills the answer and then begins to give it.
func (b *biller) answer(w http.ResponseWriter, o order, n int) {
	limit := max(o.MaxTokens, o.MaxCompletionTokens)
	u := signalbox.Usage{Input: int64(len(o.Messages[0].Content)/2 + 10), Output: 1 + rand.Int64N(limit)}
	if n < 30 {
		u.Output = limit
	}
	silent := n >= 90 // It does not say what it has billed.
	b.bill(o.Messages[0].Content, rates.Cost(u), !silent)
	if o.Stream {
		b.stream(w, u, n, silent)
		return
	}
	if n < 16 {
		b.note("cut off before the answer")
		hangUp(w)
		return
	}
	usage := ""
	if !silent {
		usage = fmt.Sprintf(`,"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}`, u.Input, u.Output, u.Input+u.Output)
	}
	b.note("whole answer")
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}]%s}`,
		strings.Repeat("word ", int(u.Output)), usage)
}

func (b *biller) stream(w http.ResponseWriter, u signalbox.Usage, n int, silent bool) {
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	chunk := func(delta, finish, usage string) {
		fmt.Fprintf(w, "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[%s]%s}\n\n",
			choice(delta, finish), usage)
		out.Flush()
	}
	pieces := int64(8)
	for i := range pieces {
		if n < 20 && i == pieces/2 {
			b.note("stream cut off")
			hangUp(w)
			return
		}
		chunk(strings.Repeat("word ", int(u.Output/pieces)+1), "", "")
		if n >= 40 {
			time.Sleep(b.pace)
		}
	}
	chunk("", "stop", "")
	if !silent {
		fmt.Fprintf(w, "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\n",
			u.Input, u.Output, u.Input+u.Output)
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
	b.note("whole stream")
}

func choice(delta, finish string) string {
	if finish != "" {
		return `{"index":0,"delta":{},"finish_reason":"` + finish + `"}`
	}
	return fmt.Sprintf(`{"index":0,"delta":{"content":%q},"finish_reason":null}`, delta)
}

// hangUp cuts the connection.
func hangUp(w http.ResponseWriter) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0) // A reset, as when a machine goes away.
		}
		c.Close()
	}
}

// bill adds the cost to the accounts that the prompt names ("run r1 agent a1 …") and looks at their caps.
func (b *biller) bill(prompt string, cost signalbox.Money, told bool) {
	f := strings.Fields(prompt)
	accounts := []string{"tenant", f[0] + " " + f[1], f[2] + " " + f[3]}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls++
	if told {
		b.report += cost
	}
	for _, a := range accounts {
		b.billed[a] += cost
		if limit, ok := b.caps[a]; ok && b.billed[a] > limit && len(b.over) < 20 {
			b.over = append(b.over, fmt.Sprintf("%s was billed %s of %s USD", a, b.billed[a], limit))
		}
	}
}

// served is how many answers were begun.
func (b *biller) served() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls
}

// kind is how often the provider has answered in that way.
func (b *biller) kind(name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kinds[name]
}

func (b *biller) note(kind string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kinds[kind]++
}

func readJSON(r *http.Request, v any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}
