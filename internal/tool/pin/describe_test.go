package pin_test

import (
	"testing"

	"github.com/signalbox/signalbox/internal/tool/pin"
)

func TestDescribe(t *testing.T) {
	for name, c := range map[string]struct {
		definition, title, description string
		readOnly, destructive          string // "" where nothing is said.
	}{
		"nothing kept":         {definition: ""},
		"all":                  {`{"title":"Read","description":"Reads.","annotations":{"readOnlyHint":true,"destructiveHint":false}}`, "Read", "Reads.", "true", "false"},
		"half of the hints":    {`{"description":"Reads.","annotations":{"destructiveHint":true}}`, "", "Reads.", "", "true"},
		"hints of other kinds": {`{"annotations":{"title":"Read"}}`, "", "", "", ""},
		"a part makes no sense": {
			`{"title":"Read","annotations":{"readOnlyHint":true,"destructiveHint":"no"}}`, "Read", "", "", "",
		},
		"texts that are none": {`{"title":7,"description":["Reads."],"name":"read"}`, "", "", "", ""},
		"null":                {`{"title":null,"annotations":null}`, "", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := pin.Describe(c.definition)
			if got.Title != c.title || got.Description != c.description {
				t.Errorf("got %q and %q", got.Title, got.Description)
			}
			said := func(b *bool) string {
				switch {
				case b == nil:
					return ""
				case *b:
					return "true"
				}
				return "false"
			}
			var readOnly, destructive string
			if a := got.Annotations; a != nil {
				readOnly, destructive = said(a.ReadOnly), said(a.Destructive)
			}
			if readOnly != c.readOnly || destructive != c.destructive {
				t.Errorf("the hints are %q and %q", readOnly, destructive)
			}
		})
	}
}
