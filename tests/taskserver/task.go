package taskserver

import (
	"fmt"
	"strings"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// task is one task. What it is follows from the time.
type task struct {
	id        string
	tool      string
	created   time.Time
	updated   time.Time
	ready     time.Time
	asks      []string // Keys of questions that are open.
	said      string   // What the client has answered.
	cancelled bool
}

// status gives the status in the words of the protocol.
func (t *task) status() string {
	switch {
	case t.cancelled:
		return "cancelled"
	case len(t.asks) > 0:
		return "input_required"
	case time.Now().Before(t.ready):
		return "working"
	case t.tool == "protocol_error_job":
		return "failed"
	}
	return "completed"
}

// view writes the task, with what it came to and what it asks.
func (t *task) view(resultType string, detailed bool) string {
	status := t.status()
	if !detailed && status != "working" {
		status = "working" // A seed: the client has to ask.
	}
	v := fmt.Sprintf(`{"resultType":%q,"taskId":%q,"status":%q,"createdAt":%q,"lastUpdatedAt":%q,"ttlMs":60000,"pollIntervalMs":100,"x-unknown":{"A":1,"a":2}`,
		resultType, t.id, status, t.created.UTC().Format(time.RFC3339Nano), t.updated.UTC().Format(time.RFC3339Nano))
	switch {
	case !detailed:
	case status == "input_required":
		asks := make([]string, 0, len(t.asks))
		for _, key := range t.asks {
			asks = append(asks, fmt.Sprintf("%q:%s", key, question("Shall I? "+key)))
		}
		v += `,"inputRequests":{` + strings.Join(asks, ",") + `}`
	case status == "failed":
		v += `,"statusMessage":"it broke","error":{"code":-32603,"message":"it broke"}`
	case status == "completed":
		v += `,"result":` + said("done "+t.said, t.tool == "failing_job")
	}
	return v + "}"
}

// question writes what is asked of the client.
func question(what string) string {
	return fmt.Sprintf(`{"method":"elicitation/create","params":{"mode":"form","message":%q,"requestedSchema":{"type":"object","properties":{"name":{"type":"string"}}}}}`, what)
}

// said writes the result of a tool.
func said(what string, failed bool) string {
	return fmt.Sprintf(`{"resultType":"complete","content":[{"type":"text","text":%s}],"isError":%v}`, json.Quote(what), failed)
}

func text(raw json.Value) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
