package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// helperMode tells this test binary to be another process instead, and what that process does.
const helperMode = "SIGNALBOX_STORE_TEST_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helperMode) {
	case "":
		os.Exit(m.Run())
	case "append":
		helperAppend(os.Args[1], 16)
	case "ledger":
		helperLedger(os.Args[1])
	case "limit":
		helperLimit(os.Args[1])
	case "unsynced":
		helperUnsynced(os.Args[1])
	}
}

// helper starts this binary as another process on a database.
func helper(t *testing.T, mode, file string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0], file)
	cmd.Env = append(os.Environ(), helperMode+"="+mode)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, bufio.NewScanner(out)
}

// helperAppend appends from several goroutines until it is killed, and prints the index of each durable record.
func helperAppend(file string, goroutines int) {
	_, w := helperOpen(file)
	var output sync.Mutex
	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			for {
				index, err := w.Append(context.Background(), someRecord())
				if err != nil {
					panic(err)
				}
				output.Lock()
				fmt.Println(index)
				output.Unlock()
			}
		})
	}
	group.Wait()
}

const helperAccount = "tenant acme - - steps run -"

// helperLedger draws and settles one at a time until it is killed.
func helperLedger(file string) {
	db, w := helperOpen(file)
	entries := []signalbox.LedgerEntry{{Account: helperAccount, Settled: 1}}
	for {
		_, err := db.Draw(context.Background(), signalbox.LocalReplica, []signalbox.Draw{{Account: helperAccount, Cap: 1 << 40, Most: 1}})
		if err != nil {
			panic(err)
		}
		index, err := w.Append(context.Background(), someRecord(), signalbox.Post{Replica: signalbox.LocalReplica, Entries: entries})
		if err != nil {
			panic(err)
		}
		fmt.Println(index)
	}
}

// helperLimit lets the file system refuse to let files grow, which SQLite sees as an I/O error of a write, and prints
// what the writer makes of it, and of the end of the limit.
func helperLimit(file string) {
	signal.Ignore(syscall.SIGXFSZ)
	_, w := helperOpen(file)
	if _, err := w.Append(context.Background(), someRecord()); err != nil {
		panic(err)
	}
	limit := func(to uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: to, Max: 1 << 40}); err != nil {
			panic(err)
		}
	}
	limit(256 << 10)
	var err error
	for err == nil {
		_, err = w.Append(context.Background(), someRecord())
	}
	fmt.Println(signalbox.CodeOf(err), errors.Is(err, store.ErrUncertain), strings.Contains(err.Error(), "takes no writes"))
	limit(1 << 40)
	_, err = w.Append(context.Background(), someRecord())
	fmt.Println(err, len(w.Fatal()))
}

func helperOpen(file string) (*sqlite.DB, *store.Writer) {
	db, err := sqlite.Open(context.Background(), file, sqlite.Options{Now: time.Now})
	if err != nil {
		panic(err)
	}
	size, err := db.Size(context.Background())
	if err != nil {
		panic(err)
	}
	return db, store.NewWriter(db, &plain{next: size}, store.Options{})
}

func someRecord() signalbox.Record {
	return signalbox.Record{
		Type: signalbox.RecordOutcome, Call: signalbox.NewID(signalbox.CallPrefix, time.Now()), Time: time.Now(),
		Who: signalbox.Who{TenantID: "acme"},
	}
}

func lines(t *testing.T, s *bufio.Scanner, n int) []string {
	t.Helper()
	var all []string
	for len(all) < n && s.Scan() {
		all = append(all, s.Text())
	}
	if len(all) < n {
		t.Fatalf("the other process wrote %q and ended: %v", all, errors.Join(s.Err(), io.ErrUnexpectedEOF))
	}
	return all
}
