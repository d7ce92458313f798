package gate

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// oneShot is an answer of one part.
type oneShot struct {
	given  bool
	err    error
	panics bool
}

func (a *oneShot) Head() call.Head { return call.Head{ContentType: "application/json"} }
func (a *oneShot) Close() error    { return nil }

func (a *oneShot) Next(context.Context) (call.Part, error) {
	switch {
	case a.panics:
		panic("in the answer")
	case a.err != nil:
		return call.Part{}, a.err
	case a.given:
		return call.Part{}, io.EOF
	}
	a.given = true
	return call.Part{Data: []byte("{}"), Terminal: true}, nil
}

func answering(a call.Answer, err error) call.Handler {
	return call.HandlerFunc(func(context.Context, *call.Track) (call.Answer, error) { return a, err })
}

func track(key signalbox.Key, c signalbox.Claims) *call.Track {
	return call.NewTrack(&signalbox.Call{Caller: callerOf(key), Claims: c})
}

func TestStationNarrowsTheCaller(t *testing.T) {
	bound := signalbox.Key{Agent: "writer", User: "kim", Team: "cs"}
	cases := []struct {
		name        string
		key         signalbox.Key
		claims      signalbox.Claims
		code        signalbox.Code
		field       string
		agent, user string
	}{
		{"free key, no headers", signalbox.Key{}, signalbox.Claims{}, "", "", "", ""},
		{"free key, headers", signalbox.Key{}, signalbox.Claims{Agent: "a", User: "u"}, "", "", "a", "u"},
		{"bound key, no headers", bound, signalbox.Claims{}, "", "", "writer", "kim"},
		{"bound key, same headers", bound, signalbox.Claims{Agent: "writer", User: "kim"}, "", "", "writer", "kim"},
		{"another agent", bound, signalbox.Claims{Agent: "admin"}, "forbidden", HeaderAgent, "writer", "kim"},
		{"another user", bound, signalbox.Claims{User: "lee"}, "forbidden", HeaderUser, "writer", "kim"},
		{"developer", signalbox.Key{Role: signalbox.RoleDeveloper}, signalbox.Claims{}, "", "", "", ""},
		{"operator", signalbox.Key{Role: signalbox.RoleOperator}, signalbox.Claims{}, "", "", "", ""},
		{"admin", signalbox.Key{Role: signalbox.RoleAdmin}, signalbox.Claims{}, "", "", "", ""},
		{"approver", signalbox.Key{Role: signalbox.RoleApprover}, signalbox.Claims{}, "forbidden", "", "", ""},
		{"auditor", signalbox.Key{Role: signalbox.RoleAuditor}, signalbox.Claims{}, "forbidden", "", "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.key.ID = "k"
			key := staticKey(t, c.key, staticSecret)
			h := Station(Options{
				Now: at(noon), Keys: ring(t, key), AgentRole: func(a string) string { return "role of " + a },
			})(answering(&oneShot{}, nil))
			c.claims.Run = "run_1"
			tr := track(key, c.claims)
			_, err := h.Serve(t.Context(), tr)
			if e := wantCode(t, err, c.code); e != nil && e.Field != c.field {
				t.Errorf("got field %q, want %q", e.Field, c.field)
			}
			want := signalbox.StatusPassed
			if c.code != "" {
				want = signalbox.StatusDenied
			} else if tr.Gate.Caller.AgentRole != "role of "+c.agent {
				t.Errorf("got agent role %q", tr.Gate.Caller.AgentRole)
			}
			got := tr.Gate
			if got.Status != want || got.Caller.Agent != c.agent || got.Caller.User != c.user || got.Run != "run_1" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestStationRefusesWhatIsNotSaneOrHasNoKey(t *testing.T) {
	key := staticKey(t, signalbox.Key{ID: "k"}, staticSecret)
	k := ring(t, key)
	if err := k.Put(signalbox.Key{ID: "gone", Tenant: "acme", Role: signalbox.RoleAgent, Revoked: noon}); err != nil {
		t.Fatal(err)
	}
	if err := k.Put(signalbox.Key{ID: "odd", Hash: [32]byte{1}, Tenant: "acme"}); err != nil {
		t.Fatal(err)
	}
	h := Station(Options{Now: at(noon), Keys: k})(answering(nil, errors.New("reached the next station")))
	serve := func(c *signalbox.Call) error {
		_, err := h.Serve(t.Context(), call.NewTrack(c))
		return err
	}
	insane := signalbox.Errorf(signalbox.CodeInvalid, "Bad.").WithRemedy("Good.")
	if err := serve(&signalbox.Call{Caller: callerOf(key), Invalid: insane}); !errors.Is(err, insane) {
		t.Errorf("got %v, want the call's own error", err)
	}
	wantCode(t, serve(&signalbox.Call{}), signalbox.CodeUnauthenticated)
	wantCode(t, serve(&signalbox.Call{Caller: signalbox.Caller{Key: "nobody"}}), signalbox.CodeUnauthenticated)
	wantCode(t, serve(&signalbox.Call{Caller: signalbox.Caller{Key: "gone"}}), signalbox.CodeUnauthenticated)
	wantCode(t, serve(&signalbox.Call{Caller: signalbox.Caller{Key: "odd"}}), signalbox.CodeForbidden)
}

// TestStationSaysWhoMadeAnInvalidCall: that it can not be served is no reason not to know who tried.
func TestStationSaysWhoMadeAnInvalidCall(t *testing.T) {
	insane := signalbox.Errorf(signalbox.CodeInvalid, "Bad.").WithRemedy("Good.")
	for _, c := range []struct {
		name  string
		key   signalbox.Key
		agent string
	}{
		{"who it says", signalbox.Key{}, "reader"},
		{"who it can not be", signalbox.Key{Agent: "writer"}, "writer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.key.ID = "k"
			key := staticKey(t, c.key, staticSecret)
			h := Station(Options{Now: at(noon), Keys: ring(t, key)})(answering(nil, errors.New("reached the next station")))
			tr := track(key, signalbox.Claims{Agent: "reader"})
			tr.Call.Invalid = insane
			if _, err := h.Serve(t.Context(), tr); !errors.Is(err, insane) {
				t.Errorf("got %v, want the call's own error", err)
			}
			if tr.Gate.Caller.Agent != c.agent {
				t.Errorf("the record would say %q, want %q", tr.Gate.Caller.Agent, c.agent)
			}
		})
	}
}

// places is a ledger with so many places and nothing to pay, and counts its open tabs.
type places struct {
	mu   sync.Mutex
	free int
}

type placeTab struct {
	call.Tab
	leave func()
}

func (p placeTab) Leave() { p.leave() }

func (p *places) Open(context.Context, *call.Track) (call.Tab, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free == 0 {
		return nil, signalbox.Errorf(signalbox.CodeRateLimited, "The limit is reached.").WithRemedy("Wait.").WithRetryAfter(time.Second)
	}
	p.free--
	return placeTab{leave: func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.free++
	}}, nil
}

func TestStationRefusesWhereThereIsNoRoom(t *testing.T) {
	cases := []struct {
		name     string
		ledger   call.Ledger
		max      int64
		admitted int
		code     signalbox.Code
		message  string
	}{
		{"no limits", nil, 0, 5, "", ""},
		{"limits of the ledger", &places{free: 3}, 0, 3, "rate_limited", "The limit is reached."},
		{"limit of the process", &places{free: 5}, 4, 4, "unavailable", "4 calls at once"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			key := staticKey(t, signalbox.Key{ID: "k"}, staticSecret)
			h := Station(Options{
				Now: at(noon), Keys: ring(t, key), MaxConcurrent: func() int64 { return c.max }, Ledger: c.ledger,
			})(answering(&oneShot{}, nil))
			for i := range 5 {
				tr := track(key, signalbox.Claims{})
				_, err := h.Serve(t.Context(), tr)
				if i < c.admitted {
					if err != nil || (tr.Tab == nil) != (c.ledger == nil) {
						t.Fatal(i, err, tr.Tab)
					}
					continue
				}
				if e := wantCode(t, err, c.code); !strings.Contains(e.Message, c.message) || tr.Gate.Status != signalbox.StatusDenied {
					t.Errorf("got %q, %s", e.Message, tr.Gate.Status)
				}
			}
		})
	}
}

