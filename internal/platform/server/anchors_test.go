package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/observability/alert"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

const anchorSecret = "the-secret-of-the-anchor"

// receiver takes checkpoints and verifies what signs them.
type receiver struct {
	mu  sync.Mutex
	got []CheckpointPayload
	ids map[string]bool
	err error
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var p CheckpointPayload
	err = errors.Join(err, alert.Verify(anchorSecret, req.Header, body, time.Now()), json.Unmarshal(body, &p))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = errors.Join(r.err, err)
	r.got = append(r.got, p)
	r.ids[req.Header.Get(alert.HeaderID)] = true
}

func (i *instance) auditStatus() api.AuditStatus {
	i.t.Helper()
	response, text := i.send(http.MethodGet, "/api/v1/audit/status", adminKey, "")
	var status api.AuditStatus
	if err := json.Unmarshal([]byte(text), &status); err != nil || response.StatusCode != http.StatusOK {
		i.t.Fatalf("%d %s: %v", response.StatusCode, text, err)
	}
	return status
}

// Checkpoints come to every place while the server runs, the last one before it stops; the status says how far each is, and
// one that fails holds up nothing.
func TestCheckpointsAreAnchored(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "checkpoints")
	hook := &receiver{ids: map[string]bool{}}
	server := httptest.NewServer(hook)
	defer server.Close()
	witness := httptest.NewServer(http.NotFoundHandler())
	defer witness.Close()
	text := fmt.Sprintf("audit:\n  anchor:\n    - {file: %s}\n    - {webhook: \"%s/?token=hidden\", secret: %s}\n    - {witness: \"%s/hidden\", key: \"%s\"}\n",
		file, server.URL, anchorSecret, witness.URL, "witness.example/w1+7279c3f2+BAtkVOMo45FRonAf6++WSM3ByPEKBiU3Y3mVNs6QCLXx")
	i := started(t, dir, text+someKeys+simulatedModel)
	i.served("small")
	var status api.AuditStatus
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		status = i.auditStatus()
		a := status.Anchors
		if len(a) == 3 && a[0].Size != nil && a[1].Size != nil && a[2].Error != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %+v", status)
		}
	}
	if status.Tree.Size == 0 || status.Tree.CheckpointSize == nil || status.Tree.Root == nil || len(status.Tree.Keys) != 1 || !status.Tree.Keys[0].Active {
		t.Errorf("the tree is %+v", status.Tree)
	}
	a := status.Anchors
	if a[0].Kind != "file" || a[0].Target != file || a[0].Error != nil || a[0].Time == nil || a[2].Size != nil || !strings.Contains(*a[2].Error, "answered 404") {
		t.Errorf("the anchors are %+v", a)
	}
	if strings.Contains(a[1].Target+a[2].Target+i.log.String(), "hidden") {
		t.Errorf("the targets %q, %q or the log show what may be a credential", a[1].Target, a[2].Target)
	}
	if response, _ := i.send(http.MethodGet, "/api/v1/audit/status", agentKey, ""); response.StatusCode != http.StatusForbidden {
		t.Errorf("an agent is answered %d", response.StatusCode)
	}
	public := i.data.key.Verifier()
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	checkpoint, size := kept(t, dir)
	last, err := audit.ReadCheckpoint(file)
	if c, bad := audit.OpenCheckpoint(last, public); err != nil || bad != nil || c.Size != size || string(last) != string(checkpoint) {
		t.Errorf("the last one in the file is of size %d of %d (%v, %v)", c.Size, size, err, bad)
	}
	hook.mu.Lock()
	defer hook.mu.Unlock()
	if n := len(hook.got); hook.err != nil || n == 0 || len(hook.ids) != n || hook.got[n-1].Size != size || hook.got[n-1].Checkpoint != string(checkpoint) || hook.got[n-1].Type != CheckpointPayloadType {
		t.Errorf("the webhook got %+v, %v", hook.got, hook.err)
	}
}

// An older copy of the database does not start beside an anchor file that knows better.
func TestRollbackIsNoticedAtTheStart(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "checkpoints")
	text := "audit: {anchor: [{file: " + file + "}]}\n" + someKeys + simulatedModel
	run := func() {
		i := started(t, dir, text)
		i.served("small")
		if err := i.stop(); err != nil {
			t.Fatal(err)
		}
	}
	run()
	db := filepath.Join(dir, "s.db")
	old, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	run()
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(db, old, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, side := range []string{"-wal", "-shm"} {
		if err := os.Remove(db + side); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	_, _, err = made(dir, configured(t, dir, text))
	if e := signalbox.AsError(err); e.Code != signalbox.CodeConflict || e.Field != "audit.anchor" || !strings.Contains(e.Message, "an older copy was restored") {
		t.Fatalf("it gives %v", err)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("the anchor file was changed: %v", err)
	}
	if err := os.Rename(file, file+".old"); err != nil {
		t.Fatal(err)
	}
	run() // On purpose.
}
