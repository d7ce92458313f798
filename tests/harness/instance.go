package harness

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The keys of [Base], by what they may do.
const (
	Agent    = "agent-key-of-acme-0001"
	Other    = "developer-key-of-other-01" // Of another tenant.
	Auditor  = "auditor-key-of-acme-001"
	Operator = "operator-key-of-acme-01"
	Admin    = "admin-key-of-acme-00001"
)

// Base is the part of a configuration that most tests share. @DB@ stands for the database's path.
const Base = `listen: 127.0.0.1:0
database: "sqlite:@DB@"
tenants:
  - id: acme
  - id: other
keys:
  - {id: agent, secret: agent-key-of-acme-0001, tenant: acme, role: agent}
  - {id: other, secret: developer-key-of-other-01, tenant: other, role: developer}
  - {id: auditor, secret: auditor-key-of-acme-001, tenant: acme, role: auditor}
  - {id: operator, secret: operator-key-of-acme-01, tenant: acme, role: operator}
  - {id: admin, secret: admin-key-of-acme-00001, tenant: acme, role: admin}
`

// Simulated is the rest of a configuration that needs no upstream; its answers come at once.
const Simulated = `providers:
  sim: {kind: simulated, simulated: {latency: {p50: 0ms, p95: 0ms}, tokens_per_second: 100000}}
models:
  sim: {provider: sim, price: {input: 1, output: 2}}
`

// Options say how to start an instance. The zero value serves [Base] and [Simulated] out of a new directory.
type Options struct {
	Config   string // Added to Base; "" is Simulated.
	Whole    string // The whole configuration instead of Base and Config.
	File     string // A configuration file that is there already, which several instances may share.
	Bare     bool   // No configuration at all: the quickstart's, on a free port.
	Dir      string // Where database and configuration are; "" is a new one.
	Database string // The database's path; "" is one in Dir.
	Env      []string
	As       uint32         // The user to run as, in Dir, which becomes his; 0: this process's own. Only root may choose.
	Trust    *x509.CertPool // Certificates to trust, of an instance that speaks TLS.
}

// Instance is one running process.
type Instance struct {
	URL      string
	Dir      string
	Database string
	Config   string // Path of the configuration file.

	command *exec.Cmd
	stdout  *output
	stderr  *output
	exited  chan struct{}
}

// output collects what a process writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds to it.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String gives all of it so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Start starts an instance, waits until it is ready, and stops it at the end of the test.
func Start(t testing.TB, o Options) *Instance {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	i, err := Launch(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if code := i.Stop(); code != 0 && code != -1 {
			t.Errorf("the instance ended with code %d:\n%s", code, i.Stderr())
		}
		if t.Failed() {
			t.Logf("the log of the instance in %s:\n%s", filepath.Base(i.Dir), i.Stderr())
		}
	})
	return i
}

// Prepare writes the configuration of an instance that is not started yet.
func Prepare(o Options) (*Instance, error) {
	i := &Instance{Dir: o.Dir, Database: o.Database, Config: filepath.Join(o.Dir, "signalbox.yml")}
	if i.Database == "" {
		i.Database = filepath.Join(o.Dir, "signalbox.db")
	}
	if o.File != "" {
		i.Config = o.File
		return i, nil
	}
	text := o.Whole
	if text == "" {
		text = Base + o.Config
		if o.Config == "" {
			text = Base + Simulated
		}
	}
	text = strings.ReplaceAll(text, "@DB@", i.Database)
	return i, os.WriteFile(i.Config, []byte(text), 0o600)
}

