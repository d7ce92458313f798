package server

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/gate"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// sessions gives the control API the logins of the console.
type sessions struct{ *keys }

func (s *Server) sessions() sessions { return sessions{s.keys} }

// replicaLog names this replica in the records that it appends.
type replicaLog struct{ data *data }

// Append appends a record with its effects.
func (l replicaLog) Append(ctx context.Context, r signalbox.Record, effects ...signalbox.Effect) (int64, error) {
	r.Context.Replica = l.data.replica
	return l.data.writer.Append(ctx, r, effects...)
}

// newSessions loads the open sessions.
func (s *Server) newSessions(ctx context.Context, k *keys) (*gate.Sessions, error) {
	open := gate.NewSessions(gate.SessionsOptions{
		Keys: k.ring, People: k.people, Log: replicaLog{s.data}, Store: s.data.db, Now: s.options.Now, Secure: s.secure(),
	})
	return open, open.Refresh(ctx)
}

// secure reports whether people reach the console over TLS, be it that of a proxy.
func (s *Server) secure() bool {
	return s.config.TLS.Enabled() || strings.HasPrefix(s.config.PublicURL.Reveal(), "https://")
}

// Secret gives the key of a secret typed in. A wrong one is looked for and counted as if it had come in a header.
func (x sessions) Secret(w http.ResponseWriter, r *http.Request, secret string) (signalbox.Key, error) {
	typed := &http.Request{RemoteAddr: r.RemoteAddr, Header: http.Header{"X-Api-Key": {secret}}}
	return x.door.Authenticate(w, typed)
}

// Open begins a session and sets its cookie.
func (x sessions) Open(w http.ResponseWriter, r *http.Request, key signalbox.Key) (time.Time, error) {
	session, cookie, err := x.keys.sessions.OpenKey(r.Context(), key, gate.Source(r.RemoteAddr))
	if err != nil {
		return time.Time{}, err
	}
	http.SetCookie(w, cookie)
	return session.Expires, nil
}

// Close ends the request's session and takes its cookie away. A request without one changes nothing.
func (x sessions) Close(w http.ResponseWriter, r *http.Request) error {
	token := ""
	if c, err := r.Cookie(gate.SessionCookie); err == nil {
		token = c.Value
	}
	cookie, err := x.keys.sessions.Close(r.Context(), token, gate.Source(r.RemoteAddr))
	if err != nil {
		return err
	}
	http.SetCookie(w, cookie)
	return nil
}

// openSessions gives the control API the sessions of everybody.
type openSessions struct{ *gate.Sessions }

// List gives those that are open.
func (x openSessions) List(context.Context) ([]api.OpenSession, error) {
	open := x.Sessions.List()
	list := make([]api.OpenSession, len(open))
	for i, one := range open {
		list[i] = api.OpenSession(one)
	}
	return list, nil
}

// Revoke ends one; one that has ended meanwhile is no error.
func (x openSessions) Revoke(ctx context.Context, by signalbox.Caller, id string) error {
	_, err := x.Sessions.Revoke(ctx, by, id)
	if signalbox.CodeOf(err) == signalbox.CodeNotFound {
		return nil
	}
	return err
}
