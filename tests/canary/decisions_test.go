package canary

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// decisionLists are what people's decisions are read from.
var decisionLists = []string{
	"/api/v1/approvals?limit=500", "/api/v1/break-glass?limit=500", "/api/v1/incidents?limit=500", "/api/v1/policy", "/api/v1/alerts?limit=500",
}

// member reads a member of an answer.
func member(t *testing.T, a harness.Answer, name string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.Body), &m); err != nil {
		t.Fatalf("status %d, %v: %s", a.Status, err, a.Body)
	}
	text, _ := m[name].(string)
	if text == "" {
		t.Fatalf("no %q in %d %s", name, a.Status, a.Body)
	}
	return text
}

// made makes something by the control API and gives a member of it, such as its id.
func (b *bench) made(t *testing.T, path, key, body, name string) string {
	t.Helper()
	return member(t, b.Send(t, http.MethodPost, "/api/v1"+path, key, body), name)
}

const waitingCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"work","arguments":%s}}`

// shelve makes a call that waits for approval, and gives its answer.
func (b *bench) shelve(t *testing.T, arguments string) (harness.Answer, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.URL+"/mcp/shelf", strings.NewReader(fmt.Sprintf(waitingCall, arguments)))
	if err != nil {
		return harness.Answer{}, err
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer " + harness.Agent, "X-Signalbox-Agent": "worker", "Content-Type": "application/json",
		"Accept": "application/json, text/event-stream",
	} {
		r.Header.Set(name, value)
	}
	return read(http.DefaultClient.Do(r))
}

// waiting is a call that waits, the only one, and what it will answer.
func (b *bench) waiting(t *testing.T, arguments string) (id string, answer <-chan harness.Answer) {
	t.Helper()
	done := make(chan harness.Answer, 1)
	go func() {
		a, err := b.shelve(t, arguments)
		if err != nil {
			a.Body += err.Error()
		}
		done <- a
	}()
	var page api.Page[api.Approval]
	harness.Eventually(t, func() error {
		if err := b.TryGet("/approvals", url.Values{"state": {"pending"}}, &page); err != nil {
			return err
		}
		if len(page.Items) != 1 {
			return fmt.Errorf("%d calls wait", len(page.Items))
		}
		return nil
	})
	return page.Items[0].ID, done
}

// weighty makes a call of a model that waits, and gives its approval: who makes one is told at once, and nothing of the call
// is left.
func (b *bench) weighty(t *testing.T) string {
	t.Helper()
	b.waited++
	body := fmt.Sprintf(`{"model":"sim","max_tokens":9,"messages":[{"role":"user","content":"Hello %d."}]}`, b.waited)
	a := b.Send(t, http.MethodPost, chatPath, harness.Agent, body, "X-Signalbox-Step-Kind", "weighty")
	id := a.Header.Get("X-Signalbox-Approval")
	if a.Status != http.StatusConflict || id == "" {
		t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	return id
}

// settle ends what waits, so that nothing does when the next field is filled.
func (b *bench) settle(t *testing.T) {
	t.Helper()
	var page api.Page[api.Approval]
	b.Get(t, "/approvals", url.Values{"state": {"pending"}}, &page)
	for _, a := range page.Items {
		if a := b.Send(t, http.MethodPost, "/api/v1/approvals/"+a.ID+"/withdraw", harness.Admin, ""); a.Status != http.StatusOK {
			t.Errorf("the withdrawal answers %d: %s", a.Status, a.Body)
		}
	}
}

// waits is a field of the arguments of a call that waits, is approved, and is then made.
func waits(name, arguments string) field {
	return field{name: "arguments that wait, " + name, content: true, send: func(b *bench, t *testing.T, text string) harness.Answer {
		filled := strings.NewReplacer("@", quote("Please remember "+text+" for me."), "$", quote(text)).Replace(arguments)
		id, answer := b.waiting(t, filled)
		if a := b.Send(t, http.MethodPost, "/api/v1/approvals/"+id+"/approve", b.approver, ""); a.Status != http.StatusOK {
			t.Errorf("the approval answers %d: %s", a.Status, a.Body)
		}
		a := <-answer
		if a.Header.Get("X-Signalbox-Call") == "" {
			t.Errorf("the approved call answers %d: %s", a.Status, a.Body)
		}
		return a
	}}
}

// edits is a field of the edit of a call that waits; what it asks for is denied.
func edits(name, body string, content bool) field {
	return field{name: "edit, " + name, content: content, send: func(b *bench, t *testing.T, text string) harness.Answer {
		filled := strings.NewReplacer("@", quote("Please remember "+text+" for me."), "$", quote(text)).Replace(body)
		b.waited++ // What was denied is refused for a while.
		id, answer := b.waiting(t, fmt.Sprintf(`{"mark":"m%d","fail":false}`, b.waited))
		a := b.Send(t, http.MethodPost, "/api/v1/approvals/"+id+"/edit", b.approver, filled)
		b.settle(t)
		<-answer
		return a
	}}
}

func waitingFields() []field {
	return []field{
		waits("text", `{"mark":@,"fail":false}`),
		waits("the resource alone", `{"mark":$,"fail":false}`),
		waits("a name", `{"mark":"m",$:1}`),
		waits("in depth", `{"mark":"m","fail":false,"more":[{"a":{"b":[@,{$:null}]}}]}`),
		edits("arguments", `{"arguments":{"mark":@,"fail":false},"reason":"better"}`, true),
		edits("a name", `{"arguments":{"mark":"m",$:1},"reason":"better"}`, true),
		edits("reason", `{"arguments":{"mark":"other","fail":false},"reason":@}`, false),
		edits("member", `{"arguments":{},"reason":"x",$:1}`, false),
	}
}

// says is a field of what a person says about an act that was prepared; % in the path is the act, and @ in the body what is said.
func says(path, body string, prepare func(b *bench, t *testing.T) string, header ...string) field {
	return field{name: "POST " + path + " " + body, send: func(b *bench, t *testing.T, text string) harness.Answer {
		defer b.settle(t)
		on := prepare(b, t)
		filled := strings.NewReplacer("@", quote("Please remember "+text+" for me."), "$", quote(text), "%", on).Replace(body)
		var filledHeader []string
		for _, h := range header {
			filledHeader = append(filledHeader, strings.ReplaceAll(h, "$", text))
		}
		return b.Send(t, http.MethodPost, "/api/v1"+strings.ReplaceAll(path, "%", on), harness.Admin, filled, filledHeader...)
	}}
}

func weighty(b *bench, t *testing.T) string { return b.weighty(t) }
func nothing(*bench, *testing.T) string     { return "" }

func overGrant(b *bench, t *testing.T) string {
	t.Helper()
	id := b.made(t, "/break-glass", harness.Operator, `{"agent":"nobody","tool":"shelf.*","reason":"fire"}`, "id")
	return b.made(t, "/break-glass/"+id+"/end", harness.Operator, "", "id")
}

func someCall(b *bench, t *testing.T) string {
	t.Helper()
	id := b.Send(t, http.MethodPost, chatPath, harness.Agent, good).Header.Get("X-Signalbox-Call")
	b.Call(t, id)
	return id
}

func incident(b *bench, t *testing.T) string {
	t.Helper()
	return b.made(t, "/incidents", harness.Operator, `{"call_id":"`+someCall(b, t)+`","severity":"low","text":"slow"}`, "id")
}

func decisionFields() []field {
	list := []field{
		says("/approvals/%/approve", `{"reason":@}`, weighty),
		says("/approvals/%/deny", `{"reason":@}`, weighty),
		says("/approvals/%/withdraw", `{"reason":@}`, weighty),
		says("/approvals/deny", `{"ids":["%"],"reason":@}`, weighty),
		says("/approvals/%/approve", `{"reason":"fine",$:1}`, weighty),
		says("/approvals/%/approve", `{"reason":"fine"}`, weighty, "X-Signalbox-Via", "$"),
		says("/break-glass", `{"agent":"nobody","tool":"shelf.*","reason":@}`, nothing),
		says("/break-glass/%/review", `{"review":@}`, overGrant),
		says("/incidents", `{"call_id":"%","severity":"low","text":@}`, someCall),
		says("/incidents/%/close", `{"resolution":@}`, incident),

		control(http.MethodPost, "/approvals/deny", `{"ids":[$],"reason":"no"}`),
		control(http.MethodPost, "/break-glass", `{"agent":$,"tool":"shelf.*","reason":"fire"}`),
		control(http.MethodPost, "/break-glass", `{"agent":"nobody","tool":$,"reason":"fire"}`),
		control(http.MethodPost, "/break-glass", `{"tenant":$,"agent":"nobody","tool":"shelf.*","reason":"fire"}`),
		control(http.MethodPost, "/break-glass", `{"agent":"nobody","tool":"shelf.*","reason":"fire","minutes":$}`),
		control(http.MethodPost, "/incidents", `{"call_id":$,"severity":"low","text":"slow"}`),
		control(http.MethodPost, "/incidents", `{"run_id":$,"severity":"low","text":"slow"}`),
		control(http.MethodPost, "/incidents", `{"run_id":"r","tenant":$,"severity":$,"text":"slow"}`),
		content(control(http.MethodPost, "/policy/explain", `{"agent":"worker","tool":"shelf.work","arguments":{"mark":$}}`)),
		content(control(http.MethodPost, "/policy/explain", `{"agent":"nobody","tool":"shelf.work","arguments":{"mark":$,$:[$]}}`)),
		control(http.MethodPost, "/policy/explain", `{"agent":$,"tool":"shelf.work"}`),
		control(http.MethodPost, "/policy/explain", `{"tool":$}`),
		control(http.MethodPost, "/policy/explain", `{"model":$,"purpose":$,"step_kind":$,"tenant":$}`),
	}
	for _, path := range []string{
		"/approvals/$/approve", "/approvals/$/deny", "/approvals/$/withdraw", "/approvals/$/edit", "/break-glass/$/end",
		"/break-glass/$/review", "/incidents/$/close", "/sessions/$/revoke",
	} {
		list = append(list, control(http.MethodPost, path, `{"reason":"x","arguments":{}}`), control(http.MethodPost, path, `{"review":"x","resolution":"x"}`))
	}
	for _, path := range []string{
		"/approvals/$", "/approvals/appr_0?wait=$", "/approvals?agent=$", "/approvals?tool=$", "/approvals?run=$", "/approvals?state=$",
		"/approvals?cursor=$", "/approvals/events?id=$", "/break-glass?tenant=$", "/incidents?state=$", "/incidents?cursor=$",
		"/sessions?cursor=$", "/policy/versions/$",
	} {
		list = append(list, control(http.MethodGet, path, ""))
	}
	return list
}

// reach checks that what was searched for is there to be found, by those who decide: the arguments as they would be sent,
// and what people have said with the secrets masked.
func (b *bench) reach(t *testing.T) {
	t.Helper()
	a := b.Send(t, http.MethodGet, "/api/v1/approvals?limit=500&state=approved", b.approver, "")
	for _, name := range []string{"openai", "mail", "password"} {
		if !strings.Contains(a.Body, canaries[name].text) {
			t.Errorf("who decides does not see %s in the arguments", name)
		}
	}
	said := "Please remember [email] for me."
	for path, texts := range map[string][]string{
		"/approvals":   {`"edited_from":"appr_`, `"via":"page"`, `"reason":"` + said, `"reason":"edited: ` + said, `"reason":"[email]"`, `"state":"withdrawn"`},
		"/break-glass": {`"reason":"` + said, `"review":"` + said}, "/incidents": {`"text":"` + said, `"resolution":"` + said},
		"/alerts": {"Reason: " + said},
	} {
		a := b.Send(t, http.MethodGet, "/api/v1"+path+"?limit=500", harness.Operator, "")
		for _, text := range texts {
			if !strings.Contains(a.Body, text) {
				t.Errorf("nothing on %s says %s", path, text)
			}
		}
	}
}
