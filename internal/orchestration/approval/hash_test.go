package approval

import (
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// toolTrack is a call of a tool as the policy leaves it, for one approver.
func toolTrack(arguments string) *call.Track {
	t := call.NewTrack(&signalbox.Call{
		ID: signalbox.NewID(signalbox.CallPrefix, start), Kind: signalbox.KindTool, Protocol: signalbox.ProtocolMCP,
		Tool: &signalbox.ToolRequest{Server: "files", Name: "delete", Arguments: []byte(arguments)}, Received: start,
		Span: signalbox.Span{TraceID: "trace_1", SpanID: "span_1"}, Claims: signalbox.Claims{Subject: "sam"},
	})
	t.Gate = call.GateResult{Caller: signalbox.Caller{Tenant: "acme", Key: "key_a", Agent: "writer", User: "kim"}, Run: "run_1"}
	t.Resolve.Candidates = []signalbox.Candidate{{Name: "files.delete", Schema: [32]byte{7}}}
	t.Policy = call.PolicyResult{
		Status: signalbox.StatusPassed, Version: "sha256:1", Risk: signalbox.RiskHigh, Operation: signalbox.OperationDelete,
		Accesses: []signalbox.Access{{Operation: signalbox.OperationDelete, Resource: "/srv/a"}}, Part: [32]byte{9},
		Require: signalbox.Requirement{Approvers: 1, Role: signalbox.RoleApprover}, Why: "risk high",
	}
	return t
}

func modelTrack(body string) *call.Track {
	t := toolTrack("")
	t.Call.Kind, t.Call.Protocol, t.Call.Tool, t.Call.Body = signalbox.KindModel, signalbox.ProtocolOpenAIChat, nil, []byte(body)
	t.Call.Model = &signalbox.ModelRequest{Model: "small"}
	return t
}

func hash(t *testing.T, track *call.Track) [32]byte {
	t.Helper()
	h, err := Hash(track)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestWritingsOfOneCallHaveOneHash(t *testing.T) {
	want := hash(t, toolTrack(`{"a":1,"b":["x",1e2]}`))
	for _, arguments := range []string{`{"b":["x",100],"a":1.0}`, " { \"a\" : 1 ,\n\"b\":[\"\\u0078\",1.00e+2] } "} {
		if hash(t, toolTrack(arguments)) != want {
			t.Errorf("%s is another call", arguments)
		}
	}
	other := toolTrack(`{"a":1,"b":["x",1e2]}`)
	other.Call.ID, other.Call.Claims.Purpose, other.Policy.Version = "call_9", "again", "sha256:2"
	other.Resolve.Candidates = append(other.Resolve.Candidates, other.Resolve.Candidates[0])
	if hash(t, other) != want {
		t.Error("the call's id, its purpose or the version of all rules are in the hash")
	}
}

func TestDifferentArgumentsHaveDifferentHashes(t *testing.T) {
	seen := map[[32]byte]string{}
	for _, arguments := range []string{
		`{"n":9007199254740992}`, `{"n":9007199254740993}`, `{"n":1e400}`, `{"n":1e401}`, `{"n":-1e400}`, `{"n":1e-400}`, `{"n":0}`,
		`{"n":0.1}`, `{"n":0.10000000000000000001}`, `{"n":"0"}`, `{"n":null}`, `{"n":""}`, `{}`, `{"N":0}`, `{"n":[0]}`,
		`{"n":"é"}`, "{\"n\":\"e\u0301\"}", `{"n":"\u0000"}`, `{"n":"\ufffd"}`, `{"n":1,"m":1}`, `{"n":18446744073709551616}`, `{"n":18446744073709551617}`,
	} {
		h := hash(t, toolTrack(arguments))
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s have the same hash", other, arguments)
		}
		seen[h] = arguments
	}
}

func TestEveryFieldIsInTheHash(t *testing.T) {
	base := hash(t, toolTrack(`{"path":"/srv/a"}`))
	for name, change := range map[string]func(*call.Track){
		"kind":      func(t *call.Track) { t.Call.Kind = signalbox.KindQuery },
		"tenant":    func(t *call.Track) { t.Gate.Caller.Tenant = "globex" },
		"key":       func(t *call.Track) { t.Gate.Caller.Key = "key_b" },
		"agent":     func(t *call.Track) { t.Gate.Caller.Agent = "reader" },
		"user":      func(t *call.Track) { t.Gate.Caller.User = "lee" },
		"run":       func(t *call.Track) { t.Gate.Run = "run_2" },
		"tool":      func(t *call.Track) { t.Call.Tool.Name = "read" },
		"server":    func(t *call.Track) { t.Call.Tool.Server = "other" },
		"arguments": func(t *call.Track) { t.Call.Tool.Arguments = []byte(`{"path":"/srv/b"}`) },
		"schema":    func(t *call.Track) { t.Resolve.Candidates[0].Schema[0]++ },
		"part":      func(t *call.Track) { t.Policy.Part[0]++ },
		"schemas": func(t *call.Track) {
			t.Resolve.Candidates = append(t.Resolve.Candidates, signalbox.Candidate{Schema: [32]byte{8}})
		},
		"no schema": func(t *call.Track) { t.Resolve.Candidates = nil },
		"user and key exchanged": func(t *call.Track) {
			t.Gate.Caller.User, t.Gate.Caller.Key = t.Gate.Caller.Key, t.Gate.Caller.User
		},
		"tool and server run together": func(t *call.Track) { t.Call.Tool.Server, t.Call.Tool.Name = "files.delete", "" },
	} {
		track := toolTrack(`{"path":"/srv/a"}`)
		if change(track); hash(t, track) == base {
			t.Errorf("%s is not in the hash", name)
		}
	}
	dotted, plain := toolTrack(`{}`), toolTrack(`{}`)
	dotted.Call.Tool.Server, dotted.Call.Tool.Name = "a.b", "c"
	plain.Call.Tool.Server, plain.Call.Tool.Name = "a", "b.c"
	if hash(t, dotted) == hash(t, plain) {
		t.Error("two tools with one id have the same hash")
	}
}

func TestHashOfCallsOfModels(t *testing.T) {
	base := hash(t, modelTrack(`{"model":"small","messages":[]}`))
	if hash(t, modelTrack(`{"messages":[],"model":"small"}`)) != base {
		t.Error("the order of members is in the hash")
	}
	for name, change := range map[string]func(*call.Track){
		"body":     func(t *call.Track) { t.Call.Body = []byte(`{"model":"small","messages":[1]}`) },
		"protocol": func(t *call.Track) { t.Call.Protocol = signalbox.ProtocolAnthropic },
		"headers":  func(t *call.Track) { t.Call.Model.Headers = map[string]string{"anthropic-beta": "x"} },
		"model":    func(t *call.Track) { t.Call.Model.Model = "large" },
		"no model": func(t *call.Track) { t.Call.Model = nil },
	} {
		track := modelTrack(`{"model":"small","messages":[]}`)
		if change(track); hash(t, track) == base {
			t.Errorf("%s is not in the hash", name)
		}
	}
}

// The canonical call is what package json calls canonical, whatever is in it.
func TestCanonicalCallIsCanonical(t *testing.T) {
	odd := modelTrack(`{"b":"\u2028\u007f\"\\","a":1E30}`)
	odd.Gate.Caller.User, odd.Call.Model.Headers = "a\"\\\x00\u2028é\U0001F600", map[string]string{"z": "\xff", "a": ""}
	for _, track := range []*call.Track{toolTrack(`{"z":[1.50,{"y":1,"x":2}]}`), odd} {
		text, err := canonical(track)
		if err != nil {
			t.Fatal(err)
		}
		again, err := json.Canonical(text)
		if err != nil || string(again) != string(text) {
			t.Errorf("got (%v)\n%s\nwant\n%s", err, text, again)
		}
	}
}

func TestDeepArguments(t *testing.T) {
	deep := strings.Repeat("[", json.MaxDepth-1) + strings.Repeat("]", json.MaxDepth-1)
	hash(t, toolTrack(`{"a":`+deep+`}`))
}

func TestWhatHasNoHash(t *testing.T) {
	for name, track := range map[string]*call.Track{
		"members twice":           toolTrack(`{"a":1,"a":2}`),
		"no JSON":                 toolTrack(`{`),
		"nothing":                 toolTrack(``),
		"a body without JSON":     modelTrack(`x`),
		"names that are no UTF-8": modelTrack(`{}`),
	} {
		if strings.HasPrefix(name, "names") {
			track.Gate.Caller.Agent = "\xff"
		}
		_, err := Hash(track)
		if e := signalbox.AsError(err); err == nil || e.Code != signalbox.CodeInvalid || e.Field == "" || e.Remedy == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
