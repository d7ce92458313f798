package guard

import (
	"slices"
	"strings"
)

// group is a run of digits inside of a text.
type group struct{ from, to int }

// Bounds of what is made of digits.
const (
	maxCardDigits = 19
	maxGroups     = 10 // Of one number: "+82 (0)10-1234-5678" has five.
)

// numbers finds what is made of groups of digits in one text.
type numbers struct {
	text   string
	groups []group // Of the present row: groups with only separators between them.
	spans  []span
	checks *int // Candidates for phone numbers that may still be checked.
}

func findNumbers(spans []span, t string, checks *int) []span {
	n := &numbers{text: t, spans: spans, checks: checks}
	for i := 0; i < len(t); {
		if !isDigit(t[i]) {
			i++
			continue
		}
		end := run(t, i, isDigit)
		if len(n.groups) > 0 && !separates(t[n.groups[len(n.groups)-1].to:i]) {
			n.row()
		}
		n.groups = append(n.groups, group{i, end})
		i = end
	}
	n.row()
	return n.spans
}

// separates reports whether the text between two groups can be inside of one number.
func separates(s string) bool {
	return len(s) <= 3 && strings.Trim(s, " -.()/") == ""
}

// row looks at the groups collected, at each group as the first one of a number and then at the longest number first.
func (n *numbers) row() {
	defer func() { n.groups = n.groups[:0] }()
	for i := 0; i < len(n.groups); {
		i += max(1, n.at(i))
	}
}

// at gives how many groups from i on are one number, 0 for none.
func (n *numbers) at(i int) int {
	if !n.begins(i) {
		return 0
	}
	for count := min(maxGroups, len(n.groups)-i); count > 0; count-- {
		groups := n.groups[i : i+count]
		if !n.ends(groups[count-1].to) {
			continue
		}
		if from, tag := n.judge(groups); tag != "" {
			n.spans = append(n.spans, span{from, groups[count-1].to, tag})
			return count
		}
	}
	return 0
}

// begins reports whether a number can begin at the group: not inside of a word or an identifier.
func (n *numbers) begins(i int) bool {
	from := n.groups[i].from
	switch {
	case from == 0:
		return true
	case n.text[from-1] == '-' && from > 1:
		return !isLetter(n.text[from-2])
	}
	return !isWord(n.text[from-1])
}

// ends is begins at the other side.
func (n *numbers) ends(to int) bool {
	switch {
	case to == len(n.text):
		return true
	case n.text[to] == '-' && to+1 < len(n.text):
		return !isLetter(n.text[to+1])
	}
	return !isWord(n.text[to])
}

func isLetter(c byte) bool { return isAlnum(c) && !isDigit(c) }

func isWord(c byte) bool { return isAlnum(c) || c == '_' }

// judge says what the groups are: the tag and where it begins, "" for nothing.
func (n *numbers) judge(groups []group) (from int, tag string) {
	if count := countDigits(groups); count < minDigits || count > maxCardDigits {
		return 0, ""
	}
	from = groups[0].from
	raw := n.text[from:groups[len(groups)-1].to]
	digits := onlyDigits(raw)
	switch {
	case isRRN(groups, raw, digits):
		return from, tagRRN
	case isCard(groups, raw, digits):
		return from, tagCard
	case isSSN(groups, raw, digits):
		return from, tagSSN
	}
	if from, ok := n.phone(groups, raw, digits); ok {
		return from, tagPhone
	}
	return 0, ""
}

func countDigits(groups []group) int {
	n := 0
	for _, g := range groups {
		n += g.to - g.from
	}
	return n
}

func onlyDigits(s string) string {
	b := make([]byte, 0, 64)
	for i := range len(s) {
		if isDigit(s[i]) {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// lengths reports whether the groups have these lengths.
func lengths(groups []group, want ...int) bool {
	return slices.EqualFunc(groups, want, func(g group, n int) bool { return g.to-g.from == n })
}

// isCard checks length, issuer range and Luhn's checksum. Groups are joined by one space, dash or dot.
func isCard(groups []group, raw, digits string) bool {
	if len(digits) < 13 || len(digits) > maxCardDigits || !issued(digits) {
		return false
	}
	if len(raw)-len(digits) != len(groups)-1 || strings.ContainsAny(raw, "()/") {
		return false
	}
	return luhn(digits)
}

// issued reports whether a payment card can begin like that and have that length.
func issued(d string) bool {
	n := len(d)
	switch {
	case d[0] == '4':
		return n == 13 || n == 16 || n == 19
	case d[:2] == "34", d[:2] == "37":
		return n == 15
	case d[0] == '5', d[0] == '6', d[0] == '9', d[:2] == "35", d[:2] >= "22" && d[:2] <= "27":
		return n >= 16
	case d[:2] == "30", d[:2] == "36", d[:2] == "38", d[:2] == "39":
		return n == 14
	}
	return false
}

func luhn(d string) bool {
	sum := 0
	for i := range len(d) {
		x := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if x *= 2; x > 9 {
				x -= 9
			}
		}
		sum += x
	}
	return sum%10 == 0
}

// isRRN checks a Korean resident or foreigner registration number: the date of birth, the digit that tells century and
// sex, and the checksum where it must hold. Numbers given out since October 2020 have none; written with the dash, a
// number is therefore believed without it.
func isRRN(groups []group, raw, digits string) bool {
	whole, parted := lengths(groups, 13), lengths(groups, 6, 7) && len(raw) == 14
	if !whole && !parted {
		return false
	}
	if !isDate(digits[2:4], digits[4:6]) {
		return false
	}
	dashed := parted && raw[6] == '-'
	recent := strings.IndexByte("3478", digits[6]) >= 0 && digits[:2] >= "20"
	return dashed || recent || rrnSum(digits)
}

func isDate(month, day string) bool {
	return month >= "01" && month <= "12" && day >= "01" && day <= "31"
}

// rrnSum is the checksum; those of foreigners are two higher.
func rrnSum(d string) bool {
	sum := 0
	for i, weight := range []int{2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5} {
		sum += int(d[i]-'0') * weight
	}
	want := (11 - sum%11) % 10
	if strings.IndexByte("5678", d[6]) >= 0 {
		want = (13 - sum%11) % 10
	}
	return int(d[12]-'0') == want
}

// isSSN checks a US social security number in its groups; without them nine digits are too common.
func isSSN(groups []group, raw, digits string) bool {
	if !lengths(groups, 3, 2, 4) || len(raw) != 11 || raw[3] != raw[6] || (raw[3] != '-' && raw[3] != ' ') {
		return false
	}
	area := digits[:3]
	return area != "000" && area != "666" && area < "900" && digits[3:5] != "00" && digits[5:] != "0000"
}
