package openapi

import (
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// Bounds of answers, in bytes.
const (
	MaxAnswer = 4 << 20  // Of a body; a larger one is an error, as it could not be given whole.
	MaxFailed = 64 << 10 // Of the body of an error; more is cut off, and the answer says so.
)

// Result puts an answer of the API into a result of tools/call. The body is whole, or at least what is over its bound.
func (t *Tool) Result(status int, header http.Header, body []byte) json.Value {
	var o object
	if status < 200 || status > 299 {
		o.add("content", list([][]byte{textContent(failure(status, header, body))}))
		return t.finish(&o, status, header, true)
	}
	structured := asObject(header, body)
	if why := t.unfit(structured); why != "" {
		note := fmt.Sprintf("The API answered %d, but not with what its OpenAPI document says: %s. The call was made; this is what came:\n", status, why)
		o.add("content", list([][]byte{textContent(note), t.content(status, header, body)}))
		return t.finish(&o, status, header, true)
	}
	o.add("content", list([][]byte{t.content(status, header, body)}))
	if structured != nil {
		o.add("structuredContent", structured)
	}
	return t.finish(&o, status, header, false)
}

func (t *Tool) finish(o *object, status int, header http.Header, failed bool) json.Value {
	var meta, all object
	meta.add("status", fmt.Append(nil, status))
	if location := header.Get("Location"); location != "" {
		meta.text("location", clip(location))
	}
	all.add(MetaKey, meta.bytes())
	o.flag("isError", failed)
	o.add("_meta", all.bytes())
	return o.bytes()
}

// failure is the text of an answer that is none of success.
func failure(status int, header http.Header, body []byte) string {
	text := fmt.Sprintf("The API answered %d %s.", status, http.StatusText(status))
	if status < 400 {
		return text + " Redirects are not followed. Location: " + clip(header.Get("Location"))
	}
	if len(body) == 0 {
		return text
	}
	if !utf8.Valid(body[:min(len(body), MaxFailed)]) && !utf8.Valid(body) {
		return text + fmt.Sprintf(" It sent %d bytes that are no text.", len(body))
	}
	shown := string(body)
	if len(body) > MaxFailed {
		shown = strings.ToValidUTF8(string(body[:MaxFailed]), "") + "\n[The rest is cut off.]"
	}
	return text + "\n" + shown
}

// asObject gives a body that is a JSON object, for those who read results as data; else nil.
func asObject(header http.Header, body []byte) json.Value {
	if !isJSON(header.Get("Content-Type")) {
		return nil
	}
	root, err := json.Parse(body, json.Limits{CaseVariants: true})
	if err != nil || root.Kind() != '{' {
		return nil
	}
	return root.Bytes()
}

// unfit says why an answer does not fit the schema that the list shows.
func (t *Tool) unfit(structured json.Value) string {
	if t.fits == nil {
		return ""
	}
	if structured == nil {
		return "it is no object in strict JSON"
	}
	var value map[string]any
	if err := json.Unmarshal(structured, &value); err != nil {
		return "it can not be read"
	}
	if err := t.fits.Validate(value); err != nil {
		return reason(err)
	}
	return ""
}

// content gives the body as a part of a result: text as text, images and sounds as such, all else as a resource.
func (t *Tool) content(status int, header http.Header, body []byte) []byte {
	media, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	kind, _, _ := strings.Cut(media, "/")
	switch {
	case len(body) == 0:
		return textContent(fmt.Sprintf("The API answered %d %s, without a body.", status, http.StatusText(status)))
	case kind == "image" || kind == "audio":
		var o object
		o.text("type", kind)
		o.text("data", base64.StdEncoding.EncodeToString(body))
		o.text("mimeType", media)
		return o.bytes()
	case utf8.Valid(body):
		return textContent(string(body))
	}
	var resource, o object
	resource.text("uri", "signalbox:"+t.Name)
	resource.text("mimeType", media)
	resource.text("blob", base64.StdEncoding.EncodeToString(body))
	o.text("type", "resource")
	o.add("resource", resource.bytes())
	return o.bytes()
}

func textContent(text string) []byte {
	var o object
	o.text("type", "text")
	o.text("text", text)
	return o.bytes()
}
