package gate

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

// visitors are those whose tokens make calls, by token.
type visitors map[string]signalbox.Key

func (v visitors) Caller(_ context.Context, token, path string) (*signalbox.Bearer, error) {
	key, ok := v[token]
	if !ok || path != "/mcp/files" {
		return nil, errUnknownKey()
	}
	b := signalbox.NewBearer(token, signalbox.Guest{}, func() (signalbox.Key, error) {
		if key, ok := v[token]; ok {
			return key, nil
		}
		return signalbox.Key{}, errRevokedKey(key)
	})
	if key.ID == "person:corp:scopeless" {
		return b, signalbox.Errorf(signalbox.CodeForbidden, "No scope.").WithRemedy("Get one.")
	}
	return b, nil
}

func (v visitors) Challenge(path string, presented bool, err error) string {
	return "Bearer for " + path + " " + map[bool]string{true: "presented ", false: ""}[presented] + string(signalbox.CodeOf(err))
}

func TestTokensMakeCallsOfTools(t *testing.T) {
	k := ring(t, staticKey(t, signalbox.Key{ID: "main"}, staticSecret))
	refusals := StartRefusals(&memoryLog{}, time.Now, slog.New(slog.DiscardHandler))
	defer refusals.Close()
	who := visitors{
		"eyJ.good.x":      {ID: "person:corp:1", Tenant: "acme", Role: signalbox.RoleDeveloper, Agent: "coder", User: "rose"},
		"eyJ.scopeless.x": {ID: "person:corp:scopeless", Tenant: "acme", Role: signalbox.RoleDeveloper},
	}
	door := NewDoor(DoorOptions{Keys: k, Refusals: refusals, People: friends{}, Callers: who, Now: at(noon)})
	for _, c := range []struct {
		name, path string
		protocol   signalbox.Protocol
		headers    []string
		code       signalbox.Code // Of the refusal.
		invalid    signalbox.Code // Of the call.
		key        string
		challenge  string
	}{
		{"token", "/mcp/files", "mcp", []string{"Authorization: Bearer eyJ.good.x"}, "", "", "person:corp:1", ""},
		{"key", "/mcp/files", "mcp", []string{bearer}, "", "", "main", ""},
		{"nothing", "/mcp/files", "mcp", nil, "unauthenticated", "", "", "Bearer for /mcp/files unauthenticated"},
		{"unknown key", "/mcp/files", "mcp", []string{"x-api-key: sb_x"}, "unauthenticated", "", "", "Bearer for /mcp/files presented unauthenticated"},
		{"bad token", "/mcp/files", "mcp", []string{"Authorization: Bearer eyJ.bad.x"}, "unauthenticated", "", "", "Bearer for /mcp/files presented unauthenticated"},
		{"token for another path", "/mcp/mail", "mcp", []string{"Authorization: Bearer eyJ.good.x"}, "unauthenticated", "", "", "Bearer for /mcp/mail presented unauthenticated"},
		{"token without a scope", "/mcp/files", "mcp", []string{"Authorization: Bearer eyJ.scopeless.x"}, "", "forbidden", "person:corp:scopeless", "Bearer for /mcp/files presented forbidden"},
		{"token beside a key", "/mcp/files", "mcp", []string{"Authorization: Bearer eyJ.good.x", "x-api-key: sb_x"}, "invalid", "", "", ""},
		{"token as a key", "/mcp/files", "mcp", []string{"x-api-key: eyJ.good.x"}, "unauthenticated", "", "", "Bearer for /mcp/files presented unauthenticated"},
		{"token for a model", "/v1/messages", signalbox.ProtocolAnthropic, []string{"Authorization: Bearer eyJ.good.x"}, "unauthenticated", "", "", ""},
		{"bad header", "/mcp/files", "mcp", []string{"Authorization: Bearer eyJ.good.x", HeaderRun + ": a b"}, "", "invalid", "person:corp:1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(t, "http://signalbox.example"+c.path, "{}", c.headers...)
			r.RemoteAddr = "192.0.2.1:5"
			w := httptest.NewRecorder()
			call, err := door.Admit(w, r, signalbox.KindTool, c.protocol)
			wantCode(t, err, c.code)
			if call.Invalid != nil {
				wantCode(t, call.Invalid, c.invalid)
			} else if c.invalid != "" {
				t.Error("the call is good")
			}
			if got := w.Header().Get("WWW-Authenticate"); got != c.challenge || call.Caller.Key != c.key {
				t.Errorf("got %q for %q, want %q for %q", got, call.Caller.Key, c.challenge, c.key)
			}
		})
	}
}

// For whom a token stands is asked again at the station: whoever was revoked meanwhile makes no call.
func TestStationAsksForWhomATokenStands(t *testing.T) {
	who := visitors{"eyJ.good.x": {ID: "person:corp:1", Tenant: "acme", Role: signalbox.RoleDeveloper, Agent: "coder"}}
	b, err := who.Caller(t.Context(), "eyJ.good.x", "/mcp/files")
	if err != nil {
		t.Fatal(err)
	}
	h := Station(Options{Now: at(noon), Keys: ring(t)})(answering(&oneShot{}, nil))
	tr := track(who["eyJ.good.x"], signalbox.Claims{})
	tr.Call.Bearer = b
	if _, err := h.Serve(t.Context(), tr); err != nil || tr.Gate.Caller.Agent != "coder" || tr.Gate.Caller.Key != "person:corp:1" {
		t.Fatalf("got %+v, %v", tr.Gate.Caller, err)
	}
	tr.Call.Claims.Agent = "other"
	_, err = h.Serve(t.Context(), tr)
	wantCode(t, err, signalbox.CodeForbidden)
	caller, err := Caller(ring(t), tr.Call)
	if wantCode(t, err, signalbox.CodeForbidden); caller.Key != "person:corp:1" {
		t.Errorf("got %+v", caller)
	}
	tr.Call.Claims.Agent = ""
	delete(who, "eyJ.good.x")
	_, err = h.Serve(t.Context(), tr)
	wantCode(t, err, signalbox.CodeUnauthenticated)
}
