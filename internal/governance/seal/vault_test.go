package seal_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/seal"
)

// of is a record of a user.
func of(user string) signalbox.Record {
	r := record()
	r.Who.SubjectID, r.Who.UserID = "", user
	return r
}

// puts gives the ids of the keys that an entry carries.
func puts(e signalbox.Entry) (ids []string) {
	for _, effect := range e.Effects {
		if put, ok := effect.(signalbox.PutSubjectKey); ok {
			ids = append(ids, put.Key.ID)
		}
	}
	return ids
}

func TestNothingPersonalIsReadable(t *testing.T) {
	v := open(t, seal.Options{Master: newMaster(t), Keys: &memory{}})
	for _, typ := range []signalbox.RecordType{signalbox.RecordIntent, signalbox.RecordAttempt, signalbox.RecordOutcome, signalbox.RecordAdmin} {
		r := record()
		r.Type = typ
		if typ == signalbox.RecordAdmin { // Its resource is a key, a run or a call, and it has no content.
			r.What.ResourceID, r.What.InputSummary, r.What.OutputSummary, r.Attempts, r.Error = "key_1", "", "", nil, nil
			r.What.Detail = map[string]string{"user": "detail-canary", "subject": "another-canary", "reason": "asked"}
		}
		e := encode(t, v, r)
		if bytes.Contains(e.Content, []byte("canary")) {
			t.Errorf("%s: %s", typ, e.Content)
		}
		for _, effect := range e.Effects {
			if text := fmt.Sprintf("%+v %#v", effect, effect); bytes.Contains([]byte(text), []byte("canary")) {
				t.Errorf("%s: an effect shows %s", typ, text)
			}
		}
		if got := plain(decode(t, v, e)); !reflect.DeepEqual(got, plain(r)) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", typ, got, plain(r))
		}
	}
}

func TestRecordsWithoutPeopleStayPlain(t *testing.T) {
	v := open(t, seal.Options{Master: newMaster(t), Keys: &memory{}})
	r := signalbox.Record{
		Type: signalbox.RecordAdmin, Time: start, Who: signalbox.Who{TenantID: "acme"}, When: signalbox.When{Timestamp: start},
		What:   signalbox.What{Action: signalbox.ActionKeyCreated, ResourceID: "key_1", Detail: map[string]string{"hint": "sb_abc"}},
		Sealed: &signalbox.Sealed{Key: "of the record that this one was made of"},
	}
	e := encode(t, v, r)
	if got := decode(t, v, e); got.Sealed != nil || len(e.Effects) != 0 || !reflect.DeepEqual(plain(got), plain(r)) {
		t.Fatalf("got %+v with %d effects", got, len(e.Effects))
	}
}

// Any text comes back as it was, but for bytes that are no UTF-8.
func TestAnyTextComesBack(t *testing.T) {
	m := &memory{}
	v := open(t, seal.Options{Master: newMaster(t), Keys: m})
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.Just(""), rapid.StringN(0, 40, -1), rapid.Just("\x00 \" \\ 한글 \u2028"))
		r := record()
		r.Who.UserID, r.Who.SubjectID, r.What.ResourceID = text.Draw(t, "user"), text.Draw(t, "subject"), text.Draw(t, "resource")
		r.What.InputSummary, r.What.OutputSummary = text.Draw(t, "input"), text.Draw(t, "output")
		r.Error.Message, r.Attempts[0].Message, r.Attempts[1].Message = text.Draw(t, "error"), text.Draw(t, "first"), text.Draw(t, "second")
		e, err := v.Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		m.commit(e)
		v.Committed(signalbox.Batch{Entries: []signalbox.Entry{e}})
		if got, err := v.Decode(e); err != nil || !reflect.DeepEqual(plain(got), plain(r)) {
			t.Fatalf("got (%v)\n%+v\nwant\n%+v", err, plain(got), plain(r))
		}
	})
}

func TestKeyIsCarriedUntilItIsDurable(t *testing.T) {
	m := &memory{}
	v := open(t, seal.Options{Master: newMaster(t), Keys: m})
	first, second := encode(t, v, of("kim")), encode(t, v, of("kim")) // The commit of the first one fails.
	if got := puts(first); len(got) != 2 || got[0] != seal.IndexID || !reflect.DeepEqual(puts(second), got) {
		t.Fatalf("the entries carry %v and %v, want the index and the same key twice", puts(first), puts(second))
	}
	m.commit(second)
	v.Committed(signalbox.Batch{Entries: []signalbox.Entry{second}})
	if got := puts(encode(t, v, of("kim"))); got != nil {
		t.Fatalf("after the commit an entry carries %v", got)
	}
	if got := puts(encode(t, v, of("lee"))); len(got) != 1 || got[0] == puts(first)[1] {
		t.Fatalf("another subject's first record carries %v", got)
	}
}

