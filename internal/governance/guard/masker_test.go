package guard

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/signalbox/signalbox"
)

// golden reads the cases of one file: "text => masked" a line, "=" for a text that stays. Go's escapes (\u200b, \n)
// work, and "{}" is left out: it keeps sample keys from looking like keys to those who search repositories for them.
func golden(t testing.TB, path string) [][2]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cases [][2]string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		arrow := strings.LastIndex(line, " => ")
		if arrow < 0 {
			t.Fatalf("%s: no arrow in %q", path, line)
		}
		in, want := line[:arrow], line[arrow+len(" => "):]
		if want == "=" {
			want = in
		}
		cases = append(cases, [2]string{unescape(t, in), unescape(t, want)})
	}
	return cases
}

func unescape(t testing.TB, s string) string {
	t.Helper()
	s = strings.ReplaceAll(strings.ReplaceAll(s, "{}", ""), `"`, `\"`)
	plain, err := strconv.Unquote(`"` + s + `"`)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return plain
}

func goldenFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files (%v)", err)
	}
	return files
}

func TestGolden(t *testing.T) {
	m, total := New(), 0
	for _, file := range goldenFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			for _, c := range golden(t, file) {
				total++
				if got := m.Mask(c[0]); got != c[1] {
					t.Errorf("\n text %q\n  got %q\n want %q", c[0], got, c[1])
				}
				checkMasked(t, m, c[0])
			}
		})
	}
	if total < 120 {
		t.Errorf("%d cases, want at least 120", total)
	}
}

// checkMasked checks what holds for every text.
func checkMasked(t testing.TB, m *Masker, text string) {
	t.Helper()
	got := m.Mask(text)
	if len(got) > MaxText {
		t.Errorf("%d bytes, more than %d", len(got), MaxText)
	}
	if !utf8.ValidString(got) {
		t.Errorf("not UTF-8: %q", got)
	}
	if again := m.Mask(got); again != got {
		t.Errorf("masked twice\n text  %q\n once  %q\n twice %q", text, got, again)
	}
}

func FuzzMask(f *testing.F) {
	for _, file := range goldenFiles(f) {
		for _, c := range golden(f, file) {
			f.Add(c[0])
		}
	}
	f.Add(strings.Repeat("4111 1111 ", 200))
	f.Add("\xff\xfe010-1234-5678\xc3")
	m := New()
	f.Fuzz(func(t *testing.T, text string) { checkMasked(t, m, text) })
}

func TestMaskCutsWhatIsTooLong(t *testing.T) {
	m := New()
	tests := map[string]struct{ text, gone string }{
		"card at the bound":   {strings.Repeat("word ", MaxText/5-2) + "4111111111111111", "4111"},
		"mail over the bound": {strings.Repeat("a ", MaxText/2-6) + "alice@example.com", "alice"},
		"behind the bound":    {strings.Repeat("a ", MaxText) + "alice@example.com", "alice"},
		"excerpt cut inside":  {(strings.Repeat("word ", 500) + "x")[:signalbox.MaxExcerpt-10] + " alice@ex", "alice"},
		"excerpt cut in Korean": {
			strings.Repeat("가 ", 509)[:2034] + " 900101-1234가"[:14], "900101",
		},
		"one endless word": {strings.Repeat("x", MaxText-5) + "@example.com", "@ex"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := m.Mask(test.text)
			if strings.Contains(got, test.gone) || !strings.HasSuffix(got, cutMark) {
				t.Errorf("ends in %q", got[max(0, len(got)-60):])
			}
			checkMasked(t, m, test.text)
		})
	}
}

func TestManyPhoneNumbersAreHiddenUnchecked(t *testing.T) {
	// The numbers after the first ones are not valid: nobody looks any more.
	text := strings.Repeat("010-1234-5678, ", MaxPhoneChecks) + "+99 123 456 789"
	if got := New().Mask(text); strings.Contains(got, "456") {
		t.Errorf("ends in %q", got[len(got)-40:])
	}
}

func TestMaskedTextsGrowWithinTheBound(t *testing.T) {
	m := New()
	checkMasked(t, m, strings.Repeat("a@b.co ", MaxText/7)) // The tag is longer than the address.
	checkMasked(t, m, strings.Repeat("pwd=ab ", MaxText/7))
}

const english = "The quarterly report shows that revenue grew by 12.4% while costs stayed flat; see section 3 for details. " +
	"We recommend to keep the present plan, to hire two engineers, and to look at the numbers again in March 2026. "

const korean = "분기 보고서에 따르면 매출은 12.4% 늘었고 비용은 그대로입니다. 자세한 내용은 3절을 보십시오. 다음 회의는 3월 4일입니다. "

func BenchmarkMask(b *testing.B) {
	texts := map[string]string{
		"clean English": strings.Repeat(english, 10)[:2000],
		"clean Korean":  strings.ToValidUTF8(strings.Repeat(korean, 20)[:2000], ""),
		"clean JSON":    strings.Repeat(`{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say hello"}],"max_tokens":100},`, 25)[:2000],
		"one mail":      strings.Repeat(english, 5)[:900] + " alice@example.com " + strings.Repeat(english, 5)[:1000],
		"full of it":    strings.Repeat("alice@example.com 010-1234-5678 4111 1111 1111 1111 password=hunter2 ", 29)[:2000],
		"digits":        strings.Repeat("12 345 67890 1 ", 130)[:1950],
		"full width":    strings.ToValidUTF8(strings.Repeat("카드 ４１１１－１１１１ 번호 ", 60)[:2000], ""),
	}
	m := New()
	for name, text := range texts {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				m.Mask(text)
			}
		})
	}
}
