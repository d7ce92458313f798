package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox/internal/governance/seal"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// Base is the part of a configuration that most fleets share: the keys of [harness.Base], on any database.
const Base = `listen: 127.0.0.1:0
database: "@DATABASE@"
audit: {key: "@ROOT@/audit.key", master_key: "@ROOT@/master.key"}
keys:
  - {id: agent, secret: agent-key-of-acme-0001, tenant: acme, role: agent}
  - {id: auditor, secret: auditor-key-of-acme-001, tenant: acme, role: auditor}
  - {id: operator, secret: operator-key-of-acme-01, tenant: acme, role: operator}
  - {id: admin, secret: admin-key-of-acme-00001, tenant: acme, role: admin}
`

// Fleet is a number of processes over one database. It is safe for concurrent use, but for [Fleet.Rewrite].
type Fleet struct {
	Root     string // A folder of the test.
	File     string // The configuration of all of them.
	Database string // Its address.

	slots []atomic.Pointer[harness.Instance]
	turn  atomic.Int64
}

// Launch starts n processes. config is a whole configuration; @DATABASE@ and @ROOT@ in it are replaced.
func Launch(t testing.TB, config, database string, n int) *Fleet {
	t.Helper()
	f := &Fleet{Root: t.TempDir(), Database: database, slots: make([]atomic.Pointer[harness.Instance], n)}
	f.File = filepath.Join(f.Root, "signalbox.yml")
	text := strings.NewReplacer("@DATABASE@", database, "@ROOT@", f.Root).Replace(config)
	if err := os.WriteFile(f.File, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.CreateFile(f.MasterKey()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.stop(t) })
	for i := range n {
		f.Start(t, i)
	}
	return f
}

// MasterKey is the file with the master key of all processes.
func (f *Fleet) MasterKey() string { return filepath.Join(f.Root, "master.key") }

// stop ends all processes and shows their logs where the test has failed.
func (f *Fleet) stop(t testing.TB) {
	for i := range f.slots {
		x := f.At(i)
		if x == nil {
			continue
		}
		x.Stop()
		if t.Failed() {
			t.Logf("the log of process %d:\n%s", i, x.Stderr())
		}
	}
}

// Start starts the process of a slot, whose former one has ended.
func (f *Fleet) Start(t testing.TB, slot int) {
	t.Helper()
	if err := f.TryStart(slot); err != nil {
		t.Fatal(err)
	}
}

// TryStart is Start for goroutines other than the test's.
func (f *Fleet) TryStart(slot int) error {
	dir := filepath.Join(f.Root, fmt.Sprint(slot))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	x, err := harness.Launch(harness.Options{File: f.File, Dir: dir})
	if err != nil {
		return err
	}
	f.slots[slot].Store(x)
	return nil
}

// Size is the number of processes.
func (f *Fleet) Size() int { return len(f.slots) }

// At gives the process of a slot, which may have been killed.
func (f *Fleet) At(slot int) *harness.Instance { return f.slots[slot].Load() }

// Next gives one process after another.
func (f *Fleet) Next() *harness.Instance {
	return f.At(int(f.turn.Add(1) % int64(len(f.slots))))
}

// Send makes a request to the next process. key may be "", and header has pairs of a name and a value.
func (f *Fleet) Send(t testing.TB, method, path, key, body string, header ...string) harness.Answer {
	t.Helper()
	return f.Next().Send(t, method, path, key, body, header...)
}

// Rewrite replaces texts of the configuration file in one step; each of the old ones must be there.
func (f *Fleet) Rewrite(t testing.TB, oldNew ...string) {
	t.Helper()
	text, err := os.ReadFile(f.File)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n+1 < len(oldNew); n += 2 {
		if !strings.Contains(string(text), oldNew[n]) {
			t.Fatalf("the configuration has no %q", oldNew[n])
		}
	}
	next := f.File + ".next"
	if err := os.WriteFile(next, []byte(strings.NewReplacer(oldNew...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, f.File); err != nil {
		t.Fatal(err)
	}
}

// Settled waits until no call is open in the log, all is projected, and what was written has been signed.
func (f *Fleet) Settled(t testing.TB) {
	t.Helper()
	harness.Eventually(t, func() error {
		if err := f.placed(); err != nil {
			return err
		}
		var o api.Overview
		if err := f.Next().TryGet("/overview", url.Values{}, &o); err != nil {
			return err
		}
		if o.Running > 0 {
			return fmt.Errorf("%d calls are open", o.Running)
		}
		var h api.Health
		if err := f.Next().TryGet("/health", nil, &h); err != nil {
			return err
		}
		switch {
		case h.InFlight > 0:
			return fmt.Errorf("%d calls are under way", h.InFlight)
		case h.Projections.LagRecords > 0:
			return fmt.Errorf("%d records are not projected", h.Projections.LagRecords)
		case h.Log.CheckpointSize == nil || *h.Log.CheckpointSize < h.Log.Size:
			return errors.New("not all records are signed")
		}
		return nil
	})
}

// placed reports nil where no record waits for its place in the log: on PostgreSQL the leader gives it a moment after the
// record is durable, and nobody sees it before.
func (f *Fleet) placed() error {
	if !strings.HasPrefix(f.Database, "postgres") {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	c, err := pgx.Connect(ctx, f.Database)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	var n int
	if err := c.QueryRow(ctx, "SELECT count(*) FROM signalbox.audit_pending").Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("%d records have no place in the log yet", n)
	}
	return nil
}

// Verify checks the whole log as somebody does who trusts no server: from the database, with the public key alone.
func (f *Fleet) Verify(t testing.TB) {
	t.Helper()
	r := harness.Run(t, f.Root, nil, "audit", "verify", "--database", f.Database, "--key", filepath.Join(f.Root, "audit.key.pub"))
	if r.Code != 0 {
		t.Errorf("audit verify ends with %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
}
