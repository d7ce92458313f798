package held

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// Call is one call. It is safe for concurrent use.
type Call[T any] struct {
	calls  *Calls[T]
	owner  Owner
	first  *T
	cancel context.CancelCauseFunc
	asked  chan struct{} // Something is in it where there may be questions to hand out.
	done   chan struct{} // Closed after data and err are set.
	data   json.Value
	err    error

	mu       sync.Mutex
	id       string // "" until it has asked something.
	turn     int
	last     int // The number of the last question.
	listener *T
	open     []*question
	placed   bool        // It has a place among those that are held.
	timer    *time.Timer // Runs while its questions are handed out; nil before.
	away     bool        // Its questions are handed out, and nobody has come back.
	lapsed   bool        // Its time is over, or that of the process.
}

type question struct {
	Question
	answer chan json.Value // Of one place.
}

// Turn is what comes next of a call: its end, or questions to its caller.
type Turn struct {
	Questions []Question // None: the call has ended.
	Ticket    string     // Takes the call up again.
	Data      json.Value // Of a call that has ended, as Err is.
	Err       error
}

// First gives on whose behalf the call was begun.
func (c *Call[T]) First() *T { return c.first }

// Listener gives who waits for the call; nil where nobody does.
func (c *Call[T]) Listener() *T {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.listener
}

// Ask asks the caller, and waits for his answer. An error means that there will be none: that of the context, or that too
// many callers are asked already.
func (c *Call[T]) Ask(ctx context.Context, method string, params json.Value) (json.Value, error) {
	q, err := c.add(method, params)
	if err != nil {
		return nil, err
	}
	select {
	case answer := <-q.answer:
		return answer, nil
	case <-ctx.Done():
		c.withdraw(q)
		return nil, context.Cause(ctx)
	}
}

func (c *Call[T]) add(method string, params json.Value) (*question, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) >= MaxQuestions {
		return nil, errFull()
	}
	if !c.placed {
		if err := c.calls.take(c); err != nil {
			return nil, err
		}
		c.placed = true
	}
	c.last++
	q := &question{Question{"q" + strconv.Itoa(c.last), method, params}, make(chan json.Value, 1)}
	c.open = append(c.open, q)
	c.signal()
	return q, nil
}

func (c *Call[T]) signal() {
	select {
	case c.asked <- struct{}{}:
	default: // Nobody has looked since the last time.
	}
}

func (c *Call[T]) withdraw(q *question) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = slices.DeleteFunc(c.open, func(other *question) bool { return other == q })
	c.settle()
}

// settle gives the place back where the call is not held any more.
func (c *Call[T]) settle() {
	if c.placed && len(c.open) == 0 && !c.away {
		c.placed = false
		c.calls.release(c)
	}
}

// Wait waits for what comes next of the call, as its listener. A context that ends meanwhile ends the call, and its end is
// waited for.
func (c *Call[T]) Wait(ctx context.Context, listener *T) Turn {
	c.listen(listener)
	for {
		select {
		case <-c.done:
			return c.end()
		case <-c.asked:
			if t, ok := c.handOut(); ok {
				return t
			}
		case <-ctx.Done():
			c.cancel(context.Cause(ctx))
			<-c.done
			return c.end()
		}
	}
}

func (c *Call[T]) listen(listener *T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listener = listener
}

// handOut gives the open questions to who waits, who thereby waits no longer.
func (c *Call[T]) handOut() (Turn, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) == 0 {
		return Turn{}, false
	}
	select {
	case <-c.done:
		return Turn{}, false
	default:
	}
	if c.calls.closing() {
		c.cancel(errStopped())
		return Turn{}, false
	}
	c.turn++
	c.listener, c.away = nil, true
	if c.timer == nil {
		c.timer = time.AfterFunc(For, func() { c.stop(errExpired()) })
	} else {
		c.timer.Reset(For)
	}
	return Turn{Questions: c.questions(), Ticket: c.calls.ticket(c)}, true
}

func (c *Call[T]) questions() []Question {
	all := make([]Question, 0, len(c.open))
	for _, q := range c.open {
		all = append(all, q.Question)
	}
	return all
}

// resume takes the call up, with answers.
func (c *Call[T]) resume(turn string, pick func([]Question) (map[string]json.Value, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.lapsed:
		return errOver()
	case !c.away || turn != strconv.Itoa(c.turn):
		return errUsed()
	}
	answers, err := pick(c.questions())
	if err != nil {
		return err
	}
	c.away = false
	c.timer.Stop()
	c.open = slices.DeleteFunc(c.open, func(q *question) bool {
		answer, given := answers[q.Key]
		if given {
			q.answer <- answer
		}
		return given
	})
	c.settle()
	if len(c.open) > 0 {
		c.signal()
	}
	return nil
}

// ended takes note of the end of the call. Its result is kept where its caller is away.
func (c *Call[T]) ended(data json.Value, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.data, c.err = data, err
	c.open = nil
	close(c.done)
	if c.lapsed {
		c.bury()
	}
}

// end gives the end of the call to who has waited for it.
func (c *Call[T]) end() Turn {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listener = nil
	c.bury()
	return Turn{Data: c.data, Err: c.err}
}

// bury forgets a call that has ended.
func (c *Call[T]) bury() {
	c.away = false
	c.settle()
	if c.id != "" {
		c.calls.forget(c.id)
	}
}

// stop ends a call whose caller is away. One that he waits for goes on.
func (c *Call[T]) stop(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.away || c.lapsed {
		return
	}
	c.lapsed = true
	c.cancel(why)
	select {
	case <-c.done:
		c.bury()
	default:
	}
}
