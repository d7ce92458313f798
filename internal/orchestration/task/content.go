package task

import (
	"cmp"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// contentOf gives what is kept of a call so that it can be made later.
func contentOf(c *signalbox.Call, who signalbox.Caller) (signalbox.TaskContent, error) {
	if len(c.Body) > MaxRequest {
		return signalbox.TaskContent{}, signalbox.Errorf(signalbox.CodeTooLarge,
			"A call that is made later can have %d bytes at the most, since it is kept until then; it has %d.", MaxRequest, len(c.Body)).
			WithRemedy("Send less, or do not declare the extension for tasks: the call then waits by itself.")
	}
	var guest *signalbox.Guest // The token itself is not kept.
	if c.Bearer != nil {
		g := c.Bearer.Guest()
		guest = &g
	}
	return signalbox.TaskContent{
		Guest: guest, User: who.User, Subject: c.Claims.Subject, Caller: c.Caller, Claims: c.Claims, Source: c.Source, Body: string(c.Body),
		IdempotencyKey: c.IdempotencyKey,
		Span:           signalbox.TaskTrace{Parent: c.Span.Parent, Flags: c.Span.Flags, State: c.Span.State, Baggage: c.Span.Baggage},
	}, nil
}

// final is the content of a task that has ended, or that a server works on: the request is not kept any more.
func final(c signalbox.TaskContent, result string, err error) signalbox.TaskContent {
	f := signalbox.TaskContent{User: c.User, Subject: c.Subject, Remote: c.Remote, Result: result}
	if err != nil {
		f.Error = signalbox.Failed(err)
	}
	return f
}

// sealed hides the content of a task in it, and gives the effects that its key needs.
func (k *Keeper) sealed(t *signalbox.Task, c signalbox.TaskContent) ([]signalbox.Effect, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, signalbox.AsError(err)
	}
	s, effects, err := k.o.Sealer.SealBytes(t.Tenant, cmp.Or(c.Subject, c.User), place(*t), text)
	t.Content = &s
	return effects, err
}

// content gives what of a task is about people; false where it was erased. An error says that it can not be read now.
func (k *Keeper) content(t signalbox.Task) (c signalbox.TaskContent, kept bool, err error) {
	if t.Content == nil {
		return c, false, nil
	}
	text, state, err := k.o.Sealer.OpenBytes(t.Tenant, *t.Content, place(t))
	switch {
	case err != nil:
		return c, false, err
	case state == signalbox.ContentErased:
		return c, false, nil
	case state != signalbox.ContentOpen:
		return c, false, signalbox.Errorf(signalbox.CodeUnavailable, "What is kept of the task can not be read.").
			WithRemedy("Tell the operator: the master key is missing.")
	}
	return c, true, json.Unmarshal(text, &c)
}

// place is what the sealed content is bound to.
func place(t signalbox.Task) []byte { return []byte("task\n" + t.Tenant + "\n" + t.ID) }
