package storetest

import (
	"fmt"
	"testing"

	"github.com/signalbox/signalbox"
)

// form is a form of a tool with every field set.
func form(n int) *signalbox.ToolForm {
	return &signalbox.ToolForm{
		Hash: [32]byte{byte(n), 1}, Definition: fmt.Sprintf(`{"description":"\"한글\" \u0000 %d"}`, n), Seen: at(n), Fault: "too large",
		Flags: []signalbox.ToolFlag{{Kind: signalbox.FlagHidden, Where: "/description", Text: "U+200B"}, {Kind: signalbox.FlagMarkup}},
	}
}

// pin is a pin with every field set.
func pin(server, tool string, n int) signalbox.Pin {
	return signalbox.Pin{
		Server: server, Tool: tool, State: signalbox.PinHeld, First: at(n), Since: at(n + 5), Pinned: form(n), New: form(n + 1),
		Review: signalbox.PinReview{By: "key_1 kim", Reason: "\"한글\" \x00", At: at(n + 4)},
	}
}

func idOfPin(p signalbox.Pin) string { return p.ID() }

var pinTests = map[string]func(*testing.T, Store){
	"kept whole, replaced": func(t *testing.T, s Store) {
		complete(t, pin("files", "read", 1))
		complete(t, *form(1))
		bare := signalbox.Pin{Server: "files", Tool: "한글/ü", State: signalbox.PinPinned, First: at(1), Since: at(1), Pinned: &signalbox.ToolForm{Seen: at(1)}}
		commit(t, s, signalbox.PutPins{Pins: []signalbox.Pin{pin("files", "read", 1), bare}})
		s = s.Reopen()
		got := must[[]signalbox.Pin](t)(decisions(t, s).Pins(t.Context(), "files"))
		same(t, got, []signalbox.Pin{pin("files", "read", 1), bare})
		next := pin("files", "read", 9)
		next.State, next.New, next.Review.Reason = signalbox.PinPinned, nil, "a\xffb"
		commit(t, s, signalbox.PutPins{Pins: []signalbox.Pin{next}}, signalbox.PutPins{})
		next.Review.Reason = "a\uFFFDb"
		same(t, must[[]signalbox.Pin](t)(decisions(t, s).Pins(t.Context(), "files")), []signalbox.Pin{next, bare})
	},
	"listed by server and name": func(t *testing.T, s Store) {
		var all []signalbox.Pin
		for _, id := range [][2]string{{"files", "write"}, {"mail", "send"}, {"files", "Read"}, {"files", "read"}, {"a", "z"}} {
			all = append(all, pin(id[0], id[1], 1))
		}
		commit(t, s, signalbox.PutPins{Pins: all})
		for server, want := range map[string][]string{
			"": {"a.z", "files.Read", "files.read", "files.write", "mail.send"}, "files": {"files.Read", "files.read", "files.write"}, "none": nil,
		} {
			same(t, idsOf(must[[]signalbox.Pin](t)(decisions(t, s).Pins(t.Context(), server)), idOfPin), want)
		}
	},
	"a thousand at once": func(t *testing.T, s Store) {
		var all []signalbox.Pin
		for n := range 1000 {
			all = append(all, pin("files", fmt.Sprintf("tool_%04d", n), n))
		}
		commit(t, s, signalbox.PutPins{Pins: all})
		same(t, must[[]signalbox.Pin](t)(decisions(t, s).Pins(t.Context(), "")), all)
	},
}
