package bypass

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// TestNothingGoesBy sends the catalogue to the real binary: in each world one attempt after the other, so that what is seen
// belongs to one of them.
func TestNothingGoesBy(t *testing.T) {
	t.Parallel()
	files := catalogue(t)
	count, total := map[string]int{}, 0
	for _, f := range files {
		count[f.Family] += len(f.Vectors)
		total += len(f.Vectors)
	}
	for _, family := range slices.Sorted(maps.Keys(count)) {
		t.Logf("%-12s %3d", family, count[family])
	}
	if t.Logf("%-12s %3d", "together", total); total < 250 {
		t.Errorf("the catalogue has %d vectors, 250 are promised", total)
	}
	for _, kind := range []string{"strict", "hasty", "told"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kind)
			for _, f := range files {
				if firstOf(f.World, "strict") == kind {
					w.tryAll(t, f)
				}
			}
			w.Complete(t)
		})
	}
}

// tryAll makes the attempts of a file.
func (w *world) tryAll(t *testing.T, f *File) {
	for _, v := range f.Vectors {
		name := strings.TrimSuffix(strings.TrimPrefix(f.path, "testdata/"), ".yml") + "/" + v.Name
		t.Run(name, func(t *testing.T) { w.try(t, f, v) })
	}
}

// try makes one attempt.
func (w *world) try(t *testing.T, f *File, v Vector) {
	w.settle(t)
	w.forget()
	defer w.hangUp()
	for n, s := range f.steps(v) {
		w.step(t, fmt.Sprintf("step %d", n+1), s)
		if t.Failed() {
			t.Logf("%s (%s)", strings.TrimSpace(f.Tries), f.Source)
			return
		}
	}
	if late := w.witness.take(); len(late) > 0 {
		t.Errorf("BYPASS: %q ran after all", late)
	}
}

// forget forgets what the steps of the vector before have kept, and numbers the next one: what it asks for, nobody has
// asked for before.
func (w *world) forget() {
	w.tried++
	w.kept = map[string]string{"key revoked": w.kept["key revoked"], "n": strconv.Itoa(w.tried)}
}

// settle forgets what was before.
func (w *world) settle(t *testing.T) {
	t.Helper()
	w.outcomes(t)
	w.witness.take()
}

// hangUp leaves the calls that nobody reads.
func (w *world) hangUp() {
	for name, x := range w.open {
		x.conn.Close()
		delete(w.open, name)
	}
}

func (w *world) expand(t *testing.T) func(string) string {
	return expander(w.kept, func(approval, channel string) (link string) {
		harness.Eventually(t, func() error {
			if link = w.witness.link(approval, channel); link == "" {
				return errors.New("the channel was sent no link")
			}
			return nil
		})
		return link
	})
}

