package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// outputJSON is the format for programs.
const outputJSON = "json"

// format is how a command prints its answer.
type format struct {
	Output string `short:"o" enum:"table,json" default:"table" help:"table or json."`
}

// print writes the value as JSON, or the rows as a table under their heading.
func (f format) print(c *console, value any, heading []string, rows [][]string) error {
	if f.Output == outputJSON {
		b, err := json.MarshalIndent(value)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.out, "%s\n", b)
		return err
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	for _, row := range append([][]string{heading}, rows...) {
		if _, err := fmt.Fprintln(w, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return w.Flush()
}

// text is the value, or a dash where there is none.
func text[T any](v *T) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprint(*v)
}
