package held

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var anna = Owner{Tenant: "acme", Key: "anna", Server: "books", Places: 4}

// asking asks so many questions, one after the other, and gives what it was told.
func asking(n int) func(context.Context, *Call[int]) (json.Value, error) {
	return func(ctx context.Context, c *Call[int]) (json.Value, error) {
		told := ""
		for i := range n {
			answer, err := c.Ask(ctx, "elicitation/create", json.Value(fmt.Sprint(i)))
			if err != nil {
				return json.Value(told), err
			}
			told += string(answer)
		}
		return json.Value(told), nil
	}
}

func says(answer string) func([]Question) (map[string]json.Value, error) {
	return func(open []Question) (map[string]json.Value, error) {
		all := map[string]json.Value{}
		for _, q := range open {
			all[q.Key] = json.Value(answer)
		}
		return all, nil
	}
}

func nothing([]Question) (map[string]json.Value, error) { return nil, nil }

func wantCode(t *testing.T, err error, want signalbox.Code) {
	t.Helper()
	if got := signalbox.CodeOf(err); got != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func wantEnd(t *testing.T, turn Turn, want string) {
	t.Helper()
	if turn.Err != nil || turn.Questions != nil || string(turn.Data) != want {
		t.Errorf("got %+v, want %s", turn, want)
	}
}

func TestACallGoesOnWithEachAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, me := New[int](), 1
		turn := h.Begin(t.Context(), anna, nil, asking(2)).Wait(t.Context(), &me)
		for i, answer := range []string{"a", "b"} {
			if len(turn.Questions) != 1 || string(turn.Questions[0].Params) != fmt.Sprint(i) || len(h.Held()) != 1 {
				t.Fatalf("got %+v", turn)
			}
			time.Sleep(For - time.Second)
			c, err := h.Resume(turn.Ticket, says(answer))
			if err != nil {
				t.Fatal(err)
			}
			turn = c.Wait(t.Context(), &me)
		}
		wantEnd(t, turn, "ab")
		if _, err := h.Resume("x"+turn.Ticket, nothing); signalbox.CodeOf(err) != signalbox.CodeConflict || !strings.Contains(err.Error(), "this process") {
			t.Errorf("got %v", err)
		}
		if len(h.Held()) != 0 || len(h.byID) != 0 {
			t.Error("something is left")
		}
	})
}