// brakes halts everything when it is told to.
type brakes struct {
	halted *signalbox.Error
	cancel context.CancelCauseFunc
	inside int
}

func (b *brakes) Enter(ctx context.Context, _ *call.Track) (context.Context, func(), error) {
	if b.halted != nil {
		return nil, nil, b.halted
	}
	b.inside++
	ctx, b.cancel = context.WithCancelCause(ctx)
	return ctx, func() { b.inside-- }, nil
}

// waiting is an answer whose parts never come.
type waiting struct{ oneShot }

func (*waiting) Next(ctx context.Context) (call.Part, error) {
	<-ctx.Done()
	return call.Part{}, ctx.Err()
}

func TestHaltRefusesAndEndsCalls(t *testing.T) {
	key, halted := staticKey(t, signalbox.Key{ID: "k"}, staticSecret), signalbox.Errorf(signalbox.CodeFrozen, "Halted.").WithRemedy("Lift it.")
	b := &brakes{}
	serve := func(next call.Handler) (call.Answer, error) {
		return Station(Options{Now: at(noon), Keys: ring(t, key), Brakes: b})(next).Serve(t.Context(), track(key, signalbox.Claims{}))
	}
	for name, read := range map[string]context.Context{"with the context of the call": t.Context(), "with another one": context.WithoutCancel(t.Context())} {
		a, err := serve(answering(&waiting{}, nil))
		if err != nil || b.inside != 1 {
			t.Fatal(err, b.inside)
		}
		b.cancel(halted)
		if _, err := a.Next(read); !errors.Is(err, halted) || b.inside != 0 {
			t.Errorf("%s: got %v, %d inside, want the halt's error and nobody", name, err, b.inside)
		}
	}
	if _, err := serve(call.HandlerFunc(func(ctx context.Context, _ *call.Track) (call.Answer, error) {
		b.cancel(halted)
		return nil, ctx.Err()
	})); !errors.Is(err, halted) {
		t.Errorf("halted before the answer: got %v", err)
	}
	b.halted = halted
	if _, err := serve(answering(&oneShot{}, nil)); !errors.Is(err, halted) || b.inside != 0 {
		t.Errorf("got %v, %d inside", err, b.inside)
	}
}

