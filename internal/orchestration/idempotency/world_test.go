package idempotency

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

var errGone = errors.New("the database is gone")

// world is the database that all processes share, and the tool that they call.
type world struct {
	mu      sync.Mutex
	uses    map[[32]byte]signalbox.Idempotency
	claims  map[string]string
	records []signalbox.Record
	made    map[string]int // Calls that have reached the tool, by their arguments.
	wrong   []string       // What was written without the claim.
	tool    func(ctx context.Context, t *call.Track) (call.Upstream, error)
	erased  bool
	sealed  bool                 // Nothing can be opened.
	lost    signalbox.RecordType // Records of that type are not written any more.
}

func newWorld() *world {
	return &world{uses: map[[32]byte]signalbox.Idempotency{}, claims: map[string]string{}, made: map[string]int{}}
}

// process is one of several over one world.
type process struct {
	*world
	name     string
	chain    call.Handler
	approval call.Station // Nil: nothing needs one.
	reported []error
	now      func() time.Time
}

func (w *world) process(name string) *process {
	p := &process{world: w, name: name, now: time.Now}
	k := New(Options{
		Store: p, Claims: p, Sealer: p, Now: func() time.Time { return p.now() }, Keep: func() time.Duration { return time.Hour },
		Asks:   func(t *call.Track) bool { return t.Served() != nil && t.Served().Finish == "asks" },
		Report: func(err error) { p.reported = append(p.reported, err) },
	})
	r := call.NewRecorder(call.RecorderOptions{Log: p, Masker: p, Now: time.Now})
	p.chain = call.Stations{
		Record: r.Station, Idempotency: k.Station(), Approval: func(next call.Handler) call.Handler {
			return call.HandlerFunc(func(ctx context.Context, t *call.Track) (call.Answer, error) {
				if p.approval != nil {
					return p.approval(next).Serve(ctx, t)
				}
				return next.Serve(ctx, t)
			})
		},
		Attempt: &call.Attempter{
			Backends: map[signalbox.Kind]map[string]call.Backend{signalbox.KindTool: {"files": p}}, Journal: r, Now: time.Now,
		},
	}.Chain()
	return p
}

// present sends a call, and gives what it was answered with.
func (p *process) present(t *testing.T, track *call.Track) (string, error) {
	t.Helper()
	answer, err := p.chain.Serve(t.Context(), track)
	if err != nil {
		return "", err
	}
	if answer.Head().ContentType != "application/json" {
		t.Errorf("the answer is of type %q", answer.Head().ContentType)
	}
	data, err := call.ReadAll(t.Context(), answer)
	return string(data), err
}

func (p *process) Mask(text string) string { return text }

func (p *process) Idempotency(_ context.Context, slot [32]byte) (signalbox.Idempotency, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost == signalbox.RecordAdmin {
		return signalbox.Idempotency{}, false, errGone
	}
	u, found := p.uses[slot]
	return u, found, nil
}

func (p *process) Take(_ context.Context, name string) (release func(), ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost == signalbox.RecordAttempt {
		return nil, false, errGone
	}
	if p.claims[name] != "" {
		return nil, false, nil
	}
	p.claims[name] = p.name
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.claims[name] == p.name {
			delete(p.claims, name)
		}
	}, true, nil
}

// Append does what the transaction of a record does.
func (p *process) Append(_ context.Context, r signalbox.Record, effects ...signalbox.Effect) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost == r.Type {
		return 0, signalbox.Errorf(signalbox.CodeUnavailable, "lost")
	}
	for _, e := range effects {
		switch e := e.(type) {
		case signalbox.PutIdempotency:
			if p.claims[e.Idempotency.ClaimKey()] != p.name {
				p.wrong = append(p.wrong, p.name+" writes without a claim")
			}
			p.uses[e.Idempotency.Slot] = e.Idempotency
		case signalbox.DropIdempotency:
			if p.uses[e.Slot].Call == e.Call {
				delete(p.uses, e.Slot)
			}
		}
	}
	p.records = append(p.records, r)
	return int64(len(p.records)), nil
}

func (p *process) SealBytes(tenant, subject string, aad, plain []byte) (s signalbox.Sealed, effects []signalbox.Effect, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sealed {
		return s, nil, errGone
	}
	return signalbox.Sealed{Key: tenant + " " + subject, Data: slices.Concat(aad, []byte{0}, plain)}, nil, nil
}

func (p *process) OpenBytes(_ string, s signalbox.Sealed, aad []byte) ([]byte, signalbox.ContentState, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	place, text, _ := bytes.Cut(s.Data, []byte{0})
	switch {
	case p.erased:
		return nil, signalbox.ContentErased, nil
	case p.sealed:
		return nil, signalbox.ContentSealed, nil
	case !bytes.Equal(place, aad):
		return nil, "", errGone
	}
	return text, signalbox.ContentOpen, nil
}

// Open is the tool: it acts, and says how often it has.
func (p *process) Open(ctx context.Context, t *call.Track, _ signalbox.Candidate, _ signalbox.Span) (call.Upstream, error) {
	p.mu.Lock()
	p.made[string(t.Call.Tool.Arguments)]++
	tool := p.tool
	p.mu.Unlock()
	if tool != nil {
		return tool(ctx, t)
	}
	return &result{data: `{"content":[]}`}, nil
}

// result is the answer of the tool.
type result struct {
	data, finish string
	err          error
	given        bool
}

func (r *result) Head() call.Head     { return call.Head{ContentType: "application/json"} }
func (r *result) Close() error        { return nil }
func (r *result) Report() call.Report { return call.Report{Finish: r.finish} }

func (r *result) Next(context.Context) (call.Part, error) {
	if r.given {
		return call.Part{}, io.EOF
	}
	r.given = true
	return call.Part{Data: []byte(r.data), Terminal: true}, r.err
}
