package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
)

// proxy stands between a replica and the server and breaks connections when a COMMIT comes by.
type proxy struct {
	t        *testing.T
	listener net.Listener
	server   string
	mode     atomic.Value // Of the next COMMIT, a mode.
	closed   atomic.Bool  // Nobody gets through any more.
	commits  atomic.Int64
	broken   atomic.Int64
	clients  sync.Map // Of net.Conn.
	group    sync.WaitGroup
}

// shut ends all connections and lets nobody in until open.
func (p *proxy) shut() {
	p.closed.Store(true)
	p.clients.Range(func(client, _ any) bool {
		client.(net.Conn).Close()
		return true
	})
}

func (p *proxy) open() { p.closed.Store(false) }

type mode string

const (
	through mode = "through"
	before  mode = "before" // The connection breaks, and the COMMIT has not reached the server.
	after   mode = "after"  // The COMMIT reaches the server, and its answer nobody.
	lastOne mode = "last"   // As after, and from then on the server can not be reached.
)

// newProxy gives a URL that leads through a proxy.
func newProxy(t *testing.T, text string) (*proxy, string) {
	t.Helper()
	p := &proxy{t: t, listener: listener(t)}
	p.mode.Store(through)
	through := changed(t, text, func(u *url.URL) { p.server, u.Host = u.Host, p.listener.Addr().String() })
	p.group.Go(p.accept)
	t.Cleanup(func() { p.listener.Close(); p.group.Wait() })
	return p, through
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.closed.Load() {
			client.Close()
			continue
		}
		p.group.Go(func() { p.serve(client) })
	}
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	p.clients.Store(client, nil)
	defer p.clients.Delete(client)
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		p.t.Error(err)
		return
	}
	defer server.Close()
	p.group.Go(func() { defer client.Close(); _, _ = io.Copy(client, server) })
	buf := make([]byte, 1<<20)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.HasPrefix(buf[:n], []byte("Q\x00\x00\x00\x0bcommit\x00")) {
			p.commits.Add(1)
			if p.cut(client, server, buf[:n]) {
				return
			}
			continue
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// cut treats a COMMIT as the mode says; true ends the connection.
func (p *proxy) cut(client, server net.Conn, message []byte) bool {
	m, _ := p.mode.Swap(through).(mode)
	if m != through {
		p.broken.Add(1)
	}
	switch m {
	case through:
	case before:
		return true
	case after:
		client.Close() // First, so that no answer gets through.
	case lastOne:
		p.shut()
	}
	_, err := server.Write(message)
	return err != nil || m != through
}

func count(t *testing.T, url, call string) int {
	t.Helper()
	return scalar[int](t, url, "SELECT (SELECT count(*) FROM signalbox.audit_pending WHERE call = $1) + "+
		"(SELECT count(*) FROM signalbox.audit_records WHERE call = $1)", call)
}

// A COMMIT whose connection breaks is either found to be written or tried again: it is there once.
func TestBrokenCommitsAreLookedUp(t *testing.T) {
	direct := postgrestest.Database(t)
	p, url := newProxy(t, direct)
	w := newWriter(t, replica(t, url, postgres.Options{}))
	for i, m := range []mode{before, after, through, after, before} {
		p.mode.Store(m)
		call := fmt.Sprintf("call_%d_%s", i, m)
		appendCall(t, w, call, signalbox.RecordOutcome)
		if n := count(t, direct, call); n != 1 {
			t.Errorf("%s is there %d times", call, n)
		}
	}
	if n := p.broken.Load(); n != 4 {
		t.Errorf("%d commits were broken, want 4", n)
	}
}

// The same with many callers and connections that break at random.
func TestBrokenCommitsUnderLoad(t *testing.T) {
	direct := postgrestest.Database(t)
	p, url := newProxy(t, direct)
	w := newWriter(t, replica(t, url, postgres.Options{}))
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 30 {
				if i%6 == g%6 {
					p.mode.Store([]mode{before, after}[(i+g)%2])
				}
				appendCall(t, w, fmt.Sprintf("call_%d_%d", g, i), signalbox.RecordOutcome)
			}
		})
	}
	group.Wait()
	if p.broken.Load() < 5 {
		t.Errorf("only %d commits were broken", p.broken.Load())
	}
	got := scalar[int](t, direct, "SELECT count(*) FROM signalbox.audit_pending")
	calls := scalar[int](t, direct, "SELECT count(DISTINCT call) FROM signalbox.audit_pending")
	if got != 240 || calls != 240 {
		t.Errorf("%d records of %d calls, want 240", got, calls)
	}
}

