package mcp

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

func TestKeyInHeader(t *testing.T) {
	long := strings.Repeat("k", signalbox.MaxIdempotencyKey)
	for _, c := range []struct {
		name   string
		values []string
		want   string
		bad    bool
	}{
		{name: "none"},
		{name: "bare", values: []string{"8e03978e-40d5"}, want: "8e03978e-40d5"},
		{name: "quoted", values: []string{` "8e03978e-40d5" `}, want: "8e03978e-40d5"},
		{name: "with escapes", values: []string{`"a\"b\\c"`}, want: `a"b\c`},
		{name: "bare with a quote in it", values: []string{`a"b`}, want: `a"b`},
		{name: "as long as can be", values: []string{long}, want: long},
		{name: "longer", values: []string{long + "k"}, bad: true},
		{name: "empty", values: []string{""}, bad: true},
		{name: "quoted and empty", values: []string{`""`}, bad: true},
		{name: "twice", values: []string{"a", "a"}, bad: true},
		{name: "not closed", values: []string{`"a`}, bad: true},
		{name: "with parameters", values: []string{`"a";b=1`}, bad: true},
		{name: "another escape", values: []string{`"a\n"`}, bad: true},
		{name: "an escape of nothing", values: []string{`"a\`}, bad: true},
		{name: "with a blank", values: []string{`"a b"`}, bad: true},
		{name: "not ASCII", values: []string{"schlüssel"}, bad: true},
		{name: "with a control character", values: []string{"a\x7f"}, bad: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := keyInHeader(c.values)
			if (err != nil) != c.bad || !c.bad && got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// What is read of a header can be sent again, and is read the same.
func FuzzKeyInHeader(f *testing.F) {
	for _, seed := range []string{"a", `"a"`, `"a\"\\"`, `"`, `\`, "\x00", ` "x" `} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		key, err := keyInHeader([]string{value})
		if err != nil {
			return
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
		if again, err := keyInHeader([]string{quoted}); err != nil || again != key || !signalbox.ValidIdempotencyKey(key) {
			t.Errorf("%q is read as %q, and %q as %q (%v)", value, key, quoted, again, err)
		}
	})
}

// presented is what came to the stations, and what they answer with.
type presented struct {
	key      string
	replayOf string
	err      error
}

func (p *presented) station(call.Handler) call.Handler {
	return call.HandlerFunc(func(_ context.Context, t *call.Track) (call.Answer, error) {
		if t.Call.Invalid != nil {
			return nil, t.Call.Invalid
		}
		p.key, t.Idempotency.ReplayOf = t.Call.IdempotencyKey, p.replayOf
		if p.err != nil {
			return nil, p.err
		}
		return &served{}, nil
	})
}

// keyed sends a message with headers, and gives the answer.
func keyed(t *testing.T, p *presented, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	url, _ := gateway(t, newServers(t, upstream.Config{ID: "files", URL: "http://127.0.0.1:1"}), p.station)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"files", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {testKey}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

func toolCall(meta string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write","arguments":{},"_meta":{` + meta + `}}}`
}

func TestWhereAKeyIsRead(t *testing.T) {
	const meta = `"signalbox/idempotency-key":`
	for _, c := range []struct {
		name, body, header string
		want, bad          string // The key, or what is wrong.
	}{
		{name: "nowhere", body: toolCall("")},
		{name: "in the header", body: toolCall(""), header: `"k"`, want: "k"},
		{name: "in _meta", body: toolCall(meta + `"k"`), want: "k"},
		{name: "in both", body: toolCall(meta + `"k"`), header: "k", want: "k"},
		{name: "another one in each", body: toolCall(meta + `"k"`), header: "K", bad: "not the one in params._meta"},
		{name: "not valid in the header", body: toolCall(""), header: "a b", bad: "visible characters"},
		{name: "not valid in _meta", body: toolCall(meta + `"a b"`), bad: "visible characters"},
		{name: "empty in _meta", body: toolCall(meta + `""`), bad: "visible characters"},
		{name: "null in _meta", body: toolCall(meta + `null`), bad: "idempotency key is not valid"},
		{name: "a number in _meta", body: toolCall(meta + `7`), bad: "idempotency key is not valid"},
		{name: "spelled otherwise", body: toolCall(`"Signalbox/Idempotency-Key":"k"`), bad: "params._meta"},
		{name: "with what changes nothing", header: "k", body: `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a"}}`},
		{name: "not valid, with what changes nothing", header: "a b", body: `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var headers []string
			if c.header != "" {
				headers = []string{"Idempotency-Key", c.header}
			}
			p := &presented{}
			res, text := keyed(t, p, c.body, headers...)
			if p.key != c.want {
				t.Errorf("got the key %q, want %q", p.key, c.want)
			}
			if c.bad != "" && (res.StatusCode != http.StatusBadRequest || !strings.Contains(text, c.bad) || !strings.Contains(text, `"invalid"`)) ||
				c.bad == "" && strings.Contains(text, `"error"`) {
				t.Errorf("status %d: %s", res.StatusCode, text)
			}
		})
	}
}

func TestWhatWasGivenBeforeIsMarked(t *testing.T) {
	res, text := keyed(t, &presented{replayOf: "call_1"}, toolCall(""), "Idempotency-Key", "k")
	if res.Header.Get(headerReplayOf) != "call_1" || !strings.Contains(text, `"signalbox/replay-of":"call_1"`) {
		t.Errorf("a result: %v, %s", res.Header, text)
	}
	failed := signalbox.Errorf(signalbox.CodeTimeout, "It took too long.").WithRemedy("Look.")
	res, text = keyed(t, &presented{replayOf: "call_1", err: failed}, toolCall(""), "Idempotency-Key", "k")
	if res.Header.Get(headerReplayOf) != "call_1" || !strings.Contains(text, `"replay_of":"call_1"`) || !strings.Contains(text, `"timeout"`) {
		t.Errorf("an error: %v, %s", res.Header, text)
	}
	res, text = keyed(t, &presented{}, toolCall(""), "Idempotency-Key", "k")
	if res.Header.Get(headerReplayOf) != "" || strings.Contains(text, "replay") {
		t.Errorf("the first one: %v, %s", res.Header, text)
	}
}

func TestWhoComesTooEarlyIsToldWhenToComeBack(t *testing.T) {
	early := signalbox.Errorf(signalbox.CodeConflict, "It is under way.").WithRemedy("Wait.").WithRetryAfter(1500 * time.Millisecond)
	res, text := keyed(t, &presented{err: early}, toolCall(""), "Idempotency-Key", "k")
	if res.Header.Get("Retry-After") != "2" || !strings.Contains(text, `"retry_after_ms":1500`) || !strings.Contains(text, `"code":-31409`) {
		t.Errorf("%v: %s", res.Header, text)
	}
}

func TestMarked(t *testing.T) {
	for _, c := range []struct{ name, from, want string }{
		{"without _meta", `{"content":[],"Content":1}`, `{"content":[],"Content":1,"_meta":{"signalbox/replay-of":"call_1"}}`},
		{"with one", `{"_meta":{"a":1,"signalbox/replay-of":"x"},"content":[]}`, `{"content":[],"_meta":{"a":1,"signalbox/replay-of":"call_1"}}`},
		{"with one that is none", `{"_meta":7}`, `{"_meta":{"signalbox/replay-of":"call_1"}}`},
		{"no object", `[1]`, `[1]`},
		{"no JSON", `{`, `{`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := marked(json.Value(c.from), "call_1"); string(got) != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// A call whose key a task is using is answered with that task, as long as it has not ended.
func TestACallWhoseKeyATaskUses(t *testing.T) {
	refused := signalbox.Errorf(signalbox.CodeConflict, "It is under way.").WithRemedy("Wait.")
	refused.Approval = "appr_1"
	for _, c := range []struct {
		name, capabilities, approval string
		want                         string
	}{
		{"who knows tasks", capable, "appr_1", `"taskId":"task_1"`},
		{"who does not", `"io.modelcontextprotocol/clientCapabilities":{}`, "appr_1", `"conflict"`},
		{"it has ended", capable, "appr_2", `"conflict"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk()
			d.task.Approval = c.approval
			p := &presented{err: refused}
			url, _ := gateway(t, newServers(t, upstream.Config{ID: "files", URL: "http://127.0.0.1:1"}), p.station, KeepTasks(d))
			_, text := callWithKey(t, url+"files", c.capabilities)
			if !strings.Contains(text, c.want) || len(d.opened) > 0 {
				t.Errorf("opened %v: %s", d.opened, text)
			}
		})
	}
}

// gives answers every call with what is kept of an earlier one.
type gives struct{ result string }

func (g gives) station(call.Handler) call.Handler {
	return call.HandlerFunc(func(_ context.Context, t *call.Track) (call.Answer, error) {
		t.Idempotency.ReplayOf = "call_1"
		return &served{data: g.result}, nil
	})
}

// What a server has called its task is told to nobody, also where the result is given again.
func TestATaskOfAServerIsGivenAgain(t *testing.T) {
	modern := `{"resultType":"task","taskId":"theirs","status":"working"}`
	kept := signalbox.TaskContent{Remote: &signalbox.ServerTask{ID: "theirs"}}
	for _, c := range []struct {
		name, result string
		content      signalbox.TaskContent
		unkept       error
		want         string
	}{
		{"the same", modern, kept, nil, `"taskId":"task_1"`},
		{
			"of an older server", `{"task":{"taskId":"theirs","status":"working"}}`,
			signalbox.TaskContent{Remote: &signalbox.ServerTask{ID: "theirs", Session: "s"}},
			nil, `"conflict"`,
		},
		{"it is not kept any more", modern, kept, signalbox.Errorf(signalbox.CodeNotFound, "No."), `"conflict"`},
		{"its subject was erased", modern, signalbox.TaskContent{}, nil, `"conflict"`},
		{"the store is down", modern, kept, signalbox.Errorf(signalbox.CodeUnavailable, "Down."), `"unavailable"`},
		{"no task", `{"content":[],"taskId":"theirs"}`, kept, nil, `"taskId":"theirs"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk()
			d.content, d.unkept = c.content, c.unkept
			url, _ := gateway(t, newServers(t, upstream.Config{ID: "files", URL: "http://127.0.0.1:1"}), gives{c.result}.station, KeepTasks(d))
			_, text := callWithKey(t, url+"files", capable)
			if !strings.Contains(text, c.want) || strings.Contains(text, "theirs") != strings.Contains(c.want, "theirs") {
				t.Errorf("got %s, want %s", text, c.want)
			}
		})
	}
}

// A task is given again to who could ask about it alone: the first message has said that its sender can.
func TestATaskIsNotGivenToWhoKnowsNone(t *testing.T) {
	d := newDesk()
	d.content = signalbox.TaskContent{Remote: &signalbox.ServerTask{ID: "theirs"}}
	url, _ := gateway(t, newServers(t, upstream.Config{ID: "files", URL: "http://127.0.0.1:1"}),
		gives{`{"resultType":"task","taskId":"theirs","status":"working"}`}.station, KeepTasks(d))
	_, modern := callWithKey(t, url+"files", incapable)
	_, legacy := send(t, url+"files", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write","arguments":{},"task":{}}}`)
	for _, text := range []string{modern, string(legacy)} {
		if !strings.Contains(text, `"conflict"`) || !strings.Contains(text, "call_1") || strings.Contains(text, "task_1") {
			t.Errorf("got %s", text)
		}
	}
	d.content.Remote.Session = "s"
	url, _ = gateway(t, newServers(t, upstream.Config{ID: "files", URL: "http://127.0.0.1:1"}),
		gives{`{"task":{"taskId":"theirs","status":"working"}}`}.station, KeepTasks(d))
	for task, want := range map[string]string{`,"task":{}`: `"task":{"taskId":"task_1"`, ``: `"conflict"`} {
		_, text := send(t, url+"files", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write","arguments":{}`+task+`}}`)
		if !strings.Contains(string(text), want) || strings.Contains(string(text), "theirs") {
			t.Errorf("got %s, want %s", text, want)
		}
	}
}

// callWithKey makes a call with an idempotency key of the newest version of the protocol.
func callWithKey(t *testing.T, url, capabilities string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(toolCall(
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},`+capabilities)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Authorization": {testKey}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
		"Mcp-Protocol-Version": {"2026-07-28"}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"write"}, "Idempotency-Key": {"k"},
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}