func TestATicketIsUsedOnce(t *testing.T) {
	h, me := New[int](), 1
	turn := h.Begin(t.Context(), anna, nil, asking(2)).Wait(t.Context(), &me)
	_, err := h.Resume(turn.Ticket, func([]Question) (map[string]json.Value, error) { return nil, errors.New("malformed") })
	if err == nil || err.Error() != "malformed" {
		t.Errorf("got %v", err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	taken := 0
	for range 8 {
		wg.Go(func() {
			c, err := h.Resume(turn.Ticket, says("a"))
			if err != nil {
				wantCode(t, err, signalbox.CodeConflict)
				return
			}
			next := c.Wait(t.Context(), &me)
			mu.Lock()
			defer mu.Unlock()
			taken++
			if len(next.Questions) != 1 || next.Ticket == turn.Ticket {
				t.Errorf("got %+v", next)
			}
		})
	}
	wg.Wait()
	if taken != 1 {
		t.Errorf("taken up %d times", taken)
	}
	for _, ticket := range []string{"", ".", "..", "x", turn.Ticket + "0", strings.TrimSuffix(turn.Ticket, "1"), turn.Ticket + ".1"} {
		if _, err := h.Resume(ticket, says("b")); err == nil {
			t.Errorf("%q was taken", ticket)
		}
	}
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatIsLeftUnansweredIsAskedAgain(t *testing.T) {
	h, me := New[int](), 1
	both := make(chan struct{})
	c := h.Begin(t.Context(), anna, nil, func(ctx context.Context, c *Call[int]) (json.Value, error) {
		var wg sync.WaitGroup
		for _, method := range []string{"one", "two"} {
			wg.Go(func() {
				if answer, err := c.Ask(ctx, method, nil); err != nil || string(answer) != method {
					t.Errorf("got %s, %v", answer, err)
				}
			})
		}
		close(both)
		wg.Wait()
		return json.Value("end"), nil
	})
	<-both
	turn := c.Wait(t.Context(), &me)
	answered := map[string]bool{}
	for range 4 { // Nothing, then the one, then the other.
		if turn.Questions == nil {
			break
		}
		if c.Listener() != nil {
			t.Error("somebody listens while the caller is away")
		}
		first := turn.Questions[0]
		if len(answered) == 0 && first.Key != "q1" {
			t.Errorf("got %+v", turn)
		}
		var err error
		if c, err = h.Resume(turn.Ticket, nothing); err != nil {
			t.Fatal(err)
		}
		if turn = c.Wait(t.Context(), &me); len(turn.Questions) == 0 || turn.Questions[0].Key != first.Key {
			t.Fatalf("got %+v", turn)
		}
		c, err = h.Resume(turn.Ticket, func([]Question) (map[string]json.Value, error) {
			return map[string]json.Value{first.Key: json.Value(first.Method), "q99": json.Value("to nobody")}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		answered[first.Method] = true
		turn = c.Wait(t.Context(), &me)
	}
	wantEnd(t, turn, "end")
	if len(answered) != 2 {
		t.Errorf("answered %v", answered)
	}
}

func TestNobodyComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, me := New[int](), 1
		ended := make(chan error, 1)
		turn := h.Begin(t.Context(), anna, nil, func(ctx context.Context, c *Call[int]) (json.Value, error) {
			_, err := c.Ask(ctx, "roots/list", nil)
			ended <- err
			return nil, err
		}).Wait(t.Context(), &me)
		time.Sleep(For - time.Nanosecond)
		synctest.Wait()
		if len(ended) != 0 {
			t.Error("too early")
		}
		time.Sleep(time.Nanosecond)
		wantCode(t, <-ended, signalbox.CodeCancelled)
		synctest.Wait()
		_, err := h.Resume(turn.Ticket, says("a"))
		wantCode(t, err, signalbox.CodeConflict)
		if len(h.Held()) != 0 || len(h.byID) != 0 {
			t.Error("something is left")
		}
	})
}

func TestTheCallerLeaves(t *testing.T) {
	h, me := New[int](), 1
	ctx, leave := context.WithCancel(t.Context())
	started := make(chan struct{})
	c := h.Begin(t.Context(), anna, nil, func(ctx context.Context, c *Call[int]) (json.Value, error) {
		close(started)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
	go func() {
		<-started
		leave()
	}()
	if turn := c.Wait(ctx, &me); !errors.Is(turn.Err, context.Canceled) {
		t.Errorf("got %+v", turn)
	}
}

func TestAQuestionIsWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, me := New[int](), 1
		turn := h.Begin(t.Context(), anna, nil, func(ctx context.Context, c *Call[int]) (json.Value, error) {
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, err := c.Ask(short, "elicitation/create", nil)
			return json.Value("went on"), errors.Join(nil, map[bool]error{true: errors.New("answered")}[err == nil])
		}).Wait(t.Context(), &me)
		time.Sleep(time.Minute) // The call has ended, and its caller is away.
		if len(h.Held()) != 1 {
			t.Error("its result is not held")
		}
		c, err := h.Resume(turn.Ticket, says("late"))
		if err != nil {
			t.Fatal(err)
		}
		wantEnd(t, c.Wait(t.Context(), &me), "went on")
		turn = h.Begin(t.Context(), anna, nil, func(ctx context.Context, c *Call[int]) (json.Value, error) {
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, _ = c.Ask(short, "elicitation/create", nil)
			return nil, nil
		}).Wait(t.Context(), &me)
		time.Sleep(For) // Nobody fetches the result.
		synctest.Wait()
		if _, err = h.Resume(turn.Ticket, nothing); err == nil || len(h.Held()) != 0 || len(h.byID) != 0 {
			t.Errorf("something is left: %v", err)
		}
	})
}

func TestHeldCallsAreBounded(t *testing.T) {
	for name, owner := range map[string]func(i int) Owner{
		"of a server": func(i int) Owner { return Owner{Key: fmt.Sprint(i), Server: "books", Places: 32} },
		"of a key":    func(i int) Owner { return Owner{Key: "anna", Server: fmt.Sprint(i), Places: 1} },
	} {
		t.Run(name, func(t *testing.T) {
			h, me := New[int](), 1
			var tickets []string
			for i := range 16 {
				tickets = append(tickets, h.Begin(t.Context(), owner(i), nil, asking(1)).Wait(t.Context(), &me).Ticket)
			}
			turn := h.Begin(t.Context(), owner(16), nil, asking(1)).Wait(t.Context(), &me)
			wantCode(t, turn.Err, signalbox.CodeUnavailable)
			c, err := h.Resume(tickets[3], says("a"))
			if err != nil {
				t.Fatal(err)
			}
			wantEnd(t, c.Wait(t.Context(), &me), "a")
			if turn = h.Begin(t.Context(), owner(3), nil, asking(1)).Wait(t.Context(), &me); len(turn.Questions) != 1 {
				t.Errorf("got %+v", turn)
			}
			if err := h.Close(t.Context()); err != nil || len(h.Held()) != 0 {
				t.Errorf("%v, held are %v", err, h.Held())
			}
		})
	}
	t.Run("questions of a call", func(t *testing.T) {
		h, me := New[int](), 1
		turn := h.Begin(t.Context(), anna, nil, func(ctx context.Context, c *Call[int]) (json.Value, error) {
			var wg sync.WaitGroup
			var mu sync.Mutex
			refused := 0
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			for range MaxQuestions + 3 {
				wg.Go(func() {
					if _, err := c.Ask(ctx, "elicitation/create", nil); signalbox.CodeOf(err) == signalbox.CodeUnavailable {
						mu.Lock()
						defer mu.Unlock()
						if refused++; refused == 3 {
							cancel()
						}
					}
				})
			}
			wg.Wait()
			return json.Value(fmt.Sprint(refused)), nil
		}).Wait(t.Context(), &me)
		for turn.Questions != nil {
			c, err := h.Resume(turn.Ticket, nothing)
			if err != nil {
				t.Fatal(err)
			}
			turn = c.Wait(t.Context(), &me)
		}
		wantEnd(t, turn, "3")
	})
}

func TestTheProcessStops(t *testing.T) {
	h, me := New[int](), 1
	turn := h.Begin(t.Context(), anna, nil, asking(1)).Wait(t.Context(), &me)
	ask := make(chan struct{})
	begun := h.Begin(t.Context(), anna, nil, func(ctx context.Context, c *Call[int]) (json.Value, error) {
		<-ask
		return asking(1)(ctx, c)
	})
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := h.Close(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	_, err := h.Resume(turn.Ticket, says("a"))
	wantCode(t, err, signalbox.CodeConflict)
	close(ask)
	wantCode(t, begun.Wait(t.Context(), &me).Err, signalbox.CodeUnavailable) // The question was refused.
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
	wantCode(t, h.Begin(t.Context(), anna, nil, asking(0)).Wait(t.Context(), &me).Err, signalbox.CodeUnavailable)
}

func TestCallsThatEndWithTheirRequestsTakePlacesToo(t *testing.T) {
	h, me := New[int](), 1
	owner := Owner{Key: "anna", Server: "books", Places: 5}
	var leave []func()
	for range 2 * MaxPerKey { // However much one call waits for.
		l, err := h.Occupy(owner, "call_1")
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, l)
	}
	turn := h.Begin(t.Context(), owner, nil, asking(1)).Wait(t.Context(), &me)
	if len(turn.Questions) != 1 || h.Held()["books"] != 2 {
		t.Fatalf("got %+v, held are %v", turn, h.Held())
	}
	_, err := h.Occupy(owner, "call_2")
	wantCode(t, err, signalbox.CodeUnavailable)
	for _, l := range leave[1:] {
		l()
	}
	if _, err = h.Occupy(owner, "call_2"); signalbox.CodeOf(err) != signalbox.CodeUnavailable {
		t.Errorf("call_1 still waits for something: got %v", err)
	}
	leave[0]()
	l, err := h.Occupy(owner, "call_2")
	if err != nil {
		t.Fatal(err)
	}
	l()
	c, err := h.Resume(turn.Ticket, says("a"))
	if err != nil {
		t.Fatal(err)
	}
	wantEnd(t, c.Wait(t.Context(), &me), "a")
	if len(h.Held()) != 0 || len(h.byKey) != 0 || len(h.occupied) != 0 {
		t.Errorf("something is left: %v %v %v", h.Held(), h.byKey, h.occupied)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = h.Occupy(owner, "call_3")
	wantCode(t, err, signalbox.CodeUnavailable)
}
