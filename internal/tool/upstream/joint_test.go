package upstream

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
)

func TestJointNames(t *testing.T) {
	long := strings.Repeat("x", 60)
	for _, c := range []struct{ server, name, want string }{
		{"files", "read", "files__read"},
		{"files", "read_text-file", "files__read_text-file"},
		{"a", "a.b", "a__a_b_" + digest("a.a.b")},
		{"a", "읽기", "a_____" + digest("a.읽기")},
		{"files", long, "files__" + long[:48] + "_" + digest("files."+long)},
	} {
		t.Run(c.server+"."+c.name, func(t *testing.T) {
			got := jointName(c.server, c.name)
			if len(got) > MaxJointName || strings.Trim(got, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
				t.Errorf("%q is none that model APIs allow", got)
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if jointName("a", long+"1") == jointName("a", long+"2") || jointName("a", "b.c") == jointName("a", "b c") {
		t.Error("two names became one")
	}
}

// digest is the end of a joint name that stands for another.
func digest(id string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(id)))[:8] }