// step does one step and compares what came of it.
func (w *world) step(t *testing.T, name string, s Step) {
	t.Helper()
	switch {
	case s.Until != "":
		w.until(t, s.Until)
		return
	case s.Answer != "":
		x := w.open[s.Answer]
		delete(w.open, s.Answer)
		w.judge(t, name, s, x)
		return
	}
	x, err := knock(w.address, s.request(w.expand(t)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if s.Ask != "" {
		w.open[s.Ask] = x
		w.kept[s.Ask] = w.pending(t, name, s)
		return
	}
	w.judge(t, name, s, x)
}

// judge reads an answer and compares.
func (w *world) judge(t *testing.T, name string, s Step, x *exchange) {
	t.Helper()
	if err := x.read(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if s.Keep != "" {
		w.kept[s.Keep] = firstOf(x.header.Get("X-Signalbox-Approval"), member(x.all, "id"))
	}
	w.find(s, x)
	if s.Want.Hides != "" && strings.Contains(x.all, s.Want.Hides) {
		t.Errorf("BYPASS: %s: the answer has %q:\n%s", name, s.Want.Hides, x.all)
	}
	if s.Cookie != "" {
		for _, c := range (&http.Response{Header: x.header}).Cookies() {
			w.kept[s.Cookie] = c.Name + "=" + c.Value
		}
	}
	if want := s.Want; want.Status != 0 && x.status != want.Status || want.Code != "" && x.code() != want.Code || !strings.Contains(x.all, want.Says) {
		t.Errorf("%s: got %d %q, want %d %q with %q:\n%s", name, x.status, x.code(), want.Status, want.Code, want.Says, x.all)
	}
	if s.Answer != "" || len(w.open) == 0 { // Else what a waiting call does is told by its answer.
		w.compare(t, name, s)
	}
}

// find keeps what a step finds in its answer.
func (w *world) find(s Step, x *exchange) {
	for name, what := range s.Find {
		w.kept[name] = firstOf(x.header.Get(what), member(x.all, what))
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// compare compares what ran, and what the log says, with what the step says.
func (w *world) compare(t *testing.T, name string, s Step) {
	t.Helper()
	want := s.recorded()
	var got []api.Record
	for deadline := time.Now().Add(harness.Patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if got = append(got, w.outcomes(t)...); len(got) >= len(want) {
			break
		}
	}
	ran, may := w.witness.take(), s.ran(w.expand(t))
	if !slices.Equal(ran, may) {
		t.Errorf("%s: BYPASS or failure: %q ran, want %q", name, ran, may)
	}
	var outcomes []string
	for _, r := range got {
		outcomes = append(outcomes, string(*r.Outcome))
		if s.Want.Code != "" && *r.Outcome != signalbox.OutcomeOK && (r.Error == nil || string(r.Error.Code) != s.Want.Code) {
			t.Errorf("%s: the record says %+v, want code %s", name, r.Error, s.Want.Code)
		}
		if s.Want.Agent != "" && r.Who.AgentID != s.Want.Agent || s.Want.Tenant != "" && r.Who.TenantID != s.Want.Tenant {
			t.Errorf("%s: the record is of %+v", name, r.Who)
		}
	}
	if !slices.Equal(outcomes, want) {
		t.Errorf("%s: the log has the outcomes %q, want %q", name, outcomes, want)
	}
	if acts := slices.DeleteFunc(ran, aboutTask); !s.Want.Open {
		w.told(t, name, acts, got)
	}
}

// aboutTask reports whether what arrived is about a task: no act of its own, and without an outcome.
func aboutTask(what string) bool { return strings.Contains(what, ".tasks/") }

// recorded gives the outcomes that a step leaves in the log.
func (s Step) recorded() (list []string) {
	switch {
	case s.Want.Record == "none":
		return nil
	case s.Want.Record != "":
		return strings.Fields(s.Want.Record)
	case len(s.Want.Ran) > 0:
		for range s.Want.Ran {
			list = append(list, string(signalbox.OutcomeOK))
		}
		return list
	case s.Want.Code == "unauthenticated" || s.Want.Code == "" || strings.HasPrefix(s.Path, "/api/") || strings.HasPrefix(s.Path, "/decide/"):
		return nil
	}
	return []string{string(signalbox.OutcomeDenied)}
}

// waiting are the agents of which nothing in the catalogue may run without an approval.
var waiting = []string{"cautious", "timid", "careful", "writer"}

// told compares what ran with the outcomes that say so: the same names in the same order, with the stations passed.
func (w *world) told(t *testing.T, name string, ran []string, records []api.Record) {
	t.Helper()
	var names []string
	for _, r := range records {
		if *r.Outcome == signalbox.OutcomeDenied {
			continue
		}
		names = append(names, firstOf(r.What.ToolName, "model"))
		if r.Stations == nil || r.Stations.Policy != signalbox.StatusPassed || r.Context.PolicyVersion == "" || r.Context.PolicyRule == "" {
			t.Errorf("%s: the record of what ran does not say what permitted it: %+v, %+v", name, r.Stations, r.Context)
		}
		if waits := r.Context.ApprovalID != "" || slices.Contains(waiting, r.Who.AgentID); waits && (r.Context.ApprovalID == "" || r.Context.ApprovedBy == "") {
			t.Errorf("%s: the record says %+v, and not who approved what", name, r.Context)
		}
	}
	for i, what := range ran {
		tool, _, _ := strings.Cut(what, " ")
		if i >= len(names) || names[i] != tool {
			t.Errorf("%s: %q ran, and the log says %q", name, ran, names)
			return
		}
	}
}

// outcomes gives the outcomes since it was asked last, oldest first, and checks that each thing that ran has an intent.
func (w *world) outcomes(t *testing.T) (list []api.Record) {
	t.Helper()
	newest, query := w.seen, url.Values{"limit": {"100"}}
	intents := map[string]bool{}
	for {
		var page api.Page[api.Record]
		w.Get(t, "/audit", query, &page)
		for _, r := range page.Items {
			if r.Index <= w.seen {
				page.Next = nil
				break
			}
			newest = max(newest, r.Index)
			if r.Type == signalbox.RecordOutcome {
				list = append(list, r)
			}
			if r.Type == signalbox.RecordIntent {
				intents[*r.CallID] = true
			}
		}
		if page.Next == nil {
			break
		}
		query.Set("cursor", *page.Next)
	}
	w.seen = newest
	slices.Reverse(list)
	for _, r := range list {
		if *r.Outcome == signalbox.OutcomeOK && !intents[*r.CallID] && !w.intents[*r.CallID] {
			t.Errorf("the call %s ran without an intent on record", *r.CallID)
		}
	}
	maps.Copy(w.intents, intents)
	return list
}

// pending waits until a call waits for an approval, and gives its id. Nothing may have run, and the log must say so.
func (w *world) pending(t *testing.T, name string, s Step) (id string) {
	t.Helper()
	harness.Eventually(t, func() error {
		var page api.Page[api.Approval]
		if err := w.TryGet("/approvals", url.Values{"state": {"pending"}}, &page); err != nil {
			return err
		}
		for _, a := range page.Items {
			if a.Kind == signalbox.KindTool && !w.asked[a.ID] {
				id = a.ID
				w.asked[id] = true
				return nil
			}
		}
		return errors.New("no new approval is pending")
	})
	s.Want.Record, s.Want.Code = "denied", "approval_required"
	w.compare(t, name, s)
	return id
}

// until waits for an approval: for a state, or until it can not be used any more.
func (w *world) until(t *testing.T, what string) {
	t.Helper()
	name, state, _ := strings.Cut(what, " ")
	harness.Eventually(t, func() error {
		var a api.Approval
		if err := w.TryGet("/approvals/"+w.kept[name], nil, &a); err != nil {
			return err
		}
		if string(a.State) == state || state == "unusable" && a.UseBy != nil && time.Now().After(*a.UseBy) {
			return nil
		}
		return fmt.Errorf("the approval is %s", a.State)
	})
}

// TestFilesAreWhereTheyBelong finds files that nothing would read.
func TestFilesAreWhereTheyBelong(t *testing.T) {
	all, err := filepath.Glob(filepath.Join("testdata", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if filepath.Ext(path) != ".yml" {
			t.Errorf("%s is no vector", path)
		}
	}
}