// Where the server can not be asked any more, nobody knows: the writer ends.
func TestCommitThatCanNotBeLookedUp(t *testing.T) {
	p, url := newProxy(t, postgrestest.Database(t))
	db := joined(t, url, postgres.Options{Resolve: 300 * time.Millisecond})
	defer db.Close()
	w := newWriter(t, db)
	appendCall(t, w, "before", signalbox.RecordOutcome)
	p.mode.Store(lastOne)
	_, err := w.Append(t.Context(), record("lost", signalbox.RecordOutcome))
	if !errors.Is(err, store.ErrUncertain) || errors.Is(err, postgres.ErrFenced) {
		t.Fatalf("got %v, want uncertain", err)
	}
	if err := <-w.Fatal(); !errors.Is(err, store.ErrUncertain) {
		t.Errorf("fatal: %v", err)
	}
}

// A server that is gone fails the batch, and only for as long as it is gone.
func TestServerThatIsGone(t *testing.T) {
	direct := postgrestest.Database(t)
	p, url := newProxy(t, direct)
	db := joined(t, url, postgres.Options{})
	defer db.Close()
	w := newWriter(t, db)
	appendCall(t, w, "before", signalbox.RecordOutcome)
	p.shut()
	_, err := w.Append(t.Context(), record("gone", signalbox.RecordOutcome))
	if e := signalbox.AsError(err); e.Code != signalbox.CodeUnavailable || e.Remedy == "" || errors.Is(err, store.ErrUncertain) {
		t.Errorf("got %v (remedy %q), want unavailable", err, e.Remedy)
	}
	p.open()
	appendCall(t, w, "after", signalbox.RecordOutcome)
	if n := count(t, direct, "gone"); n != 0 {
		t.Error("what was refused is there")
	}
}

// Transactions that are rolled back for the sake of others are tried again, but not for ever.
func TestRollbacksForOthersAreTriedAgain(t *testing.T) {
	url := postgrestest.Database(t)
	w := newWriter(t, replica(t, url, postgres.Options{}))
	for name, c := range map[string]struct {
		failures int
		state    string
		want     int // Times that the record is there.
	}{
		"deadlock":          {2, "40P01", 1},
		"serialisation":     {3, "40001", 1},
		"every time":        {100, "40001", 0},
		"its own fault":     {1, "23514", 0},
		"no fault whatever": {0, "40001", 1},
	} {
		t.Run(name, func(t *testing.T) {
			failing(t, url, c.failures, c.state)
			_, err := w.Append(t.Context(), record(name, signalbox.RecordOutcome))
			if (err == nil) != (c.want == 1) {
				t.Errorf("error %v", err)
			}
			if n := count(t, url, name); n != c.want {
				t.Errorf("it is there %d times, want %d", n, c.want)
			}
		})
	}
}

// failing lets so many inserts of pending records fail with that state, from now on.
func failing(t *testing.T, url string, failures int, state string) {
	t.Helper()
	err := admin(t, url, fmt.Sprintf(`DROP SEQUENCE IF EXISTS tries; CREATE SEQUENCE tries;
		CREATE OR REPLACE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF nextval('public.tries') <= %d THEN RAISE EXCEPTION 'not now' USING ERRCODE = '%s'; END IF;
			RETURN NEW;
		END $$;
		CREATE OR REPLACE TRIGGER fails BEFORE INSERT ON signalbox.audit_pending FOR EACH ROW EXECUTE FUNCTION fails()`,
		failures, state))
	if err != nil {
		t.Fatal(err)
	}
}

