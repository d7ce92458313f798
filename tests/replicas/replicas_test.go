// Package replicas runs three processes of the real binary on one PostgreSQL, behind one client, and takes them away from
// one another: by keys that are revoked, configurations that change, leaders that are killed or frozen, and limits that
// all of them share.
package replicas

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
	"github.com/signalbox/signalbox/tests/biller"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// replicas is how many processes there are.
const replicas = 3

// rates are those of both models, as in the configuration.
var rates = signalbox.Rates{Input: 3 * signalbox.Dollar, Output: 15 * signalbox.Dollar}

const config = fleet.Base + `tenants:
  - id: acme
    budgets: [{unit: usd, per: month, max: 100}]
providers:
  bill: {kind: openai_compatible, base_url: "@UPSTREAM@/v1", timeouts: {first_byte: 4s, idle: 4s, total: 5s}}
models:
  one: {provider: bill, context_window: 100000, max_output: 1000, price: {input: 3, output: 15}, fallbacks: [two]}
  two: {provider: bill, context_window: 100000, max_output: 1000, price: {input: 3, output: 15}}
alerts: {defaults: false}
limits: {budget_wait: 200ms}
cluster: {lease: 3s, longest_call: 5s}
`

// launch starts three replicas and their provider; oldNew changes the configuration.
func launch(t *testing.T, oldNew ...string) (*fleet.Fleet, *biller.Provider) {
	t.Helper()
	p := biller.New(map[string]signalbox.Rates{"one": rates, "two": rates})
	t.Cleanup(p.Close)
	text := strings.NewReplacer(oldNew...).Replace(config)
	return fleet.Launch(t, strings.ReplaceAll(text, "@UPSTREAM@", p.URL), postgrestest.Database(t), replicas), p
}

// everywhere waits until a call answers with the status on every replica, and gives how long it took.
func everywhere(t *testing.T, f *fleet.Fleet, a fleet.Ask, status int) time.Duration {
	t.Helper()
	since := time.Now()
	for n := range replicas {
		harness.Eventually(t, func() error {
			if answer := a.Send(t, f.At(n)); answer.Status != status {
				return fmt.Errorf("replica %d answers %d: %s", n, answer.Status, answer.Body)
			}
			return nil
		})
	}
	return time.Since(since)
}

func TestKeysHoldEverywhere(t *testing.T) {
	f, _ := launch(t)
	answer := f.At(0).Send(t, http.MethodPost, "/api/v1/keys", harness.Admin, `{"tenant":"acme","role":"agent"}`)
	var key api.CreatedKey
	if err := json.Unmarshal([]byte(answer.Body), &key); err != nil || key.Secret == "" {
		t.Fatalf("status %d, %v: %s", answer.Status, err, answer.Body)
	}
	ask := fleet.Ask{Key: key.Secret, Prompt: "out=3"}
	t.Logf("a key created on one replica works on all after %s", everywhere(t, f, ask, http.StatusOK).Round(time.Millisecond))
	if a := f.At(1).Send(t, http.MethodDelete, "/api/v1/keys/"+key.ID, harness.Admin, ""); a.Status != http.StatusOK {
		t.Fatalf("revoking answers %d: %s", a.Status, a.Body)
	}
	t.Logf("a key revoked on another is refused on all after %s", everywhere(t, f, ask, http.StatusUnauthorized).Round(time.Millisecond))
	for range 2 * replicas {
		if a := f.Ask(t, ask); a.Status != http.StatusUnauthorized {
			t.Errorf("the revoked key came back: %d", a.Status)
		}
	}
}

