package biller

import (
	"strconv"
	"strings"
	"time"
)

// Wish is what a prompt asks of the provider.
type Wish struct {
	In     int64         // in: input tokens to bill; half the prompt's bytes without it.
	Out    int64         // out: output tokens to bill and say; at most what the request allows.
	Beyond int64         // beyond: output tokens to bill beyond what the request allows: a provider that breaks its word.
	Status int           // status: the error to answer with.
	Wait   time.Duration // wait: before the answer begins.
	Pace   time.Duration // pace: between the pieces of a stream.
	Pieces int           // pieces: of a stream, 8 without it.
	Silent bool          // silent: usage is billed and not told.
	Early  bool          // early: the connection breaks before the answer.
	Cut    bool          // cut: the connection breaks in the middle of a stream.
	Group  string        // group: orders of one group are counted while they are in flight.
}

// wishOf reads the words of a prompt that are meant for a model. What they do not say has its default; a word that is
// none is text.
func wishOf(prompt, model string) Wish {
	w := Wish{In: int64(len(prompt)/2 + 10), Out: 8, Pieces: 8}
	for _, word := range strings.Fields(prompt) {
		name, value, _ := strings.Cut(word, "=")
		if of, rest, found := strings.Cut(name, "."); found {
			if of != model {
				continue
			}
			name = rest
		}
		w.set(name, value)
	}
	return w
}

func (w *Wish) set(name, value string) {
	number, _ := strconv.Atoi(value)         // What is no number is 0, and no test asks for one by mistake.
	duration, _ := time.ParseDuration(value) // As above.
	switch name {
	case "in":
		w.In = int64(number)
	case "out":
		w.Out = int64(number)
	case "beyond":
		w.Beyond = int64(number)
	case "status":
		w.Status = number
	case "wait":
		w.Wait = duration
	case "pace":
		w.Pace = duration
	case "pieces":
		w.Pieces = max(number, 1)
	case "silent":
		w.Silent = true
	case "early":
		w.Early = true
	case "cut":
		w.Cut = true
	case "group":
		w.Group = value
	}
}
