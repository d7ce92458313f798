package postgres_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/postgres/postgrestest"
)

// helperLead makes this test binary a replica of its own that leads, with a URL and an id as arguments.
const helperLead = "signalbox-test-lead"

func lead(url, id string) {
	db, err := postgres.Open(context.Background(), url, postgres.Options{Now: time.Now, Replica: id})
	if err == nil {
		err = db.Join(context.Background())
	}
	if err != nil {
		panic(err)
	}
	db.Lead(context.Background(), options(db, func(leads bool, _ error) { fmt.Println(leads) }))
}

// options restore what is stored.
func options(db *postgres.DB, told func(bool, error)) postgres.LeadOptions {
	return postgres.LeadOptions{
		Sequencer: func(ctx context.Context) (store.Sequencer, error) { return restore(ctx, db) },
		Changed:   told,
	}
}

// leads lets a replica take part in the election until stop is called.
func leads(t *testing.T, db *postgres.DB) (stop func()) {
	t.Helper()
	stop, _ = elects(t, db)
	return stop
}

// elects is leads, and tells whether the replica leads now.
func elects(t *testing.T, db *postgres.DB) (stop func(), leading func() bool) {
	t.Helper()
	var now atomic.Bool
	stop = runs(t, func(ctx context.Context) {
		db.Lead(ctx, options(db, func(leads bool, reason error) {
			now.Store(leads)
			if reason != nil {
				t.Logf("leadership: %v", reason)
			}
		}))
	})
	return stop, now.Load
}

