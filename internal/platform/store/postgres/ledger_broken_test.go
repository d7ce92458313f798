package postgres_test

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
)

// deaf stands between a replica and the server; while armed, it keeps the next answer to a COMMIT to itself and breaks
// the connection.
type deaf struct {
	armed atomic.Bool
	group sync.WaitGroup
}

// newDeaf gives a URL that leads through it.
func newDeaf(t *testing.T, text string) (*deaf, string) {
	t.Helper()
	d, l, server := &deaf{}, listener(t), ""
	through := changed(t, text, func(u *url.URL) { server, u.Host = u.Host, l.Addr().String() })
	d.group.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			d.group.Go(func() { d.serve(t, client, server) })
		}
	})
	t.Cleanup(func() { l.Close(); d.group.Wait() })
	return d, through
}

func (d *deaf) serve(t *testing.T, client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer server.Close()
	d.group.Go(func() { defer server.Close(); _, _ = io.Copy(server, client) })
	buf := make([]byte, 1<<20)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("COMMIT\x00")) && d.armed.CompareAndSwap(true, false) {
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A draw whose COMMIT is not answered is looked up, and not done a second time: what was given back once is not given
// back twice.
func TestDrawWhoseConnectionBreaks(t *testing.T) {
	direct := postgrestest.Database(t)
	proxy, through := newDeaf(t, direct)
	db := replica(t, through, postgres.Options{Replica: "a"})
	for i, c := range []struct{ most, want int64 }{{100, 100}, {-30, 70}, {20, 90}, {-90, 0}, {5, 5}} {
		drawn(t, db, "a", signalbox.Draw{Cap: signalbox.NoCap}) // With a connection that is whole.
		proxy.armed.Store(true)
		if got := drawn(t, db, "a", signalbox.Draw{Cap: 100, Most: c.most}); got.Granted != c.want {
			t.Fatalf("%d: got %+v, want %d granted", i, got, c.want)
		}
		if proxy.armed.Load() {
			t.Fatalf("%d: no connection was broken", i)
		}
	}
}

// A draw that the server gives up at its COMMIT has changed nothing, and says what there is.
func TestDrawThatIsNotCommitted(t *testing.T) {
	url := postgrestest.Database(t)
	db := replica(t, url, postgres.Options{Replica: "a"})
	drawn(t, db, "a", signalbox.Draw{Cap: 100, Most: 10})
	for _, q := range []string{
		"CREATE FUNCTION signalbox.die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " +
			"PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$",
		"CREATE CONSTRAINT TRIGGER die AFTER UPDATE ON signalbox.ledger_shares DEFERRABLE INITIALLY DEFERRED " +
			"FOR EACH ROW EXECUTE FUNCTION signalbox.die()",
	} {
		if err := admin(t, url, q); err != nil {
			t.Fatal(err)
		}
	}
	if got := drawn(t, db, "a", signalbox.Draw{Cap: 100, Most: 10}); got.Granted != 10 {
		t.Fatalf("got %+v, want what there was", got)
	}
}
