package biller

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Order is one request as the provider saw and billed it.
type Order struct {
	Request string // X-Request-Id.
	Model   string
	Prompt  string
	Limit   int64 // The max_tokens that was sent.
	Stream  bool
	Usage   signalbox.Usage
	Cost    signalbox.Money // 0 where the provider refused.
	Told    bool            // Whether the usage was written to the end.
	Wish    Wish
}

// Provider is a model provider. It is safe for concurrent use.
type Provider struct {
	URL string // Without a path; the API is under /v1.

	http  *httptest.Server
	rates map[string]signalbox.Rates

	mu     sync.Mutex
	orders map[string][]*Order
	count  int
	billed signalbox.Money
	flight map[string]int // Orders under way, by group.
	peak   map[string]int
}

// New starts a provider that bills its models, by the names it knows them by, at the given rates.
func New(rates map[string]signalbox.Rates) *Provider {
	p := &Provider{rates: rates, orders: map[string][]*Order{}, flight: map[string]int{}, peak: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", p.serve)
	p.http = httptest.NewServer(mux)
	p.URL = p.http.URL
	return p
}

// Close ends every connection and the server.
func (p *Provider) Close() {
	p.http.CloseClientConnections()
	p.http.Close()
}

// Orders gives copies of the orders of a request, in the order in which they came.
func (p *Provider) Orders(request string) []Order {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []Order
	for _, o := range p.orders[request] {
		list = append(list, *o)
	}
	return list
}

// All gives copies of all orders by their requests.
func (p *Provider) All() map[string][]Order {
	p.mu.Lock()
	names := make([]string, 0, len(p.orders))
	for name := range p.orders {
		names = append(names, name)
	}
	p.mu.Unlock()
	all := make(map[string][]Order, len(names))
	for _, name := range names {
		all[name] = p.Orders(name)
	}
	return all
}

// Count gives the number of orders so far.
func (p *Provider) Count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// Billed gives the sum of all bills so far.
func (p *Provider) Billed() signalbox.Money {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.billed
}

// InFlight gives the orders of a group that are under way, and the most there ever were at one time.
func (p *Provider) InFlight(group string) (now, peak int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flight[group], p.peak[group]
}

type request struct {
	Model               string `json:"model"`
	MaxTokens           int64  `json:"max_tokens"`
	MaxCompletionTokens int64  `json:"max_completion_tokens"`
	Stream              bool   `json:"stream"`
	Messages            []struct {
		Content json.Value `json:"content"`
	} `json:"messages"`
}

// promptOf gives the text of the first message, be it a string or a list of parts.
func (q *request) promptOf() string {
	if len(q.Messages) == 0 {
		return ""
	}
	var text string
	if json.Unmarshal(q.Messages[0].Content, &text) == nil {
		return text
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if json.Unmarshal(q.Messages[0].Content, &parts) == nil && len(parts) > 0 {
		return parts[0].Text
	}
	return ""
}

func (p *Provider) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var q request
	if err == nil {
		err = json.Unmarshal(body, &q)
	}
	if err != nil {
		http.Error(w, `{"error":{"message":"bad request"}}`, http.StatusBadRequest)
		return
	}
	o := &Order{
		Request: r.Header.Get("X-Request-Id"), Model: q.Model, Prompt: q.promptOf(), Stream: q.Stream,
		Limit: max(q.MaxTokens, q.MaxCompletionTokens),
	}
	o.Wish = wishOf(o.Prompt, o.Model)
	x := &exchange{provider: p, w: w, r: r, order: o}
	x.enter()
	defer x.leave()
	x.answer()
}

// exchange is one order and its answer under way.
type exchange struct {
	provider *Provider
	w        http.ResponseWriter
	r        *http.Request
	order    *Order
}

// enter puts the order into the books, with its bill.
func (x *exchange) enter() {
	p, o := x.provider, x.order
	if o.Wish.Status == 0 {
		o.Usage = signalbox.Usage{Input: o.Wish.In, Output: min(o.Wish.Out, o.Limit) + o.Wish.Beyond}
		o.Cost = p.rates[o.Model].Cost(o.Usage)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.orders[o.Request] = append(p.orders[o.Request], o)
	p.count++
	p.billed += o.Cost
	p.flight[o.Wish.Group]++
	p.peak[o.Wish.Group] = max(p.peak[o.Wish.Group], p.flight[o.Wish.Group])
}

func (x *exchange) leave() {
	x.provider.mu.Lock()
	defer x.provider.mu.Unlock()
	x.provider.flight[x.order.Wish.Group]--
}

func (x *exchange) told() {
	x.provider.mu.Lock()
	defer x.provider.mu.Unlock()
	x.order.Told = true
}

func (x *exchange) answer() {
	wish := x.order.Wish
	x.pause(wish.Wait)
	switch {
	case wish.Status != 0:
		x.w.Header().Set("Content-Type", "application/json")
		x.w.WriteHeader(wish.Status)
		io.WriteString(x.w, `{"error":{"message":"asked for","type":"server_error"}}`) // Whoever left does not read it.
	case wish.Early:
		x.hangUp()
	case x.order.Stream:
		x.stream()
	default:
		x.whole()
	}
}

// pause waits, but not for a client that has gone.
func (x *exchange) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-x.r.Context().Done():
	}
}

// hangUp cuts the connection, as when a machine goes away.
func (x *exchange) hangUp() {
	if c, _, err := http.NewResponseController(x.w).Hijack(); err == nil {
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0) // Close follows.
		}
		c.Close()
	}
}

func (x *exchange) usage() string {
	if x.order.Wish.Silent {
		return ""
	}
	u := x.order.Usage
	return `,"usage":{"prompt_tokens":` + strconv.FormatInt(u.Input, 10) + `,"completion_tokens":` + strconv.FormatInt(u.Output, 10) +
		`,"total_tokens":` + strconv.FormatInt(u.Input+u.Output, 10) + `}`
}

// text says n tokens, each of one letter and a space: no more bytes than any tokenizer needs tokens for.
func text(n int64) string { return strings.Repeat("a ", int(n)) }

func (x *exchange) whole() {
	x.w.Header().Set("Content-Type", "application/json")
	_, err := io.WriteString(x.w, `{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,`+
		`"message":{"role":"assistant","content":"`+text(x.order.Usage.Output)+`"},"finish_reason":"stop"}]`+x.usage()+`}`)
	if err == nil && !x.order.Wish.Silent {
		x.told()
	}
}

func (x *exchange) stream() {
	x.w.Header().Set("Content-Type", "text/event-stream")
	n := int64(x.order.Wish.Pieces)
	each := x.order.Usage.Output/n + 1
	for i := range n {
		if x.order.Wish.Cut && i == n/2 {
			x.hangUp()
			return
		}
		x.chunk(`[{"index":0,"delta":{"content":"`+text(each)+`"},"finish_reason":null}]`, "")
		x.pause(x.order.Wish.Pace)
	}
	x.chunk(`[{"index":0,"delta":{},"finish_reason":"stop"}]`, "")
	if !x.order.Wish.Silent {
		x.chunk(`[]`, x.usage())
	}
	if _, err := io.WriteString(x.w, "data: [DONE]\n\n"); err == nil && !x.order.Wish.Silent {
		x.told()
	}
}

func (x *exchange) chunk(choices, usage string) {
	io.WriteString(x.w, `data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":`+choices+usage+"}\n\n") // As above.
	http.NewResponseController(x.w).Flush()                                                                                          // As above.
}
