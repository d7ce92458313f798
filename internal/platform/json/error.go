package json

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// SyntaxError says why a document was refused, and where.
type SyntaxError struct {
	// Offset is the byte offset in the document near which the fault lies.
	Offset int64
	// Pointer is the JSON pointer (RFC 6901) of the value that contains the fault; empty means the whole document.
	Pointer string
	// Reason is a short sentence part without capital letter and full stop. It can quote names of the document, never
	// values.
	Reason string
}

// Error gives the reason and the place.
func (e *SyntaxError) Error() string {
	if e.Pointer == "" {
		return fmt.Sprintf("%s at offset %d", e.Reason, e.Offset)
	}
	return fmt.Sprintf("%s at %s (offset %d)", e.Reason, e.Pointer, e.Offset)
}

// asSyntaxError turns the library's errors into ours and leaves nil and foreign errors alone.
func asSyntaxError(err error) error {
	var syn *jsontext.SyntacticError
	if errors.As(err, &syn) {
		return &SyntaxError{Offset: syn.ByteOffset, Pointer: string(syn.JSONPointer), Reason: reason(syn.Err)}
	}
	var sem *json.SemanticError
	if errors.As(err, &sem) {
		return &SyntaxError{Offset: sem.ByteOffset, Pointer: string(sem.JSONPointer), Reason: mismatch(sem)}
	}
	return err
}

// reason gives the text of a syntactic fault.
func reason(err error) string {
	switch {
	case err == nil:
		return "invalid JSON"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the document ends too early"
	}
	return err.Error()
}

// mismatch gives the text of a value that does not fit its target.
func mismatch(e *json.SemanticError) string {
	if errors.Is(e.Err, json.ErrUnknownName) {
		return "unknown name"
	}
	text := "a value that does not fit"
	if e.JSONKind != 0 {
		text = kindName(e.JSONKind) + " that does not fit"
	}
	if e.GoType != nil {
		text += " " + e.GoType.String()
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// kindName names a kind with its article.
func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "an invalid value"
}
