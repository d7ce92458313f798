package simulated

import (
	"strings"
)

// sentences are what the model has to say about anything. They are plainly general, so that nobody takes them for
// knowledge.
var sentences = []string{
	"The first thing to settle is what a good result would look like.",
	"Two points matter more than the others: what is known, and what is only assumed.",
	"The simplest reading of the question is usually the right one.",
	"A small experiment would answer this faster than a long discussion.",
	"The figures at hand support this, with the usual caution about their age.",
	"One risk deserves attention: the cost of being wrong is not the same in both directions.",
	"Compared with the alternatives, this one is easier to undo.",
	"What remains open is how it behaves under load.",
	"The next step is to write down the decision and the reason for it.",
	"It helps to separate what must hold from what would be nice to have.",
	"A second pair of eyes should look at this before it is final.",
	"In short: start small, measure, and keep what works.",
}

var koreanSentences = []string{
	"먼저 어떤 결과가 좋은 결과인지 정해야 합니다.",
	"알려진 사실과 가정을 구분하는 것이 중요합니다.",
	"작은 실험이 긴 토론보다 빠른 답을 줍니다.",
	"현재 수치는 이 방향을 뒷받침합니다.",
	"되돌리기 쉬운 선택부터 시작하는 것이 안전합니다.",
	"부하가 걸릴 때의 동작은 더 확인해야 합니다.",
	"결정과 그 이유를 기록해 두는 것이 다음 단계입니다.",
	"요약하면 작게 시작하고 측정하고 효과가 있는 것을 유지합니다.",
}

// MaxQuoted bounds what is quoted of a prompt or a tool's result, in bytes.
const MaxQuoted = 160

// compose makes up a text.
func (s *session) compose() string {
	if s.script.Text != "" {
		return s.script.Text
	}
	bank, asked, found := sentences, "On the question ", "The tool says: "
	if korean(s.question.prompt) {
		bank, asked, found = koreanSentences, "질문 ", "도구의 결과: "
	}
	var b strings.Builder
	if quoted := quotable(s.question.prompt); quoted != "" {
		b.WriteString(asked + "“" + quoted + "”: ")
	}
	if s.question.answered {
		b.WriteString(found + quotable(s.question.result) + " ")
	}
	s.fill(&b, bank)
	return b.String()
}

// fill adds sentences until the answer has the length that was drawn. No sentence comes twice before all have come.
func (s *session) fill(b *strings.Builder, bank []string) {
	want := s.length()
	order := s.random.Perm(len(bank))
	for i := 0; i == 0 || tokens(b.Len()) < want; i++ {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(bank[order[i%len(bank)]])
	}
}

// MaxTokens bounds a text that is made up.
const MaxTokens = 100_000

// length draws the tokens of an answer.
func (s *session) length() int64 {
	least, most := max(s.config.MinOutput, 1), s.config.MaxOutput
	draw := s.random.Uint64()
	if s.script.Tokens > 0 {
		return min(s.script.Tokens, MaxTokens)
	}
	if most > least {
		least += int64(draw % uint64(most-least+1))
	}
	return min(least, MaxTokens)
}

// quotable gives the beginning of a text in one line, without the lines of a script.
func quotable(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "simulate:") {
			lines = append(lines, strings.Fields(line)...)
		}
	}
	whole := strings.Join(lines, " ")
	if cut := clip(whole, MaxQuoted); cut != whole {
		return cut + "…"
	}
	return whole
}

// korean reports whether a text has Hangul in it.
func korean(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r >= 0xAC00 && r <= 0xD7A3 })
}
