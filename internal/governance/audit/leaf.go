package audit

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// LeafVersion is the version of the leaf format, the member "v" of the leaf data.
const LeafVersion = 1

// timeLayout is RFC 3339 with exactly six digits, so that one instant has one spelling.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// Errors of [LeafData].
var (
	ErrLeafText  = errors.New("a header field is not valid UTF-8")
	ErrLeafTime  = errors.New("the time is not a UTC time in whole microseconds between the years 1 and 9999")
	ErrLeafIndex = errors.New("the index is negative")
)

// LeafData gives the bytes that an entry's leaf hash is made of, canonical JSON (RFC 8785) by construction:
//
//	{"call":…,"content":base64 of SHA-256 of Content,"index":…,"tenant":…,"time":…,"type":…,"v":1}
//
// Where the content was destroyed, the entry's digest stands for it, so that the leaf is the same as before. Whether it may
// have been destroyed is not to be seen here; [Destroyed] knows.
//
// It refuses an entry whose columns would not be told apart by it: invalid UTF-8 (JSON has one replacement character for
// all of it) and times finer than their spelling.
func LeafData(e signalbox.Entry) ([]byte, error) {
	return appendLeafData(make([]byte, 0, 256), e)
}

// Leaf gives the leaf hash of an entry.
func Leaf(e signalbox.Entry) (tlog.Hash, error) {
	data, err := LeafData(e)
	if err != nil {
		return tlog.Hash{}, err
	}
	return tlog.RecordHash(data), nil
}

func appendLeafData(b []byte, e signalbox.Entry) ([]byte, error) {
	if err := checkHeader(e); err != nil {
		return nil, fmt.Errorf("entry %d: %w", e.Index, err)
	}
	content := e.Digest
	if !e.Destroyed() {
		content = sha256.Sum256(e.Content)
	}
	b = appendQuoted(append(b, `{"call":`...), e.Call)
	b = base64.StdEncoding.AppendEncode(append(b, `,"content":"`...), content[:])
	b = strconv.AppendInt(append(b, `","index":`...), e.Index, 10)
	b = appendQuoted(append(b, `,"tenant":`...), e.Tenant)
	b = e.Time.UTC().AppendFormat(append(b, `,"time":"`...), timeLayout)
	b = appendQuoted(append(b, `","type":`...), string(e.Type))
	b = strconv.AppendInt(append(b, `,"v":`...), LeafVersion, 10)
	return append(b, '}'), nil
}

func checkHeader(e signalbox.Entry) error {
	switch {
	case e.Index < 0:
		return ErrLeafIndex
	case !utf8.ValidString(e.Call), !utf8.ValidString(e.Tenant), !utf8.ValidString(string(e.Type)):
		return ErrLeafText
	case !wholeMicroseconds(e.Time):
		return ErrLeafTime
	}
	return nil
}

func wholeMicroseconds(t time.Time) bool {
	year := t.UTC().Year()
	return t.Nanosecond()%1000 == 0 && year >= 1 && year <= 9999
}

// appendQuoted appends s as a JSON string. Nearly every header field is plain ASCII, which needs no escapes.
func appendQuoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return append(b, json.Quote(s)...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
