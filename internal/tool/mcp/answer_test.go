package mcp

import (
	"context"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/rpc"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// Clients of the newest version refuse what was read where it does not say for how long and for whom it is; servers of the
// older versions say neither.
func TestWhatIsReadIsItsReadersAlone(t *testing.T) {
	for _, c := range []struct{ name, method, version, result, want string }{
		{"says nothing", rpc.MethodReadResource, rpc.ModernVersion, `{"contents":[]}`, `{"resultType":"complete","contents":[],"ttlMs":0,"cacheScope":"private"}`},
		{"how long", rpc.MethodReadResource, rpc.ModernVersion, `{"ttlMs":7,"contents":[]}`, `{"resultType":"complete","ttlMs":7,"contents":[],"cacheScope":"private"}`},
		{
			"for everybody", rpc.MethodReadResource, rpc.ModernVersion,
			`{"cacheScope":"public","resultType":"complete","contents":[],"ttlMs":7}`, `{"resultType":"complete","contents":[],"ttlMs":7,"cacheScope":"private"}`,
		},
		{"older version", rpc.MethodReadResource, "", `{"contents":[]}`, `{"resultType":"complete","contents":[]}`},
		{"a tool's", rpc.MethodCallTool, rpc.ModernVersion, `{"content":[]}`, `{"resultType":"complete","content":[]}`},
		{"a tool's, as it is", rpc.MethodCallTool, rpc.ModernVersion, `{"content":[], "resultType":"task"}`, `{"content":[], "resultType":"task"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := &exchange{request: request{method: c.method, version: c.version}}
			got, err := x.complete([]byte(c.result))
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v, want %s", got, err, c.want)
			}
		})
	}
}

// Servers of the newest version write log lines only for who has asked for them, which older clients do once in a session.
func TestALevelSetInASessionReachesModernServers(t *testing.T) {
	s := talker()
	s.AddTool(&sdk.Tool{Name: "level", InputSchema: map[string]any{"type": "object"}}, func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		level, _ := r.Params.Meta[rpc.MetaLogLevel].(string)
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "level " + level}}}, nil
	})
	url, _ := jointGateway(t, newServers(t, upstream.Config{ID: "books", URL: serveTalker(t, s, true)}))
	session := person(t, url+"/books", "2025-11-25", &sdk.ClientOptions{ElicitationHandler: saysAnna})
	for _, level := range []string{"", "warning"} {
		if level != "" {
			if err := session.SetLoggingLevel(t.Context(), &sdk.SetLoggingLevelParams{Level: sdk.LoggingLevel(level)}); err != nil {
				t.Fatal(err)
			}
		}
		res, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "level"})
		if err != nil || text(res) != "level "+level {
			t.Errorf("got %q, %v, want the level %q", text(res), err, level)
		}
	}
}

func TestARemedyIsASentenceOfItsOwn(t *testing.T) {
	for message, want := range map[string]string{
		"It is broken.": "It is broken. Mend it.", "The server said: no": "The server said: no. Mend it.",
		"Is it?": "Is it? Mend it.", "It goes on…": "It goes on… Mend it.",
	} {
		if got := failure("req", "", signalbox.Errorf(signalbox.CodeUpstream, "%s", message).WithRemedy("Mend it.")).Message; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
