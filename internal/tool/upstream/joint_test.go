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

func TestNamesThatImitateEachOther(t *testing.T) {
	for _, c := range []struct {
		one, other string
		alike      bool
	}{
		{"Drop", "drop", true},
		{"send-mail", "send_mail", true},
		{"send.mail", "send mail", true},
		{"copy", "сору", true}, // Cyrillic.
		{"pay", "pay\u200b", true},
		{"read", "réad", true},
		{"list_all", "1ist_a11", true},
		{"go", "ｇｏ", true},
		{"갆갅갾", "갈각감", true}, // Their joint names collide.
		{"갆갅갾", "갈각갑", false},
		{"read", "reads", false},
		{"a_b", "ab", false},
		{"get_v1", "get_v2", false},
	} {
		t.Run(c.one+" "+c.other, func(t *testing.T) {
			names := newJointNames("twins", []string{c.one, "another", c.other})
			if names.Imitated(c.one) != c.alike || names.Imitated(c.other) != c.alike || names.Imitated("another") {
				t.Errorf("got %v", names.imitations)
			}
		})
	}
}

// digest is the end of a joint name that stands for another.
func digest(id string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(id)))[:8] }
