package mcp

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// people is the approval station and the people behind it: every call needs an approval, which admits one call.
type people struct {
	mu       sync.Mutex
	approval signalbox.Approval
	asked    chan struct{} // Closed by the first call.
	decided  chan struct{} // Closed by decide.
	calls    []signalbox.Call
	waits    int
	failing  error // Of Wait.
}

func newPeople() *people {
	return &people{
		approval: signalbox.Approval{ID: "appr_1", State: signalbox.ApprovalPending},
		asked:    make(chan struct{}), decided: make(chan struct{}),
	}
}

func (p *people) station(next call.Handler) call.Handler {
	return call.HandlerFunc(func(ctx context.Context, t *call.Track) (call.Answer, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.calls = append(p.calls, *t.Call); len(p.calls) == 1 {
			close(p.asked)
		}
		if p.approval.State == signalbox.ApprovalApproved && p.approval.Used.IsZero() {
			p.approval.Used = time.Now()
			return next.Serve(ctx, t)
		}
		t.Approval = call.ApprovalResult{Status: signalbox.StatusDenied, ID: p.approval.ID, State: signalbox.ApprovalPending}
		e := signalbox.Errorf(signalbox.CodeApprovalRequired, "A person must approve this call.").WithRemedy("Wait.")
		e.Approval = p.approval.ID
		return nil, e
	})
}

func (p *people) decide(state signalbox.ApprovalState, votes ...signalbox.Vote) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.approval.State, p.approval.Votes = state, votes
	close(p.decided)
}

// Wait is that of a [Waiter].
func (p *people) Wait(ctx context.Context, id string) (signalbox.Approval, error) {
	p.mu.Lock()
	p.waits++
	err := p.failing
	p.mu.Unlock()
	if err != nil || id != "appr_1" {
		return signalbox.Approval{}, errors.Join(err, errors.New("no such approval"))
	}
	select {
	case <-p.decided:
	case <-ctx.Done():
		return signalbox.Approval{}, context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.approval, nil
}

func (p *people) seen() []signalbox.Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// pretty is the answer of a tool that writes its JSON over several lines.
const pretty = "{\n  \"content\": [\n    {\"type\": \"text\", \"text\": \"done\"}\n  ]\n}"

// answering is an attempt that has the tool's answer at once.
func answering(context.Context, *call.Track) (call.Answer, error) {
	return &served{}, nil
}

// served is an answer of one part.
type served struct {
	data  string // What else it gives than pretty.
	given bool
}

func (*served) Head() call.Head { return call.Head{ContentType: "application/json"} }

func (*served) Close() error { return nil }

func (s *served) Next(context.Context) (call.Part, error) {
	if s.given {
		return call.Part{}, io.EOF
	}
	s.given = true
	return call.Part{Data: []byte(cmp.Or(s.data, pretty)), Terminal: true}, nil
}

// waitingGateway serves the handler with people behind it, over pipes, so that time can be made up.
func waitingGateway(t *testing.T, p *people, wait time.Duration) (*http.Transport, *memoryLog) {
	t.Helper()
	log := &memoryLog{}
	recorder := call.NewRecorder(call.RecorderOptions{Log: log, Masker: plain{}, Now: time.Now})
	chain := call.Stations{Record: recorder.Station, Approval: p.station, Attempt: call.HandlerFunc(answering)}.Chain()
	s := newServers(t, upstream.Config{ID: "files", URL: "http://127.0.0.1:1"}) // It is never asked.
	mux := http.NewServeMux()
	mux.Handle(Pattern, NewHandler(s, testDoor{}, chain, "test", slog.New(slog.DiscardHandler), WaitForApprovals(p, wait)))
	listener := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: mux}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(listener) }()
	transport := &http.Transport{DialContext: listener.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
		<-done
	})
	return transport, log
}

// pipes is a listener without a network.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.closed) }); return nil }

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// clientOver connects the SDK's client, and tells every notification of progress.
func clientOver(
	t *testing.T, transport *http.Transport, version string, progress func(*sdk.ProgressNotificationParams),
) *sdk.ClientSession {
	t.Helper()
	c := sdk.NewClient(&sdk.Implementation{Name: "client", Version: "1"}, &sdk.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) { progress(r.Params) },
	})
	session, err := c.Connect(t.Context(), &sdk.StreamableClientTransport{
		Endpoint: "http://signalbox/mcp/files", HTTPClient: &http.Client{Transport: withKey{base: transport}}, DisableStandaloneSSE: true,
	}, &sdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() })
	return session
}

// wantsProgress are the parameters of a call whose caller wants to hear of progress, or does not.
func wantsProgress(token any) *sdk.CallToolParams {
	p := &sdk.CallToolParams{Name: "echo", Arguments: map[string]any{"n": 1}}
	if token != nil {
		p.Meta = sdk.Meta{"progressToken": token}
	}
	return p
}
