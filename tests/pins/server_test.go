package pins

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/tests/harness"
)

// playServer is the variable that makes the test's binary play an MCP server, with the tools of the file it names.
const playServer = "SIGNALBOX_TEST_TOOLS"

func TestMain(m *testing.M) {
	if file := os.Getenv(playServer); file != "" {
		if err := play(context.Background(), file); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(harness.Main(m))
}

// instructionsOf is the file beside that of the tools with the server's instructions. Without it there are none.
func instructionsOf(file string) string { return file + ".instructions" }

// instructing puts what the file says by now into the handshake, that of each of the protocol's versions.
func instructing(file string) mcp.Middleware {
	return func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, r mcp.Request) (mcp.Result, error) {
			result, err := next(ctx, method, r)
			text, missing := os.ReadFile(instructionsOf(file))
			if err != nil || missing != nil {
				return result, err
			}
			switch said := result.(type) {
			case *mcp.DiscoverResult:
				said.Instructions = string(text)
			case *mcp.InitializeResult:
				said.Instructions = string(text)
			}
			return result, nil
		}
	}
}

// play serves tools over standard input and output, made with the official SDK. It changes them while it runs, as soon as
// the file changes.
func play(ctx context.Context, file string) error {
	server := mcp.NewServer(&mcp.Implementation{Name: "desk", Version: "1"}, nil)
	server.AddReceivingMiddleware(instructing(file))
	had := map[string]string{}
	if err := show(server, file, had); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := show(server, file, had); err != nil {
					os.Exit(2)
				}
			}
		}
	})
	err := server.Run(ctx, &mcp.StdioTransport{})
	cancel()
	watching.Wait()
	return err
}

// show makes the server's tools those of the file. had is what they are, by name.
func show(server *mcp.Server, file string, had map[string]string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var list []json.Value
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	gone := map[string]bool{}
	for name := range had {
		gone[name] = true
	}
	for _, entry := range list {
		var tool mcp.Tool
		if err := json.Unmarshal(entry, &tool); err != nil || tool.Name == "" {
			return errors.Join(err, errors.New("an entry that is no tool"))
		}
		delete(gone, tool.Name)
		if had[tool.Name] == string(entry) {
			continue
		}
		had[tool.Name] = string(entry)
		server.AddTool(&tool, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil
		})
	}
	for name := range gone {
		delete(had, name)
		server.RemoveTools(name)
	}
	return nil
}

// offer replaces the file of the tools in one step.
func offer(t testing.TB, file string, tools ...string) {
	t.Helper()
	next := file + ".next"
	text := "[" + strings.Join(tools, ",") + "]"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, file); err != nil {
		t.Fatal(err)
	}
}

// fileOf is where the tools of a world are.
func fileOf(t testing.TB) string { return filepath.Join(t.TempDir(), "tools.json") }