func TestStationGivesThePlaceBackOnce(t *testing.T) {
	key := staticKey(t, signalbox.Key{ID: "k"}, staticSecret)
	broken := errors.New("broken")
	drain := func(a call.Answer) {
		for {
			if _, err := a.Next(context.Background()); err != nil {
				return
			}
		}
	}
	cases := []struct {
		name string
		next call.Handler
		end  func(call.Answer)
	}{
		{"read to its end", answering(&oneShot{}, nil), drain},
		{"closed early", answering(&oneShot{}, nil), func(a call.Answer) { a.Close() }},
		{"closed twice after its end", answering(&oneShot{}, nil), func(a call.Answer) { drain(a); a.Close(); a.Close() }},
		{"broken off", answering(&oneShot{err: broken}, nil), drain},
		{"refused later", answering(nil, broken), nil},
		{"no answer at all", answering(nil, nil), nil},
		{"panic in the answer", answering(&oneShot{panics: true}, nil), func(a call.Answer) {
			defer func() { _ = recover() }()
			drain(a)
		}},
		{"panic later", call.HandlerFunc(func(context.Context, *call.Track) (call.Answer, error) { panic("later") }), nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ledger := &places{free: 1}
			g := &gate{Options: Options{Now: at(noon), Keys: ring(t, key), Ledger: ledger}}
			serve := func() (a call.Answer, err error) {
				defer func() {
					if recover() != nil {
						err = broken
					}
				}()
				return g.serve(context.Background(), track(key, signalbox.Claims{}), c.next)
			}
			for range 3 {
				a, err := serve()
				if (err == nil) != (c.end != nil) || signalbox.CodeOf(err) == signalbox.CodeRateLimited {
					t.Fatal(err)
				}
				if c.end == nil {
					continue
				}
				if _, err := serve(); signalbox.CodeOf(err) != signalbox.CodeRateLimited {
					t.Fatalf("a second call at once: %v", err)
				}
				c.end(a)
			}
			if n := g.inFlight.Load(); n != 0 || ledger.free != 1 {
				t.Errorf("%d calls in flight, %d places free, want 0 and 1", n, ledger.free)
			}
		})
	}
}

func TestStationUnderLoadNeverExceedsItsLimits(t *testing.T) {
	key := staticKey(t, signalbox.Key{ID: "k"}, staticSecret)
	var mu sync.Mutex
	inside, most := 0, 0
	next := call.HandlerFunc(func(context.Context, *call.Track) (call.Answer, error) {
		mu.Lock()
		inside++
		most = max(most, inside)
		mu.Unlock()
		return &oneShot{}, nil
	})
	h := Station(Options{Now: at(noon), Keys: ring(t, key), Ledger: &places{free: 3}})(next)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 200 {
				a, err := h.Serve(context.Background(), track(key, signalbox.Claims{}))
				if err != nil {
					continue
				}
				mu.Lock()
				inside--
				mu.Unlock()
				a.Close()
			}
		})
	}
	wg.Wait()
	if most < 1 || most > 3 {
		t.Errorf("%d at once, want 1 to 3", most)
	}
}
