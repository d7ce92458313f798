package mcp

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// Bounds of the sessions of legacy callers.
const (
	MaxSessions       = 10_000    // At once. Who comes later has none, and is asked for nothing.
	MaxSessionsPerKey = 2000      // Of them. When one more begins, the one that was not used for longest ends.
	SessionIdle       = time.Hour // A session that is not used for so long is forgotten.
	MaxAsked          = 16        // Questions of servers that wait for one caller.
)

// callerSession is what we keep of a legacy caller who can be asked by servers, or told of changes. It lives in this process
// alone: a caller whose session is lost is told so with status 404, and begins another one.
type callerSession struct {
	id           string
	who          signalbox.Caller
	capabilities json.Value

	mu      sync.Mutex
	used    time.Time
	level   string // Of the log lines that he wants; "" for all.
	last    int64
	waiting map[string]chan rpc.Message // Questions, by the id that we gave them.
	uris    map[string][]string         // Resources to hear of, by server.
	tasks   []string                    // Of servers, made in the session, the newest last.
	changed chan struct{}               // Closed when uris or tasks change, and made anew.
	ended   chan struct{}
}

// callerSessions are all of them.
type callerSessions struct {
	mu   sync.Mutex
	byID map[string]*callerSession
}

// begin begins a session; nil where there are too many.
func (s *callerSessions) begin(who signalbox.Caller, capabilities json.Value, now time.Time) *callerSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byID) >= MaxSessionsPerKey {
		s.makeRoom(who)
	}
	if len(s.byID) >= MaxSessions {
		for id, old := range s.byID {
			if old.idle(now) {
				s.drop(id)
			}
		}
	}
	if len(s.byID) >= MaxSessions {
		return nil
	}
	id := make([]byte, 16)
	rand.Read(id)
	session := &callerSession{
		id: hex.EncodeToString(id), who: who, capabilities: capabilities, used: now, waiting: map[string]chan rpc.Message{},
		uris: map[string][]string{}, changed: make(chan struct{}), ended: make(chan struct{}),
	}
	if s.byID == nil {
		s.byID = map[string]*callerSession{}
	}
	s.byID[session.id] = session
	return session
}

// makeRoom ends the session of a key that was not used for longest, where it has as many as it may: one key does not keep
// all others from having any.
func (s *callerSessions) makeRoom(who signalbox.Caller) {
	var oldest *callerSession
	n := 0
	for _, session := range s.byID {
		if session.who.Tenant != who.Tenant || session.who.Key != who.Key {
			continue
		}
		if n++; oldest == nil || session.usedBefore(oldest) {
			oldest = session
		}
	}
	if n >= MaxSessionsPerKey {
		s.drop(oldest.id)
	}
}

// usedBefore reports whether the session was last used before another one.
func (s *callerSession) usedBefore(other *callerSession) bool {
	return s.lastUsed().Before(other.lastUsed())
}

func (s *callerSession) lastUsed() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// find gives a session to whose it is. To everybody else it is not there.
func (s *callerSessions) find(id string, who signalbox.Caller, now time.Time) (*callerSession, *signalbox.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session := s.byID[id]
	if session == nil || session.idle(now) || session.who.Tenant != who.Tenant || session.who.Key != who.Key || session.who.User != who.User {
		return nil, signalbox.Errorf(signalbox.CodeNotFound, "There is no such session.").WithField(rpc.HeaderSession).
			WithRemedy("Begin another one with initialize.")
	}
	session.mu.Lock()
	defer session.mu.Unlock()
	session.used = now
	return session, nil
}

func (s *callerSessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(id)
}

func (s *callerSessions) drop(id string) {
	if session := s.byID[id]; session != nil {
		delete(s.byID, id)
		close(session.ended)
	}
}

func (s *callerSession) idle(now time.Time) bool {
	return now.Sub(s.lastUsed()) > SessionIdle
}

// beginSession gives a legacy caller a session where he can be asked for something. Others need none.
func (h *Handler) beginSession(w http.ResponseWriter, x *exchange) {
	capabilities := x.params.Get("capabilities")
	declared, err := capabilities.Object()
	if err != nil {
		return
	}
	for _, capability := range rpc.Questions() {
		if declared.Get(capability).Kind() == '{' {
			if s := h.sessions.begin(x.call.Caller, capabilities.Bytes(), h.servers.Current().Now()); s != nil {
				w.Header().Set(rpc.HeaderSession, s.id)
			}
			return
		}
	}
}

// expect makes place for an answer of the caller.
func (s *callerSession) expect() (string, chan rpc.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) >= MaxAsked {
		return "", nil, errors.New("the caller has too many questions to answer")
	}
	s.last++
	id := "ask-" + strconv.FormatInt(s.last, 10)
	answer := make(chan rpc.Message, 1)
	s.waiting[id] = answer
	return id, answer, nil
}

func (s *callerSession) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, id)
}

// answered takes an answer of the caller to what he was asked. What nobody waits for is dropped.
func (s *callerSession) answered(body []byte) {
	m, err := rpc.Decode(body)
	if err != nil || m.Method != "" {
		return
	}
	var id string
	if json.Unmarshal(m.ID, &id) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if answer := s.waiting[id]; answer != nil {
		delete(s.waiting, id)
		answer <- m
	}
}