// A key that was dropped from memory before it was durable is still carried by every record that it has sealed.
func TestEvictionLosesNoKey(t *testing.T) {
	m := &memory{}
	v := open(t, seal.Options{Master: newMaster(t), Keys: m, Cached: 4})
	var waiting []signalbox.Entry
	for i := range 200 {
		waiting = append(waiting, encode(t, v, of(fmt.Sprint("user ", i%20))))
		if i%3 == 0 {
			m.commit(waiting...)
			v.Committed(signalbox.Batch{Entries: waiting})
			waiting = nil
		}
		for _, e := range waiting {
			if decode(t, v, e).Content == signalbox.ContentErased && len(puts(e)) == 0 {
				t.Fatalf("record %d: its key is nowhere", i)
			}
		}
	}
	m.commit(waiting...)
	for _, e := range waiting {
		if r := decode(t, v, e); r.Content != signalbox.ContentOpen {
			t.Fatalf("content %q", r.Content)
		}
	}
}

func TestConcurrentFirstRecordsShareTheKey(t *testing.T) {
	v := open(t, seal.Options{Master: newMaster(t), Keys: &memory{}})
	entries := make([]signalbox.Entry, 64)
	var group sync.WaitGroup
	for i := range entries {
		group.Go(func() {
			var err error
			if entries[i], err = v.Encode(of("kim")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i, e := range entries {
		if !reflect.DeepEqual(puts(e), puts(entries[0])) || len(puts(e)) != 2 {
			t.Fatalf("record %d carries %v, the first one %v", i, puts(e), puts(entries[0]))
		}
	}
}

func TestKeysOfTheStoreAreUsed(t *testing.T) {
	m, master := &memory{}, newMaster(t)
	e := encode(t, open(t, seal.Options{Master: master, Keys: m}), of("kim"))
	m.commit(e)
	other := open(t, seal.Options{Master: master, Keys: m})
	if again := encode(t, other, of("kim")); puts(again) != nil {
		t.Fatalf("after a restart the subject is given another key: %v", puts(again))
	}
	m.fail = errors.New("the disk has failed")
	if again := encode(t, other, of("lee")); len(puts(again)) != 1 {
		t.Fatalf("without the store the record carries %v", puts(again))
	}
}

func TestErasure(t *testing.T) {
	m, master := &memory{}, newMaster(t)
	v := open(t, seal.Options{Master: master, Keys: m})
	kim, lee := encode(t, v, of("kim")), encode(t, v, of("lee"))
	m.commit(kim, lee)
	v.Committed(signalbox.Batch{Entries: []signalbox.Entry{kim, lee}})
	subject := v.Subject("acme", "kim")
	m.apply(signalbox.DestroySubject{Tenant: "acme", Subject: subject, At: start})
	v.Forget("acme", subject)
	for name, vault := range map[string]*seal.Vault{"the same": v, "another process": open(t, seal.Options{Master: master, Keys: m})} {
		got := decode(t, vault, kim)
		if got.Content != signalbox.ContentErased || got.Who.UserID != "" || got.What.InputSummary != "" || *got.What.Cost != 1234 {
			t.Errorf("%s: got %+v", name, got)
		}
		if got := decode(t, vault, lee); got.Content != signalbox.ContentOpen || got.Who.UserID != "lee" {
			t.Errorf("%s: the other subject: %+v", name, got)
		}
	}
	again := encode(t, v, of("kim"))
	if got := puts(again); len(got) != 1 || got[0] == puts(kim)[1] {
		t.Fatalf("who goes on is sealed with %v", got)
	}
	m.commit(again)
	if got := decode(t, v, again); got.Who.UserID != "kim" {
		t.Fatalf("got %+v", got)
	}
}

func TestForgetAllOfAnotherReplica(t *testing.T) {
	m, master := &memory{}, newMaster(t)
	v := open(t, seal.Options{Master: master, Keys: m})
	e := encode(t, v, of("kim"))
	m.commit(e)
	m.apply(signalbox.DestroySubject{Tenant: "acme", Subject: v.Subject("acme", "kim"), At: start})
	v.ForgetAll()
	if got := decode(t, v, e); got.Content != signalbox.ContentErased {
		t.Fatalf("content %q", got.Content)
	}
}

func TestChangedEntriesAreRefused(t *testing.T) {
	m := &memory{}
	v := open(t, seal.Options{Master: newMaster(t), Keys: m})
	good := encode(t, v, of("kim"))
	m.commit(good)
	for name, change := range map[string]func(*signalbox.Entry){
		"another call":   func(e *signalbox.Entry) { e.Call = "call_2" },
		"another type":   func(e *signalbox.Entry) { e.Type = signalbox.RecordIntent },
		"another tenant": func(e *signalbox.Entry) { e.Tenant = "globex" },
		"another time":   func(e *signalbox.Entry) { e.Time = e.Time.Add(time.Microsecond) },
		"another part": func(e *signalbox.Entry) {
			i := bytes.Index(e.Content, []byte(`"data":"`)) + 20
			e.Content = bytes.Clone(e.Content)
			if e.Content[i]++; good.Content[i] != 'A' {
				e.Content[i] = 'A'
			}
		},
		"a short part": func(e *signalbox.Entry) {
			i := bytes.Index(e.Content, []byte(`"data":"`)) + 8
			e.Content = append(bytes.Clone(e.Content[:i]), `AAAA"}}`...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := good
			change(&e)
			_, err := v.Decode(e)
			if got := signalbox.AsError(err); err == nil || got.Code != signalbox.CodeInternal || got.Remedy == "" {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestMasterKeys(t *testing.T) {
	m, first, second := &memory{}, newMaster(t), newMaster(t)
	v := open(t, seal.Options{Master: first, Keys: m})
	e := encode(t, v, of("kim"))
	m.commit(e)
	_, err := seal.Open(t.Context(), seal.Options{Master: second, Keys: m, Now: time.Now})
	if got := signalbox.AsError(err); err == nil || got.Code != signalbox.CodeInvalid || got.Field != "audit.master_key" || got.Remedy == "" {
		t.Fatalf("with another master key: %v", err)
	}
	both := open(t, seal.Options{Master: second, Previous: []*seal.Master{first}, Keys: m})
	if both.Subject("acme", "kim") != v.Subject("acme", "kim") || decode(t, both, e).Who.UserID != "kim" {
		t.Fatal("the index key or the subject's key was lost with the master key before it")
	}
	for _, k := range append([]signalbox.SubjectKey{}, m.keys...) {
		effect, changed, err := both.Rewrap(k)
		if err != nil || !changed {
			t.Fatalf("%s: %v, %v", k.ID, changed, err)
		}
		m.apply(effect)
	}
	only := open(t, seal.Options{Master: second, Keys: m})
	if only.Subject("acme", "kim") != v.Subject("acme", "kim") || decode(t, only, e).Who.UserID != "kim" {
		t.Fatal("the new master key does not open what it has wrapped")
	}
	if _, changed, err := only.Rewrap(m.keys[1]); changed || err != nil {
		t.Fatalf("wrapped again: %v, %v", changed, err)
	}
	if got := decode(t, v, e); got.Who.UserID != "kim" {
		t.Fatalf("who has the key in memory: %+v", got)
	}
}

// A key that no master key at hand opens is not taken for one that was destroyed.
func TestKeyOfAnUnknownMaster(t *testing.T) {
	m, master := &memory{}, newMaster(t)
	e := encode(t, open(t, seal.Options{Master: master, Keys: m}), of("kim"))
	m.commit(e)
	for name, change := range map[string]func(*signalbox.SubjectKey){
		"an unknown master key": func(k *signalbox.SubjectKey) { k.Master = "0000000000000000" },
		"changed":               func(k *signalbox.SubjectKey) { k.Wrapped = bytes.Repeat([]byte{1}, len(k.Wrapped)) },
		"cut":                   func(k *signalbox.SubjectKey) { k.Wrapped = k.Wrapped[:4] },
		"of another tenant":     func(k *signalbox.SubjectKey) { k.Tenant = "globex" },
	} {
		t.Run(name, func(t *testing.T) {
			m := &memory{keys: append([]signalbox.SubjectKey{}, m.keys...)}
			change(&m.keys[1])
			v := open(t, seal.Options{Master: master, Keys: m})
			if got := decode(t, v, e); got.Content != signalbox.ContentSealed || got.Who.UserID != "" {
				t.Fatalf("got %+v", got)
			}
			if _, _, err := v.Rewrap(m.keys[1]); name == "an unknown master key" && signalbox.CodeOf(err) != signalbox.CodeInvalid {
				t.Fatalf("wrapped anew: %v", err)
			}
		})
	}
}

func TestDestroyedContent(t *testing.T) {
	v := open(t, seal.Options{Master: newMaster(t), Keys: &memory{}})
	e := signalbox.Entry{Type: signalbox.RecordOutcome, Call: "call_1", Tenant: "acme", Time: start, Digest: [32]byte{1}}
	want := signalbox.Record{
		Type: e.Type, Call: e.Call, Time: e.Time, Who: signalbox.Who{TenantID: "acme"}, Content: signalbox.ContentDestroyed,
	}
	if got := decode(t, v, e); !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v", got)
	}
}

func TestWithoutRandomnessNothingIsSealed(t *testing.T) {
	random := &failing{}
	v := open(t, seal.Options{Master: newMaster(t), Keys: &memory{}, Random: random})
	random.now = true
	for range 2 {
		if _, err := v.Encode(of("kim")); signalbox.CodeOf(err) != signalbox.CodeInternal {
			t.Fatalf("got %v", err)
		}
	}
	random.now = false
	if e := encode(t, v, of("kim")); len(puts(e)) != 2 {
		t.Fatalf("once there is some again: %v", puts(e))
	}
}

// failing is a source of randomness that can fail.
type failing struct{ now bool }

func (f *failing) Read(p []byte) (int, error) {
	if f.now {
		return 0, errors.New("no entropy")
	}
	return rand.Read(p)
}
