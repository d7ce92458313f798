package upstream

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/mirror"
	"github.com/signalbox/signalbox/internal/tool/pin"
)

// Tool is one entry of a server's list.
type Tool struct {
	Raw         json.Value // As it was written.
	Name        string
	Annotations *signalbox.Annotations // What the server says of the tool. Nothing here believes it.
	schema      [32]byte               // SHA-256 of the entry as canonical JSON: it changes with whatever the server changes.
	mirrored    []mirror.Param         // What of its arguments is repeated in headers.
	unfit       error                  // Why it can not be used over HTTP.
	remote      string                 // What its schema refers to outside of itself, and where, for people; "" for nothing.
	form        [32]byte               // As [Pins] tells forms apart; zero without them.
}

func readListed(raw json.Value) (Tool, error) {
	var entry struct {
		Name        string     `json:"name"`
		Annotations json.Value `json:"annotations"`
		Input       json.Value `json:"inputSchema"`
	}
	if err := json.Unmarshal(raw, &entry); err != nil || entry.Name == "" {
		return Tool{}, errors.New("the list of tools has an entry without a name")
	}
	canonical, err := json.Canonical(raw)
	if err != nil {
		return Tool{}, fmt.Errorf("the entry of %q in the list of tools can not be read: %w", entry.Name, err)
	}
	t := Tool{
		Raw: raw, Name: entry.Name, Annotations: pin.Annotations(entry.Annotations), schema: sha256.Sum256(canonical),
	}
	t.mirrored, t.unfit = mirror.Read(entry.Input)
	if where, to := pin.RemoteRef(canonical); where != "" {
		t.remote = to + " at " + where
	}
	return t, nil
}
