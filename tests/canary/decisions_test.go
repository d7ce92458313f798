package canary

import (
	"context"
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

// shelve makes a call that waits for approval, and gives its answer: at once where one was given before.
func (b *bench) shelve(ctx context.Context, t *testing.T, arguments string) (harness.Answer, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.URL+"/mcp/shelf", strings.NewReader(fmt.Sprintf(waitingCall, arguments)))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer " + harness.Agent, "X-Signalbox-Agent": "worker", "Content-Type": "application/json",
		"Accept": "application/json, text/event-stream",
	} {
		r.Header.Set(name, value)
	}
	return read(http.DefaultClient.Do(r))
}

// waiting makes a call wait, and gives its approval once whoever has made it has gone away. It is the only one that waits.
func (b *bench) waiting(t *testing.T, arguments string) string {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan harness.Answer, 1)
	go func() {
		a, _ := b.shelve(ctx, t, arguments)
		gone <- a
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
	leave()
	if a := <-gone; a.Status != 0 && a.Status != http.StatusOK {
		t.Errorf("the call answers %d: %s", a.Status, a.Body)
	}
	return page.Items[0].ID
}

// plain are arguments that nobody has approved before.
func (b *bench) plain() string {
	b.waited++
	return fmt.Sprintf(`{"mark":"m%d","fail":false}`, b.waited)
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
		id := b.waiting(t, filled)
		if a := b.Send(t, http.MethodPost, "/api/v1/approvals/"+id+"/approve", b.approver, ""); a.Status != http.StatusOK {
			t.Errorf("the approval answers %d: %s", a.Status, a.Body)
		}
		a, err := b.shelve(t.Context(), t, filled)
		if err != nil || a.Header.Get("X-Signalbox-Call") == "" {
			t.Errorf("the approved call answers %d, %v: %s", a.Status, err, a.Body)
		}
		return a
	}}
}

// edits is a field of the edit of a call that waits; what it asks for is denied.
func edits(name, body string, content bool) field {
	return field{name: "edit, " + name, content: content, send: func(b *bench, t *testing.T, text string) harness.Answer {
		defer b.settle(t)
		filled := strings.NewReplacer("@", quote("Please remember "+text+" for me."), "$", quote(text)).Replace(body)
		return b.Send(t, http.MethodPost, "/api/v1/approvals/"+b.waiting(t, b.plain())+"/edit", b.approver, filled)
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

func waitingPlain(b *bench, t *testing.T) string { return b.waiting(t, b.plain()) }
func nothing(*bench, *testing.T) string          { return "" }

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
		says("/approvals/%/approve", `{"reason":@}`, waitingPlain),
		says("/approvals/%/deny", `{"reason":@}`, waitingPlain),
		says("/approvals/%/withdraw", `{"reason":@}`, waitingPlain),
		says("/approvals/deny", `{"ids":["%"],"reason":@}`, waitingPlain),
		says("/approvals/%/approve", `{"reason":"fine",$:1}`, waitingPlain),
		says("/approvals/%/approve", `{"reason":"fine"}`, waitingPlain, "X-Signalbox-Via", "$"),
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
