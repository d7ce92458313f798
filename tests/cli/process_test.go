package cli

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/upstream"
)

// behind starts an instance with a provider behind it whose answers take a while.
func behind(t *testing.T, dir string) (*harness.Instance, *upstream.Server) {
	t.Helper()
	up := upstream.New()
	t.Cleanup(up.Close)
	return harness.Start(t, harness.Options{Dir: dir, Config: slowConfig(up)}), up
}

func slowConfig(up *upstream.Server) string {
	return fmt.Sprintf(`providers: {slow: {kind: openai_compatible, base_url: %s/v1, api_key: %s}}
models:
  long: {provider: slow, model: long, price: {input: 1, output: 2}}
  good: {provider: slow, model: good, price: {input: 1, output: 2}}
`, up.URL, providerKey)
}

const (
	providerKey = "sk-operators-own-key-00000001"
	longCall    = `{"model":"long","stream":true,"messages":[{"role":"user","content":"hello"}]}`
)

// open begins a long stream and waits for its first words.
func open(t *testing.T, i *harness.Instance) (*http.Response, *bufio.Scanner) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.URL+chatPath, strings.NewReader(longCall))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+harness.Agent)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() && !strings.Contains(lines.Text(), "word ") {
	}
	return response, lines
}

// Asked to stop, the process takes no new calls, lets those under way end, and leaves a signed and whole log.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	i, _ := behind(t, dir)
	response, lines := open(t, i)
	stopped := make(chan int, 1)
	go func() { stopped <- i.Stop() }()
	harness.Eventually(t, func() error {
		if _, err := i.TrySend(http.MethodGet, "/healthz", "", ""); err == nil {
			return fmt.Errorf("it still takes new connections")
		}
		return nil
	})
	words, done := 0, false
	for lines.Scan() {
		words += strings.Count(lines.Text(), "word")
		done = done || lines.Text() == "data: [DONE]"
	}
	if !done || lines.Err() != nil {
		t.Errorf("the stream under way ended after %d words: done %v, %v", words, done, lines.Err())
	}
	if code := <-stopped; code != 0 {
		t.Errorf("code %d", code)
	}
	r := harness.Run(t, dir, nil, "audit", "verify", "--database", "sqlite:"+i.Database)
	if r.Code != 0 || !strings.Contains(r.Stdout, "verified") {
		t.Errorf("audit verify ends with %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	if !strings.Contains(response.Header.Get("X-Signalbox-Call"), "call_") {
		t.Error("the stream has no call")
	}
}

// Killed in the middle of a call, the next start writes that nobody knows how it ended.
func TestKilledInACall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	i, up := behind(t, dir)
	response, _ := open(t, i)
	id := response.Header.Get("X-Signalbox-Call")
	i.Kill()
	i = harness.Start(t, harness.Options{Dir: dir, Config: slowConfig(up)})
	d := i.Call(t, id)
	if d.Outcome != signalbox.OutcomeUnknown || d.Error == nil || d.Error.Remedy == "" {
		t.Errorf("the outcome is %s, the error %+v", d.Outcome, d.Error)
	}
	i.Complete(t)
}

func TestPortInUse(t *testing.T) {
	i := harness.Start(t, harness.Options{})
	address := strings.TrimPrefix(i.URL, "http://")
	whole := strings.Replace(harness.Base, "127.0.0.1:0", address, 1) + harness.Simulated
	refuses(t, harness.Options{Dir: t.TempDir(), Whole: whole}, address, "can not be listened on")
	if err := served(i); err != nil {
		t.Error(err)
	}
}

// A slow or silent client holds up nobody else, and a head without an end is given up.
func TestHalfRequests(t *testing.T) {
	i := harness.Start(t, harness.Options{})
	address := strings.TrimPrefix(i.URL, "http://")
	for range 50 {
		fd := dial(t, address)
		fmt.Fprintf(fd, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{", chatPath, harness.Agent)
	}
	if err := served(i); err != nil {
		t.Error(err)
	}
	big := dial(t, address)
	fmt.Fprintf(big, "POST %s HTTP/1.1\r\nHost: x\r\nX-Big: %s\r\n\r\n", chatPath, strings.Repeat("a", 200<<10))
	status, err := bufio.NewReader(big).ReadString('\n')
	if err != nil || !strings.Contains(status, " 431 ") {
		t.Errorf("a huge header gives %q, %v", status, err)
	}
	smuggled := dial(t, address)
	fmt.Fprintf(smuggled, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", chatPath)
	status, err = bufio.NewReader(smuggled).ReadString('\n')
	if err != nil || !strings.Contains(status, " 40") {
		t.Errorf("two lengths give %q, %v", status, err)
	}
}

// The files of an instance are for its owner only.
func TestFileModes(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "new", "data")
	i := harness.Start(t, harness.Options{Dir: t.TempDir(), Database: filepath.Join(dir, "signalbox.db")})
	if err := served(i); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(e.Name(), ".pub") && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %s", e.Name(), info.Mode())
		}
	}
}
