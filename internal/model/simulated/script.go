package simulated

import (
	"strconv"
	"strings"
	"time"
)

// Script is what a prompt asks the model to do.
type Script struct {
	Model  string        // Only the model of this (upstream) name obeys; "" is every one.
	Fail   Failure       // How to fail.
	Times  int           // Fail only in the first so many attempts of a call; 0 is in all.
	Text   string        // What to say, after the label.
	Tool   string        // The tool to call.
	Args   string        // Its arguments, a JSON object; "" makes them up.
	Tokens int64         // Length of a text that is made up.
	Delay  time.Duration // Until the first byte.
}

// ParseScript reads the lines of a prompt that begin with "simulate:". What follows is words of the form key=value, as in
//
//	simulate: fail=overloaded times=1 model=sim-large
//	simulate: delay=250ms tokens=40
//	simulate: tool=search {"query": "railway signals"}
//	simulate: text=The rest of this line is what is said.
//
// The value of text is the rest of its line; the rest of a line with tool may be the arguments. Later words win over
// earlier ones. Words that make no sense are skipped: a prompt is not a configuration.
func ParseScript(prompt string) Script {
	var s Script
	for line := range strings.Lines(prompt) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "simulate:"); ok {
			s.line(strings.TrimSpace(rest))
		}
	}
	return s
}

// line reads the words of one line.
func (s *Script) line(rest string) {
	for rest != "" {
		if strings.HasPrefix(rest, "{") {
			s.Args = rest
			return
		}
		if said, ok := strings.CutPrefix(rest, "text="); ok {
			s.Text = said
			return
		}
		word, after, _ := strings.Cut(rest, " ")
		s.word(word)
		rest = strings.TrimSpace(after)
	}
}

func (s *Script) word(word string) {
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "model":
		s.Model = value
	case "fail":
		s.Fail = failure(value)
	case "tool":
		s.Tool = value
	case "times":
		s.Times, _ = strconv.Atoi(value)
	case "tokens":
		s.Tokens, _ = strconv.ParseInt(value, 10, 64)
	case "delay":
		s.Delay, _ = time.ParseDuration(value)
	}
}

func failure(name string) Failure {
	for _, f := range Failures() {
		if string(f) == name {
			return f
		}
	}
	return ""
}

// appliesTo reports whether the model obeys.
func (s Script) appliesTo(model string) bool { return s.Model == "" || s.Model == model }
