package upstream

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Secret is in the messages of errors that quote a credential. Nobody but the operator may see it.
const Secret = "sk-proj-UpstreamSecret0123456789abcdef"

// RetrySeconds is what a limited provider asks to wait.
const RetrySeconds = 7

// before is how many events come before a stream breaks in the middle: enough that text is among them.
const before = 5

// faults are the ways to break, by name.
var faults = map[string]func(*exchange){
	"reset-early":  func(x *exchange) { x.drop(true) },
	"fin-early":    func(x *exchange) { x.drop(false) },
	"reset-mid":    func(x *exchange) { x.cut(true) },
	"fin-mid":      func(x *exchange) { x.cut(false) },
	"fin-clean":    func(x *exchange) { x.short(before) },
	"fin-last":     func(x *exchange) { x.short(-1) },
	"rate-seconds": func(x *exchange) { x.limited(fmt.Sprint(RetrySeconds)) },
	"rate-date": func(x *exchange) {
		x.limited(time.Now().Add((RetrySeconds + 1) * time.Second).UTC().Format(http.TimeFormat))
	},
	"overloaded":     func(x *exchange) { x.status(529, "overloaded_error", "Overloaded") },
	"html-500":       (*exchange).html,
	"unauthorized":   func(x *exchange) { x.status(401, "authentication_error", "Incorrect API key provided: "+Secret) },
	"redirect":       func(x *exchange) { http.Redirect(x.w, x.r, "/elsewhere", http.StatusTemporaryRedirect) },
	"malformed":      (*exchange).malformed,
	"endless-line":   (*exchange).endless,
	"slow-bytes":     (*exchange).slow,
	"stall":          (*exchange).stall,
	"no-headers":     (*exchange).silent,
	"error-200":      func(x *exchange) { x.whole(x.api.failure("api_error", "Internal error")) },
	"error-first":    func(x *exchange) { x.errorEvent(0) },
	"error-event":    func(x *exchange) { x.errorEvent(before) },
	"usage-missing":  func(x *exchange) { x.ask.noUsage = true; x.good() },
	"usage-negative": func(x *exchange) { x.ask.negative = true; x.good() },
}

// Faults lists the names of the ways to break.
func Faults() []string { return slices.Sorted(maps.Keys(faults)) }

// hijack takes the connection over.
func (x *exchange) hijack() *net.TCPConn {
	c, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(err) // The server speaks HTTP/1.1 on TCP only.
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		panic("the connection is not TCP")
	}
	return tcp
}

// end closes a connection, by a reset or in order.
func end(c *net.TCPConn, reset bool) {
	if reset {
		c.SetLinger(0) // Close follows.
	}
	c.Close()
}

// drop ends the connection before anything is answered.
func (x *exchange) drop(reset bool) { end(x.hijack(), reset) }

// cut ends the connection in the middle of the HTTP message.
func (x *exchange) cut(reset bool) {
	c := x.hijack()
	defer end(c, reset)
	if !x.ask.Stream {
		body := x.api.unary(x.ask)
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:len(body)/2])
		return
	}
	fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
	for _, e := range x.api.events(x.ask)[:before] {
		fmt.Fprintf(c, "%x\r\n%s\r\n", len(e.raw), e.raw)
		x.note(func(q *Request) { q.Events++; q.Billed += e.tokens })
	}
}

// short ends the HTTP message as if all were well, after n events or before the last -n.
func (x *exchange) short(n int) {
	if !x.ask.Stream {
		body := x.api.unary(x.ask)
		if n < 0 {
			x.whole(body[:len(body)+n])
			return
		}
		x.whole(body[:len(body)/2])
		return
	}
	events := x.api.events(x.ask)
	if n < 0 {
		n = len(events) + n
	}
	x.begin()
	x.send(events[:n], 0)
}

func (x *exchange) limited(after string) {
	x.w.Header().Set("Retry-After", after)
	x.status(http.StatusTooManyRequests, "rate_limit_error", "Rate limit reached")
}

func (x *exchange) html() {
	x.w.Header().Set("Content-Type", "text/html")
	x.w.WriteHeader(http.StatusInternalServerError)
	fmt.Fprint(x.w, "<html><head><title>500</title></head><body><h1>Internal Server Error</h1><hr>nginx</body></html>")
}

// malformed sends what is no JSON: a whole answer of it, or one event among good ones.
func (x *exchange) malformed() {
	if !x.ask.Stream {
		x.whole([]byte(`{"id": "x", "choices": [{"message": {"content": "half`))
		return
	}
	events := x.api.events(x.ask)
	x.begin()
	x.send(events[:before], 0)
	x.send([]event{{frame("", []byte(`{"id": "x", "choices": [{"delta`)), 0}}, 0)
	x.send(events[before:], 0)
}

// endless sends one line without an end.
func (x *exchange) endless() {
	start := `{"id":"`
	x.w.Header().Set("Content-Type", "application/json")
	if x.ask.Stream {
		x.begin()
		x.send(x.api.events(x.ask)[:before], 0)
		start = `data: {"id":"`
	}
	piece := strings.Repeat("a", 64<<10)
	fmt.Fprint(x.w, start)
	for {
		if _, err := fmt.Fprint(x.w, piece); err != nil {
			x.left()
			return
		}
	}
}

// slow sends one byte a second.
func (x *exchange) slow() {
	body := x.api.unary(x.ask)
	x.w.Header().Set("Content-Type", "application/json")
	if x.ask.Stream {
		body = x.api.events(x.ask)[0].raw
		x.begin()
	}
	for i := range body {
		x.w.Write(body[i : i+1]) // The wait notices.
		x.flush()
		if !x.wait(time.Second) {
			return
		}
	}
}

// stall begins well and then says nothing more.
func (x *exchange) stall() {
	if x.ask.Stream {
		x.begin()
		x.send(x.api.events(x.ask)[:before], 0)
	} else {
		body := x.api.unary(x.ask)
		x.whole(body[:len(body)/2])
		x.flush()
	}
	x.silent()
}

// silent waits until the client has gone.
func (x *exchange) silent() {
	<-x.r.Context().Done()
	x.left()
}

// errorEvent sends an error after n good events of a stream; a unary answer is the error alone.
func (x *exchange) errorEvent(n int) {
	if !x.ask.Stream {
		x.whole(x.api.failure("overloaded_error", "Overloaded"))
		return
	}
	x.begin()
	x.send(x.api.events(x.ask)[:n], 0)
	x.w.Write(x.api.failureEvent("overloaded_error", "Overloaded")) // The client shows it.
}

// RefusedURL is an address that refuses every connection: its port is bound, so that nobody else gets it, and not
// listened on. Release gives the port back.
func RefusedURL() (url string, release func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return "", nil, err
	}
	release = func() { syscall.Close(fd) } // There is no one to tell.
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		release()
		return "", nil, err
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		release()
		return "", nil, err
	}
	in4, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		release()
		return "", nil, fmt.Errorf("the socket has the address %v", name)
	}
	return fmt.Sprintf("http://127.0.0.1:%d", in4.Port), release, nil
}
