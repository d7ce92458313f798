package config

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"io"
	"reflect"
	"slices"
	"time"
)

// Fingerprint identifies what is configured: the first 128 bits of a SHA-256, in hexadecimal. Comments, order of keys, the
// lines that rules stand on, and spelling of defaults do not count; of a secret only whether there is one.
func (c *Config) Fingerprint() string {
	h := sha256.New()
	canonical(h, reflect.ValueOf(*c))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// sourceField is where parts of the configuration keep their place in the file.
const sourceField = "Source"

// canonical writes a value so that different values of one type give different bytes.
func canonical(w io.Writer, v reflect.Value) {
	if v.Kind() != reflect.Pointer && v.CanInterface() {
		switch known := v.Interface().(type) {
		case encoding.TextMarshaler: // Secrets are hidden here.
			text, _ := known.MarshalText() // Ours do not fail.
			fmt.Fprintf(w, "%q;", text)
			return
		case time.Duration:
			fmt.Fprintf(w, "%d;", known)
			return
		case []Warning:
			return
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name == sourceField {
				continue
			}
			fmt.Fprintf(w, "%s=", v.Type().Field(i).Name)
			canonical(w, v.Field(i))
		}
	case reflect.Slice:
		fmt.Fprintf(w, "[%d:", v.Len())
		for i := range v.Len() {
			canonical(w, v.Index(i))
		}
	case reflect.Map:
		canonicalMap(w, v)
	case reflect.Pointer:
		fmt.Fprintf(w, "%t;", v.IsNil())
		if !v.IsNil() {
			canonical(w, v.Elem())
		}
	default:
		fmt.Fprintf(w, "%#v;", v.Interface())
	}
}

func canonicalMap(w io.Writer, v reflect.Value) {
	names := make([]string, 0, v.Len())
	for _, k := range v.MapKeys() {
		names = append(names, k.String())
	}
	slices.Sort(names)
	fmt.Fprintf(w, "{%d:", len(names))
	for _, name := range names {
		fmt.Fprintf(w, "%q=", name)
		canonical(w, v.MapIndex(reflect.ValueOf(name).Convert(v.Type().Key())))
	}
}