func TestConfigurationIsReloadedEverywhere(t *testing.T) {
	f, p := launch(t)
	ask, renewed := fleet.Ask{Prompt: "out=3"}, fleet.Ask{Key: "agent-key-of-acme-0002", Prompt: "out=3"}
	everywhere(t, f, ask, http.StatusOK)
	f.Rewrite(t, harness.Agent, renewed.Key)
	t.Logf("a static key that changed is in force on all after %s", everywhere(t, f, renewed, http.StatusOK).Round(time.Millisecond))
	everywhere(t, f, ask, http.StatusUnauthorized)

	spent := p.Billed()
	f.Rewrite(t, "max: 100}", "max: "+spent.String()+"}")
	t.Logf("a budget that changed is in force on all after %s", everywhere(t, f, renewed, http.StatusPaymentRequired).Round(time.Millisecond))

	rejected := count(f.Records(t), signalbox.ActionConfigRejected)
	f.Rewrite(t, "max: "+spent.String()+"}", "max: 100 won}", renewed.Key, harness.Agent)
	harness.Eventually(t, func() error {
		if n := count(f.Records(t), signalbox.ActionConfigRejected) - rejected; n != replicas {
			return fmt.Errorf("%d replicas have refused the bad file", n)
		}
		return nil
	})
	everywhere(t, f, renewed, http.StatusPaymentRequired)
	everywhere(t, f, ask, http.StatusUnauthorized)
	f.Rewrite(t, "max: 100 won}", "max: 100}")
	everywhere(t, f, ask, http.StatusOK)
}

func count(records []signalbox.Record, action string) (n int) {
	for _, r := range records {
		if r.What.Action == action {
			n++
		}
	}
	return n
}

func TestCommandsReadPostgres(t *testing.T) {
	f, _ := launch(t)
	for n := range 60 {
		f.Ask(t, fleet.Ask{Prompt: fmt.Sprintf("out=%d", n), Stream: n%2 == 0, Anthropic: n%3 == 0, MaxTokens: 100, Run: fmt.Sprintf("r%d", n%5)})
	}
	f.Settled(t)
	f.Verify(t)
	t.Run("verifying needs the key", func(t *testing.T) {
		if r := harness.Run(t, f.Root, nil, "audit", "verify", "--database", f.Database); r.Code != 2 || !strings.Contains(r.Stderr, "--key") {
			t.Errorf("code %d: %s", r.Code, r.Stderr)
		}
	})
	t.Run("another key does not verify", func(t *testing.T) {
		dir := t.TempDir()
		if i, err := harness.Launch(harness.Options{Dir: dir}); err != nil {
			t.Fatal(err)
		} else {
			i.Kill()
		}
		keys, err := filepath.Glob(filepath.Join(dir, "*.pub"))
		if err != nil || len(keys) != 1 {
			t.Fatalf("%v, %v", keys, err)
		}
		if r := harness.Run(t, f.Root, nil, "audit", "verify", "--database", f.Database, "--key", keys[0]); r.Code != 1 {
			t.Errorf("code %d: %s%s", r.Code, r.Stdout, r.Stderr)
		}
	})
	t.Run("rebuilding is refused while a replica serves", func(t *testing.T) {
		if r := harness.Run(t, f.Root, nil, "projections", "rebuild", "--database", f.Database, "--master-key", f.MasterKey()); r.Code != 1 || !strings.Contains(r.Stderr, "remedy") {
			t.Errorf("code %d: %s", r.Code, r.Stderr)
		}
	})
	rebuiltEqualsLive(t, f)
}

// rebuiltEqualsLive ends all replicas and compares their projections with those that are made anew from the log.
func rebuiltEqualsLive(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	f.Settled(t)
	live := dump(t, f.Database)
	for n := range replicas {
		if code := f.At(n).Stop(); code != 0 {
			t.Errorf("replica %d ended with %d", n, code)
		}
	}
	if r := harness.Run(t, f.Root, nil, "projections", "rebuild", "--database", f.Database, "--master-key", f.MasterKey()); r.Code != 0 {
		t.Fatalf("rebuild ends with %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	for table, rows := range dump(t, f.Database) {
		if !slices.Equal(live[table], rows) {
			t.Errorf("%s: %d rows live, %d rebuilt, and they differ: %s", table, len(live[table]), len(rows), difference(live[table], rows))
		}
	}
}

func difference(live, rebuilt []string) string {
	for n := range min(len(live), len(rebuilt)) {
		if live[n] != rebuilt[n] {
			return "live " + live[n] + " rebuilt " + rebuilt[n]
		}
	}
	return "one side has more"
}
