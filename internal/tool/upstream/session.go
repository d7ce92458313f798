package upstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// wire carries messages to one upstream and back. It is safe for concurrent use.
type wire interface {
	// request sends one request once and waits for its response. An error is an *rpc.Error where the upstream answered
	// with one, else a *wireError.
	request(ctx context.Context, method, name string, params []byte) (json.Value, error)
	// notify sends a notification.
	notify(ctx context.Context, method string, params []byte) error
	// version tells the protocol version, which HTTP repeats in a header.
	version(string)
	// lost is closed when the wire can carry nothing more.
	lost() <-chan struct{}
	// close ends the wire and everything behind it.
	close()
}

// wireError says that no response came.
type wireError struct {
	err    error
	status int           // Of HTTP, where the upstream answered with one.
	sent   bool          // The request may have reached the upstream.
	after  time.Duration // When the upstream wants to be asked again; 0 where it has not said.
}

func (e *wireError) Error() string { return e.err.Error() }
func (e *wireError) Unwrap() error { return e.err }

// session is a connected upstream.
type session struct {
	wire     wire
	modern   bool
	spoken   string // The protocol's version.
	client   []byte // Our introduction, a JSON object.
	started  time.Time
	mark     string   // By which a task is known to have been made in it.
	tasks    bool     // A legacy server makes tasks of calls of tools, if it is told to.
	declared Declared // When it began.
	level    string   // Of the log lines that a legacy server was asked for; "" if it was not. The upstream's mutex guards it.
}

// open shakes hands over a fresh wire: by server/discover, else by initialize. A legacy server may keep silent about a
// method that it does not know, so the first question waits at most for the time given.
func open(ctx context.Context, w wire, version string, offered json.Value, probe time.Duration) (*session, error) {
	s := &session{wire: w}
	var client rpc.Object
	client.Text("name", "signalbox")
	client.Text("version", version)
	s.client = client.Bytes()
	modern, err := s.discover(ctx, probe)
	if err != nil {
		return nil, err
	}
	if s.modern = modern; modern {
		s.spoken = rpc.ModernVersion
		return s, nil
	}
	return s, s.initialize(ctx, offered)
}

// discover asks whether the upstream is a modern one. An error means that asking further makes no sense.
func (s *session) discover(ctx context.Context, probe time.Duration) (bool, error) {
	s.wire.version(rpc.ModernVersion)
	probing, cancel := context.WithTimeout(ctx, probe)
	defer cancel()
	var params rpc.Object
	params.Add("_meta", s.meta(nil, rpc.NoCapabilities))
	result, err := s.wire.request(probing, rpc.MethodDiscover, "", params.Bytes())
	if err == nil {
		s.declared = readDeclared(result)
		return speaks(result, rpc.ModernVersion), nil
	}
	if ctx.Err() != nil || !mayBeLegacy(err) {
		return false, err
	}
	return false, nil
}

// mayBeLegacy reports whether the answer to server/discover can be that of a server that does not know it.
func mayBeLegacy(err error) bool {
	var answered *rpc.Error
	if errors.As(err, &answered) {
		return true
	}
	var w *wireError
	if errors.As(err, &w) && w.status != 0 {
		return w.status >= 400 && w.status < 500 && w.status != 401 && w.status != 403 && w.status != 429
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// speaks reports whether a result of server/discover names the version.
func speaks(result json.Value, version string) bool {
	var r struct {
		Versions []string `json:"supportedVersions"`
	}
	return json.Unmarshal(result, &r) == nil && slices.Contains(r.Versions, version)
}

func (s *session) initialize(ctx context.Context, offered json.Value) error {
	s.wire.version("")
	var params rpc.Object
	params.Text("protocolVersion", rpc.LegacyVersion)
	params.Add("capabilities", offered)
	params.Add("clientInfo", s.client)
	result, err := s.wire.request(ctx, rpc.MethodInitialize, "", params.Bytes())
	if err != nil {
		return err
	}
	var r struct {
		Version      string `json:"protocolVersion"`
		Capabilities struct {
			Tasks struct {
				Requests struct {
					Tools struct {
						Call json.Value `json:"call"`
					} `json:"tools"`
				} `json:"requests"`
			} `json:"tasks"`
		} `json:"capabilities"`
	}
	if err := json.Unmarshal(result, &r); err != nil || !slices.Contains(sdk.SupportedProtocolVersions(), r.Version) {
		return &wireError{err: fmt.Errorf("the server answered initialize with protocol version %q", r.Version), sent: true}
	}
	s.spoken, s.declared = r.Version, readDeclared(result)
	s.tasks = len(r.Capabilities.Tasks.Requests.Tools.Call) > 0
	s.wire.version(r.Version)
	return s.wire.notify(ctx, rpc.MethodInitialized, nil)
}

// meta gives a request's _meta: what a modern request must say, with the capabilities of the caller that it is made for,
// and the members given, which are raw JSON.
func (s *session) meta(more []json.Member, capabilities json.Value) []byte {
	var o rpc.Object
	if s.modern || more == nil {
		o.Text(rpc.MetaVersion, rpc.ModernVersion)
		o.Add(rpc.MetaClient, s.client)
		o.Add(rpc.MetaCapabilities, capabilities)
	}
	for _, m := range more {
		o.Add(m.Name, m.Value.Bytes())
	}
	return o.Bytes()
}

func (s *session) alive() bool {
	select {
	case <-s.wire.lost():
		return false
	default:
		return true
	}
}

// lossOf says why the wire of a dead session was lost.
func (s *session) lossOf() error {
	if w, ok := s.wire.(interface{ why() error }); ok {
		return w.why()
	}
	return said(nil, "the connection was lost")
}
