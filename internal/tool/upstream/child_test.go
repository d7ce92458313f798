package upstream

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/tool/upstream/upstreamtest"
)

func TestAChildSeesABareEnvironment(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "a secret of ours")
	s := newServers(t, child("child", "server", "DECLARED", "yes"))
	got, err := use(t.Context(), s, "child", "env", `{}`)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got, "a secret of ours") || !strings.Contains(got, "DECLARED=yes") || !strings.Contains(got, "PATH=") {
		t.Errorf("got %s", got)
	}
}

func TestALegacyChildIsInitializedAndAnswered(t *testing.T) {
	s := newServers(t, child("child", "legacy"))
	list, err := s.byID["child"].Tools(t.Context())
	if err != nil || len(list.Tools) != 1 || list.Tools[0].Name != "state" {
		t.Fatalf("got %+v, %v", list, err)
	}
	got, err := use(t.Context(), s, "child", "state", `{}`)
	if err != nil || !strings.Contains(got, "initialized true, pinged true") {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestFaultyChildren(t *testing.T) {
	cases := []struct {
		role, message string
		code          signalbox.Code
	}{
		{"dies at once", "can not be reached", signalbox.CodeUpstream},
		{"garbage", "can not be reached", signalbox.CodeUpstream},
		{"deaf", "did not answer in time", signalbox.CodeTimeout},
	}
	for _, c := range cases {
		t.Run(c.role, func(t *testing.T) {
			server := child("child", c.role)
			if c.code == signalbox.CodeTimeout {
				server.ConnectTimeout = 500 * time.Millisecond
			}
			s := newServers(t, server)
			_, err := use(t.Context(), s, "child", "echo", `{}`)
			if e := upstreamtest.WantCode(t, err, c.code); !strings.Contains(e.Message, c.message) {
				t.Errorf("got %q", e.Message)
			}
			_, _, err = s.Resolve(t.Context(), call.NewTrack(&signalbox.Call{Tool: &signalbox.ToolRequest{Server: "child", Name: "echo"}}))
			if err == nil {
				t.Error("an unreachable server has tools")
			}
		})
	}
	t.Run("no such program", func(t *testing.T) {
		s := newServers(t, Config{ID: "child", Command: []string{filepath.Join(t.TempDir(), "nothing")}})
		_, err := use(t.Context(), s, "child", "echo", `{}`)
		upstreamtest.WantCode(t, err, signalbox.CodeUpstream)
	})
}

func TestAChildThatDiesFailsItsCallAndIsStartedAgain(t *testing.T) {
	s := newServers(t, child("child", "server"))
	for range 2 {
		if _, err := use(t.Context(), s, "child", "echo", `{"a":1}`); err != nil {
			t.Fatal(err)
		}
		_, err := use(t.Context(), s, "child", "exit", `{}`)
		upstreamtest.WantCode(t, err, signalbox.CodeUpstream)
		for range 500 { // The second death in a row costs a pause.
			if _, err = use(t.Context(), s, "child", "echo", `{}`); err == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestCloseLeavesNoDescendant(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	s := newServers(t, child("child", "with a grandchild", "PID_FILE", file))
	if _, err := use(t.Context(), s, "child", "echo", `{}`); err != nil {
		t.Fatal(err)
	}
	s.Close()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(data))
	if err != nil {
		t.Fatal(err)
	}
	if !gone(pid) {
		t.Errorf("the grandchild %d lives on", pid)
	}
	_, err = use(t.Context(), s, "child", "echo", `{}`)
	upstreamtest.WantCode(t, err, signalbox.CodeUnavailable)
}

// gone reports whether a process has ended; an orphan that nobody has reaped yet has.
func gone(pid int) bool {
	for range 200 {
		if syscall.Kill(pid, 0) != nil {
			return true
		}
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(stat), ") Z ") {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}
