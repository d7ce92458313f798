package upstream

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/mirror"
)

// Tool is one entry of a server's list.
type Tool struct {
	Raw         json.Value // As it was written.
	Name        string
	Annotations *signalbox.Annotations // What the server says of the tool. Nothing here believes it.
	schema      [32]byte               // SHA-256 of the entry as canonical JSON: it changes with whatever the server changes.
	mirrored    []mirror.Param         // What of its arguments is repeated in headers.
	unfit       error                  // Why it can not be used over HTTP.
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
		Raw: raw, Name: entry.Name, Annotations: readAnnotations(entry.Annotations), schema: sha256.Sum256(canonical),
	}
	t.mirrored, t.unfit = mirror.Read(entry.Input)
	return t, nil
}

// readAnnotations gives what is said of a tool, nil where nothing is. Annotations of which a part makes no sense say
// nothing at all: whoever is allowed to believe them must not pick the part that suits him.
func readAnnotations(raw json.Value) *signalbox.Annotations {
	var a struct {
		ReadOnly    *bool `json:"readOnlyHint"`
		Destructive *bool `json:"destructiveHint"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &a) != nil || (a.ReadOnly == nil && a.Destructive == nil) {
		return nil
	}
	return &signalbox.Annotations{ReadOnly: a.ReadOnly, Destructive: a.Destructive}
}
