package server

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/seal"
)

// A master key is made once beside the database; without it, or with another one, the server does not start, and makes
// none.
func TestMasterKey(t *testing.T) {
	dir := t.TempDir()
	s := started(t, dir, someKeys+simulatedModel)
	s.send(http.MethodPost, chatPath, agentKey, chat("small", false))
	s.stop()
	files, err := filepath.Glob(filepath.Join(dir, "*"+MasterKeySuffix))
	if err != nil || len(files) != 1 {
		t.Fatalf("the master key's files are %v (%v)", files, err)
	}
	file, other := files[0], filepath.Join(dir, "other.key")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.CreateFile(other); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, config string
		spoil        func() error
	}{
		{"another", "audit: {master_key: " + other + "}\n", nil},
		{"missing", "", func() error { return os.Remove(file) }},
		{"world-readable", "", func() error { return os.Chmod(file, 0o644) }},
		{"cut", "", func() error { return os.WriteFile(file, text[:30], 0o600) }},
		{"none there", "audit: {master_key: {env: NO_SUCH_VARIABLE}}\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.spoil != nil {
				if err := c.spoil(); err != nil {
					t.Fatal(err)
				}
			}
			_, _, err := made(dir, configured(t, dir, c.config+someKeys))
			if e := signalbox.AsError(err); err == nil || e.Code != signalbox.CodeInvalid || e.Field != "audit.master_key" || e.Remedy == "" {
				t.Errorf("got %v", err)
			} else if bytes.Contains([]byte(err.Error()), text[len(seal.MasterPrefix):40]) {
				t.Errorf("it shows the key: %v", err)
			}
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, 0o600); err != nil {
				t.Fatal(err)
			}
			started(t, dir, someKeys).stop()
		})
	}
}