// runs runs fn until stop is called or the test ends.
func runs(t *testing.T, fn func(context.Context)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); fn(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func newWriter(t *testing.T, db *postgres.DB) *store.Writer {
	t.Helper()
	w := store.NewWriter(db, postgres.NewUnplaced(encode), store.Options{})
	t.Cleanup(func() {
		if err := w.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func record(call string, typ signalbox.RecordType) signalbox.Record {
	return signalbox.Record{Type: typ, Call: call, Time: time.Now(), Who: signalbox.Who{TenantID: "acme"}}
}

func appendCall(t *testing.T, w *store.Writer, call string, typ signalbox.RecordType, effects ...signalbox.Effect) {
	t.Helper()
	index, err := w.Append(t.Context(), record(call, typ), effects...)
	if err != nil || index != postgres.NoIndex {
		t.Fatalf("append: %d, %v", index, err)
	}
}

// checkOrder checks that every call has its records once and in order.
func checkOrder(t *testing.T, list []string, calls []string) {
	t.Helper()
	at := map[string]int{}
	for i, r := range list {
		if _, twice := at[r]; twice {
			t.Errorf("%s is there twice", r)
		}
		at[r] = i
	}
	for _, c := range calls {
		intent, ok := at["intent "+c]
		outcome, ended := at["outcome "+c]
		if !ok || !ended || outcome < intent {
			t.Errorf("%s: intent at %d (%v), outcome at %d (%v)", c, intent, ok, outcome, ended)
		}
	}
	if len(list) != 2*len(calls) {
		t.Errorf("%d records, want %d", len(list), 2*len(calls))
	}
}

// Three replicas commit at once while the leader places, and the leadership moves among them.
func TestSequencingUnderConcurrentCommits(t *testing.T) {
	url := postgrestest.Database(t)
	var dbs []*postgres.DB
	var writers []*store.Writer
	for range 3 {
		db := replica(t, url, postgres.Options{})
		leads(t, db)
		dbs, writers = append(dbs, db), append(writers, newWriter(t, db))
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	var calls []string
	for r, w := range writers {
		for g := range 8 {
			group.Go(func() {
				for i := range 40 {
					id := fmt.Sprintf("call_%d_%d_%d", r, g, i)
					appendCall(t, w, id, signalbox.RecordIntent)
					end := w
					if i%10 == 0 { // Now and then another replica records the outcome.
						end = writers[(r+1)%len(writers)]
					}
					appendCall(t, end, id, signalbox.RecordOutcome)
					mu.Lock()
					calls = append(calls, id)
					mu.Unlock()
				}
			})
		}
	}
	stop := make(chan struct{})
	killed := make(chan int)
	go func() { killed <- killLeaders(t, url, stop) }()
	group.Wait()
	close(stop)
	if n := <-killed; n == 0 {
		t.Error("no leader was killed while records came in")
	}
	eventually(t, "everything is placed", func() bool {
		n, err := dbs[0].Pending(t.Context())
		return n == 0 && err == nil
	})
	checkOrder(t, verified(t, dbs[0]), calls)
}

// killLeaders ends the leader's connection again and again.
func killLeaders(t *testing.T, url string, stop chan struct{}) (n int) {
	for {
		select {
		case <-stop:
			return n
		case <-time.After(200 * time.Millisecond):
			if err := admin(t, url, "SELECT pg_terminate_backend(pid) FROM signalbox.leader"); err == nil {
				n++
			}
		}
	}
}

// What commits late with a low id is placed all the same, even when the ids around it were placed long before.
func TestLateCommitsArePlaced(t *testing.T) {
	url := postgrestest.Database(t)
	db := replica(t, url, postgres.Options{})
	leads(t, db)
	w := newWriter(t, db)
	late := begin(t, url, "UPDATE signalbox.commits SET n = n", "INSERT INTO signalbox.audit_pending "+
		"(replica, time, type, tenant, call, content) VALUES ('other', 1, 'outcome', 'acme', 'late', '{}')")
	other := replica(t, url, postgres.Options{}) // The open transaction holds the first one's row.
	ow := newWriter(t, other)
	for i := range 5 {
		appendCall(t, ow, fmt.Sprint(i), signalbox.RecordOutcome)
		eventually(t, "it is placed", func() bool { n, _ := db.Size(t.Context()); return n == int64(i+1) })
	}
	late()
	eventually(t, "the late one is placed", func() bool { n, _ := db.Size(t.Context()); return n == 6 })
	for i := range 5 { // And so is what comes when nothing is open any more.
		appendCall(t, w, fmt.Sprint("after ", i), signalbox.RecordOutcome)
		eventually(t, "it is placed", func() bool { n, _ := db.Size(t.Context()); return n == int64(i+7) })
	}
	if got := verified(t, db); !slices.Contains(got, "outcome late") {
		t.Errorf("got %q", got)
	}
}

// Takeover from a leader of another process: killed, frozen, or cut off.
func TestTakeover(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, url string, p *os.Process){
		"killed":     func(t *testing.T, _ string, p *os.Process) { signal(t, p, syscall.SIGKILL) },
		"frozen":     func(t *testing.T, _ string, p *os.Process) { signal(t, p, syscall.SIGSTOP) },
		"connection": cutOff,
	} {
		t.Run(name, func(t *testing.T) {
			url := postgrestest.Database(t)
			db := replica(t, url, postgres.Options{Replica: "survivor"})
			p := startLeader(t, url, "victim")
			stop, leading := elects(t, db)
			w := newWriter(t, db)
			appendCall(t, w, "before", signalbox.RecordOutcome)
			eventually(t, "the victim places", func() bool { n, err := db.Pending(t.Context()); return n == 0 && err == nil })
			if leading() {
				t.Fatal("two lead")
			}
			begun := time.Now()
			end(t, url, p)
			appendCall(t, w, "after", signalbox.RecordOutcome)
			eventually(t, "the survivor leads", leading)
			t.Logf("taken over after %v", time.Since(begun))
			eventually(t, "the survivor places", func() bool { n, err := db.Pending(t.Context()); return n == 0 && err == nil })
			if got, want := verified(t, db), []string{"outcome before", "outcome after"}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			stop()
		})
	}
}

func signal(t *testing.T, p *os.Process, s os.Signal) {
	t.Helper()
	if err := p.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// cutOff ends the victim's connection, and freezes it so that it does not come back first.
func cutOff(t *testing.T, url string, p *os.Process) {
	t.Helper()
	signal(t, p, syscall.SIGSTOP)
	if err := admin(t, url, "SELECT pg_terminate_backend(pid) FROM signalbox.leader"); err != nil {
		t.Fatal(err)
	}
}

// startLeader starts another process and returns once it leads.
func startLeader(t *testing.T, url, id string) *os.Process {
	t.Helper()
	cmd := exec.Command(os.Args[0], helperLead, url, id)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if s := bufio.NewScanner(out); !s.Scan() || s.Text() != "true" {
		t.Fatalf("the other process said %q and not that it leads", s.Text())
	}
	return cmd.Process
}

// A leader that lost its connection can store nothing any more; its work ends, and only then may it lead again.
func TestADeposedLeaderCanDoNothing(t *testing.T) {
	url := postgrestest.Database(t)
	db := replica(t, url, postgres.Options{})
	var mu sync.Mutex
	var terms []int64
	results := make(chan error, 10)
	o := options(db, nil)
	o.Led = func(ctx context.Context, l *postgres.Leadership) {
		mu.Lock()
		terms = append(terms, l.Term())
		mu.Unlock()
		results <- l.PutCheckpoint(ctx, fmt.Appendf(nil, "note %d", l.Term()))
		<-ctx.Done()
		results <- l.PutCheckpoint(ctx, []byte("last"))
	}
	stop := runs(t, func(ctx context.Context) { db.Lead(ctx, o) })
	if err := <-results; err != nil {
		t.Fatal(err)
	}
	if err := admin(t, url, "SELECT pg_terminate_backend(pid) FROM signalbox.leader"); err != nil {
		t.Fatal(err)
	}
	if err := <-results; err == nil {
		t.Error("a deposed leader has stored a checkpoint")
	}
	if err := <-results; err != nil {
		t.Fatalf("the next leadership: %v", err)
	}
	stop() // By its own will: the last checkpoint is still possible.
	if err := <-results; err != nil {
		t.Errorf("the last checkpoint: %v", err)
	}
	if want := []int64{1, 2}; !slices.Equal(terms, want) {
		t.Errorf("terms %v, want %v", terms, want)
	}
	notes, err := db.Checkpoints(t.Context(), 10)
	if err != nil || len(notes) != 3 || string(notes[0]) != "last" {
		t.Errorf("checkpoints %q, %v", notes, err)
	}
}

// What was committed before a leader ends by itself is placed by it.
func TestALeaderThatEndsPlacesTheRest(t *testing.T) {
	url := postgrestest.Database(t)
	db := replica(t, url, postgres.Options{})
	stop, leading := elects(t, db)
	w := newWriter(t, db)
	eventually(t, "it leads", leading)
	for i := range 20 {
		appendCall(t, w, fmt.Sprint(i), signalbox.RecordOutcome)
	}
	stop()
	if n, err := db.Size(t.Context()); n != 20 || err != nil {
		t.Errorf("size %d, %v; want 20", n, err)
	}
}

// Work that ends by itself is begun again with the next leadership.
func TestWorkThatReturnsIsTriedAgain(t *testing.T) {
	db := replica(t, postgrestest.Database(t), postgres.Options{})
	terms := make(chan int64, 10)
	o := options(db, nil)
	o.Led = func(_ context.Context, l *postgres.Leadership) { terms <- l.Term() }
	stop := runs(t, func(ctx context.Context) { db.Lead(ctx, o) })
	for want := range int64(2) {
		if got := <-terms; got != want+1 {
			t.Errorf("term %d, want %d", got, want+1)
		}
	}
	stop()
}

// The database that can not be reached is told once, and leadership goes on when it can be again.
func TestLeadershipAfterAnOutage(t *testing.T) {
	p, through := newProxy(t, postgrestest.Database(t))
	db := replica(t, through, postgres.Options{})
	told := make(chan error, 100)
	stop := runs(t, func(ctx context.Context) { db.Lead(ctx, options(db, func(_ bool, reason error) { told <- reason })) })
	if err := <-told; err != nil {
		t.Fatal(err)
	}
	p.shut()
	for range 2 { // The connection was lost; another can not be made.
		if err := <-told; signalbox.CodeOf(err) != signalbox.CodeUnavailable {
			t.Errorf("told %v, want unavailable", err)
		}
	}
	time.Sleep(1500 * time.Millisecond) // Time enough to be told again.
	p.open()
	if err := <-told; err != nil {
		t.Errorf("told %v, want that it leads again", err)
	}
	stop()
}

// A tree that can not be restored is nobody's leadership.
func TestLeadershipNeedsTheTree(t *testing.T) {
	db := replica(t, postgrestest.Database(t), postgres.Options{})
	damaged, told := errors.New("damaged"), make(chan error, 10)
	stop := runs(t, func(ctx context.Context) {
		db.Lead(ctx, postgres.LeadOptions{
			Sequencer: func(context.Context) (store.Sequencer, error) { return nil, damaged },
			Led:       func(context.Context, *postgres.Leadership) { t.Error("it leads") },
			Changed:   func(_ bool, reason error) { told <- reason },
		})
	})
	for range 2 {
		if err := <-told; !errors.Is(err, damaged) {
			t.Errorf("told %v, want %v", err, damaged)
		}
	}
	stop()
}

func TestStall(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		holders []postgres.Holder // Seen a second apart.
		want    bool
	}{
		"fresh":        {[]postgres.Holder{holder(1, true, time.Second, false)}, false},
		"stale":        {[]postgres.Holder{holder(1, true, 4*time.Second, false)}, true},
		"stale, busy":  {[]postgres.Holder{holder(1, true, 4*time.Second, true)}, false},
		"busy for too": {[]postgres.Holder{holder(1, true, time.Minute, true)}, true},
		"not named yet": {
			[]postgres.Holder{holder(1, false, time.Hour, false), holder(1, false, time.Hour, false)}, false,
		},
		"never named": {slices.Repeat([]postgres.Holder{holder(1, false, time.Hour, false)}, 5), true},
		"another one": {
			append(slices.Repeat([]postgres.Holder{holder(1, false, time.Hour, false)}, 3), holder(2, false, time.Hour, false)), false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s postgres.Stall
			got := false
			for i, h := range c.holders {
				got = s.Over(now.Add(time.Duration(i)*time.Second), h)
			}
			if got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func holder(pid int32, named bool, age time.Duration, busy bool) postgres.Holder {
	return postgres.NewHolder(pid, named, age, busy)
}

// begin opens a transaction behind the store's back and gives its commit.
func begin(t *testing.T, url string, statements ...string) (commit func()) {
	t.Helper()
	c := session(t, url)
	for _, q := range append([]string{"begin"}, statements...) {
		if _, err := c.Exec(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", strings.Fields(q)[0], err)
		}
	}
	return func() {
		if _, err := c.Exec(t.Context(), "commit"); err != nil {
			t.Error(err)
		}
	}
}
