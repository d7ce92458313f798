package call_test

import (
	"slices"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// note is an effect that a test tells from others.
func note(id string) signalbox.Effect { return signalbox.OpenAccount{Account: id} }

// Who makes a call in another's place writes with its first intent, beside the use of the approval, and with its outcome.
func TestWhatIsWrittenWithTheRecordsOfACall(t *testing.T) {
	busy := &call.AttemptError{Next: true, Err: signalbox.Errorf(signalbox.CodeUpstream, "busy")}
	b := newBench(fixedResolver{candidates: []signalbox.Candidate{candidate("small", "p"), candidate("large", "q")}}, map[string]call.Backend{
		"p": refuses(busy), "q": serves(&script{parts: []call.Part{{Data: []byte("hello")}, {Data: []byte("!"), Terminal: true}}}),
	})
	track := call.NewTrack(modelCall())
	track.Approval.Effects = []signalbox.Effect{note("used")}
	track.Begun = func() []signalbox.Effect { return []signalbox.Effect{note("begun")} }
	track.Ended = func(terminal []byte, err error) []signalbox.Effect {
		if err != nil || len(b.log.effects) != 2 {
			t.Errorf("ended with %v after %d records", err, len(b.log.effects))
		}
		return []signalbox.Effect{note("ended with " + string(terminal))}
	}
	a, err := b.handler.Serve(t.Context(), track)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(t, a); err != nil || a.Close() != nil {
		t.Fatal(err)
	}
	want := [][]signalbox.Effect{{note("begun"), note("used")}, nil, {note("ended with !")}}
	if got := b.log.effects; !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %v with %q, want %v", got, b.log.types(), want)
	}
}

// A refusal is an end too, with the error that the caller sees.
func TestWhatIsWrittenWithARefusal(t *testing.T) {
	b := newBench(fixedResolver{}, nil)
	track := call.NewTrack(modelCall())
	track.Begun = func() []signalbox.Effect { t.Error("it was begun"); return nil }
	track.Ended = func(terminal []byte, err error) []signalbox.Effect {
		return []signalbox.Effect{note(string(terminal) + string(signalbox.CodeOf(err)))}
	}
	_, err := b.handler.Serve(t.Context(), track)
	want := [][]signalbox.Effect{{note(string(signalbox.CodeOf(err)))}}
	if got := b.log.effects; err == nil || !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %v and %v", got, err)
	}
}
