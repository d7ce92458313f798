package policy_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/policy"
)

// refused marks values that have no form.
const refused = "(refused)"

func TestResources(t *testing.T) {
	long := strings.Repeat("a", policy.MaxResource+1)
	cases := []struct {
		name, kind, value, want string
	}{
		{"relative", "path", "docs/a.txt", "docs/a.txt"},
		{"absolute", "path", "/docs/a.txt", "/docs/a.txt"},
		{"empty", "path", "", "."},
		{"dots and slashes", "path", "./docs//x/.././a/", "docs/a"},
		{"out of the root", "path", "docs/../../a", refused},
		{"out of the root and back", "path", "../docs/a", refused},
		{"above the absolute root", "path", "/../a", refused},
		{"up to the root", "path", "docs/..", "."},
		{"backslash", "path", `docs\..\..\a`, refused},
		{"NUL", "path", "docs/a\x00.txt", refused},
		{"line break", "path", "docs/a\nb", refused},
		{"escape is a literal", "path", "docs/%2e%2e/a", "docs/%2e%2e/a"},
		{"three dots", "path", "docs/.../a", refused},
		{"dots and a blank", "path", "docs/.. /a", refused},
		{"dots and a semicolon", "path", "docs/..;/a", refused},
		{"semicolon", "path", "docs/a;v=1", "docs/a;v=1"},
		{"composed", "path", "docs/e\u0301", "docs/\u00e9"},
		{"Hangul composed", "path", "\u1112\u1161\u11ab", "\ud55c"},
		{"full-width slash", "path", "docs\uff0f..\uff0fa", refused},
		{"fraction slash", "path", "docs/..\u2044..\u2044a", refused},
		{"slash of sets", "url", "https://a/x\u2216..\u2216a", refused},
		{"two-dot leader", "path", "\u2025/a", refused},
		{"zero width", "path", "do\u200bcs/a", refused},
		{"soft hyphen", "path", "do\u00adcs", refused},
		{"right to left", "path", "docs/\u202etxt.exe", refused},
		{"variation selector", "path", "docs/a\ufe0f", refused},
		{"Hangul filler", "path", "docs/\u3164", refused},
		{"tag character", "path", "docs/\U000e0041", refused},
		{"private use", "path", "docs/\ue000", refused},
		{"not UTF-8", "path", "docs/\xff", refused},
		{"Korean", "path", "문서/보고서.txt", "문서/보고서.txt"},
		{"too long", "path", long, refused},

		{"name", "name", "public.documents", "public.documents"},
		{"name with a slash", "name", "users/self", "users/self"},
		{"name with a step up", "name", "users/../admin", refused},
		{"name composed", "name", "e\u0301", "\u00e9"},
		{"name with zero width", "name", "pub\u200dlic", refused},
		{"empty name", "name", "", ""},

		{"address", "url", "https://api.search.com/v1/x", "api.search.com/v1/x"},
		{"no path", "url", "https://api.search.com", "api.search.com/"},
		{"capitals and the default port", "url", "HTTPS://API.Search.COM:443/V1", "api.search.com/V1"},
		{"http's port", "url", "http://a.com:080/", "a.com/"},
		{"other port", "url", "https://a.com:8443/x", "a.com:8443/x"},
		{"https on http's port", "url", "https://a.com:80/x", "a.com:80/x"},
		{"empty port", "url", "https://a.com:/x", "a.com/x"},
		{"port too high", "url", "https://a.com:99999/x", refused},
		{"port zero", "url", "https://a.com:0/x", refused},
		{"dot at the end", "url", "https://a.com./x", "a.com/x"},
		{"two dots at the end", "url", "https://a.com../x", refused},
		{"user", "url", "https://good.com@evil.com/", refused},
		{"backslash in the host", "url", `https://good.com\@evil.com/`, refused},
		{"escaped backslash", "url", "https://a.com/x%5c..%5cy", refused},
		{"query and fragment", "url", "https://a.com/x?y=/z#f", "a.com/x"},
		{"steps", "url", "https://a.com/x/../y", "a.com/y"},
		{"escaped steps", "url", "https://a.com/x/%2e%2e/y", "a.com/y"},
		{"out of the root", "url", "https://a.com/../y", refused},
		{"escaped slash", "url", "https://a.com/g%2Fp", "a.com/g/p"},
		{"steps behind escaped slashes", "url", "https://a.com/x/y%2f..%2fz", refused},
		{"escaped twice", "url", "https://a.com/%252e%252e/y", refused},
		{"percent sign", "url", "https://a.com/100%25", "a.com/100%"},
		{"double slash", "url", "https://a.com//evil.com/x", "a.com/evil.com/x"},
		{"NUL escaped", "url", "https://a.com/x%00", refused},
		{"full-width dots escaped", "url", "https://a.com/%EF%BC%8E%EF%BC%8E/x", refused},
		{"semicolon steps", "url", "https://a.com/x/..;/y", refused},
		{"international", "url", "https://예시.한국/", "xn--vv4b11d.xn--3e0b707e/"},
		{"full-width host", "url", "https://\uff41.com/", "a.com/"},
		{"bad punycode", "url", "https://xn--a\u00e4.com/", refused},
		{"underscore", "url", "https://a_b.com/", "a_b.com/"},
		{"strange character in the host", "url", "https://a$b.com/", refused},
		{"address of four parts", "url", "http://127.0.0.1/x", "127.0.0.1/x"},
		{"address as a number", "url", "http://2130706433/", refused},
		{"address in hexadecimal", "url", "http://0x7f.1/", refused},
		{"hexadecimal at the end", "url", "http://127.0.0.0x1/", refused},
		{"octal", "url", "http://0177.0.0.01/", refused},
		{"huge number", "url", "http://99999999999999999999999/", refused},
		{"address with a dot at the end", "url", "http://127.0.0.1./", "127.0.0.1/"},
		{"IPv6", "url", "http://[::1]:8080/", "[::1]:8080/"},
		{"IPv4 in IPv6", "url", "http://[::ffff:127.0.0.1]/", "127.0.0.1/"},
		{"zone", "url", "http://[fe80::1%25eth0]/", refused},
		{"bad IPv6", "url", "http://[v1.a]/", refused},
		{"colons without brackets", "url", "http://a:b:c/", refused},
		{"another scheme", "url", "ftp://a.com/", refused},
		{"no scheme", "url", "a.com/x", refused},
		{"one slash", "url", "http:/a.com/", refused},
		{"no slash", "url", "http:a.com", refused},
		{"no host", "url", "http:///x", refused},
		{"a blank before", "url", " http://a.com", refused},
		{"bad escape", "url", "http://a.com/%zz", refused},
		{"zero width in the host", "url", "http://a\u200b.com/", refused},
		{"another kind", "table", "x", refused},
	}
	for _, c := range cases {
		t.Run(c.kind+" "+c.name, func(t *testing.T) {
			got, err := policy.Resource(signalbox.ResourceKind(c.kind), c.value)
			if err != nil {
				got = refused
			}
			if got != c.want {
				t.Errorf("Resource(%q): got %q (%v), want %q", c.value, got, err, c.want)
			}
		})
	}
}

