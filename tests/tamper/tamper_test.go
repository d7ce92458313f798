// Package tamper changes stored logs in every way that somebody with the database in his hands could, and asks two
// verifiers about it: the product's, and one that shares no code with it (tests/auditor). Both must notice, and name the
// record wherever one can be named.
package tamper

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	_ "modernc.org/sqlite" // Writes the files.

	"github.com/signalbox/signalbox/tests/harness"
)

// defaultTamperings is the short form; SIGNALBOX_TAMPERINGS sets another number for the long one.
const defaultTamperings = 1000

const config = `providers:
  sim: {kind: simulated, simulated: {latency: {p50: 1ms, p95: 2ms}, tokens_per_second: 100000, failure_rate: 0.1}}
models:
  sim: {provider: sim, price: {input: 1, output: 2}, fallbacks: [other]}
  other: {provider: sim, price: {input: 3, output: 4}}
`

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

func tamperings(t *testing.T) int {
	text := os.Getenv("SIGNALBOX_TAMPERINGS")
	if text == "" {
		return defaultTamperings
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SIGNALBOX_TAMPERINGS=%q is not a number of tamperings", text)
	}
	return n
}

// original is a log as the server left it, and what an outsider has kept of it.
type original struct {
	file, old string // The database now, and a copy of it from before its last calls.
	size, was int64  // Their sizes.
	key       string
	saved     []byte
}

func TestEveryTamperingIsFoundAndNamed(t *testing.T) {
	o := record(t)
	o.mustBe(t, o.file, nil, "as it was written")
	seed := rand.Uint64() // It is printed, so that a failure can be repeated.
	t.Run("tampering", func(t *testing.T) {
		for n := range tamperings(t) {
			way := ways[n%len(ways)]
			t.Run(fmt.Sprintf("%d %s", n, way.name), func(t *testing.T) {
				t.Parallel()
				o.tamper(t, way, rand.New(rand.NewPCG(seed, uint64(n))), fmt.Sprintf("%s (seed %d, number %d)", way.name, seed, n))
			})
		}
	})
	t.Logf("%d tamperings in %d ways", tamperings(t), len(ways))
}

// tamper changes a copy of the log in one way, which both verifiers must find and name.
func (o original) tamper(t *testing.T, w way, random *rand.Rand, what string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "s.db")
	c := open(t, o.file, file)
	c.size = o.size
	named := w.do(c, random)
	c.close(t)
	if w.name == "restore an old copy" {
		replace(t, o.old, file)
		named = []int64{o.was}
	}
	o.mustFind(t, file, named, what)
}

// record lets the real binary write a log of more than a tile.
func record(t *testing.T) original {
	dir := t.TempDir()
	calls := func(n int) {
		i := harness.Start(t, harness.Options{Config: config, Dir: dir})
		for range n {
			i.Send(t, http.MethodPost, "/v1/chat/completions", harness.Agent,
				`{"model":"sim","max_tokens":20,"messages":[{"role":"user","content":"hello"}]}`)
		}
		if code := i.Stop(); code != 0 {
			t.Fatalf("it ends with %d: %s", code, i.Stderr())
		}
	}
	o := original{file: filepath.Join(t.TempDir(), "now.db"), old: filepath.Join(t.TempDir(), "old.db")}
	stored := filepath.Join(dir, "signalbox.db")
	calls(20)
	replace(t, stored, o.old)
	calls(130)
	replace(t, stored, o.file)
	key, err := os.ReadFile(stored + ".audit-key.pub")
	if err != nil {
		t.Fatal(err)
	}
	o.key = string(key)
	o.size, o.was = size(t, o.file), size(t, o.old)
	if err := query(t, o.file, "SELECT note FROM audit_checkpoints ORDER BY n DESC LIMIT 1", &o.saved); err != nil {
		t.Fatal(err)
	}
	if o.size <= 256 || o.was >= o.size {
		t.Fatalf("the log has %d records, before %d", o.size, o.was)
	}
	return o
}