// Nothing of a fenced replica is committed: what it was told is written is there, and nothing comes after.
func TestFencing(t *testing.T) {
	url := postgrestest.Database(t)
	leader := replica(t, url, postgres.Options{Lease: 2 * time.Second})
	leads(t, leader)
	silent := joined(t, url, postgres.Options{})
	defer silent.Close()
	w := newWriter(t, silent)
	silent.StopBeating()
	var told atomic.Int64
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := 0; ; i++ {
				if _, err := w.Append(context.Background(), record(fmt.Sprint(g, i), signalbox.RecordOutcome)); err != nil {
					if !errors.Is(err, postgres.ErrFenced) || signalbox.AsError(err).Remedy == "" {
						t.Errorf("got %v, want fenced", err)
					}
					return
				}
				told.Add(1)
			}
		})
	}
	const all = "SELECT (SELECT count(*) FROM signalbox.audit_pending) + (SELECT count(*) FROM signalbox.audit_records)"
	eventually(t, "the silent one is fenced", func() bool { return len(fenced(t, leader)) == 1 })
	atOnce := scalar[int64](t, url, all)
	group.Wait()
	if err := <-w.Fatal(); !errors.Is(err, postgres.ErrFenced) || !errors.Is(err, store.ErrUncertain) {
		t.Errorf("the writer ended with %v", err)
	}
	<-silent.Fenced()
	if end := scalar[int64](t, url, all); end != atOnce || told.Load() != atOnce || atOnce == 0 {
		t.Errorf("%d records when it was fenced, %d in the end, %d were acknowledged", atOnce, end, told.Load())
	}
	if got := fenced(t, leader); len(got) != 1 {
		t.Errorf("fenced %v", got)
	} else if err := leader.Forget(t.Context(), got[0]); err != nil || len(fenced(t, leader)) != 0 {
		t.Errorf("it is not forgotten: %v", err)
	}
}

// fenced lists the replicas that are fenced and did not leave.
func fenced(t *testing.T, db *postgres.DB) (ids []string) {
	t.Helper()
	list, err := db.Replicas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if !r.Fenced.IsZero() && r.Left.IsZero() {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

func TestMembership(t *testing.T) {
	url := postgrestest.Database(t)
	one := replica(t, url, postgres.Options{Replica: "one"})
	two := joined(t, url, postgres.Options{Replica: "two"})
	defer two.Close()
	again := opened(t, url, postgres.Options{Replica: "one"})
	defer again.Close()
	if err := again.Join(t.Context()); signalbox.CodeOf(err) != signalbox.CodeConflict {
		t.Errorf("a second one of that id: %v, want conflict", err)
	}
	if _, err := newWriter(t, again).Append(t.Context(), record("call", signalbox.RecordOutcome)); err == nil {
		t.Error("a process that has not joined has written")
	}
	if one.LastHeartbeat().IsZero() || time.Until(one.Now()).Abs() > time.Minute { // The server is on this machine.
		t.Errorf("heartbeat %v, offset %v", one.LastHeartbeat(), one.Offset())
	}
	if err := two.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := two.Commit(t.Context(), signalbox.Batch{}); !errors.Is(err, postgres.ErrFenced) {
		t.Errorf("a commit after leaving: %v, want fenced", err)
	}
	list, err := one.Replicas(t.Context())
	if err != nil || len(list) != 2 || !list[0].Fenced.IsZero() || list[1].Left.IsZero() || list[1].Fenced.IsZero() {
		t.Errorf("replicas %+v, %v", list, err)
	}
	for _, id := range []string{"one", "two"} { // Who lives is not forgotten.
		if err := one.Forget(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if list, err = one.Replicas(t.Context()); err != nil || len(list) != 1 || list[0].ID != "one" {
		t.Errorf("replicas %+v, %v", list, err)
	}
}

// The effects of a batch that fails are not there either, and text that the database does not take fails nobody.
func TestEffects(t *testing.T) {
	url := postgrestest.Database(t)
	db := replica(t, url, postgres.Options{})
	w := newWriter(t, db)
	key := signalbox.Key{ID: "key_1", Hash: [32]byte{1}, Tenant: "acme", Role: signalbox.RoleAgent, User: "a\x00b\xff", Created: time.Now()}
	appendCall(t, w, "call", signalbox.RecordAdmin, signalbox.PutKey{Key: key})
	got, err := db.KeyByHash(t.Context(), key.Hash)
	if err != nil || got.User != "a\uFFFDb\uFFFD" {
		t.Errorf("got %+v, %v", got, err)
	}
	same := key
	same.ID = "key_2" // The hash is another key's.
	if _, err := w.Append(t.Context(), record("again", signalbox.RecordAdmin), signalbox.PutKey{Key: same}); err == nil {
		t.Error("two keys have one secret")
	}
	if n := count(t, url, "again"); n != 0 {
		t.Error("a record is there without its effect")
	}
	keys, err := db.Keys(t.Context())
	if err != nil || !slices.EqualFunc(keys, []string{"key_1"}, func(k signalbox.Key, id string) bool { return k.ID == id }) {
		t.Errorf("keys %+v, %v", keys, err)
	}
}
