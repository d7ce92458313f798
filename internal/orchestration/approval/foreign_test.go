package approval

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// TestForeignPresentations presents what was approved again, in other runs, by other tenants, agents and keys, with other
// arguments, and after its time: 10,000 times, and nothing of it is accepted.
func TestForeignPresentations(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	d := newDesk(nil)
	changes := []func(*call.Track){
		func(*call.Track) {}, // A replay: it was used.
		func(t *call.Track) { t.Gate.Run = fmt.Sprint("run_", 2+random.IntN(5)) },
		func(t *call.Track) { t.Gate.Run = "" },
		func(t *call.Track) { t.Gate.Caller.Tenant = "globex" },
		func(t *call.Track) { t.Gate.Caller.Agent = "reader" },
		func(t *call.Track) { t.Gate.Caller.Key = "key_b" },
		func(t *call.Track) { t.Gate.Caller.User = "lee" },
		func(t *call.Track) { t.Call.Tool.Name = "read" },
		func(t *call.Track) { t.Call.Tool.Arguments = []byte(`{"path":"/srv/a","n":9007199254740993}`) },
		func(t *call.Track) { t.Call.Tool.Arguments = []byte(`{"path":"/srv/a","n":1e400}`) },
		func(t *call.Track) { t.Resolve.Candidates[0].Schema[5]++ },
		func(t *call.Track) { t.Policy.Part[31]++ },
	}
	late := 0
	for round := range 10_000/(len(changes)+2) + 1 {
		id := d.ask(t, toolTrack(arg))
		d.vote(t, id, "lee", signalbox.VerdictApprove)
		for _, i := range random.Perm(len(changes) - 1) { // Before it is used.
			d.refuse(t, changes[i+1])
		}
		if round%2 == 0 { // It was never used, and its time is over.
			d.minute += 15 + random.IntN(30)
			late++
		} else if err := d.present(toolTrack(arg), nil); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			d.refuse(t, changes[0])
		}
		d.minute += 61
		if err := d.k.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.forget()
	}
	if d.refused < 10_000 || late == 0 {
		t.Errorf("%d presentations, %d late", d.refused, late)
	}
	t.Logf("%d presentations, 0 accepted", d.refused)
}
