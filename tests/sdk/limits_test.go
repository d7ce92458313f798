package sdk

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/signalbox/signalbox/tests/harness"
	"github.com/signalbox/signalbox/tests/upstream"
)

// A limit of ours is the SDK's rate limit error, with the time to wait, and it is on record.
func TestRateLimit(t *testing.T) {
	up := upstream.New()
	t.Cleanup(up.Close)
	whole := strings.Replace(harness.Base, "keys:\n",
		"keys:\n  - {id: hasty, secret: hasty-key-of-acme-00001, tenant: acme, role: agent, limits: [{unit: requests, per: hour, max: 2}]}\n", 1)
	i := harness.Start(t, harness.Options{Whole: whole + configuration(up.URL)})
	client := openAIClient(target{url: i.URL, key: "hasty-key-of-acme-00001"}, option.WithMaxRetries(0))
	for range 2 {
		if _, err := client.Chat.Completions.New(t.Context(), chat("openai-good", question())); err != nil {
			t.Fatal(err)
		}
	}
	_, err := client.Chat.Completions.New(t.Context(), chat("openai-good", question()))
	var e *openai.Error
	if !errors.As(err, &e) || e.StatusCode != http.StatusTooManyRequests || e.Code != "rate_limited" {
		t.Fatalf("got %v", err)
	}
	if n, err := strconv.Atoi(e.Response.Header.Get("Retry-After")); err != nil || n < 1 || n > 3600 {
		t.Errorf("Retry-After is %q", e.Response.Header.Get("Retry-After"))
	}
	d := i.Call(t, e.Response.Header.Get("X-Signalbox-Call"))
	if d.Outcome != "denied" || d.Error == nil || d.Error.Code != "rate_limited" || d.Attempts != 0 {
		t.Errorf("the record has the outcome %s and the error %+v", d.Outcome, d.Error)
	}
	if n := len(up.Requests("")); n != 2 {
		t.Errorf("the provider was asked %d times", n)
	}
	// Another key is not held up by it.
	other := openAIClient(target{url: i.URL, key: harness.Agent}, option.WithMaxRetries(0))
	if _, err := other.Chat.Completions.New(t.Context(), chat("openai-good", question())); err != nil {
		t.Error(err)
	}
	i.Complete(t)
}
