package idempotency

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// asking is a call of a tool, as the stations before this one leave it.
func asking(id, key, arguments string) *call.Track {
	t := call.NewTrack(&signalbox.Call{
		ID: id, Kind: signalbox.KindTool, Protocol: signalbox.ProtocolMCP, IdempotencyKey: key,
		Caller: signalbox.Caller{Tenant: "acme", Key: "key_1", Agent: "writer", User: "kim"}, Claims: signalbox.Claims{Run: "run_1"},
		Tool: &signalbox.ToolRequest{Server: "files", Name: "write", Arguments: []byte(arguments)},
	})
	t.Resolve.Candidates = []signalbox.Candidate{{Name: "files.write", Provider: "files"}}
	return t
}

func hashOf(t *testing.T, track *call.Track) [32]byte {
	t.Helper()
	h, err := Hash(track, Slot(track.Gate.Caller, track.Call.IdempotencyKey))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestWritingsOfOneRequestHaveOneHash(t *testing.T) {
	want := hashOf(t, asking("call_1", "k", `{"a":1,"b":["x",1e2]}`))
	again := asking("call_2", "k", "{ \"b\" : [\"\\u0078\", 100] , \"a\":1.0}")
	again.Policy.Part, again.Resolve.Candidates[0].Schema = [32]byte{1}, [32]byte{2} // Not the caller's.
	again.Call.Claims.Purpose, again.Call.RequestID = "again", "req_2"
	if hashOf(t, again) != want {
		t.Error("the same request has another hash")
	}
}

func TestWhatChangesTheSlotAndTheHash(t *testing.T) {
	first := asking("call_1", "k", `{}`)
	slot, hash := Slot(first.Gate.Caller, "k"), hashOf(t, first)
	seen := map[string]string{Forward(hash): "the first"}
	for name, c := range map[string]struct {
		change func(*call.Track)
		slot   bool // It is another key.
	}{
		"tenant":    {func(t *call.Track) { t.Gate.Caller.Tenant = "globex" }, true},
		"API key":   {func(t *call.Track) { t.Gate.Caller.Key = "key_2" }, true},
		"user":      {func(t *call.Track) { t.Gate.Caller.User = "lee" }, true},
		"key":       {func(t *call.Track) { t.Call.IdempotencyKey = "K" }, true},
		"cut":       {func(t *call.Track) { t.Gate.Caller.User, t.Call.IdempotencyKey = "ki", "mk" }, true},
		"agent":     {func(t *call.Track) { t.Gate.Caller.Agent = "reader" }, false},
		"run":       {func(t *call.Track) { t.Gate.Run = "run_2" }, false},
		"server":    {func(t *call.Track) { t.Call.Tool.Server = "file" }, false},
		"tool":      {func(t *call.Track) { t.Call.Tool.Name = "swrite" }, false},
		"arguments": {func(t *call.Track) { t.Call.Tool.Arguments = []byte(`{"a":null}`) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			other := asking("call_1", "k", `{}`)
			c.change(other)
			if got := Slot(other.Gate.Caller, other.Call.IdempotencyKey) != slot; got != c.slot {
				t.Errorf("another slot: %v, want %v", got, c.slot)
			}
			forward := Forward(hashOf(t, other))
			if before, there := seen[forward]; there {
				t.Errorf("servers are given the same as for %s", before)
			}
			seen[forward] = name
			if !signalbox.ValidIdempotencyKey(forward) {
				t.Errorf("servers are given %q", forward)
			}
		})
	}
}

func TestArgumentsWithoutACanonicalFormAreRefused(t *testing.T) {
	track := asking("call_1", "k", `{"a":1,"a":2}`)
	_, err := Hash(track, [32]byte{1})
	if e := signalbox.AsError(err); e.Code != signalbox.CodeInvalid || e.Field == "" || e.Remedy == "" {
		t.Errorf("got %+v", e)
	}
}

// Whatever the texts are, lists of them that differ have other digests.
func TestDigestsTellListsApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.StringMatching(`[0-9:ab]{0,4}`), 1, 4)
		a, b := list.Draw(t, "a"), list.Draw(t, "b")
		same := len(a) == len(b)
		for i := range a {
			same = same && a[i] == b[i]
		}
		if (digest(a...) == digest(b...)) != same {
			t.Errorf("%q and %q", a, b)
		}
	})
}
