package wire

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// scope is an object of a request that is being interpreted, with the path that names it in errors. All scopes of one
// document share its fault: the first mistake is kept, and reading goes on with zero values, so that the interpreters
// need no error handling at every member.
type scope struct {
	m     json.Members
	path  string
	fault *fault
}

type fault struct{ err *signalbox.Error }

// root parses a request.
func root(body []byte, names json.Names) scope {
	s := scope{fault: &fault{}}
	n, err := json.Parse(body, json.Limits{})
	if err != nil {
		s.failJSON(err)
		return s
	}
	return s.enter(n, "", names)
}

// enter interprets n as an object. Members that are spelt almost like a known name are a mistake.
func (s scope) enter(n json.Node, path string, names json.Names) scope {
	inner := scope{path: path, fault: s.fault}
	m, err := n.Object()
	if err == nil {
		err = m.Known(names)
	}
	if err != nil {
		inner.failAt(path, err)
		return inner
	}
	inner.m = m
	return inner
}

// at is the path of a member.
func (s scope) at(name string) string {
	if s.path == "" {
		return name
	}
	return s.path + "." + name
}

// item is the path of an element of the member.
func (s scope) item(name string, i int) string {
	return s.at(name) + "[" + strconv.Itoa(i) + "]"
}

// given reports whether the member is there and not null.
func (s scope) given(name string) bool { return !s.m.Get(name).Null() }

// text returns the member's string, "" where it is not given.
func (s scope) text(name string) string {
	if !s.given(name) {
		return ""
	}
	v, err := s.m.Get(name).Text()
	s.failAt(s.at(name), err)
	return v
}

// boolean returns the member's boolean, false where it is not given.
func (s scope) boolean(name string) bool {
	if !s.given(name) {
		return false
	}
	v, err := s.m.Get(name).Bool()
	s.failAt(s.at(name), err)
	return v
}

// count returns the member's integer, which must be at least 1; 0 where it is not given.
func (s scope) count(name string) int64 {
	if !s.given(name) {
		return 0
	}
	v, err := s.m.Get(name).Int()
	if err != nil || v < 1 {
		s.fail(name, fmt.Sprintf("%s must be a whole number of at least 1.", name))
		return 0
	}
	return v
}

// object enters the member, which may be missing.
func (s scope) object(name string, names json.Names) scope {
	if !s.given(name) {
		return scope{path: s.at(name), fault: s.fault}
	}
	return s.enter(s.m.Get(name), s.at(name), names)
}

// nodes returns the elements of the member's array.
func (s scope) nodes(name string) []json.Node {
	if !s.given(name) {
		return nil
	}
	list, err := s.m.Get(name).Array()
	s.failAt(s.at(name), err)
	return list
}

// objects enters the elements of the member's array.
func (s scope) objects(name string, names json.Names) []scope {
	nodes := s.nodes(name)
	list := make([]scope, 0, len(nodes))
	for i, n := range nodes {
		list = append(list, s.enter(n, s.item(name, i), names))
	}
	return list
}

// fail keeps a mistake in the member.
func (s scope) fail(name, message string) {
	s.failWith(signalbox.Errorf(signalbox.CodeInvalid, "%s", message).WithField(s.at(name)).
		WithRemedy("Correct the field and send the request again."))
}

// failAt keeps a mistake that the JSON package found at the path; nil is none.
func (s scope) failAt(path string, err error) {
	if err == nil {
		return
	}
	var syn *json.SyntaxError
	if errors.As(err, &syn) {
		err = errors.New(syn.Reason)
	}
	if path == "" {
		path = "body"
	}
	s.failWith(signalbox.Errorf(signalbox.CodeInvalid, "%s: %v.", path, err).WithField(path).
		WithRemedy("Correct the field and send the request again."))
}

// failJSON keeps the fault of a body that is no JSON document of one meaning.
func (s scope) failJSON(err error) {
	e := signalbox.Errorf(signalbox.CodeInvalid, "The body is not acceptable JSON: %v.", err).WithField("body").
		WithRemedy("Send one JSON object in UTF-8, each name once in its exact spelling, and nothing behind it.")
	s.failWith(e)
}

func (s scope) failWith(e *signalbox.Error) {
	if s.fault.err == nil {
		s.fault.err = e
	}
}

// err returns the first mistake. It returns an interface so that none is a nil error.
func (s scope) err() error {
	if s.fault.err == nil {
		return nil
	}
	return s.fault.err
}

// refuse keeps that the member can not be carried over to the other API.
func (s scope) refuse(name, api string) {
	s.refusePath(s.at(name), api)
}

func (s scope) refusePath(path, api string) {
	s.failWith(signalbox.Errorf(signalbox.CodeInvalid, "%s can not be carried over to the %s API.", path, api).
		WithField(path).
		WithRemedy("Leave the field out, or choose a model whose provider speaks the API you call."))
}

// refuseOthers refuses the first member that is given, but not in the set.
func (s scope) refuseOthers(names json.Names, api string) {
	for _, member := range s.m.All() {
		if !names.Has(member.Name) && !member.Value.Null() {
			s.refuse(member.Name, api)
			return
		}
	}
}