// Launch starts an instance and waits until it is ready. The caller must stop it.
func Launch(o Options) (*Instance, error) {
	path, err := Binary()
	if err != nil {
		return nil, err
	}
	i, err := Prepare(o)
	if err != nil {
		return nil, err
	}
	args := []string{"serve", "--config", i.Config}
	if o.Bare {
		args = []string{"serve", "--listen", "127.0.0.1:0"}
		i.Database = filepath.Join(o.Dir, "data", "signalbox.db")
	}
	i.command = exec.Command(path, args...)
	i.command.Dir, i.command.Env = o.Dir, append(os.Environ(), o.Env...)
	if err := i.runAs(o.As); err != nil {
		return nil, err
	}
	i.stdout, i.stderr, i.exited = &output{}, &output{}, make(chan struct{})
	i.command.Stderr = i.stderr
	stdout, err := i.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := i.command.Start(); err != nil {
		return nil, err
	}
	address := make(chan string, 1)
	go i.follow(stdout, address)
	select {
	case i.URL = <-address:
	case <-time.After(Patience):
		i.Kill()
	}
	if i.URL == "" {
		<-i.exited
		return nil, fmt.Errorf("signalbox did not start (code %d): %s%s", i.command.ProcessState.ExitCode(), i.stdout, i.Stderr())
	}
	if err := i.ready(o.Trust); err != nil {
		i.Kill()
		return nil, err
	}
	return i, nil
}

// runAs has another user run the program, out of a copy that he can reach.
func (i *Instance) runAs(user uint32) error {
	if user == 0 {
		return nil
	}
	program, err := os.ReadFile(i.command.Path)
	if err != nil {
		return err
	}
	i.command.Path = filepath.Join(i.Dir, "signalbox")
	if err := os.WriteFile(i.command.Path, program, 0o755); err != nil {
		return err
	}
	for _, path := range []string{i.Dir, i.Config} {
		if err := os.Chown(path, int(user), int(user)); err != nil {
			return err
		}
	}
	i.command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	return nil
}

var served = regexp.MustCompile(`serves (https?://\S+)`)

// follow reads standard output, finds the address in it, and waits for the end of the process.
func (i *Instance) follow(r io.Reader, address chan<- string) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fmt.Fprintln(i.stdout, lines.Text())
		if m := served.FindStringSubmatch(lines.Text()); m != nil {
			address <- m[1]
		}
	}
	i.command.Wait() // Its state is looked at by whoever stops it.
	close(i.exited)
	close(address)
}

func (i *Instance) ready(trust *x509.CertPool) error {
	probe := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust, MinVersion: tls.VersionTLS12}}}
	defer probe.CloseIdleConnections()
	var last error
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		response, err := probe.Get(i.URL + "/readyz")
		if err == nil {
			body, _ := io.ReadAll(response.Body) // It is for the error only.
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("/readyz answers %d: %s", response.StatusCode, body)
		}
		last = err
	}
	return errors.Join(errors.New("not ready: "+i.Stderr()), last)
}

// Stop asks the process to stop and gives its exit code, -1 where a signal ended it. Stopping twice is fine.
func (i *Instance) Stop() int {
	i.command.Process.Signal(syscall.SIGTERM) // It may have ended already.
	return i.wait()
}

// Kill ends the process without warning.
func (i *Instance) Kill() {
	i.command.Process.Kill() // As above.
	i.wait()
}

// Signal sends the process a signal, such as SIGSTOP and SIGCONT.
func (i *Instance) Signal(s syscall.Signal) error { return i.command.Process.Signal(s) }

// Exited is closed when the process has ended.
func (i *Instance) Exited() <-chan struct{} { return i.exited }

func (i *Instance) wait() int {
	select {
	case <-i.exited:
	case <-time.After(2 * Patience):
		i.command.Process.Signal(syscall.SIGQUIT) // Its log then says where it hangs.
		select {
		case <-i.exited:
		case <-time.After(Patience):
			i.command.Process.Kill() // As above.
			<-i.exited
		}
	}
	return i.command.ProcessState.ExitCode()
}

// Stderr is the log so far.
func (i *Instance) Stderr() string { return i.stderr.String() }

// Env is the environment of commands that talk to the instance with a key.
func (i *Instance) Env(key string) []string {
	return []string{"SIGNALBOX_URL=" + i.URL, "SIGNALBOX_API_KEY=" + key}
}

// PID is the number of the process.
func (i *Instance) PID() int { return i.command.Process.Pid }
