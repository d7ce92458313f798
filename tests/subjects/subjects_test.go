// Package subjects erases people from the log of the real binary: their texts must be readable by those who may read them,
// in no file in clear, and after the erasure nowhere at all, while everything about the others stays and every proof
// holds.
package subjects

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
	"github.com/signalbox/signalbox/tests/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// The people of the tests: one is known by the user of its calls, the other by the subject they name.
const (
	anna       = "anna.k@people.example"
	ben        = "ben/7:people"
	annaCanary = "violet-heron-4431"
	benCanary  = "copper-otter-8872"
)

// callsEach is how many calls are made about each, so that their records lie in several blocks.
const callsEach = 70

// sender is where calls go.
type sender interface {
	Send(t testing.TB, method, path, key, body string, header ...string) harness.Answer
}

// about makes n calls about a person, several at a time.
func about(t *testing.T, s sender, n int, header, name, canary string) {
	t.Helper()
	var all sync.WaitGroup
	defer all.Wait()
	for worker := range 4 {
		all.Go(func() {
			for i := worker; i < n; i += 4 {
				body := fmt.Sprintf(`{"model":"sim","max_tokens":20,"messages":[{"role":"user","content":"%s number %d"}]}`, canary, i)
				if a := s.Send(t, http.MethodPost, "/v1/chat/completions", harness.Agent, body, header, name); a.Status != http.StatusOK {
					t.Errorf("a call ends with %d: %s", a.Status, a.Body)
				}
			}
		})
	}
}

func path(name, operation string) string {
	return "/api/v1/subjects/" + url.PathEscape(name) + "/" + operation + "?tenant=acme"
}

// erase erases somebody, which must work.
func erase(t *testing.T, s sender, name string) api.Erasure {
	t.Helper()
	var done api.Erasure
	a := s.Send(t, http.MethodPost, path(name, "erasure"), harness.Admin, `{"reason":"request 2026-17"}`)
	if a.Status != http.StatusOK {
		t.Fatalf("the erasure answers %d: %s", a.Status, a.Body)
	}
	decode(t, a.Body, &done)
	return done
}

