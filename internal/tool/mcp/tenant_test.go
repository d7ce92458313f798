package mcp

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/internal/tool/upstream"
)

var callIDs = regexp.MustCompile(`call_[0-9a-z]+`)

// A server of other tenants is as if it were not there, on the joint path and on its own, whatever is asked.
func TestServersOfOtherTenants(t *testing.T) {
	s := newServers(t,
		upstream.Config{ID: "books", URL: library(t, []string{"find"}, []string{"file:///a"}, []string{"ask"})},
		upstream.Config{ID: "vault", URL: library(t, []string{"open"}, []string{"file:///b"}, []string{"beg"})},
	)
	url, _ := jointGateway(t, s, KeepTenants(func(server, tenant string) bool { return server != "vault" || tenant != "acme" }))
	for list, member := range map[string]string{"tools/list": "books__find", "resources/list": "file:///a", "prompts/list": "books__ask"} {
		_, body := send(t, url, `{"jsonrpc":"2.0","id":1,"method":"`+list+`"}`)
		if text := string(body); !strings.Contains(text, member) || strings.Contains(text, "vault") || strings.Contains(text, "file:///b") {
			t.Errorf("%s gives %s", list, text)
		}
	}
	for _, message := range []string{
		`"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}`, `"ping"`, `"tools/list"`, `"resources/list"`,
		`"tools/call","params":{"name":"open","arguments":{}}`, `"resources/read","params":{"uri":"file:///b"}`,
	} {
		request := `{"jsonrpc":"2.0","id":1,"method":` + message + `}`
		status, hidden := send(t, url+"/vault", request)
		nowhere, absent := send(t, url+"/vaunt", request)
		hidden, absent = callIDs.ReplaceAll(hidden, nil), callIDs.ReplaceAll(absent, nil)
		if want := strings.ReplaceAll(string(absent), "vaunt", "vault"); string(hidden) != want || status != nowhere || status != http.StatusNotFound {
			t.Errorf("%s: %d %s, and where there is nothing %d %s", message, status, hidden, nowhere, absent)
		}
	}
	for _, name := range []string{"vault__open", "vault__none"} {
		if _, body := send(t, url, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+name+`","arguments":{}}}`); !strings.Contains(string(body), `"not_found"`) {
			t.Errorf("%s: %s", name, body)
		}
	}
	r, err := http.NewRequest(http.MethodGet, url+"/vault", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", testKey)
	r.Header.Set("Mcp-Session-Id", "x")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		t.Error("the stream of a server of another tenant is there")
	}
}
