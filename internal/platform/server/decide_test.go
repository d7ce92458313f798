package server

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// form sends what the page's form sends.
func (i *instance) form(path, key string, values url.Values) (*http.Response, string) {
	return i.send(http.MethodPost, path, key, values.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// The page shows the arguments to who decides and to nobody else, changes nothing by being read, and takes a verdict once.
func TestDecidePage(t *testing.T) {
	url1, ran := echo(t)
	text := strings.Replace(fmt.Sprintf(deciding, url1), "agents:", "  - {id: dev, secret: the-key-of-developer-dan, tenant: acme, role: developer}\nagents:", 1)
	i := started(t, t.TempDir(), text)
	id := i.asks("drafts/a")
	page := "/decide/" + id
	link := page + "?token=" + i.links.token(id, "ops")
	for name, c := range map[string]struct {
		path, key string
		status    int
		says, not string
	}{
		"an approver":         {page, annKey, 200, "202E⟩", "\u202e"},
		"a developer":         {page, "the-key-of-developer-dan", 200, "only approvers may read it", "drafts"},
		"the agent":           {page, workerKey, 403, "does not decide", "drafts"},
		"nobody":              {page, "", 401, `<a href="/login?next=%2Fdecide%2F` + id + `">Log in with an API key</a>`, "drafts"},
		"nobody, with a path": {"/decide/%2F%2Fevil.example%22%3E", "", 401, `<a href="/login?next=%2Fdecide%2F%252F%252Fevil.example%2522%253E">`, `href="//evil`},
		"a link":              {link, "", 200, "drafts/", "\u202e"},
		"a forged link":       {link + "x", "", 403, "not one of ours", "drafts"},
		"another's link":      {"/decide/appr_other?token=" + i.links.token(id, "ops"), "", 403, "not one of ours", "drafts"},
		"an unknown approval": {"/decide/appr_other", annKey, 404, "", "drafts"},
	} {
		r, text := i.send(http.MethodGet, c.path, c.key, "")
		if r.StatusCode != c.status || !strings.Contains(text, c.says) || strings.Contains(text, c.not) {
			t.Errorf("%s: %d %s", name, r.StatusCode, text)
		}
		if policy := r.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the page may run scripts or be kept: %v", name, r.Header)
		}
	}
	deny, approve := url.Values{"verdict": {"deny"}}, url.Values{"verdict": {"approve"}, "token": {i.links.token(id, "ops")}}
	for name, c := range map[string]struct {
		key    string
		values url.Values
		status int
	}{
		"without a reason":  {annKey, deny, 400},
		"without a verdict": {annKey, url.Values{}, 400},
		"by a developer":    {"the-key-of-developer-dan", url.Values{"verdict": {"approve"}}, 403},
	} {
		if r, text := i.form(page, c.key, c.values); r.StatusCode != c.status {
			t.Errorf("%s: %d %s", name, r.StatusCode, text)
		}
	}
	if _, text := i.send(http.MethodGet, "/api/v1/approvals/"+id, annKey, ""); !strings.Contains(text, `"state":"pending"`) || ran.Load() != 0 {
		t.Fatalf("it was decided before anybody did: %s", text)
	}
	if r, text := i.form(page, "", approve); r.StatusCode != http.StatusOK || !strings.Contains(text, "on record") {
		t.Errorf("the link: %d %s", r.StatusCode, text)
	}
	if r, text := i.form(page, "", approve); r.StatusCode != http.StatusConflict {
		t.Errorf("the link once more: %d %s", r.StatusCode, text)
	}
}
