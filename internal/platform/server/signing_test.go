package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// newKey writes a signing key to a file of that mode and gives it with its public key.
func newKey(t *testing.T, name, origin string, mode os.FileMode) (path, public string) {
	t.Helper()
	key, secret, err := audit.GenerateKey(origin, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(secret+"\n"), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path, key.Verifier()
}

// variable is an environment with one variable.
func variable(name, value string) func(string) (string, bool) {
	return func(asked string) (string, bool) {
		if asked == name {
			return value, true
		}
		return "", false
	}
}

// kept is the newest checkpoint of a stopped instance, and how many records its log has.
func kept(t *testing.T, dir string) (checkpoint []byte, size int64) {
	t.Helper()
	db, err := sqlite.OpenReadOnly(t.Context(), filepath.Join(dir, "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	checkpoint, err = db.LatestCheckpoint(t.Context())
	if err == nil {
		size, err = db.Size(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return checkpoint, size
}

// rotations starts an instance, makes a call, gives how often a change of keys is on record, and stops it.
func rotations(t *testing.T, dir, text string) int {
	t.Helper()
	i := started(t, dir, text+someKeys+simulatedModel)
	i.served("small")
	_, records := i.send(http.MethodGet, "/api/v1/audit?limit=500", adminKey, "")
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	return strings.Count(records, `"action":"`+signalbox.ActionSigningKeyRotated+`"`)
}

// A key follows another: for as long as the old one is configured both sign, the change is on record once, and in the end
// the new one is enough.
func TestSigningKeyIsRotated(t *testing.T) {
	dir := t.TempDir()
	first, oldPublic := newKey(t, "old", config.DefaultAuditOrigin, 0o600)
	second, newPublic := newKey(t, "new", config.DefaultAuditOrigin, 0o600)
	if n := rotations(t, dir, "audit: {key: "+first+"}\n"); n != 0 {
		t.Errorf("%d changes on record before there was one", n)
	}
	both := fmt.Sprintf("audit: {key: {file: %s}, previous_keys: [%s]}\n", second, first)
	for range 2 {
		if n := rotations(t, dir, both); n != 1 {
			t.Errorf("%d changes on record, want 1", n)
		}
		checkpoint, size := kept(t, dir)
		for _, public := range []string{oldPublic, newPublic} {
			if c, err := audit.OpenCheckpoint(checkpoint, public); err != nil || c.Size != size || c.Origin != config.DefaultAuditOrigin {
				t.Errorf("with %s: %+v of %d records, %v", public[:len(config.DefaultAuditOrigin)+9], c, size, err)
			}
		}
	}
	if n := rotations(t, dir, "audit: {key: "+second+"}\n"); n != 1 {
		t.Errorf("%d changes on record in the end, want 1", n)
	}
	checkpoint, _ := kept(t, dir)
	if audit.SignedBy(checkpoint, oldPublic) || !audit.SignedBy(checkpoint, newPublic) {
		t.Error("the old key still signs")
	}
	if _, _, err := made(dir, configured(t, dir, "audit: {key: "+first+"}\n"+someKeys)); signalbox.AsError(err).Field != "audit.key" {
		t.Errorf("the old key alone gives %v", err)
	}
}

// A key that is lost is replaced by one that is made anew, once its public key is named.
func TestLostSigningKey(t *testing.T) {
	dir := t.TempDir()
	rotations(t, dir, "")
	path := filepath.Join(dir, "s.db"+AuditKeySuffix)
	public := filepath.Join(t.TempDir(), "lost.pub")
	if err := os.Rename(path, filepath.Join(t.TempDir(), "gone")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".pub", public); err != nil {
		t.Fatal(err)
	}
	_, _, err := made(dir, configured(t, dir, someKeys))
	if e := signalbox.AsError(err); e.Field != "audit.key" || !strings.Contains(e.Remedy, "previous_keys") {
		t.Errorf("without its key it gives %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("a key was made all the same")
	}
	if n := rotations(t, dir, "audit: {previous_keys: ["+public+"]}\n"); n != 1 {
		t.Errorf("%d changes on record, want 1", n)
	}
}

func TestSigningKeysThatCanNotBe(t *testing.T) {
	dir := t.TempDir()
	good, _ := newKey(t, "key", config.DefaultAuditOrigin, 0o600)
	rotations(t, dir, "audit: {key: "+good+"}\n")
	checkpoint, size := kept(t, dir)
	open, _ := newKey(t, "open", config.DefaultAuditOrigin, 0o644)
	other, _ := newKey(t, "other", config.DefaultAuditOrigin, 0o600)
	foreign, _ := newKey(t, "foreign", "another/log", 0o600)
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("-----BEGIN PRIVATE KEY-----"), 0o600); err != nil {
		t.Fatal(err)
	}
	anchor := filepath.Join(t.TempDir(), "anchor")
	if err := os.WriteFile(anchor, []byte(strings.Replace(string(checkpoint), "\n", "x\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	env := variable("BAD_KEY", "nonsense")
	for name, test := range map[string]struct{ text, field, remedy string }{
		"readable by others":           {"key: " + open, "audit.key", "chmod 600"},
		"another format":               {"key: " + broken, "audit.key", "backup"},
		"another key of the log":       {"key: " + other, "audit.key", "previous_keys"},
		"a key that is not there":      {"key: /nowhere/key", "audit.key", "Restore the file"},
		"of another log":               {"key: " + foreign, "audit.origin", "audit.origin"},
		"of another log that it names": {"key: " + foreign + ", origin: another/log", "audit.key", "Use the key of this log"},
		"no variable":                  {"key: {env: NO_KEY}", "audit.key", "Set it"},
		"a bad variable":               {"key: {env: BAD_KEY}", "audit.key", "backup"},
		"previous readable by others":  {"key: " + good + ", previous_keys: [" + open + "]", "audit.previous_keys[0]", "chmod 600"},
		"previous not there":           {"key: " + good + ", previous_keys: [/nowhere]", "audit.previous_keys[0]", "path"},
		"previous of another log":      {"key: " + good + ", previous_keys: [" + foreign + "]", "audit.previous_keys", "keeps its origin"},
		"previous is the same":         {"key: " + good + ", previous_keys: [" + good + "]", "audit.previous_keys", "once"},
		"anchor file of another log":   {"key: " + good + ", anchor: [{file: " + anchor + "}]", "audit.anchor", "verify"},
		"a witness with a wrong key":   {"key: " + good + ", anchor: [{witness: \"https://h/\", key: w+00000000+BAtkVOMo45FRonAf6++WSM3ByPEKBiU3Y3mVNs6QCLXx}]", "audit.anchor[0].key", "Copy it whole"},
	} {
		t.Run(name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			c := configured(t, dir, "audit: {"+test.text+"}\n"+someKeys)
			s, err := New(context.Background(), c, Options{Version: "test", Logger: slog.New(slog.DiscardHandler), Now: time.Now, Env: env})
			if err == nil {
				s.stop(context.Background())
				t.Fatal("it started")
			}
			if e := signalbox.AsError(err); e.Field != test.field || !strings.Contains(e.Remedy, test.remedy) || e.Code == signalbox.CodeInternal {
				t.Errorf("got %s in %q: %s | %s", e.Code, e.Field, e.Message, e.Remedy)
			}
			goleak.VerifyNone(t, before)
			if c, n := kept(t, dir); string(c) != string(checkpoint) || n != size {
				t.Errorf("the log was changed: %d records, %d before", n, size)
			}
		})
	}
}

// The key can come out of the environment; nothing is written beside the database then.
func TestSigningKeyOfTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	path, public := newKey(t, "key", config.DefaultAuditOrigin, 0o600)
	secret, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	log := &journal{}
	s, err := New(context.Background(), configured(t, dir, "audit: {key: {env: AUDIT_KEY}}\n"+someKeys+simulatedModel), Options{
		Version: "test", Logger: slog.New(slog.NewTextHandler(log, nil)), Now: time.Now,
		Env: variable("AUDIT_KEY", string(secret)),
	})
	if err != nil {
		t.Fatal(err)
	}
	i := ran(t, s, log)
	i.served("small")
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	if checkpoint, _ := kept(t, dir); !audit.SignedBy(checkpoint, public) {
		t.Error("it is not signed by the key")
	}
	if _, err := os.Stat(filepath.Join(dir, "s.db"+AuditKeySuffix)); err == nil {
		t.Error("another key was made")
	}
	if strings.Contains(log.String(), strings.TrimSpace(string(secret))) {
		t.Error("the log shows the key")
	}
}
