package projection_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/projection"
)

// people are the data subjects of a history, each with the key that seals its records now.
type people struct {
	keys   map[string]string // By name.
	made   int
	gone   map[string]bool // Destroyed keys.
	cached map[string]bool // Of these, those that the projector's process can still open.
}

func subjectOf(name string) [32]byte { return [32]byte{name[len(name)-1]} }

// seal gives the record its sealing key, and the effect that stores that, if it is new.
func (p *people) seal(r *signalbox.Record) []signalbox.Effect {
	name := r.Who.UserID
	if name == "" {
		return nil
	}
	var effects []signalbox.Effect
	if p.keys[name] == "" {
		p.made++
		p.keys[name] = fmt.Sprintf("sk_%d", p.made)
		effects = append(effects, signalbox.PutSubjectKey{Key: signalbox.SubjectKey{
			ID: p.keys[name], Tenant: "acme", Subject: subjectOf(name), Wrapped: []byte("w"), Master: "m", Created: start,
		}})
	}
	r.Sealed = &signalbox.Sealed{Key: p.keys[name], Data: []byte("sealed")}
	return effects
}

func (p *people) erase(name string) (signalbox.Record, []signalbox.Effect) {
	subject := subjectOf(name)
	if key := p.keys[name]; key != "" {
		p.gone[key], p.cached[key] = true, true
	}
	delete(p.keys, name)
	r := signalbox.Record{Type: signalbox.RecordAdmin, Time: start, Who: signalbox.Who{TenantID: "acme"}}
	r.What = signalbox.What{Action: signalbox.ActionErasure, Detail: map[string]string{
		projection.DetailTenant: "acme", projection.DetailSubject: fmt.Sprintf("%x", subject),
	}}
	return r, []signalbox.Effect{signalbox.DestroySubject{Tenant: "acme", Subject: subject, At: start}}
}

// decode is that of a process that forgets destroyed keys some time after they were destroyed.
func (p *people) decode(e signalbox.Entry) (signalbox.Record, error) {
	r, err := decode(e)
	if r.Sealed != nil && p.gone[r.Sealed.Key] && !p.cached[r.Sealed.Key] {
		r.Who.UserID, r.Content = "", signalbox.ContentErased
	}
	return r, err
}

// TestErasedLiveEqualsRebuilt erases people while their calls are written and projected, whatever the projector's process
// can still open meanwhile, and compares with a rebuild that can not open what was erased.
func TestErasedLiveEqualsRebuilt(t *testing.T) {
	names := []string{"person-a", "person-b", "person-c"}
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "erasure")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		l := openAt(t, filepath.Join(dir, "s.db"))
		defer l.Close()
		p := &people{keys: map[string]string{}, gone: map[string]bool{}, cached: map[string]bool{}}
		v := l.Views()
		live := projection.New(v, v, projection.Options{Decode: p.decode, Batch: rapid.IntRange(1, 20).Draw(t, "batch")})
		for _, r := range history(t) {
			if r.Who.UserID != "" {
				r.Who.UserID = rapid.SampledFrom(names).Draw(t, "name")
			}
			effects := p.seal(&r)
			l.add(t, r, effects)
			switch rapid.IntRange(0, 9).Draw(t, "then") {
			case 0:
				r, effects := p.erase(rapid.SampledFrom(names).Draw(t, "whom"))
				l.add(t, r, effects)
			case 1, 2:
				clear(p.cached)
			case 3, 4, 5:
				l.flush(t)
				if err := live.CatchUp(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		l.flush(t)
		if err := live.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := dump(t, v)
		for _, c := range got.Calls {
			if p.gone[c.SealedBy] && c.User != "" {
				t.Fatalf("call %s names %s, whose key %s is destroyed", c.ID, c.User, c.SealedBy)
			}
		}
		clear(p.cached)
		if err := projection.New(v, v, projection.Options{Decode: p.decode}).Rebuild(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := dump(t, v); !reflect.DeepEqual(got, want) {
			t.Fatalf("live\n%+v\nrebuilt\n%+v", got.Calls, want.Calls)
		}
	})
}

// add puts a record into the batch that [log.flush] commits.
func (l *log) add(t failer, r signalbox.Record, effects []signalbox.Effect) {
	t.Helper()
	list := entriesOf(t, l.next+int64(len(l.batch)), []signalbox.Record{r})
	list[0].Effects = effects
	l.batch = append(l.batch, list...)
}

func (l *log) flush(t failer) {
	t.Helper()
	if err := l.Commit(context.Background(), signalbox.Batch{Entries: l.batch}); err != nil {
		t.Fatal(err)
	}
	l.next += int64(len(l.batch))
	l.batch = nil
}

func TestSealingKey(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"none":                  {`{"who":{}}`, ""},
		"at the end":            {`{"who":{},"sealed":{"key":"sk_1","data":"AA=="}}`, "sk_1"},
		"a text that looks so":  {`{"who":{"purpose":"\"sealed\":{\"key\":\"sk_2\""}}`, ""},
		"cut off":               {`{"sealed":{"key":"sk_1`, ""},
		"destroyed":             {"", ""},
		"a detail of that name": {`{"what":{"detail":{"sealed":"sk_3"}}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := projection.SealingKey([]byte(c.content)); got != c.want {
				t.Errorf("%s: key %q, want %q", strings.TrimSpace(c.content), got, c.want)
			}
		})
	}
}
