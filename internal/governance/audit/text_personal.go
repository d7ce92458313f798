package audit

import (
	"maps"
	"slices"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// SaltSize is the number of random bytes that a personal part begins with.
const SaltSize = 16

// AppendPersonal appends the JSON of a record's personal part, as package seal encrypts it: a member "salt" in base64,
// then those of [signalbox.Personal] that are not empty. Broken text is repaired as [Encode] does.
func AppendPersonal(b []byte, p *signalbox.Personal, salt [SaltSize]byte) []byte {
	w := text{b: b}
	w.open()
	w.bytes("salt", salt[:])
	w.optional("user_id", p.UserID)
	w.optional("subject_id", p.SubjectID)
	w.optional("resource_id", p.ResourceID)
	w.optional("input_summary", p.InputSummary)
	w.optional("output_summary", p.OutputSummary)
	w.optional("error_message", p.ErrorMessage)
	if p.Attempts != nil {
		w.texts("attempts", p.Attempts)
	}
	if p.Detail != nil {
		w.details("detail", p.Detail)
	}
	w.close()
	return w.b
}

func (w *text) texts(name string, list []string) {
	w.name(name)
	w.b = append(w.b, '[')
	for _, s := range list {
		w.next()
		w.quote(s)
	}
	w.b = append(w.b, ']')
}

// details writes a map whose names may be anything.
func (w *text) details(name string, m map[string]string) {
	w.name(name)
	w.open()
	for _, k := range slices.Sorted(maps.Keys(m)) {
		w.next()
		w.quote(k)
		w.b = append(w.b, ':')
		w.quote(m[k])
	}
	w.close()
}

// DecodePersonal reads what [AppendPersonal] has written. What it gives shares no memory with data.
func DecodePersonal(data []byte) (signalbox.Personal, error) {
	var p signalbox.Personal
	s := scan{s: string(data)}
	s.personal(&p)
	if !s.odd && s.s == "" {
		return p, nil
	}
	err := json.Unmarshal(data, &p) // It begins with an empty one, and leaves out the salt.
	return p, err
}

// personal reads a part without escapes and details; the rest is left to the reader of any JSON.
func (s *scan) personal(p *signalbox.Personal) {
	s.open()
	s.must("salt")
	s.quoted()
	maybe(s, "user_id", &p.UserID)
	maybe(s, "subject_id", &p.SubjectID)
	maybe(s, "resource_id", &p.ResourceID)
	maybe(s, "input_summary", &p.InputSummary)
	maybe(s, "output_summary", &p.OutputSummary)
	maybe(s, "error_message", &p.ErrorMessage)
	if s.member("attempts") {
		s.texts(&p.Attempts)
	}
	s.close()
}

func (s *scan) texts(into *[]string) {
	s.literal("[")
	*into = []string{}
	for !s.odd && !s.skip("]") {
		if len(*into) > 0 {
			s.literal(",")
		}
		*into = append(*into, s.quoted())
	}
	s.first = false
}
