package guard

import "strings"

// shape is what follows the known beginning of a token.
type shape struct {
	min   int // The fewest characters behind the beginning. Few: a text may have been cut in the middle.
	chars func(byte) bool
	digit bool // One of them is a digit: without one it is a word.
}

// tokens are beginnings that end in "-", "_", "." or "+", and what follows them. All are the documented shapes of the
// issuers' keys.
var tokens = map[string]shape{
	"sk-":             {12, isTokenChar, true}, // OpenAI, Anthropic and many that follow them.
	"sk-ant-":         {4, isTokenChar, false},
	"sk-proj-":        {4, isTokenChar, false},
	"sk-or-":          {8, isTokenChar, true},
	"sb_":             {12, isAlnum, true}, // Signalbox.
	"sk_live_":        {8, isAlnum, false}, // Stripe.
	"sk_test_":        {8, isAlnum, false},
	"rk_live_":        {8, isAlnum, false},
	"rk_test_":        {8, isAlnum, false},
	"whsec_":          {8, isBase64Char, false},
	"ghp_":            {8, isAlnum, false}, // GitHub.
	"gho_":            {8, isAlnum, false},
	"ghu_":            {8, isAlnum, false},
	"ghs_":            {8, isAlnum, false},
	"ghr_":            {8, isAlnum, false},
	"github_pat_":     {8, isTokenChar, false},
	"glpat-":          {8, isTokenChar, false}, // GitLab.
	"xoxa-":           {8, isTokenChar, false}, // Slack.
	"xoxb-":           {8, isTokenChar, false},
	"xoxe-":           {8, isTokenChar, false},
	"xoxe.":           {8, isTokenChar, false},
	"xoxp-":           {8, isTokenChar, false},
	"xoxr-":           {8, isTokenChar, false},
	"xoxs-":           {8, isTokenChar, false},
	"xapp-":           {8, isTokenChar, false},
	"ya29.":           {12, isTokenChar, false}, // Google.
	"SG.":             {16, isJWTChar, true},    // SendGrid.
	"hf_":             {16, isAlnum, false},     // Hugging Face.
	"gsk_":            {16, isAlnum, false},     // Groq.
	"xai-":            {16, isAlnum, true},
	"pplx-":           {16, isAlnum, false},
	"r8_":             {16, isAlnum, false}, // Replicate.
	"npm_":            {16, isAlnum, true},
	"pypi-":           {16, isTokenChar, true},
	"tvly-":           {12, isTokenChar, true},
	"dop_v1_":         {16, isAlnum, false}, // DigitalOcean.
	"lsv2_":           {12, isTokenChar, true},
	"AGE-SECRET-KEY-": {8, isAlnum, false},
	"PRIVATE+KEY+":    {1, isNoteChar, false}, // Go's signed notes: our own audit key.
	"shpat_":          {16, isAlnum, false},   // Shopify.
	"dckr_pat_":       {8, isTokenChar, false},
	"hvs.":            {12, isTokenChar, false}, // Vault.
}

// tokensByEnd has the beginnings by their last byte but one.
var tokensByEnd = func() (index [256][]string) {
	for start := range tokens {
		c := start[len(start)-2]
		index[c] = append(index[c], start)
	}
	return index
}()

func isTokenChar(c byte) bool  { return isAlnum(c) || c == '-' || c == '_' }
func isBase64Char(c byte) bool { return isAlnum(c) || c == '+' || c == '/' || c == '=' }
func isJWTChar(c byte) bool    { return isTokenChar(c) || c == '.' }
func isNoteChar(c byte) bool   { return c > ' ' && c <= '~' && c != '"' && c != '\'' }

// maxJudged bounds how much of a token is looked at to judge it, so that a text of nothing but beginnings is not read
// again from each of them.
const maxJudged = 96

// run gives the end of the characters from i on that belong.
func run(t string, i int, belongs func(byte) bool) int {
	for i < len(t) && belongs(t[i]) {
		i++
	}
	return i
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }

