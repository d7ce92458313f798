package toolfaults

import (
	"net/http"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// What a call costs that was made, and one that was not.
const (
	price = "0.002"
	free  = "0"
)

// The eras of servers, and the manners in which they answer.
const (
	modern   = "modern"
	legacy   = "legacy"
	inJSON   = "json"
	inEvents = "events"
)

// fault is a way to break and what must come of it.
type fault struct {
	answer func(*exchange)
	code   signalbox.Code // "": the call is served all the same.
	cost   string
	again  bool   // In the legacy era the call is sent once more, in a new session.
	retry  bool   // The server says when to come back.
	only   string // The manner in which the fault can be; "" is both.
}

// limit is the time-out of a server: short only where it is what must come, for elsewhere a busy machine would trip over it.
func (f fault) limit() time.Duration {
	if f.code == signalbox.CodeTimeout {
		return total
	}
	return patience
}

var httpFaults = map[string]fault{
	"reset-before-head": {answer: func(x *exchange) { x.drop(true, "") }, code: signalbox.CodeUpstream, cost: price},
	"end-before-head":   {answer: func(x *exchange) { x.drop(false, "") }, code: signalbox.CodeUpstream, cost: price},
	"reset-after-head":  {answer: func(x *exchange) { x.drop(true, x.rawHead(1000)) }, code: signalbox.CodeUpstream, cost: price},
	"end-after-head":    {answer: func(x *exchange) { x.drop(false, x.rawHead(1000)) }, code: signalbox.CodeUpstream, cost: price},
	"reset-in-body":     {answer: func(x *exchange) { x.drop(true, x.rawHead(1000)+`{"jsonrpc":`) }, code: signalbox.CodeUpstream, cost: price},
	"end-in-body":       {answer: func(x *exchange) { x.drop(false, x.rawHead(1000)+`{"jsonrpc":`) }, code: signalbox.CodeUpstream, cost: price},
	"no-head":           {answer: (*exchange).wait, code: signalbox.CodeTimeout, cost: price},
	"slow-head":         {answer: func(x *exchange) { x.drip(x.rawHead(1000), 10) }, code: signalbox.CodeTimeout, cost: price},
	"slow-body":         {answer: func(x *exchange) { x.drip(x.rawHead(1000)+strings.Repeat(" ", 1000), 100) }, code: signalbox.CodeTimeout, cost: price},
	"stall-in-body":     {answer: func(x *exchange) { x.part(x.framed(x.message(goodResult))[:30]); x.wait() }, code: signalbox.CodeTimeout, cost: price},
	"truncated":         {answer: func(x *exchange) { x.raw(x.framed(x.message(goodResult))[:60]) }, code: signalbox.CodeUpstream, cost: price},
	"event-without-end": {answer: func(x *exchange) { x.raw(strings.TrimSpace(x.framed(x.message(goodResult)[1:]))) }, code: signalbox.CodeUpstream, cost: price},
	"nothing":           {answer: func(x *exchange) { x.raw("") }, code: signalbox.CodeUpstream, cost: price},
	"garbage":           {answer: func(x *exchange) { x.write("\x00\xff\xfe" + secret) }, code: signalbox.CodeUpstream, cost: price},
	"no-json":           {answer: func(x *exchange) { x.write("Welcome to my server! " + secret) }, code: signalbox.CodeUpstream, cost: price},
	"duplicate-names":   {answer: func(x *exchange) { x.write(x.message(goodResult + `,"result":{}`)) }, code: signalbox.CodeUpstream, cost: price},
	"too-deep":          {answer: func(x *exchange) { x.result(strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)) }, code: signalbox.CodeUpstream, cost: price},
	"no-result":         {answer: func(x *exchange) { x.write(`{"jsonrpc":"2.0","id":` + x.id + `}`) }, code: signalbox.CodeUpstream, cost: price},
	"result-of-text":    {answer: func(x *exchange) { x.result(`"fine"`) }, code: signalbox.CodeUpstream, cost: price},
	"content-of-text":   {answer: func(x *exchange) { x.result(`{"content":"fine"}`) }, code: signalbox.CodeUpstream, cost: price},
	"another-id":        {answer: func(x *exchange) { x.write(`{"jsonrpc":"2.0","id":4711,"result":` + goodResult + `}`) }, code: signalbox.CodeUpstream, cost: price},
	"id-of-text":        {answer: func(x *exchange) { x.write(`{"jsonrpc":"2.0","id":"` + x.id + `","result":` + goodResult + `}`) }, code: signalbox.CodeUpstream, cost: price},
	"huge":              {answer: func(x *exchange) { x.result(`{"content":[],"x":"` + strings.Repeat("x", tooLarge) + `"}`) }, code: signalbox.CodeUpstream, cost: price},
	"gzip-bomb":         {answer: (*exchange).bomb, code: signalbox.CodeUpstream, cost: price},
	"flood":             {answer: (*exchange).flood, code: signalbox.CodeUpstream, cost: price},
	"wrong-type":        {answer: func(x *exchange) { x.status(http.StatusOK) }, code: signalbox.CodeUpstream, cost: price},
	"accepted":          {answer: func(x *exchange) { x.w.WriteHeader(http.StatusAccepted) }, code: signalbox.CodeUpstream, cost: price},
	"huge-head":         {answer: func(x *exchange) { x.w.Header().Set("X-Huge", strings.Repeat("x", 1<<20)); x.result(goodResult) }, code: signalbox.CodeUpstream, cost: price},
	"says-internal": {answer: func(x *exchange) {
		x.write(`{"jsonrpc":"2.0","id":` + x.id + `,"error":{"code":-32603,"message":"oops"}}`)
	}, code: signalbox.CodeUpstream, cost: price},
	"says-invalid": {answer: func(x *exchange) {
		x.write(`{"jsonrpc":"2.0","id":` + x.id + `,"error":{"code":-32602,"message":"no"}}`)
	}, code: signalbox.CodeInvalid, cost: free},
	"401":           {answer: func(x *exchange) { x.status(401, "WWW-Authenticate", "Bearer") }, code: signalbox.CodeUpstream, cost: free},
	"403":           {answer: func(x *exchange) { x.status(403) }, code: signalbox.CodeUpstream, cost: free},
	"404":           {answer: func(x *exchange) { x.status(404) }, code: signalbox.CodeUpstream, cost: free, again: true},
	"429":           {answer: func(x *exchange) { x.status(429, "Retry-After", "7") }, code: signalbox.CodeRateLimited, cost: free, retry: true},
	"500":           {answer: func(x *exchange) { x.status(500) }, code: signalbox.CodeUpstream, cost: free},
	"502":           {answer: func(x *exchange) { x.status(502) }, code: signalbox.CodeUpstream, cost: free},
	"503":           {answer: func(x *exchange) { x.status(503, "Retry-After", "7") }, code: signalbox.CodeUnavailable, cost: free, retry: true},
	"redirect":      {answer: func(x *exchange) { x.status(307, "Location", "/elsewhere") }, code: signalbox.CodeUpstream, cost: free},
	"answers-twice": {answer: func(x *exchange) { x.twice() }, cost: price},
	"closes-keep-alive": {answer: func(x *exchange) {
		x.drop(false, x.rawHead(len(x.framed(x.message(goodResult))))+x.framed(x.message(goodResult)))
	}, cost: price},
	"byte-order-mark":        {answer: func(x *exchange) { x.write("\ufeff" + x.message(goodResult)) }, code: signalbox.CodeUpstream, cost: price},
	"duplicate-names-within": {answer: func(x *exchange) { x.result(`{"content":[{"type":"text","text":"a","text":"b"}]}`) }, code: signalbox.CodeUpstream, cost: price},
	"two-in-a-list": {answer: func(x *exchange) {
		x.write("[" + x.message(goodResult) + "," + x.message(goodResult) + "]")
	}, code: signalbox.CodeUpstream, cost: price},
	"two-in-a-row": {answer: func(x *exchange) { x.write(x.message(goodResult) + " " + x.message(goodResult)) }, code: signalbox.CodeUpstream, cost: price},
	"carriage-returns": {answer: func(x *exchange) {
		x.raw("event: message\rdata: " + x.message(goodResult) + "\r\r")
	}, cost: price, only: inEvents},
	"mixed-line-ends": {answer: func(x *exchange) {
		x.raw("event: message\rdata: " + strings.Replace(x.message(goodResult), ",", ",\r\ndata: ", 1) + "\n\r\n")
	}, cost: price, only: inEvents},
	"mark-before-events": {answer: func(x *exchange) { x.raw("\ufeff" + x.framed(x.message(goodResult))) }, cost: price, only: inEvents},
	"keeps-alive": {answer: func(x *exchange) {
		x.raw(": hello\n\nretry: 10\n\nid: 1\ndata:\n\nevent: ping\ndata: 12:00 " + secret + "\n\n:\n\nid: 2\n" + x.framed(x.message(goodResult)))
	}, cost: price, only: inEvents},
	"in-pieces": {answer: func(x *exchange) {
		x.part("")
		for _, b := range []byte(x.framed(x.message(strings.Replace(goodResult, "{", `{"_meta":{"x":"선로 🚦"},`, 1)))) {
			x.w.Write([]byte{b}) // Whether the client is there is not our matter.
			http.NewResponseController(x.w).Flush()
		}
	}, cost: price, only: inEvents},
	"wrong-content-size": {answer: func(x *exchange) { x.drop(false, x.rawHead(10)+x.framed(x.message(`{"content":["`+secret+`"]}`))) }, code: signalbox.CodeUpstream, cost: price},
}

// twice answers, and answers again. In one body of JSON that is no message; in a stream the first one counts.
func (x *exchange) twice() {
	if x.stream {
		x.raw(x.framed(x.message(goodResult)) + x.framed(x.message(`{"content":[{"type":"text","text":"`+secret+`"}]}`)))
		return
	}
	x.result(goodResult)
}
