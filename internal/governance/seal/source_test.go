package seal_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/seal"
)

func noEnv(string) (string, bool) { return "", false }

func TestSources(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "master.key")
	made, err := seal.CreateFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	env := func(name string) (string, bool) { return string(text), name == "MASTER" }
	for name, s := range map[string]seal.Source{
		"file": {File: file}, "env": {Env: "MASTER"}, "command": {Command: []string{"cat", file}},
	} {
		m, err := s.Load(t.Context(), env)
		if err != nil || m.ID() != made.ID() {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	if _, err := seal.CreateFile(file); signalbox.CodeOf(err) != signalbox.CodeInvalid {
		t.Errorf("made over another: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".master*")); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func TestBadSources(t *testing.T) {
	dir, secret := t.TempDir(), base64.StdEncoding.EncodeToString([]byte(strings.Repeat("canary", 6)))
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := seal.MasterPrefix + base64.StdEncoding.EncodeToString(make([]byte, seal.KeySize))
	for name, c := range map[string]struct {
		source seal.Source
		want   string
	}{
		"no file":             {seal.Source{File: filepath.Join(dir, "none")}, "can not be read"},
		"a directory":         {seal.Source{File: dir}, "mode"},
		"world-readable":      {seal.Source{File: write("a", good, 0o604)}, "mode 0604"},
		"of a group":          {seal.Source{File: write("b", good, 0o640)}, "mode 0640"},
		"no prefix":           {seal.Source{File: write("c", secret, 0o600)}, "does not begin with " + seal.MasterPrefix},
		"wrong length":        {seal.Source{File: write("d", seal.MasterPrefix+secret, 0o600)}, "has 36 bytes, not 32"},
		"not base64":          {seal.Source{File: write("e", seal.MasterPrefix+"canary!", 0o600)}, "not base64"},
		"empty":               {seal.Source{File: write("f", "", 0o600)}, "does not begin"},
		"no variable":         {seal.Source{Env: "MASTER"}, "environment variable MASTER"},
		"no command":          {seal.Source{Command: []string{filepath.Join(dir, "none")}}, "failed"},
		"command that fails":  {seal.Source{Command: []string{"sh", "-c", "echo " + secret + " >&2; exit 3"}}, "failed"},
		"command without key": {seal.Source{Command: []string{"echo", secret}}, "does not begin"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.source.Load(t.Context(), noEnv)
			got := signalbox.AsError(err)
			if err == nil || got.Code != signalbox.CodeInvalid || got.Field != "audit.master_key" || got.Remedy == "" || !strings.Contains(got.Message, c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if shown := fmt.Sprintf("%v %+v %#v", err, err, got.Remedy); strings.Contains(shown, secret) || strings.Contains(shown, "canary") {
				t.Fatalf("it shows the key: %s", shown)
			}
		})
	}
}

// A master key prints as its id, however it is printed.
func TestMasterPrintsNothing(t *testing.T) {
	m, text, err := seal.GenerateMaster(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, m); got != "master key "+m.ID() {
			t.Errorf("%s prints %q", verb, got)
		}
	}
	again, err := seal.ParseMaster("\n"+text+"\r\n", "a test")
	if err != nil || again.ID() != m.ID() || len(m.ID()) != 16 {
		t.Errorf("%v, %v", again, err)
	}
}
