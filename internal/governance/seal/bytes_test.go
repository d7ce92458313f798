package seal_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/seal"
)

// sealBytes seals, and makes the keys durable as the writer of the log does.
func sealBytes(t *testing.T, v *seal.Vault, m *memory, tenant, subject string, aad, plain []byte) signalbox.Sealed {
	t.Helper()
	s, effects, err := v.SealBytes(tenant, subject, aad, plain)
	if err != nil {
		t.Fatal(err)
	}
	e := signalbox.Entry{Effects: effects}
	m.commit(e)
	v.Committed(signalbox.Batch{Entries: []signalbox.Entry{e}})
	return s
}

func TestBytesComeBack(t *testing.T) {
	m, master := &memory{}, newMaster(t)
	v := open(t, seal.Options{Master: master, Keys: m})
	rapid.Check(t, func(r *rapid.T) {
		plain, aad := rapid.SliceOf(rapid.Byte()).Draw(r, "plain"), rapid.SliceOf(rapid.Byte()).Draw(r, "aad")
		s := sealBytes(t, v, m, "acme", rapid.SampledFrom([]string{"", "kim", "lee"}).Draw(r, "subject"), aad, plain)
		for name, vault := range map[string]*seal.Vault{"the same": v, "another process": open(t, seal.Options{Master: master, Keys: m})} {
			if got, state, err := vault.OpenBytes("acme", s, aad); err != nil || state != signalbox.ContentOpen || !bytes.Equal(got, plain) {
				r.Fatalf("%s: got %q, %q, %v", name, got, state, err)
			}
		}
	})
}

func TestBytesCarryTheirKeysUntilTheyAreDurable(t *testing.T) {
	m := &memory{}
	v := open(t, seal.Options{Master: newMaster(t), Keys: m})
	_, first, err := v.SealBytes("acme", "kim", nil, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if got := puts(signalbox.Entry{Effects: first}); len(got) != 2 || got[0] != seal.IndexID {
		t.Fatalf("the effects carry %v, want the index and the subject's key", got)
	}
	if got := puts(encode(t, v, of("kim"))); !reflect.DeepEqual(got, puts(signalbox.Entry{Effects: first})) {
		t.Fatalf("a record of the same subject carries %v", got)
	}
	sealBytes(t, v, m, "acme", "kim", nil, []byte("y"))
	if _, effects, _ := v.SealBytes("acme", "kim", nil, []byte("z")); effects != nil {
		t.Fatalf("after the commit they carry %v", effects)
	}
}

func TestBytesOfAnErasedSubject(t *testing.T) {
	m := &memory{}
	v := open(t, seal.Options{Master: newMaster(t), Keys: m})
	kim, lee := sealBytes(t, v, m, "acme", "kim", nil, []byte("kim's")), sealBytes(t, v, m, "acme", "lee", nil, []byte("lee's"))
	m.apply(signalbox.DestroySubject{Tenant: "acme", Subject: v.Subject("acme", "kim"), At: start})
	v.Forget("acme", v.Subject("acme", "kim"))
	if got, state, err := v.OpenBytes("acme", kim, nil); err != nil || state != signalbox.ContentErased || got != nil {
		t.Fatalf("got %q, %q, %v", got, state, err)
	}
	if got, state, err := v.OpenBytes("acme", lee, nil); err != nil || state != signalbox.ContentOpen || string(got) != "lee's" {
		t.Fatalf("the other subject: %q, %q, %v", got, state, err)
	}
	again := sealBytes(t, v, m, "acme", "kim", nil, []byte("new"))
	if again.Key == kim.Key {
		t.Fatal("a destroyed key was used again")
	}
}

func TestMovedBytesAreRefused(t *testing.T) {
	m := &memory{}
	v := open(t, seal.Options{Master: newMaster(t), Keys: m})
	good := sealBytes(t, v, m, "acme", "kim", []byte("appr_1"), []byte("secret"))
	other := sealBytes(t, v, m, "globex", "kim", []byte("appr_1"), []byte("secret"))
	changed := bytes.Clone(good.Data)
	changed[len(changed)-1] ^= 1
	for _, tt := range []struct {
		name, tenant, aad string
		sealed            signalbox.Sealed
	}{
		{"another place", "acme", "appr_2", good},
		{"another tenant", "globex", "appr_1", good},
		{"another key", "acme", "appr_1", signalbox.Sealed{Key: other.Key, Data: good.Data}},
		{"changed", "acme", "appr_1", signalbox.Sealed{Key: good.Key, Data: changed}},
		{"cut", "acme", "appr_1", signalbox.Sealed{Key: good.Key, Data: good.Data[:5]}},
		{"tenant and place run together", "acm", "e\nappr_1", good},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, state, err := v.OpenBytes(tt.tenant, tt.sealed, []byte(tt.aad))
			if signalbox.CodeOf(err) != signalbox.CodeInternal || got != nil || state == signalbox.ContentOpen {
				t.Fatalf("got %q, %q, %v", got, state, err)
			}
		})
	}
}

func TestBytesWithoutTheStoreOrRandomness(t *testing.T) {
	m, master := &memory{}, newMaster(t)
	v := open(t, seal.Options{Master: master, Keys: m})
	s := sealBytes(t, v, m, "acme", "kim", nil, []byte("x"))
	other := open(t, seal.Options{Master: master, Keys: m})
	m.fail = errors.New("the disk has failed")
	if got, state, err := other.OpenBytes("acme", s, nil); err == nil || got != nil || state != signalbox.ContentSealed {
		t.Fatalf("got %q, %q, %v", got, state, err)
	}
	dry := &failing{}
	broken, err := seal.Open(t.Context(), seal.Options{Master: master, Keys: &memory{keys: m.keys}, Now: time.Now, Random: dry})
	if err != nil {
		t.Fatal(err)
	}
	dry.now = true
	for _, subject := range []string{"kim", "lee"} { // One with a key, one without.
		if _, _, err := broken.SealBytes("acme", subject, nil, []byte("x")); signalbox.CodeOf(err) != signalbox.CodeInternal {
			t.Errorf("%s: got %v", subject, err)
		}
	}
}

// A reason in which a person may be named is sealed; one that is evidence of what was done to the log is not.
func TestReasons(t *testing.T) {
	v := open(t, seal.Options{Master: newMaster(t), Keys: &memory{}})
	for action, sealed := range map[string]bool{
		signalbox.ActionApprovalVoted: true, signalbox.ActionApprovalEnded: true, signalbox.ActionBreakGlass: true,
		signalbox.ActionErasure: false, signalbox.ActionConfigRejected: false,
	} {
		r := signalbox.Record{
			Type: signalbox.RecordAdmin, Time: start, Who: signalbox.Who{TenantID: "acme"}, When: signalbox.When{Timestamp: start},
			What: signalbox.What{Action: action, Detail: map[string]string{"reason": "canary", "hash": "canary", "verdict": "deny"}},
		}
		e := encode(t, v, r)
		if got := !bytes.Contains(e.Content, []byte("canary")); got != sealed {
			t.Errorf("%s: sealed %v: %s", action, got, e.Content)
		}
		if got := decode(t, v, e); !reflect.DeepEqual(got.What.Detail, r.What.Detail) {
			t.Errorf("%s: got %v", action, got.What.Detail)
		}
	}
}
