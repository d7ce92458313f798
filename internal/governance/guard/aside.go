package guard

import (
	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// Aside looks at what passes about a call that the stations see no more of, such as what a task comes to. Nil rules give nil:
// nobody looks. What it finds is on no record.
func (r *Rules) Aside(server string) call.Beside {
	if r == nil {
		return nil
	}
	return &aside{visit{rules: r, server: server}}
}

type aside struct{ visit }

// ToCaller looks at it as at a result, which it has in it or is.
func (a *aside) ToCaller(doc []byte) ([]byte, error) {
	passes, _, err := a.look(inward, signalbox.GuardResult, doc)
	return passes, err
}
