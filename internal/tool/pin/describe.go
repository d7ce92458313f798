package pin

import (
	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Description is what a server says of a tool in words, and whether it says that calls change something.
type Description struct {
	Title, Description string
	Annotations        *signalbox.Annotations // Nil where nothing is said.
}

// Describe reads a definition. Of one that is not kept, and of members that are no text, it gives nothing.
func Describe(definition string) Description {
	var d struct {
		Title       json.Value `json:"title"`
		Description json.Value `json:"description"`
		Annotations json.Value `json:"annotations"`
	}
	if json.Unmarshal([]byte(definition), &d) != nil {
		return Description{}
	}
	return Description{Title: text(d.Title), Description: text(d.Description), Annotations: Annotations(d.Annotations)}
}

// Annotations gives what a server says of calls of a tool, nil where it says nothing. Annotations of which a part makes no sense
// say nothing at all: whoever is allowed to believe them must not pick the part that suits him.
func Annotations(raw json.Value) *signalbox.Annotations {
	var a struct {
		ReadOnly    *bool `json:"readOnlyHint"`
		Destructive *bool `json:"destructiveHint"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &a) != nil || (a.ReadOnly == nil && a.Destructive == nil) {
		return nil
	}
	return &signalbox.Annotations{ReadOnly: a.ReadOnly, Destructive: a.Destructive}
}

func text(raw json.Value) (s string) {
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
