package approvals

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/option"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/tests/harness"
)

// prompt gives the body of a call of a model.
func prompt(model, text string) string {
	return fmt.Sprintf(`{"model":%q,"max_tokens":16,"messages":[{"role":"user","content":%q}]}`, model, text)
}

// executed counts how often the provider was sent a prompt.
func (w *world) executed(text string) (n int) {
	for _, r := range w.provider.Requests("") {
		if strings.Contains(string(r.Body), fmt.Sprintf("%q", text)) {
			n++
		}
	}
	return n
}

// refusal is the part that both APIs' errors have in common.
type refusal struct {
	Type  string `json:"type"`
	Error struct {
		Type     string          `json:"type"`
		Code     string          `json:"code"`
		Message  string          `json:"message"`
		Approval api.ApprovalRef `json:"approval"`
	} `json:"error"`
}

// asks makes a call that must wait for people, and gives the approval's id.
func asks(t testing.TB, i *harness.Instance, path, key, body string, header ...string) string {
	t.Helper()
	a := i.Send(t, http.MethodPost, path, key, body, header...)
	var e refusal
	if err := json.Unmarshal([]byte(a.Body), &e); err != nil || a.Status != http.StatusConflict {
		t.Fatalf("status %d, %v: %s", a.Status, err, a.Body)
	}
	ref := e.Error.Approval
	if e.Error.Code != "approval_required" || ref.ID == "" || ref.URL != "/api/v1/approvals/"+ref.ID || e.Error.Message == "" {
		t.Errorf("the error is %s", a.Body)
	}
	if a.Header.Get("X-Should-Retry") != "false" || a.Header.Get("X-Signalbox-Approval") != ref.ID {
		t.Errorf("the header is %v", a.Header)
	}
	if anthropic := strings.HasSuffix(path, "/messages"); anthropic != (e.Type == "error") {
		t.Errorf("the error has the shape of another API: %s", a.Body)
	}
	return ref.ID
}

// The same body passes once when two people of the role have approved it; any other body asks anew.
func TestModelCalls(t *testing.T) {
	everywhere(t, "", func(t *testing.T, w *world) {
		for _, path := range []string{"/v1/chat/completions", "/v1/messages"} {
			t.Run(strings.TrimPrefix(path, "/v1/"), func(t *testing.T) { modelCall(t, w, path, "high by "+path) })
		}
		w.Settled(t)
		w.Verify(t)
	})
}

func modelCall(t *testing.T, w *world, path, text string) {
	body := prompt("two", text)
	id := asks(t, w.At(0), path, harness.Agent, body)
	if again := asks(t, w.other(0), path, harness.Agent, body); again != id {
		t.Fatalf("the same body asks for %s and %s", id, again)
	}
	ref := w.Send(t, http.MethodGet, "/api/v1/approvals/"+id, harness.Agent, "")
	if mine := read[api.Approval](t, ref, http.StatusOK); mine.RiskLevel != signalbox.RiskHigh || mine.Approvers != 2 || mine.Arguments == nil || *mine.Arguments != body {
		t.Errorf("who has asked sees %+v", mine)
	}
	if a := w.mustVote(t, ann, id, signalbox.VerdictApprove); a.State != signalbox.ApprovalPending {
		t.Fatalf("one of two has approved, and it is %s", a.State)
	}
	if a := w.vote(t, w.Next(), ann, id, signalbox.VerdictApprove); a.Status != http.StatusConflict {
		t.Errorf("one person decides twice: %d %s", a.Status, a.Body)
	}
	if again := asks(t, w.Next(), path, harness.Agent, body); again != id || w.executed(text) != 0 {
		t.Fatalf("with one approval of two it asks for %s and ran %d times", again, w.executed(text))
	}
	if a := w.mustVote(t, bob, id, signalbox.VerdictApprove); a.State != signalbox.ApprovalApproved || a.UseBy == nil {
		t.Fatalf("both have approved, and it is %+v", a)
	}
	if other := asks(t, w.Next(), path, harness.Agent, prompt("two", text+".")); other == id {
		t.Error("a changed body asks for the same approval")
	}
	// Another order of its members is the same call.
	first := fmt.Sprintf(`{"messages":[{"content":%q,"role":"user"}], "max_tokens" : 16,"model":"two"}`, text)
	if a := w.other(0).Send(t, http.MethodPost, path, harness.Agent, first); a.Status != http.StatusOK {
		t.Fatalf("the approved body answers %d: %s", a.Status, a.Body)
	}
	if next := asks(t, w.Next(), path, harness.Agent, body); next == id {
		t.Error("the used approval is asked for again")
	}
	if w.executed(text) != 1 || w.executed(text+".") != 0 {
		t.Errorf("ran %d times, and the changed one %d times", w.executed(text), w.executed(text+"."))
	}
}

// counter counts the requests that an SDK really makes, its own retries included.
type counter struct{ n atomic.Int64 }

// RoundTrip counts and sends.
func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return http.DefaultTransport.RoundTrip(r)
}

// The official SDKs, which try again after 409 by themselves, do not: they are told that it does not help.
func TestSDKsDoNotRetry(t *testing.T) {
	t.Parallel()
	w := launch(t, sqlite(t), 1, "")
	ways := map[string]func(h *http.Client) (int, string, error){
		"openai": func(h *http.Client) (int, string, error) {
			c := openai.NewClient(option.WithBaseURL(w.At(0).URL+"/v1/"), option.WithAPIKey(harness.Agent), option.WithHTTPClient(h), option.WithMaxRetries(5))
			_, err := c.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{
				Model: "one", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("ask by openai")},
			})
			var e *openai.Error
			if !errors.As(err, &e) {
				return 0, "", err
			}
			return e.StatusCode, e.RawJSON(), nil
		},
		"anthropic": func(h *http.Client) (int, string, error) {
			c := anthropic.NewClient(anthropicoption.WithBaseURL(w.At(0).URL), anthropicoption.WithAPIKey(harness.Agent), anthropicoption.WithHTTPClient(h), anthropicoption.WithMaxRetries(5))
			_, err := c.Messages.New(t.Context(), anthropic.MessageNewParams{
				Model: "one", MaxTokens: 16, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("blocks"))},
				System: []anthropic.TextBlockParam{{Text: "Be brief."}},
			})
			var e *anthropic.Error
			if !errors.As(err, &e) {
				return 0, "", err
			}
			return e.StatusCode, e.RawJSON(), nil
		},
	}
	for name, try := range ways {
		t.Run(name, func(t *testing.T) {
			var n counter
			status, raw, err := try(&http.Client{Transport: &n})
			if err != nil || status != http.StatusConflict || !strings.Contains(raw, "approval_required") || !strings.Contains(raw, "appr_") {
				t.Fatalf("status %d, %v: %s", status, err, raw)
			}
			if n.n.Load() != 1 {
				t.Errorf("the SDK has sent it %d times", n.n.Load())
			}
		})
	}
}
