package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long something may take that must happen.
const patience = 30 * time.Second

const (
	adminKey = "the-admin-key-of-acme"
	agentKey = "the-agent-key-of-acme"
)

const someKeys = `
tenants:
  - {id: acme}
keys:
  - {id: admin, secret: the-admin-key-of-acme, tenant: acme, role: admin}
  - {id: agent, secret: the-agent-key-of-acme, tenant: acme, role: agent}
`

const simulatedModel = `
providers:
  sim: {kind: simulated, simulated: {latency: {p50: 0ms, p95: 0ms}, tokens_per_second: 100000}}
models:
  small: {provider: sim, price: {input: 1, output: 2}}
`

// journal collects what a server logs.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// instance is a server that runs in this process.
type instance struct {
	*Server
	t      *testing.T
	log    *journal
	client *http.Client
	stop   func() error // Ends it and gives what Run gave; more than once is fine.
	ended  chan struct{}
}

// configured parses a configuration on a database in dir.
func configured(t *testing.T, dir, text string) *config.Config {
	t.Helper()
	head := fmt.Sprintf("listen: 127.0.0.1:0\ndatabase: \"sqlite:%s\"\n", filepath.Join(dir, "s.db"))
	if strings.HasPrefix(text, "listen:") {
		head = head[strings.Index(head, "\n")+1:]
	}
	c, err := config.Parse("test.yml", []byte(head+text), nil, ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// made is a server that does not serve yet.
func made(dir string, c *config.Config) (*Server, *journal, error) {
	log := &journal{}
	s, err := New(context.Background(), c, Options{
		Version: "test", Logger: slog.New(slog.NewTextHandler(log, nil)), Now: time.Now,
		Env: func(string) (string, bool) { return "", false },
	})
	return s, log, err
}

// started runs a server until the end of the test.
func started(t *testing.T, dir, text string) *instance {
	t.Helper()
	s, log, err := made(dir, configured(t, dir, text))
	if err != nil {
		t.Fatal(err)
	}
	return ran(t, s, log)
}

func ran(t *testing.T, s *Server, log *journal) *instance {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	i := &instance{Server: s, t: t, log: log, ended: make(chan struct{}), client: &http.Client{
		Transport: &http.Transport{DisableCompression: true}, Timeout: patience,
	}}
	var result error
	go func() {
		defer close(i.ended)
		result = s.Run(ctx)
	}()
	i.stop = func() error {
		cancel()
		i.client.CloseIdleConnections()
		<-i.ended
		return result
	}
	t.Cleanup(func() {
		if err := i.stop(); err != nil {
			t.Errorf("Run gives %v; the log:\n%s", err, log)
		}
	})
	return i
}

// send makes a request and reads its answer.
func (i *instance) send(method, path, key, body string, header ...string) (*http.Response, string) {
	i.t.Helper()
	response, text, err := i.try(method, path, key, body, header...)
	if err != nil {
		i.t.Fatalf("%s %s: %v", method, path, err)
	}
	return response, text
}

// begin reads the head of an answer, and leaves.
func (i *instance) begin(path, key string) {
	i.t.Helper()
	r, err := http.NewRequest(http.MethodGet, i.URL()+path, nil)
	if err != nil {
		i.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	response, err := i.client.Do(r)
	if err != nil || response.StatusCode != http.StatusOK {
		i.t.Fatalf("GET %s: %+v, %v", path, response, err)
	}
	response.Body.Close()
}

func (i *instance) try(method, path, key, body string, header ...string) (*http.Response, string, error) {
	r, err := http.NewRequest(method, i.URL()+path, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	response, err := i.client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response, string(text), err
}

// eventually asks until the condition says nothing.
func eventually(t *testing.T, condition func() error) {
	t.Helper()
	err := errors.New("never asked")
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if err = condition(); err == nil {
			return
		}
	}
	t.Fatalf("did not happen: %v", err)
}

// detail gives a call once it has ended.
func (i *instance) detail(id string) api.CallDetail {
	i.t.Helper()
	var d api.CallDetail
	eventually(i.t, func() error {
		response, text := i.send(http.MethodGet, "/api/v1/calls/"+id, adminKey, "")
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%d %s", response.StatusCode, text)
		}
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			return err
		}
		if d.Outcome == "running" {
			return errors.New("it is still running")
		}
		return nil
	})
	return d
}

func chat(model string, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"stream":%v,"messages":[{"role":"user","content":"Mail rose@example.com about the weather in Seoul."}]}`, model, stream)
}

const chatPath = "/v1/chat/completions"
