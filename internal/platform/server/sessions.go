package server

import (
	"context"
	"net/http"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/gate"
)

// sessions gives the control API the logins of the console. Both ends of a session are records, without which they do not
// happen; that one has expired, or ended with its key or for a newer one of the same key, follows from other records.
type sessions struct {
	*keys
	log    func(context.Context, signalbox.Record) error
	secure bool
	now    func() time.Time
}

func (s *Server) sessions() sessions {
	return sessions{s.keys, func(ctx context.Context, r signalbox.Record) error {
		r.Context.Replica = s.data.replica
		_, err := s.data.writer.Append(ctx, r)
		return err
	}, s.config.TLS.Enabled(), s.options.Now}
}

// Secret gives the key of a secret typed in. A wrong one is looked for and counted as if it had come in a header.
func (x sessions) Secret(w http.ResponseWriter, r *http.Request, secret string) (signalbox.Key, error) {
	typed := &http.Request{RemoteAddr: r.RemoteAddr, Header: http.Header{"X-Api-Key": {secret}}}
	return x.door.Authenticate(w, typed)
}

// Open begins a session and sets its cookie.
func (x sessions) Open(w http.ResponseWriter, r *http.Request, key signalbox.Key) (time.Time, error) {
	cookie, err := x.keys.sessions.Start(key, x.secure)
	if err != nil {
		return time.Time{}, err
	}
	expires := x.now().Add(time.Duration(cookie.MaxAge) * time.Second).UTC()
	record := x.record(r, signalbox.ActionLogin, key, cookie.Value)
	record.What.Detail = map[string]string{"expires": expires.Format(time.RFC3339)}
	if err := x.log(r.Context(), record); err != nil {
		x.keys.sessions.End(cookie.Value, x.secure)
		return time.Time{}, err
	}
	http.SetCookie(w, cookie)
	return expires, nil
}

// Close ends the request's session and takes its cookie away. A request without one changes nothing.
func (x sessions) Close(w http.ResponseWriter, r *http.Request) error {
	token := ""
	if c, err := r.Cookie(gate.SessionCookie); err == nil {
		token = c.Value
	}
	if key, err := x.keys.sessions.Key(token); err == nil {
		if err := x.log(r.Context(), x.record(r, signalbox.ActionLogout, key, token)); err != nil {
			return err
		}
	}
	http.SetCookie(w, x.keys.sessions.End(token, x.secure))
	return nil
}

// record is that of an end of a session: whose it is, and where it was opened or closed from.
func (x sessions) record(r *http.Request, action string, key signalbox.Key, token string) signalbox.Record {
	now := x.now().UTC()
	return signalbox.Record{
		Type: signalbox.RecordAdmin, Time: now, When: signalbox.When{Timestamp: now},
		Who: signalbox.Who{
			TenantID: key.Tenant, Team: key.Team, KeyID: key.ID, Role: key.Role, AgentID: key.Agent, UserID: key.User,
			Source: gate.Source(r.RemoteAddr),
		},
		What: signalbox.What{Action: action, ResourceID: gate.SessionID(token)},
	}
}
