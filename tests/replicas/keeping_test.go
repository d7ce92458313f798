package replicas

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	settings "github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/fleet"
	"github.com/signalbox/signalbox/tests/harness"
)

// anchored waits until the anchor has a checkpoint of the whole log, and gives it.
func anchored(t *testing.T, f *fleet.Fleet, file, public string) (checkpoint []byte) {
	t.Helper()
	f.Settled(t)
	whole := size(t, f)
	harness.Eventually(t, func() error {
		all, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		checkpoint = audit.LastCheckpoint(all)
		c, err := audit.OpenCheckpoint(checkpoint, public)
		if err == nil && c.Size < whole {
			err = fmt.Errorf("the anchor has %d of %d records", c.Size, whole)
		}
		return err
	})
	return checkpoint
}

func size(t *testing.T, f *fleet.Fleet) int64 {
	t.Helper()
	var h api.Health
	f.Next().Get(t, "/health", nil, &h)
	return h.Log.Size
}

// Whichever replica leads signs and anchors the one tree, and a new key follows the old one on all of them: for as long as
// both are configured both sign, and the change is on record once.
func TestTreeIsKeptByWhoeverLeads(t *testing.T) {
	f, _ := launch(t, `master_key: "@ROOT@/master.key"}`, `master_key: "@ROOT@/master.key", anchor: [{file: "@ROOT@/anchor"}]}`)
	file, old := filepath.Join(f.Root, "anchor"), public(t, filepath.Join(f.Root, "audit.key.pub"))
	f.Ask(t, fleet.Ask{Prompt: "out=2"})
	first := anchored(t, f, file, old)

	db, names := connect(t, f.Database), map[string]int{}
	for n := range replicas {
		name(t, f, n, names)
	}
	slot, term := leader(t, db, names)
	f.At(slot).Kill()
	<-f.At(slot).Exited()
	next, _ := succeeded(t, db, names, term, "killed")
	placed(t, f, next)
	f.Start(t, slot)
	f.Ask(t, fleet.Ask{Prompt: "out=2"})
	anchored(t, f, file, old)
	earlier(t, f, first, "audit.key.pub")

	for n := range replicas {
		f.At(n).Stop()
	}
	key, secret, err := audit.GenerateKey(settings.DefaultAuditOrigin, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.Root, "next.key"), []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.Rewrite(t, `{key: "`+f.Root+`/audit.key"`, `{key: "`+f.Root+`/next.key", previous_keys: ["`+f.Root+`/audit.key"]`)
	for n := range replicas {
		f.Start(t, n)
	}
	for range replicas {
		f.Ask(t, fleet.Ask{Prompt: "out=2"})
	}
	both := anchored(t, f, file, key.Verifier())
	if !audit.SignedBy(both, old) {
		t.Error("the old key does not sign any more while it is configured")
	}
	if n := count(f.Records(t), signalbox.ActionSigningKeyRotated); n != 1 {
		t.Errorf("%d changes of the key are on record, want 1", n)
	}
	earlier(t, f, first, "audit.key.pub")
}

func public(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// earlier verifies the log against a checkpoint that somebody kept.
func earlier(t *testing.T, f *fleet.Fleet, checkpoint []byte, key string) {
	t.Helper()
	kept := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(kept, checkpoint, 0o600); err != nil {
		t.Fatal(err)
	}
	r := harness.Run(t, f.Root, nil, "audit", "verify", "--database", f.Database, "--key", filepath.Join(f.Root, key), "--checkpoint", kept)
	if r.Code != 0 {
		t.Errorf("audit verify ends with %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
}
