package simulated

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"syscall"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// session is one attempt.
type session struct {
	config   Config
	question question
	script   Script
	random   *rand.Rand
	attempt  int
}

// reply is what the model has decided to say.
type reply struct {
	text   string
	tool   string // The tool that is called instead of a text.
	args   []byte
	finish string // "stop", "length" or "tool_calls".
}

// answer waits as long as the model takes to begin, and begins.
func (s *session) answer(r *http.Request) (*http.Response, error) {
	delay := s.config.latency(s.random)
	fail := s.failure() // Drawn always, so that the text does not depend on the rate.
	if script := ParseScript(s.question.prompt); script.appliesTo(s.question.model) {
		s.script = script
		if script.Delay > 0 {
			delay = min(script.Delay, time.Hour)
		}
		if script.Fail != "" && (script.Times == 0 || s.attempt <= script.Times) {
			fail = script.Fail
		}
	}
	if err := s.config.Sleep(r.Context(), delay); err != nil {
		return nil, err
	}
	if response, err := s.refuse(r, fail); response != nil || err != nil {
		return response, err
	}
	return s.begin(r, s.replies(), fail == Truncated), nil
}

// failure draws whether and how the attempt fails.
func (s *session) failure() Failure {
	draw, pick := s.random.Float64(), s.random.Uint64()
	if draw >= s.config.FailureRate || len(s.config.Failures) == 0 {
		return ""
	}
	return s.config.Failures[pick%uint64(len(s.config.Failures))]
}

// refuse answers with a failure that shows before the answer; nil where there is none.
func (s *session) refuse(r *http.Request, f Failure) (*http.Response, error) {
	switch f {
	case RateLimited:
		response := respond(r, http.StatusTooManyRequests, errorBody("rate_limit_error", "Too many simulated requests."))
		response.Header.Set("Retry-After", "1")
		return response, nil
	case Overloaded:
		return respond(r, http.StatusServiceUnavailable, errorBody("overloaded_error", "The simulated model is overloaded.")), nil
	case Broken:
		return respond(r, http.StatusInternalServerError, errorBody("server_error", "The simulated model failed.")), nil
	case Reset:
		return nil, fmt.Errorf("simulated: read: %w", syscall.ECONNRESET)
	case Hang:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case Truncated:
	}
	return nil, nil //nolint:nilnil // Nothing fails here.
}

// replies decides what each choice says.
func (s *session) replies() []reply {
	all := make([]reply, s.question.choices)
	for i := range all {
		all[i] = s.reply()
	}
	return all
}

func (s *session) reply() reply {
	if t, ok := s.pickTool(); ok {
		args := []byte(s.script.Args)
		if json.Check(args, json.Limits{CaseVariants: true}) != nil {
			args = s.arguments(t)
		}
		called := reply{tool: t.name, args: args, finish: "tool_calls"}
		if most := s.question.maxTokens; most == 0 || called.tokens() <= most {
			return called
		}
		// Half a call is of no use to anybody; the beginning of a text is.
	}
	said, finish := Label+s.compose(), "stop"
	if most := s.question.maxTokens; most > 0 && tokens(len(said)) > most {
		said, finish = clip(said, int(most)*BytesPerToken), "length"
	}
	return reply{text: said, finish: finish}
}

// pickTool decides whether a tool is called, and which one.
func (s *session) pickTool() (tool, bool) {
	q := s.question
	draw, pick := s.random.Float64(), s.random.Uint64()
	wanted := q.toolMode
	if s.script.Tool != "" && !q.answered {
		wanted = s.script.Tool
	}
	if len(q.tools) == 0 || wanted == "none" || q.answered && (wanted == "auto" || wanted == "required") {
		return tool{}, false
	}
	if i := slices.IndexFunc(q.tools, func(t tool) bool { return t.name == wanted }); i >= 0 {
		return q.tools[i], true
	}
	if wanted == "auto" && draw >= s.config.ToolCallRate || wanted != "auto" && wanted != "required" {
		return tool{}, false
	}
	return q.tools[pick%uint64(len(q.tools))], true
}

// respond makes a whole answer.
func respond(r *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
	}
}

func errorBody(kind, message string) []byte {
	return fmt.Appendf(nil, `{"error":{"message":%s,"type":%s,"param":null,"code":null}}`, json.Quote(message), json.Quote(kind))
}

// errClosed is what reading gives after Close.
var errClosed = errors.New("simulated: read of a closed body")

// chunks is a body that comes in pieces, each after a delay.
type chunks struct {
	ctx   context.Context
	sleep func(context.Context, time.Duration) error
	pace  time.Duration
	list  [][]byte
	rest  []byte
	begun bool
	end   error // What follows the last piece.
}

// Read gives the next piece, after its delay.
func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if len(c.list) == 0 {
			return 0, c.end
		}
		if c.begun {
			if err := c.sleep(c.ctx, c.pace); err != nil {
				return 0, err
			}
		}
		c.begun = true
		c.rest, c.list = c.list[0], c.list[1:]
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// Close drops what is left.
func (c *chunks) Close() error {
	c.list, c.rest, c.end = nil, nil, errClosed
	return nil
}
