package reload

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
)

// Variables of children: that one is a child, and the file for which its tool "wait" waits.
const (
	childVariable = "SIGNALBOX_TEST_CHILD"
	waitVariable  = "SIGNALBOX_TEST_WAIT"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		play()
		return
	}
	os.Exit(harness.Main(m))
}

const task = `"taskId":"theirs","status":"working","createdAt":"2026-11-23T09:00:00Z","lastUpdatedAt":"2026-11-23T09:00:00Z","ttl":600000,"pollInterval":500`

// play is a server of 2025-11-25 that keeps in memory how often it was called, and whether it has made a task.
func play() {
	calls, made := 0, false
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var m struct {
			ID     json.Value `json:"id"`
			Method string     `json:"method"`
			Params struct {
				Name string     `json:"name"`
				Task json.Value `json:"task"`
			} `json:"params"`
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil || m.ID == nil {
			continue
		}
		answer := `"error":{"code":-32601,"message":"Method not found"}`
		switch {
		case m.Method == "initialize":
			answer = `"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"tasks":{"requests":{"tools":{"call":{}}}}},"serverInfo":{"name":"counter","version":"1"}}`
		case m.Method == "tools/list":
			answer = `"result":{"tools":[{"name":"count","inputSchema":{"type":"object"}},{"name":"wait","inputSchema":{"type":"object"}}]}`
		case m.Method == "tools/call" && m.Params.Task != nil:
			made = true
			answer = `"result":{"task":{` + task + `}}`
		case m.Method == "tools/call":
			calls++
			for m.Params.Name == "wait" && !exists(os.Getenv(waitVariable)) {
				time.Sleep(20 * time.Millisecond)
			}
			answer = fmt.Sprintf(`"result":{"content":[{"type":"text","text":"call %d of process %d"}]}`, calls, os.Getpid())
		case m.Method == "tasks/get" && made:
			answer = `"result":{` + task + `}`
		}
		fmt.Printf(`{"jsonrpc":"2.0","id":%s,%s}`+"\n", m.ID, answer)
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// failing is a server of 2026-07-28 whose calls all fail.
type failing struct {
	*httptest.Server
	calls atomic.Int64
}

func newFailing(t *testing.T) *failing {
	t.Helper()
	f := &failing{}
	f.Server = httptest.NewServer(f)
	t.Cleanup(func() {
		f.CloseClientConnections()
		f.Close()
	})
	return f
}

// ServeHTTP lists a tool, and fails.
func (f *failing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m struct {
		ID     json.Value `json:"id"`
		Method string     `json:"method"`
	}
	body := new(strings.Builder)
	if _, err := bufio.NewReader(r.Body).WriteTo(body); err != nil || json.Unmarshal([]byte(body.String()), &m) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	result := `{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}`
	switch m.Method {
	case "tools/list":
		result = `{"tools":[{"name":"count","inputSchema":{"type":"object"}}]}`
	case "tools/call":
		f.calls.Add(1)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
}