// stable checks what must hold of every form: it is one line of plain text, and its own form.
func stable(t *testing.T, kind signalbox.ResourceKind, value string) string {
	got, err := policy.Resource(kind, value)
	if err != nil {
		return ""
	}
	if !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\n\r") {
		t.Errorf("%s %q has the form %q", kind, value, got)
	}
	return got
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{"docs/a", "../a", "/a//b/./c", "a/..;/b", `a\b`, "a/%2e%2e/b", "e\u0301/", "\uff0f", "..."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := stable(t, signalbox.ResourcePath, value)
		for segment := range strings.SplitSeq(got, "/") {
			if segment == ".." || segment == "." && got != "." {
				t.Errorf("path %q has the form %q", value, got)
			}
		}
		if again := stable(t, signalbox.ResourcePath, got); got != "" && again != got {
			t.Errorf("path %q has the form %q, which has the form %q", value, got, again)
		}
	})
}

func FuzzURL(f *testing.F) {
	for _, seed := range []string{"https://a.com/x", "http://A.com.:80/../x", "http://a@b", "http://[::1]/", "http://0x7f.1", "http://a.com/%2e%2e/%2f", "http://\uff41.com"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := stable(t, signalbox.ResourceURL, value)
		if got == "" {
			return
		}
		host, rest, ok := strings.Cut(got, "/")
		if !ok || host == "" || strings.ToLower(host) != host || strings.Contains("/"+rest+"/", "/../") || strings.Contains(host, "@") {
			t.Errorf("address %q has the form %q", value, got)
		}
	})
}

func FuzzName(f *testing.F) {
	for _, seed := range []string{"a", "e\u0301", "a/../b", "\u200b", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got := stable(t, signalbox.ResourceName, value)
		if again := stable(t, signalbox.ResourceName, got); again != got {
			t.Errorf("name %q has the form %q, which has the form %q", value, got, again)
		}
	})
}

func TestCheckToolGlob(t *testing.T) {
	for glob, good := range map[string]bool{"files.read": true, "files.*": true, "*": true, "": false, "files.[": false, "files.\u200b": false} {
		if err := policy.CheckToolGlob(glob); (err == nil) != good {
			t.Errorf("%q: %v", glob, err)
		}
	}
}
