package pin

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Bounds of what is kept of a tool.
const (
	MaxDefinition = 128 << 10 // Bytes of its definition.
	MaxDepth      = 64        // Objects and arrays within one another, in its definition.
	MaxName       = 256       // Bytes of its name.
)

// Instructions is the name under which a server's instructions are pinned, as if they were a tool that is described by them. No tool
// can be used under that name.
const Instructions = "server/instructions"

// members are what of a server's entry makes up the definition, in their canonical order. The others (icons, _meta, how it
// is executed) are not shown to models.
var members = []string{"annotations", "description", "inputSchema", "name", "outputSchema", "title"}

// Listed is one entry of a server's list.
type Listed struct {
	Tool       string
	Hash       [32]byte // SHA-256 of Definition.
	Definition string   // As in [signalbox.ToolForm], however large.
}

// Read reads an entry of a list. Its error says that the entry is no object with a name, or not strict JSON.
func Read(entry json.Value) (Listed, error) {
	root, err := json.Parse(entry, json.Limits{CaseVariants: true})
	if err != nil {
		return Listed{}, fmt.Errorf("an entry of the list of tools can not be read: %w", err)
	}
	all, err := root.Object()
	if err != nil {
		return Listed{}, fmt.Errorf("an entry of the list of tools is no object: %w", err)
	}
	name, err := all.Get("name").Text()
	if err != nil {
		return Listed{}, fmt.Errorf("an entry of the list of tools has no name: %w", err)
	}
	var parts []string
	for _, member := range members {
		if all.Has(member) {
			parts = append(parts, string(json.Quote(member))+":"+string(all.Get(member).Bytes()))
		}
	}
	definition, err := json.Canonical([]byte("{" + strings.Join(parts, ",") + "}"))
	return Listed{Tool: name, Hash: sha256.Sum256(definition), Definition: string(definition)}, err
}

// nameable reports whether a name can be kept and be shown to people as it is written.
func nameable(name string) bool {
	return name != "" && len(name) <= MaxName && !strings.ContainsFunc(name, unicode.IsControl)
}

// form makes the form of what was listed, with what is suspicious about it.
func (l Listed) form(now time.Time, flags []signalbox.ToolFlag) signalbox.ToolForm {
	f := signalbox.ToolForm{Hash: l.Hash, Definition: l.Definition, Seen: now, Flags: flags}
	if f.Fault = l.fault(); f.Fault != "" {
		f.Definition, f.Flags = "", nil
	}
	return f
}

// fault says why nobody could look at a definition, "" where somebody could.
func (l Listed) fault() string {
	if len(l.Definition) > MaxDefinition {
		return fmt.Sprintf("its definition is larger than %d bytes", MaxDefinition)
	}
	if json.Check([]byte(l.Definition), json.Limits{MaxDepth: MaxDepth, CaseVariants: true}) != nil {
		return fmt.Sprintf("its schema is nested deeper than %d levels", MaxDepth)
	}
	return ""
}
