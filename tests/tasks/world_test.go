package tasks

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// Long is the variable that asks for what takes longer.
const Long = "SIGNALBOX_TEST_LONG"

// twin is an agent's key like [harness.Agent], but another one.
const twin = "twin-key-of-acme-000001"

// The _meta of a client that knows tasks, and of one that does not.
const (
	plain    = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":`
	declared = plain + `{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}`
)

// view is what a message says of a task.
type view struct {
	Type    string                `json:"resultType"`
	ID      string                `json:"taskId"`
	Status  string                `json:"status"`
	Message string                `json:"statusMessage"`
	TTL     int64                 `json:"ttlMs"`
	Poll    int64                 `json:"pollIntervalMs"`
	Asks    map[string]json.Value `json:"inputRequests"`
	State   string                `json:"requestState"`
	Result  struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
		IsError bool `json:"isError"`
	} `json:"result"`
	Error   *rpcError    `json:"error"`
	Unknown json.Value   `json:"x-unknown"`
	Tasks   []view       `json:"tasks"` // Of tasks/list, and of what follows.
	Task    *view        `json:"task"`
	OldTTL  int64        `json:"ttl"`
	Content []json.Value `json:"content"`
	Meta    struct {
		Related struct {
			ID string `json:"taskId"`
		} `json:"io.modelcontextprotocol/related-task"`
	} `json:"_meta"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    struct {
		Code string `json:"code"`
	} `json:"data"`
}

// answer is one of JSON-RPC.
type answer struct {
	Result view      `json:"result"`
	Error  *rpcError `json:"error"`
	status int
	body   string
}

// code gives the code of the error, 0 for none.
func (a answer) code() int {
	if a.Error == nil {
		return 0
	}
	return a.Error.Code
}

// ask sends a message of the newest version to a path, with the headers that it wants and more, which win.
func ask(t testing.TB, i *harness.Instance, path, key, method, name, params string, header ...string) (out answer) {
	t.Helper()
	headers := append([]string{
		"Accept", "application/json, text/event-stream", "Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", method, "Mcp-Name", name,
		"X-Signalbox-Agent", "tester",
	}, header...)
	return read(t, i.Send(t, http.MethodPost, path, key, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params), headers...))
}

// read reads an answer, also the last event of a stream.
func read(t testing.TB, a harness.Answer) (out answer) {
	t.Helper()
	body := a.Body
	if i := strings.LastIndex(body, "data: "); i >= 0 {
		body, _, _ = strings.Cut(body[i+len("data: "):], "\n")
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		t.Fatalf("status %d, %v: %s", a.Status, err, a.Body)
	}
	out.status, out.body = a.Status, a.Body
	return out
}

// call calls a tool as a client that knows tasks.
func call(t testing.TB, i *harness.Instance, path, tool, arguments string, header ...string) answer {
	t.Helper()
	return ask(t, i, path, harness.Agent, "tools/call", tool, fmt.Sprintf(`{"name":%q,"arguments":%s,"_meta":{%s}}`, tool, arguments, declared), header...)
}

// open calls a tool that makes a task of it.
func open(t testing.TB, i *harness.Instance, path, tool, arguments string) view {
	t.Helper()
	a := call(t, i, path, tool, arguments)
	if a.Result.Type != "task" || !strings.HasPrefix(a.Result.ID, "task_") || a.Result.Status != "working" {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	return a.Result
}

// about sends a message about a task.
func about(t testing.TB, i *harness.Instance, path, key, method, id, more string, header ...string) answer {
	t.Helper()
	return ask(t, i, path, key, method, id, fmt.Sprintf(`{"taskId":%q%s,"_meta":{%s}}`, id, more, declared), header...)
}

func get(t testing.TB, i *harness.Instance, path, id string) answer {
	t.Helper()
	return about(t, i, path, harness.Agent, "tasks/get", id, "")
}

// comes waits until a task has a status.
func comes(t testing.TB, i *harness.Instance, path, id, status string) (last answer) {
	t.Helper()
	harness.Eventually(t, func() error {
		if last = get(t, i, path, id); last.Result.Status != status {
			return fmt.Errorf("%s is no task that is %s: %s", id, status, last.body)
		}
		return nil
	})
	return last
}

// records gives those of an act on a task.
func records(t testing.TB, i *harness.Instance, action, task string) (list []api.Record) {
	t.Helper()
	for _, r := range i.Log(t) {
		if r.What.Action == action && r.What.ResourceID == task {
			list = append(list, r)
		}
	}
	return list
}

// stream opens a stream of events, whose data come one by one until the test ends.
func stream(t testing.TB, r *http.Request, i *harness.Instance, key string) <-chan string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("X-Signalbox-Agent", "tester")
	res, err := http.DefaultClient.Do(r.WithContext(ctx))
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	events := make(chan string, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(events)
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				events <- data
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		res.Body.Close()
		<-done
		http.DefaultClient.CloseIdleConnections()
	})
	if res.StatusCode != http.StatusOK {
		t.Fatalf("status %d", res.StatusCode)
	}
	return events
}

// hears waits for an event that contains all the texts.
func hears(t testing.TB, events <-chan string, texts ...string) string {
	t.Helper()
	late := time.After(harness.Patience)
	for {
		select {
		case event, ok := <-events:
			if !ok {
				t.Fatalf("the stream has ended without %q", texts)
			}
			all := true
			for _, text := range texts {
				all = all && strings.Contains(event, text)
			}
			if all {
				return event
			}
		case <-late:
			t.Fatalf("no event has %q", texts)
		}
	}
}
