package audit

import (
	"bytes"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// content checks that what people read in a line is what its stored bytes say. The personal part is compared only where it
// can be opened.
func (v *exportVerifier) content(l *ExportLine, e signalbox.Entry) {
	if e.Destroyed() {
		if l.State != signalbox.ContentDestroyed || string(l.Content) != "null" {
			v.found(l.Index, "It shows a content, though that was destroyed.")
		}
		return
	}
	want, err := Decode(e)
	if err != nil {
		v.found(l.Index, "Its content_raw is not a record: %v.", signalbox.AsError(err).Cause)
		return
	}
	if want.Sealed == nil {
		if l.State != signalbox.ContentOpen || !sameJSON(l.Content, e.Content) {
			v.found(l.Index, "Its content is not what its content_raw says: the content was changed.")
		}
		return
	}
	v.sealed(l, e, want)
}

// sealed compares a line of a sealed record with the record itself, where a key is at hand, else all but its personal part.
func (v *exportVerifier) sealed(l *ExportLine, e signalbox.Entry, want signalbox.Record) {
	var got signalbox.Record
	if err := json.Unmarshal(l.Content, &got); err != nil {
		v.found(l.Index, "Its content is not a record: %v.", err)
		return
	}
	opened := false
	if v.Decode != nil {
		if r, err := v.Decode(e); err == nil && r.Content == signalbox.ContentOpen {
			want, opened = r, true
		}
	}
	if !opened || l.State != signalbox.ContentOpen {
		v.report.Sealed++
		hidePersonal(&got, &want)
		if opened {
			hidePersonal(&want, &got)
		}
	}
	want.Sealed = nil
	if !sameRecord(&got, &want) {
		v.found(l.Index, "Its content is not what its content_raw says: the content was changed.")
	}
}

// hidePersonal empties those personal fields that are empty in the other record, which is sealed.
func hidePersonal(r, sealed *signalbox.Record) {
	for _, f := range [][2]*string{
		{&r.Who.UserID, &sealed.Who.UserID},
		{&r.Who.SubjectID, &sealed.Who.SubjectID},
		{&r.What.ResourceID, &sealed.What.ResourceID},
		{&r.What.InputSummary, &sealed.What.InputSummary},
		{&r.What.OutputSummary, &sealed.What.OutputSummary},
	} {
		if *f[1] == "" {
			*f[0] = ""
		}
	}
	if r.Error != nil && sealed.Error != nil && sealed.Error.Message == "" {
		e := *r.Error
		e.Message, r.Error = "", &e
	}
	for i := range min(len(r.Attempts), len(sealed.Attempts)) {
		if sealed.Attempts[i].Message == "" {
			r.Attempts[i].Message = ""
		}
	}
	for name := range r.What.Detail {
		if _, ok := sealed.What.Detail[name]; !ok {
			delete(r.What.Detail, name)
		}
	}
	if len(r.What.Detail) == 0 {
		r.What.Detail = sealed.What.Detail
	}
}

func sameRecord(a, b *signalbox.Record) bool {
	x, err := json.Marshal(a)
	if err != nil {
		return false
	}
	y, err := json.Marshal(b)
	return err == nil && sameJSON(x, y)
}

func sameJSON(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, err := json.Canonical(a)
	if err != nil {
		return false
	}
	y, err := json.Canonical(b)
	return err == nil && bytes.Equal(x, y)
}
