package audit

import (
	"reflect"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// MaxContent is the largest encoded record, in bytes. What goes into a record is bounded where it is made; this bound is
// for what was forgotten there.
const MaxContent = 1 << 20

// Encode turns a record into an entry that has no place in the log yet: Index, Leaf and Effects are left to
// [Sequencer.Sequence] and to the writer. The time is cut to whole microseconds. Text that is not valid UTF-8 has its
// broken bytes replaced: an outcome must not be lost because an upstream sent broken bytes.
//
// Errors are of code internal (it can not be encoded) or too_large (over [MaxContent]).
func Encode(r signalbox.Record) (signalbox.Entry, error) { return EncodeFrom(&r) }

// EncodeFrom is [Encode] for who has a copy of the record already. It does not change it.
func EncodeFrom(r *signalbox.Record) (signalbox.Entry, error) {
	content, err := encode(r)
	if err != nil {
		return signalbox.Entry{}, signalbox.Errorf(signalbox.CodeInternal, "The record can not be encoded.").
			WithRemedy("Report this as a bug; the log has the cause.").WithCause(err)
	}
	if len(content) > MaxContent {
		return signalbox.Entry{}, signalbox.Errorf(signalbox.CodeTooLarge,
			"The record has %d bytes, more than the %d that the log takes.", len(content), MaxContent).
			WithRemedy("Shorten what the call says of itself (purpose, tool name).")
	}
	e := Header(r)
	e.Content = content
	return e, nil
}

// Header gives the columns of the entry that a record becomes, without its content. Everything that is to be bound to the
// entry must be bound to these values, because they are what comes back.
func Header(r *signalbox.Record) signalbox.Entry {
	return signalbox.Entry{
		Time: r.Time.UTC().Truncate(time.Microsecond), Type: r.Type, Tenant: validText(r.Who.TenantID), Call: validText(r.Call),
	}
}

// encode gives a record's JSON, and repairs its text where that is needed.
func encode(r *signalbox.Record) ([]byte, error) {
	if content, ok := plainText(r); ok {
		return content, nil
	}
	content, err := json.Marshal(r)
	if err == nil {
		return content, nil
	}
	repaired := clean(reflect.ValueOf(*r)).Interface().(signalbox.Record)
	return json.Marshal(&repaired)
}

// Decode gives the record of an entry. It does not check the leaf. What is sealed stays so, which [signalbox.Record.Content]
// says; of an entry whose content was destroyed only the header is left.
func Decode(e signalbox.Entry) (signalbox.Record, error) {
	if e.Destroyed() {
		return signalbox.Record{
			Type: e.Type, Call: e.Call, Time: e.Time, Who: signalbox.Who{TenantID: e.Tenant}, Content: signalbox.ContentDestroyed,
		}, nil
	}
	var r signalbox.Record
	if err := decode(e.Content, &r); err != nil {
		return signalbox.Record{}, signalbox.Errorf(signalbox.CodeInternal, "Record %d can not be read.", e.Index).
			WithRemedy("Run `signalbox audit verify`; it says whether the record was changed.").WithCause(err)
	}
	r.Type, r.Call, r.Time = e.Type, e.Call, e.Time
	if r.Sealed != nil {
		r.Content = signalbox.ContentSealed
	}
	return r, nil
}

func decode(content []byte, r *signalbox.Record) error {
	if scanRecord(content, r) {
		return nil
	}
	return json.Unmarshal(content, r) // It begins with an empty record.
}

func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// clean gives a copy of v in which every string is valid UTF-8. It leaves v and what it points to alone.
func clean(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		out.SetString(validText(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(clean(v.Elem()))
		}
	case reflect.Slice:
		cleanSlice(out, v)
	case reflect.Map:
		cleanMap(out, v)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(clean(v.Field(i)))
			}
		}
	}
	return out
}

func cleanSlice(out, v reflect.Value) {
	if v.IsNil() {
		return
	}
	out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
	for i := range v.Len() {
		out.Index(i).Set(clean(v.Index(i)))
	}
}

func cleanMap(out, v reflect.Value) {
	if v.IsNil() {
		return
	}
	out.Set(reflect.MakeMap(v.Type()))
	for it := v.MapRange(); it.Next(); {
		out.SetMapIndex(clean(it.Key()), clean(it.Value()))
	}
}