// export gives all records about somebody, and the summary.
func export(t *testing.T, s sender, name string) ([]api.Record, api.SubjectSummary) {
	t.Helper()
	a := s.Send(t, http.MethodGet, path(name, "records"), harness.Admin, "")
	if a.Status != http.StatusOK || a.Broken != nil {
		t.Fatalf("the export answers %d, %v: %s", a.Status, a.Broken, a.Body)
	}
	var records []api.Record
	for _, line := range strings.Split(strings.TrimSpace(a.Body), "\n") {
		var l api.SubjectLine
		decode(t, line, &l)
		switch {
		case l.Record != nil:
			records = append(records, *l.Record)
		case l.Summary != nil:
			return records, *l.Summary
		default:
			t.Fatalf("a line of the export is %s", line)
		}
	}
	t.Fatalf("the export has no summary: %s", a.Body)
	return nil, api.SubjectSummary{}
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// files gives which files of the instance's directory hold the text, but for its configuration.
func files(t *testing.T, i *harness.Instance, text []byte) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(i.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == i.Config {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, text) {
			found = append(found, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func noFile(t *testing.T, i *harness.Instance, what string, text []byte) {
	t.Helper()
	if found := files(t, i, text); len(found) > 0 {
		t.Errorf("%s is in %v", what, found)
	}
}

// holding gives the records that say the text.
func holding(t *testing.T, i *harness.Instance, text string) (found []api.Record) {
	t.Helper()
	for _, r := range i.Log(t) {
		if strings.Contains(r.What.InputSummary+r.What.OutputSummary+r.Who.UserID+r.Who.SubjectID, text) {
			found = append(found, r)
		}
	}
	return found
}

// users gives the users that calls are listed with, by the calls' ids.
func users(t *testing.T, i *harness.Instance) map[string]string {
	t.Helper()
	all := map[string]string{}
	query := url.Values{"limit": {"500"}}
	var page api.Page[api.Call]
	i.Get(t, "/calls", query, &page)
	for _, c := range page.Items {
		all[c.ID] = ""
		if c.User != nil {
			all[c.ID] = *c.User
		}
	}
	return all
}

// wrappedKeys gives the stored forms of the keys, without a server's help.
func wrappedKeys(t *testing.T, i *harness.Instance) map[string][]byte {
	t.Helper()
	db, err := sqlite.OpenReadOnly(t.Context(), i.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	keys, err := db.SubjectKeys(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, k := range keys {
		all[k.ID] = k.Wrapped
	}
	return all
}

func verified(t *testing.T, i *harness.Instance) {
	t.Helper()
	if r := harness.Run(t, i.Dir, i.Env(harness.Admin), "audit", "verify"); r.Code != 0 {
		t.Errorf("audit verify ends with %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func TestErasure(t *testing.T) {
	i := harness.Start(t, harness.Options{})
	about(t, i, callsEach, "X-Signalbox-User", anna, annaCanary)
	about(t, i, callsEach, "X-Signalbox-Subject", ben, benCanary)
	before, whole := wrappedKeys(t, i), i.Log(t)
	keys := map[string]string{} // Ids, by the canary of whose they are.
	for _, canary := range []string{annaCanary, benCanary} {
		noFile(t, i, canary, []byte(canary))
		found := holding(t, i, canary)
		if len(found) != 2*callsEach {
			t.Fatalf("%d records say %s, want %d", len(found), canary, 2*callsEach)
		}
		keys[canary] = *found[0].SealedBy
		if len(files(t, i, before[keys[canary]])) == 0 {
			t.Fatalf("no file holds the key that seals %s: the test looks at nothing", canary)
		}
	}

	refusals(t, i)
	done := erase(t, i, anna)
	if done.KeysDestroyed == 0 || !done.Complete || done.Record == nil || done.BackupsExpire <= done.ErasedAt.Format("2006-01-02") {
		t.Errorf("the erasure says %+v", done)
	}
	evidence(t, i, done)
	for what, text := range map[string][]byte{"the name": []byte(anna), "the text": []byte(annaCanary), "the key": before[keys[annaCanary]]} {
		noFile(t, i, what, text)
	}
	if found := append(holding(t, i, annaCanary), holding(t, i, anna)...); len(found) != 0 {
		t.Errorf("%d records still say something of the erased, the first is %+v", len(found), found[0])
	}
	if found := holding(t, i, benCanary); len(found) != 2*callsEach {
		t.Errorf("%d records say %s, want %d", len(found), benCanary, 2*callsEach)
	}
	erasedRows(t, i, whole, keys[annaCanary])
	verified(t, i)
	again := erase(t, i, anna)
	if again.KeysDestroyed != 0 || !strings.Contains(again.Message, "Nothing was left") || *again.Record != *done.Record {
		t.Errorf("a second erasure says %+v", again)
	}
	exports(t, i, done)
	rebuilt(t, i)
}

// refusals are what must change nothing.
func refusals(t *testing.T, i *harness.Instance) {
	t.Helper()
	size := len(i.Log(t))
	for name, c := range map[string]struct {
		path, key, body string
		status          int
		says            string
	}{
		"unknown":              {path("nobody@people.example", "erasure"), harness.Admin, `{"reason":"x"}`, 404, "Nothing was ever recorded"},
		"another tenant":       {strings.Replace(path(anna, "erasure"), "acme", "other", 1), harness.Admin, `{"reason":"x"}`, 404, "Nothing was ever recorded"},
		"no such tenant":       {strings.Replace(path(anna, "erasure"), "acme", "nope", 1), harness.Admin, `{"reason":"x"}`, 404, "no tenant"},
		"no tenant":            {strings.Replace(path(anna, "erasure"), "?tenant=acme", "", 1), harness.Admin, `{"reason":"x"}`, 400, "tenant"},
		"no reason":            {path(anna, "erasure"), harness.Admin, `{"reason":""}`, 400, "reason"},
		"reason with the name": {path(anna, "erasure"), harness.Admin, `{"reason":"Of ` + strings.ToUpper(anna) + `"}`, 400, "names the subject"},
		"an operator":          {path(anna, "erasure"), harness.Operator, `{"reason":"x"}`, 403, "role"},
		"an auditor":           {path(anna, "erasure"), harness.Auditor, `{"reason":"x"}`, 403, "role"},
	} {
		a := i.Send(t, http.MethodPost, c.path, c.key, c.body)
		if a.Status != c.status || !strings.Contains(a.Body, c.says) {
			t.Errorf("%s: %d %s, want %d and %q", name, a.Status, a.Body, c.status, c.says)
		}
	}
	if a := i.Send(t, http.MethodGet, path("nobody@people.example", "records"), harness.Admin, ""); a.Status != http.StatusNotFound {
		t.Errorf("the export of nobody answers %d: %s", a.Status, a.Body)
	}
	if a := i.Send(t, http.MethodGet, path(anna, "records"), harness.Operator, ""); a.Status != http.StatusForbidden {
		t.Errorf("the export for an operator answers %d: %s", a.Status, a.Body)
	}
	if got := len(i.Log(t)); got != size {
		t.Errorf("refused requests have left %d records", got-size)
	}
}

// evidence looks at the record of the erasure.
func evidence(t *testing.T, i *harness.Instance, done api.Erasure) {
	t.Helper()
	r := i.Log(t)[*done.Record]
	want := map[string]string{
		"tenant": "acme", "subject_hash": done.SubjectHash, "keys_destroyed": fmt.Sprint(done.KeysDestroyed),
		"reason": "request 2026-17", "backups_expire": done.BackupsExpire, "by_key": "admin", "by_role": "admin",
	}
	if r.Type != signalbox.RecordAdmin || r.What.Action != signalbox.ActionErasure || !reflect.DeepEqual(r.What.Detail, want) {
		t.Errorf("the evidence is %+v, want %v", r.What, want)
	}
}

// erasedRows holds the records of the erased against what they were: only what was about a person is gone.
func erasedRows(t *testing.T, i *harness.Instance, before []api.Record, key string) {
	t.Helper()
	after, n := i.Log(t), 0
	for index, r := range before {
		if r.SealedBy == nil || *r.SealedBy != key {
			continue
		}
		n++
		got := after[index]
		if got.Content != signalbox.ContentErased {
			t.Fatalf("record %d has the content %q", index, got.Content)
		}
		r.Content, r.Who.UserID = signalbox.ContentErased, ""
		r.What.InputSummary, r.What.OutputSummary, r.What.ResourceID = "", "", ""
		if !reflect.DeepEqual(got, r) {
			t.Fatalf("record %d is\n%+v, want\n%+v", index, got, r)
		}
	}
	if n != 2*callsEach {
		t.Errorf("%d records were sealed by the destroyed key, want %d", n, 2*callsEach)
	}
	for id, user := range users(t, i) {
		if user == anna {
			t.Errorf("call %s is listed with the name of the erased", id)
		}
	}
}

// exports asks for all about both, and about the erased after it has come back.
func exports(t *testing.T, i *harness.Instance, done api.Erasure) {
	t.Helper()
	records, total := export(t, i, anna)
	if len(records) != 0 || total.KeysOpen != 0 || total.KeysErased != done.KeysDestroyed || len(total.Evidence) != 1 ||
		total.Evidence[0].Index != *done.Record || total.Evidence[0].BackupsExpire != done.BackupsExpire {
		t.Errorf("the export of the erased has %d records and ends with %+v", len(records), total)
	}
	records, total = export(t, i, ben)
	if len(records) != 2*callsEach || total.Records != 2*callsEach || len(total.Evidence) != 0 {
		t.Errorf("the export has %d records, want %d, and ends with %+v", len(records), 2*callsEach, total)
	}
	for n, r := range records {
		if r.Who.SubjectID != ben || !strings.Contains(r.What.InputSummary, benCanary) || n > 0 && records[n-1].Index >= r.Index {
			t.Fatalf("line %d of the export is %+v", n, r)
		}
	}
	about(t, i, 1, "X-Signalbox-User", anna, "back-again")
	if records, total = export(t, i, anna); len(records) != 2 || total.KeysOpen != 1 || len(total.Evidence) != 1 {
		t.Errorf("after the erasure there are %d records about the same person, want 2; %+v", len(records), total)
	}
	last := i.Log(t)
	for _, r := range last[len(last)-6:] {
		if r.What.Action == signalbox.ActionSubjectExported {
			return
		}
	}
	t.Errorf("no record says that the exports were asked for")
}

// rebuilt restarts the instance, and rebuilds its projections, and compares.
func rebuilt(t *testing.T, i *harness.Instance) {
	t.Helper()
	var live map[string]string
	harness.Eventually(t, func() error {
		if live = users(t, i); len(live) != 2*callsEach+1 {
			return fmt.Errorf("%d calls are listed", len(live))
		}
		return nil
	})
	i.Stop()
	noFile(t, i, "the text", []byte(annaCanary))
	if r := harness.Run(t, i.Dir, nil, "audit", "verify", "--database", "sqlite:"+i.Database); r.Code != 0 {
		t.Errorf("audit verify of the file ends with %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	again := harness.Start(t, harness.Options{Dir: i.Dir})
	if got := users(t, again); !reflect.DeepEqual(got, live) {
		t.Errorf("after a restart the calls are\n%v, want\n%v", got, live)
	}
	again.Stop()
	if r := harness.Run(t, i.Dir, nil, "projections", "rebuild", "--database", "sqlite:"+i.Database); r.Code != 0 {
		t.Fatalf("the rebuild ends with %d: %s%s", r.Code, r.Stdout, r.Stderr)
	}
	again = harness.Start(t, harness.Options{Dir: i.Dir})
	if got := users(t, again); !reflect.DeepEqual(got, live) {
		t.Errorf("rebuilt, the calls are\n%v, want\n%v", got, live)
	}
	if _, total := export(t, again, anna); len(total.Evidence) != 1 || total.Records != 2 {
		t.Errorf("rebuilt, the export ends with %+v", total)
	}
	verified(t, again)
}
