package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/platform/config"
)

// reloading runs a server on a file, which write changes.
func reloading(t *testing.T, text string) (i *instance, write func(string)) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "signalbox.yml")
	head := fmt.Sprintf("listen: 127.0.0.1:0\ndatabase: \"sqlite:%s\"\n", filepath.Join(dir, "s.db"))
	write = func(text string) {
		next := path + ".next" // As editors do: a reader sees the old file or the new one.
		if err := errors.Join(os.WriteFile(next, []byte(head+text), 0o600), os.Rename(next, path)); err != nil {
			t.Fatal(err)
		}
	}
	load := func() (*config.Config, error) {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		return config.Parse(path, data, nil, ConfigOptions())
	}
	write(text)
	c, err := load()
	if err != nil {
		t.Fatal(err)
	}
	log := &journal{}
	s, err := New(context.Background(), c, Options{
		Version: "test", Logger: slog.New(slog.NewTextHandler(log, nil)), Now: time.Now,
		Env: func(string) (string, bool) { return "", false }, Source: Source{Path: path, Load: load},
	})
	if err != nil {
		t.Fatal(err)
	}
	return ran(t, s, log), write
}

// configuration waits for the health of the configuration.
func (i *instance) configuration(status, detail string) {
	i.t.Helper()
	eventually(i.t, func() error {
		h := i.health(context.Background())
		for _, c := range h.Components {
			if c.Name == "configuration" && c.Status == status && strings.Contains(c.Detail, detail) {
				return nil
			}
		}
		return fmt.Errorf("the health is %+v, want %s %q", h.Components, status, detail)
	})
}

func (i *instance) answers(what, key, model string, status int) {
	i.t.Helper()
	if response, text := i.send(http.MethodPost, chatPath, key, chat(model, false)); response.StatusCode != status {
		i.t.Errorf("%s: got %d, want %d: %s", what, response.StatusCode, status, text)
	}
}

// TestReload: budgets, keys and models of a changed file are in force without a restart; a file that is wrong changes
// nothing, and health says so until it is right.
func TestReload(t *testing.T) {
	i, write := reloading(t, someKeys+simulatedModel)
	i.configuration("ok", "start")
	i.answers("at first", agentKey, "small", http.StatusOK)
	i.answers("a model that is not there yet", agentKey, "other", http.StatusNotFound)
	i.answers("a key that is not there yet", "the-second-key-of-acme", "small", http.StatusUnauthorized)

	poor := strings.Replace(someKeys, "{id: acme}", "{id: acme, budgets: [{unit: usd, per: day, max: 0}]}", 1)
	second := "  - {id: second, secret: the-second-key-of-acme, tenant: acme, role: agent}\n"
	write(poor + second + simulatedModel + "  other: {provider: sim, price: {input: 1, output: 2}}\n")
	i.configuration("ok", "reloaded")
	i.answers("a budget of 0", agentKey, "small", http.StatusPaymentRequired)
	i.answers("a new key under it", "the-second-key-of-acme", "other", http.StatusPaymentRequired)

	write(strings.Replace(poor, "max: 0", "max: ten", 1) + simulatedModel)
	i.configuration("degraded", "not taken")
	i.answers("the budget before stays", agentKey, "small", http.StatusPaymentRequired)
	i.answers("the key before stays", "the-second-key-of-acme", "small", http.StatusPaymentRequired)

	write(strings.Replace(poor, "max: 0", "max: 10", 1) + simulatedModel)
	i.configuration("ok", "reloaded")
	i.answers("a higher cap", agentKey, "small", http.StatusOK)
	i.answers("a key that is gone", "the-second-key-of-acme", "small", http.StatusUnauthorized)
	for _, action := range []string{"config_reloaded", "config_rejected"} {
		if _, text := i.send(http.MethodGet, "/api/v1/audit?limit=500", adminKey, ""); !strings.Contains(text, action) {
			t.Errorf("the log has no %s", action)
		}
	}
}

// A runtime that was made in vain leaves the servers that it would have had to the one in force.
func TestServersStayWithTheRuntimeInForce(t *testing.T) {
	i, _ := reloading(t, someKeys+simulatedModel+"mcp_servers: {same: {url: \"http://127.0.0.1:1\"}, other: {url: \"http://127.0.0.1:1\"}}\n")
	before := i.runtimes.current()
	c := *before.config
	c.MCPServers = maps.Clone(c.MCPServers)
	other := c.MCPServers["other"]
	other.MaxCalls++
	c.MCPServers["other"] = other
	next, err := i.newRuntime(&c, before)
	if err != nil {
		t.Fatal(err)
	}
	made := next.tools.servers.All()
	if old := before.tools.servers.All(); made[0] == old[0] || made[1] != old[1] {
		t.Errorf("servers are %v, and were %v", made, old)
	}
	next.retire()
	c.MCPServers["wrong"] = config.MCPServer{}
	if _, err := i.newRuntime(&c, before); err == nil {
		t.Error("a server that can not be reached in any way was taken")
	}
	ended := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	if !ended(made[0].Closing()) || ended(made[1].Closing()) || ended(before.tools.servers.Closing()) {
		t.Error("not the new server alone has ended")
	}
}
