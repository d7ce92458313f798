package store

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/signalbox/signalbox"
)

// MaxCostRows is how many lines one answer of a store's Costs has. A query with more of them is an error: figures that
// miss some are worse than none.
const MaxCostRows = 50_000

// PageLimit gives how many rows a page of a list has; a limit that can not be is an error of code invalid.
func PageLimit(limit int) (int, error) {
	switch {
	case limit == 0:
		return signalbox.DefaultPage, nil
	case limit < 0 || limit > signalbox.MaxPage:
		return 0, signalbox.Errorf(signalbox.CodeInvalid, "%d is not between 1 and %d.", limit, signalbox.MaxPage).
			WithField("limit").WithRemedy("Ask for smaller pages and follow next.")
	}
	return limit, nil
}

// ParseCursor reads the cursor of a list that is ordered by index in the log; a bad one is an error of code invalid.
func ParseCursor(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, badCursor()
	}
	return n, nil
}

// RunPlace is a line's place in the list of the costs of runs, which begins with the greatest: the hour in which the run
// began within the range, in hours since 1970, then tenant and run. Its text is a cursor.
type RunPlace struct {
	Hour   int64
	Tenant string
	Run    string
}

// placeParts are what a place's text holds, with separators that no part has.
const (
	placeParts     = 3
	placeSeparator = "\x00"
)

// String gives the cursor.
func (p RunPlace) String() string {
	parts := []string{strconv.FormatInt(p.Hour, 10), p.Tenant, p.Run}
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, placeSeparator)))
}

// ParseRunPlace reads a cursor of the list; a bad one is an error of code invalid.
func ParseRunPlace(s string) (RunPlace, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	parts := strings.SplitN(string(b), placeSeparator, placeParts)
	if err != nil || len(parts) != placeParts {
		return RunPlace{}, badCursor()
	}
	hour, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil || hour < 0 {
		return RunPlace{}, badCursor()
	}
	return RunPlace{Hour: hour, Tenant: parts[1], Run: parts[2]}, nil
}

// Within gives the place from which the list of this one tenant goes on: the lines that are smaller than hour and run. A
// cursor of a list of more tenants stands before or after all lines of this one in its hour.
func (p RunPlace) Within(tenant string) (hour int64, run string) {
	switch {
	case p.Tenant > tenant:
		return p.Hour + 1, ""
	case p.Tenant < tenant:
		return p.Hour, ""
	}
	return p.Hour, p.Run
}

func badCursor() *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, "This is not a cursor that a list has given.").
		WithField("cursor").WithRemedy("Pass the value of next of the page before, or none for the newest page.")
}

// Whole gives the lines of costs, or the error of a query that has more of them than one answer may. Stores ask for one
// line more than that.
func Whole(rows []signalbox.CostRow) ([]signalbox.CostRow, error) {
	if len(rows) <= MaxCostRows {
		return rows, nil
	}
	return nil, signalbox.Errorf(signalbox.CodeTooLarge, "The answer has more than %d lines.", MaxCostRows).
		WithField("bucket").WithRemedy("Ask for a wider bucket, a shorter range or one tenant.")
}