// findTokens looks at each "-", "_", "." and "+" for a known beginning that ends there.
func findTokens(spans []span, t string) []span {
	for i := 2; i < len(t); i++ {
		if c := t[i]; c != '-' && c != '_' && c != '.' && c != '+' {
			continue
		}
		if from, to := tokenAt(t, i); to > 0 {
			spans = append(spans, span{from, to, tagSecret})
			i = to - 1
		}
	}
	return spans
}

func tokenAt(t string, joint int) (from, to int) {
	for _, start := range tokensByEnd[t[joint-1]] {
		from := joint + 1 - len(start)
		if from < 0 || t[from:joint+1] != start || (from > 0 && isAlnum(t[from-1])) {
			continue
		}
		s := tokens[start]
		to := run(t[:min(len(t), joint+1+maxJudged)], joint+1, s.chars)
		if to-joint-1 >= s.min && (!s.digit || hasDigit(t[joint+1:to])) {
			return from, run(t, to, s.chars)
		}
	}
	return 0, 0
}

// bare are beginnings without a closing mark.
var bare = []struct {
	start string
	rare  byte // A byte of the start that few texts have.
	shape shape
	exact int // 0 is any number from min on.
}{
	{"AKIA", 'K', shape{16, isUpperAlnum, false}, 16}, // AWS access keys.
	{"ASIA", 'S', shape{16, isUpperAlnum, false}, 16},
	{"AIza", 'z', shape{30, isTokenChar, false}, 0},   // Google API keys.
	{"eyJ", 'J', shape{20, isJWTChar, false}, 0},      // JSON web tokens.
	{"earer ", 'r', shape{8, isBearerChar, false}, 0}, // Bearer, in every spelling that occurs.
	{"EARER ", 'R', shape{8, isBearerChar, false}, 0}, //
}

func isUpperAlnum(c byte) bool { return isAlnum(c) && (c < 'a' || c > 'z') }
func isBearerChar(c byte) bool { return isJWTChar(c) || isBase64Char(c) || c == '~' }

func findBareTokens(spans []span, t string, has *seen) []span {
	for _, b := range bare {
		if has.counts[b.rare] == 0 {
			continue
		}
		for i := 0; ; {
			j := strings.Index(t[i:], b.start)
			if j < 0 {
				break
			}
			from := i + j
			i = from + len(b.start)
			to := run(t[:min(len(t), i+maxJudged)], i, b.shape.chars)
			if to-i < b.shape.min || (b.exact > 0 && to-i != b.exact) {
				continue
			}
			if s, ok := bareSpan(t, b.start, from, to); ok {
				s.to = run(t, to, b.shape.chars)
				spans = append(spans, s)
				i = s.to
			}
		}
	}
	return spans
}

// minBearerWord is how long a bearer token without a digit must be not to be taken for a word.
const minBearerWord = 20

func bareSpan(t, start string, from, to int) (span, bool) {
	switch {
	case strings.HasSuffix(start, " "): // The word stays, the token goes.
		value := from + len(start)
		return span{value, to, tagSecret}, hasDigit(t[value:to]) || to-value >= minBearerWord
	case from > 0 && isAlnum(t[from-1]):
		return span{}, false
	case start == "eyJ":
		return span{from, to, tagSecret}, strings.IndexByte(t[from:to], '.') > 0
	}
	return span{from, to, tagSecret}, true
}

// findPEM hides private keys, from the first line to the last or to the end of the text.
func findPEM(spans []span, t string) []span {
	const begin, end = "-----BEGIN ", "-----END "
	for i := 0; ; {
		j := strings.Index(t[i:], begin)
		if j < 0 {
			return spans
		}
		from := i + j
		i = from + len(begin)
		name, _, _ := strings.Cut(t[i:min(len(t), i+64)], "-----")
		if !strings.Contains(name, "PRIVATE KEY") {
			continue
		}
		to := len(t)
		if k := strings.Index(t[i:], end); k >= 0 {
			to = i + k + len(end)
			if k := strings.Index(t[to:min(len(t), to+64)], "-----"); k >= 0 {
				to += k + len("-----")
			} else {
				to = len(t)
			}
		}
		spans = append(spans, span{from, to, tagSecret})
		i = to
	}
}
