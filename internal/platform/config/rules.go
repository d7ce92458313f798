package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // Time zones work on machines without a zone database.
	"unicode"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
)

// rule checks one text. It gets the text, how to show it in a message, and its place.
type rule struct {
	check   func(r *reader, text, shown string, where place)
	pattern string // For editors, if a pattern can say it.
}

// Bounds of names and texts.
const (
	MaxNameLength = 128 // Of a name of anything, in bytes.
	MinSecret     = 16  // Characters of a static API key.
	MaxListedText = 100 // Of a title or description that is listed, in characters.
)

var (
	nameText      = pattern(`[A-Za-z0-9][A-Za-z0-9._-]*`, "letters, digits and . _ -, beginning with a letter or digit")
	modelNameText = pattern(`[A-Za-z0-9][A-Za-z0-9._:/@+-]*`, "letters, digits and . _ : / @ + -, beginning with a letter or digit")
	idText        = pattern(`[A-Za-z0-9_.:@/+=-]+`, "letters, digits and - _ . : @ / + =, as in request headers")
	serverText    = pattern(`[a-z0-9-]+`, "small letters, digits and -")
	toolText      = pattern(`\S+`, "any characters but white space")
	originText    = pattern(`[^\s+]+`, "any characters but white space and +")
	dayText       = pattern(`[0-9]{4}-[0-9]{2}-[0-9]{2}`, "a day such as 2026-01-31")
	headerText    = pattern("[A-Za-z0-9!#$%&'*+.^_`|~-]+", "a header's name")
	variableText  = pattern(`[A-Za-z_][A-Za-z0-9_]*`, "letters, digits and _, not beginning with a digit")
)

// pattern refuses texts that do not match as a whole, or are too long for a name.
func pattern(expression, words string) rule {
	re := regexp.MustCompile(`^(?:` + expression + `)$`)
	return rule{pattern: re.String(), check: func(r *reader, text, shown string, where place) {
		switch {
		case len(text) > MaxNameLength:
			r.problem(where, fmt.Sprintf("is longer than %d bytes", MaxNameLength), "shorten it")
		case !re.MatchString(text):
			r.problem(where, shown+" is not allowed", "use "+words)
		}
	}}
}

// each applies several rules; the first pattern is what editors see.
func each(rules ...rule) rule {
	all := rule{check: func(r *reader, text, shown string, where place) {
		for _, one := range rules {
			one.check(r, text, shown, where)
		}
	}}
	for _, one := range rules {
		if all.pattern == "" {
			all.pattern = one.pattern
		}
	}
	return all
}

// declares notes the text as the name of something.
func declares(c category) rule {
	return rule{check: func(r *reader, text, shown string, where place) { r.declare(c, text, shown, where) }}
}

// refers demands that something of that name is declared in one of the categories.
func refers(to ...category) rule {
	return rule{check: func(r *reader, text, shown string, where place) {
		r.mentions = append(r.mentions, mention{text, shown, to, where})
	}}
}

// Auto is the model name that asks for a route to be chosen; nothing else may be called so.
const Auto = "auto"

// notReserved keeps names free that requests use with another meaning.
var notReserved = rule{check: func(r *reader, text, shown string, where place) {
	if text == Auto {
		r.problem(where, shown+" is reserved: a request for it asks for a route to be chosen", "use another name")
	}
}}

// ServerCardID would be the id of a server at whose path the joint endpoint has its card.
const ServerCardID = "server-card"

// noCard keeps the path of that card free.
var noCard = rule{check: func(r *reader, text, shown string, where place) {
	if text == ServerCardID {
		r.problem(where, shown+" is reserved: /mcp/server-card is the card of all servers together", "use another name")
	}
}}

// listedText is a title or description of a server in lists for people; their formats take 100 characters.
var listedText = each(singleLine, rule{check: func(r *reader, text, _ string, where place) {
	if utf8.RuneCountInString(text) > MaxListedText {
		r.problem(where, "is longer than "+strconv.Itoa(MaxListedText)+" characters", "shorten it")
	}
}})

// singleLine refuses control characters.
var singleLine = rule{check: func(r *reader, text, _ string, where place) {
	if strings.ContainsFunc(text, unicode.IsControl) {
		r.problem(where, "contains a control character", "keep it to one line of text")
	}
}}

// label is a text of one line that people read: a team, a user, a role in a group of agents.
var label = each(singleLine, rule{check: func(r *reader, text, _ string, where place) {
	if len(text) > MaxNameLength {
		r.problem(where, fmt.Sprintf("is longer than %d bytes", MaxNameLength), "shorten it")
	}
}})

// hostPort is an address to listen on.
var hostPort = rule{check: func(r *reader, text, shown string, where place) {
	_, port, err := net.SplitHostPort(text)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n > 65535 {
		r.problem(where, shown+" is not an address", "write host:port, such as 127.0.0.1:8080 or :8080")
	}
}}

// zone is a time zone of the IANA database.
var zone = rule{check: func(r *reader, text, shown string, where place) {
	if _, err := time.LoadLocation(text); err != nil || text == "Local" {
		r.problem(where, shown+" is not a time zone", "use a name of the IANA database, such as Asia/Seoul or UTC")
	}
}}

// modelGlob is a pattern over model names. One without wildcards must name a model or route.
var modelGlob = rule{check: func(r *reader, text, shown string, where place) {
	switch {
	case !doublestar.ValidatePattern(text):
		r.problem(where, shown+" is not a pattern", `use a model's name, or * and ** as wildcards`)
	case !strings.ContainsAny(text, `*?[{\`) && text != Auto:
		refers(aModel, aRoute).check(r, text, shown, where)
	}
}}

// expression is the condition of a route, and riskExpression that of a risk, compiled by whoever loads the configuration.
var (
	expression     = compiled(func(o Options) func(string) error { return o.CheckExpression })
	riskExpression = compiled(func(o Options) func(string) error { return o.CheckRisk })
)

func compiled(by func(Options) func(string) error) rule {
	return rule{check: func(r *reader, text, _ string, where place) {
		compile := by(r.options)
		if compile == nil {
			return
		}
		if err := compile(text); err != nil {
			r.problem(where, "not a valid condition: "+oneLine(err.Error()), "correct the expression")
		}
	}}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// calendarDay refuses days that do not exist.
var calendarDay = rule{check: func(r *reader, text, shown string, where place) {
	if _, err := time.Parse(time.DateOnly, text); err != nil && len(text) == len(time.DateOnly) {
		r.problem(where, shown+" is not a day of the calendar", "correct it")
	}
}}

// absoluteURL gives what is wrong with the URL of an upstream, or "".
func absoluteURL(text string) fault {
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return fault{"is not an http or https URL", "write it as https://host/path"}
	case u.User != nil:
		return fault{"has a user or password in the URL", "put credentials into headers"}
	case u.Fragment != "":
		return fault{"has a fragment (#…)", "remove it"}
	}
	return fault{}
}
