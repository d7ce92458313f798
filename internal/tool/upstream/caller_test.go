package upstream

import (
	"slices"
	"testing"
)

func TestOfferedCapabilities(t *testing.T) {
	u := &Server{Config: Config{ID: "a", URL: "http://x"}, mayAsk: func(server, method string) bool {
		return server == "a" && slices.Contains([]string{"elicitation/create", "sampling/createMessage"}, method)
	}}
	if got := string(u.offered()); got != `{"elicitation":{},"sampling":{}}` {
		t.Errorf("got %s", got)
	}
	if u.URL = ""; string(u.offered()) != "{}" {
		t.Error("a child can not say for whom it asks")
	}
}
