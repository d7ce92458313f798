package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/signalbox/signalbox/internal/platform/server/api"
)

type searchCmd struct {
	remote
	format
	Words  []string `arg:"" help:"What to look for: each word must be somewhere in the name or description."`
	Agent  string   `help:"Look as this agent; the key's own unless given."`
	Kind   string   `enum:",tool,agent" default:"" help:"Only of this kind: ${enum}."`
	Limit  int      `default:"50" help:"Hits to show, 1 to 500."`
	Cursor string   `help:"Where to go on: \"next\" of the page before."`
}

// maxShown is how many characters of a description a line shows.
const maxShown = 60

// Run looks for tools and agents.
func (k *searchCmd) Run(c *console) error {
	q := url.Values{"q": {strings.Join(k.Words, " ")}, "limit": {strconv.Itoa(k.Limit)}}
	for name, value := range map[string]string{"agent": k.Agent, "kind": k.Kind, "cursor": k.Cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	var page api.FoundPage
	if err := k.get(c.ctx, "/search", q, &page); err != nil {
		return err
	}
	var rows [][]string
	for _, f := range page.Items {
		state := "-"
		if f.Held != nil && *f.Held {
			state = "held"
		}
		rows = append(rows, []string{f.Kind, plain(f.ID), text(f.Operation), text(f.Price), state, plain(beginning(text(f.Description)))})
	}
	for _, m := range page.Missing { // What is not there may be what was looked for.
		fmt.Fprintf(c.errOut, "signalbox: the tools of %s could not be looked at (%s)\n", plain(m.Server), m.Code)
	}
	return k.print(c, page, []string{"KIND", "ID", "OPERATION", "PRICE", "STATE", "DESCRIPTION"}, rows)
}

// beginning shortens a text for a line.
func beginning(text string) string {
	letters := []rune(strings.Join(strings.Fields(text), " "))
	if len(letters) <= maxShown {
		return string(letters)
	}
	return string(letters[:maxShown-1]) + "…"
}
