package server

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/governance/retention"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// The status says what the log itself says of how it was kept, after a restart too.
func TestAuditStatusIsTrue(t *testing.T) {
	dir := t.TempDir()
	text := strings.Replace(shortRetention, "min_retention_days: 1}", "min_retention_days: 1, archive: "+filepath.Join(dir, "archives")+"}", 1)
	i := started(t, dir, text)
	if s := i.auditStatus(); len(s.Archives) != 0 || s.Archives == nil || s.SubjectKeys == nil || s.SubjectKeys.Destroyed != 0 {
		t.Errorf("at first: %+v", s)
	}
	asks(i, agentKey)
	asks(i, "the-agent-key-of-globex")
	i.eventually(func() error {
		if s := i.auditStatus(); s.Tree.CheckpointSize == nil || *s.Tree.CheckpointSize != s.Tree.Size {
			return fmt.Errorf("it is signed to %v of %d", s.Tree.CheckpointSize, s.Tree.Size)
		}
		return nil
	})
	for _, name := range []string{"first", "second"} {
		if answer, body := i.send(http.MethodPost, "/api/v1/audit/archives", adminKey, `{"name":"`+name+`","until":1000000}`); answer.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", answer.StatusCode, body)
		}
	}
	(&keeper{Server: i.Server, from: map[string]int64{}}).keepAt(t.Context(), time.Now().Add(4*retention.Day))
	_, destroyed := contents(t, i.Server, "acme")
	i.checkStatus(int64(destroyed))
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	again := started(t, dir, text)
	again.checkStatus(int64(destroyed))
	again.checkStatus(int64(destroyed)) // Nothing is counted twice.
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
}

// checkStatus waits until the projections have the two archives and what was destroyed.
func (i *instance) checkStatus(destroyed int64) {
	i.t.Helper()
	var s api.AuditStatus
	i.eventually(func() error {
		if s = i.auditStatus(); len(s.Archives) != 2 || len(s.Retention) != 2 || s.Retention[0].Destroyed != destroyed {
			return fmt.Errorf("got %+v, want 2 archives and %d destroyed", s, destroyed)
		}
		return nil
	})
	want := api.AuditRetention{TenantID: "acme", MinDays: 1, ContentDays: 3, Destroyed: destroyed}
	if destroyed == 0 || s.Retention[0] != want || s.Retention[1] != (api.AuditRetention{TenantID: "globex", MinDays: 1}) {
		i.t.Errorf("the retention is %+v", s.Retention)
	}
	a := s.Archives[0]
	if filepath.Base(a.File) != "second" || a.First != 0 || a.Last < 3 || len(a.SHA256) != 64 || a.Time.IsZero() || filepath.Base(s.Archives[1].File) != "first" {
		i.t.Errorf("the archives are %+v", s.Archives)
	}
	open, gone, err := i.data.db.CountSubjectKeys(i.t.Context())
	if err != nil || s.SubjectKeys == nil || s.SubjectKeys.Open > open || gone != 0 {
		i.t.Errorf("the keys are %+v, there are %d and %d (%v)", s.SubjectKeys, open, gone, err)
	}
}

// eventually waits until something is so.
func (i *instance) eventually(is func() error) {
	i.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := is()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			i.t.Fatal(err)
		}
	}
}
