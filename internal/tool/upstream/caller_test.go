package upstream

import (
	"slices"
	"testing"
)

func TestOfferedCapabilities(t *testing.T) {
	u := &Server{Config: Config{ID: "a", URL: "http://x"}, mayAsk: func(server, method string) bool {
		return server == "a" && slices.Contains([]string{"elicitation/create", "sampling/createMessage"}, method)
	}}
	if got := string(u.offered()); got != `{"elicitation":{"form":{},"url":{}},"sampling":{}}` {
		t.Errorf("got %s", got)
	}
	if u.URL = ""; string(u.offered()) != "{}" {
		t.Error("a child can not say for whom it asks")
	}
	u.Asks, u.mayAsk = true, func(string, string) bool { return true }
	if got := string(u.offered()); got != `{"elicitation":{"form":{},"url":{}},"sampling":{}}` {
		t.Errorf("a child that asks is offered %s", got)
	}
}
