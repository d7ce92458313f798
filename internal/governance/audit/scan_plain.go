package audit

import (
	"math"
	"time"
	"unicode/utf8"
)

// Every byte of a word set to 1, and to the bit that ASCII does not use.
const (
	eachByte = math.MaxUint64 / 0xff
	highBits = eachByte * utf8.RuneSelf
)

// plainBytes reports whether the text has neither control characters nor backslashes, and whether it is all ASCII. It looks
// at eight bytes at a time: a byte below n borrows its high bit when n is subtracted, and only such a one does first.
func plainBytes(text string) (plain, ascii bool) {
	var odd, high uint64
	for ; len(text) >= 8; text = text[8:] {
		w := uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
			uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
		slash := w ^ eachByte*'\\'
		odd |= (w-eachByte*' ')&^w | (slash-eachByte)&^slash
		high |= w
	}
	plain, ascii = odd&highBits == 0, high&highBits == 0
	for i := range len(text) {
		c := text[i]
		plain = plain && c >= ' ' && c != '\\'
		ascii = ascii && c < utf8.RuneSelf
	}
	return plain, ascii
}

// parseTime reads a time as [time.RFC3339Nano] writes it in UTC, "2006-01-02T15:04:05.999999999Z", and no other spelling.
func parseTime(s string) (time.Time, bool) {
	const seconds = len("2006-01-02T15:04:05")
	if len(s) <= seconds || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[len(s)-1] != 'Z' {
		return time.Time{}, false
	}
	year, month, day := digits(s[:4]), digits(s[5:7]), digits(s[8:10])
	hour, minute, second := digits(s[11:13]), digits(s[14:16]), digits(s[17:19])
	nanos := fraction(s[seconds : len(s)-1])
	if year < 0 || month < 0 || day < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || nanos < 0 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	y, m, d := t.Date() // Others where there is no such day.
	return t, y == year && int(m) == month && d == day
}

// fraction reads a fraction of a second with its point, in nanoseconds. Nothing is none; a last 0 is never written.
func fraction(s string) int {
	if s == "" {
		return 0
	}
	const nanos = len(".000000000")
	if s[0] != '.' || len(s) < 2 || len(s) > nanos || s[len(s)-1] == '0' {
		return -1
	}
	n := digits(s[1:])
	for range nanos - len(s) {
		n *= 10
	}
	return n
}

// digits reads a decimal number, less than 0 where it is none.
func digits(s string) int {
	n := 0
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return -1
		}
		n = n*10 + int(c)
	}
	return n
}
