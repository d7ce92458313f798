package storetest

import (
	"reflect"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// run is an opened run with every field set.
func run(id string, state signalbox.RunState) signalbox.Run {
	r := signalbox.Run{
		ID: id, Tenant: "acme", Team: "cs", Key: "key_1", State: state, Opened: start, Idle: 90 * time.Minute,
		Plan: signalbox.RunPlan{
			Total: 1_000_000_001, Reserve: 15, Steps: 30,
			Agents: []signalbox.AgentBudget{
				{
					Agent: "writer", MaxInput: pointer(int64(0)), MaxOutput: pointer(int64(1 << 60)), MaxSteps: pointer(int64(3)),
					MaxCost: pointer(signalbox.Money(1)), Model: "m", Priority: signalbox.PriorityCritical,
				},
				{Agent: "\"한글\"", Priority: signalbox.PriorityOptional},
			},
		},
	}
	if state == signalbox.RunEnded || state == signalbox.RunExpired {
		r.Ended = start.Add(time.Hour)
	}
	return r
}

var openedTests = map[string]func(*testing.T, Store){
	"opened, found, replaced": func(t *testing.T, s Store) {
		first := run("run_1", signalbox.RunRunning)
		other := run("run_1", signalbox.RunRunning)
		other.Tenant, other.Team, other.Key, other.Idle, other.Plan.Agents = "globex", "", "", 0, []signalbox.AgentBudget{}
		commit(t, s, signalbox.PutRun{Run: first}, signalbox.PutRun{Run: other})
		s = s.Reopen()
		for _, want := range []signalbox.Run{first, other} {
			if got := must[signalbox.Run](t)(s.Ledger.Run(t.Context(), want.Tenant, want.ID)); !reflect.DeepEqual(got, want) {
				t.Fatalf("got  %+v\nwant %+v", got, want)
			}
		}
		ended := run("run_1", signalbox.RunEnded)
		commit(t, s, signalbox.PutRun{Run: ended})
		if got := must[signalbox.Run](t)(s.Ledger.Run(t.Context(), "acme", "run_1")); !reflect.DeepEqual(got, ended) {
			t.Fatalf("got  %+v\nwant %+v", got, ended)
		}
		for _, missing := range [][2]string{{"acme", "run_2"}, {"initech", "run_1"}, {"", ""}} {
			_, err := s.Ledger.Run(t.Context(), missing[0], missing[1])
			refuses(t, err, signalbox.CodeNotFound)
		}
	},
	"open runs are those that run or are halted": func(t *testing.T, s Store) {
		if got := must[[]signalbox.Run](t)(s.Ledger.OpenRuns(t.Context())); len(got) != 0 {
			t.Fatalf("got %+v", got)
		}
		late := run("run_0", signalbox.RunRunning)
		late.Opened = start.Add(time.Minute)
		commit(t, s, signalbox.PutRun{Run: late}, signalbox.PutRun{Run: run("run_1", signalbox.RunRunning)},
			signalbox.PutRun{Run: run("run_2", signalbox.RunHalted)}, signalbox.PutRun{Run: run("run_3", signalbox.RunEnded)},
			signalbox.PutRun{Run: run("run_4", signalbox.RunExpired)})
		want := []signalbox.Run{run("run_1", signalbox.RunRunning), run("run_2", signalbox.RunHalted), late}
		if got := must[[]signalbox.Run](t)(s.Ledger.OpenRuns(t.Context())); !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
	},
}
