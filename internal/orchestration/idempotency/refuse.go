package idempotency

import (
	"strings"

	"github.com/signalbox/signalbox"
)

// field is what all refusals are about.
const field = "idempotency key"

func conflict(format string, args ...any) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeConflict, format, args...).WithField(field)
}

// underWay is the error of a call that somebody makes at this moment; the use is zero before its intent.
func underWay(u signalbox.Idempotency) error {
	what := "A call with this idempotency key"
	if u.Call != "" {
		what = "The call " + u.Call + " with this idempotency key"
	}
	e := conflict("%s is under way.", what).WithRemedy("Send the same call again in a moment: it is then answered with what that one came to.").
		WithRetryAfter(Comeback)
	e.Approval = u.Approval
	return e
}

func unknown(u signalbox.Idempotency) error {
	return conflict("The call %s with this idempotency key was begun, and its outcome is not known: nobody knows whether the tool has acted.", u.Call).
		WithRemedy("It is not made again. Have a person check with the tool; a new idempotency key makes the call anew.")
}

func other(u signalbox.Idempotency) error {
	return conflict("The idempotency key was used by the call %s, which asked for something else.", u.Call).
		WithRemedy("Use a new idempotency key for each call; for the same one, send the same tool, arguments, agent and run.")
}

func tooLarge(u signalbox.Idempotency) error {
	return conflict("The call %s with this idempotency key was made, and its result was not kept: it has more than %d bytes.", u.Call, MaxResult).
		WithRemedy("It is not made again. Ask the tool for what it has done, or for less, with a new idempotency key.")
}

func erased(u signalbox.Idempotency) error {
	return conflict("The call %s with this idempotency key was made, and what it came to was erased with the person it was about.", u.Call).
		WithRemedy("It is not made again. Check with the tool whether it has acted.")
}

func cancelled(u signalbox.Idempotency) error {
	return conflict("The call %s with this idempotency key was cancelled while it was under way: nobody knows whether the tool has acted.", u.Call).
		WithRemedy("It is not made again. Have a person check with the tool; a new idempotency key makes the call anew.")
}

// elsewhere is the error of the call of a task whose key was used by another call meanwhile.
func elsewhere(u signalbox.Idempotency) error {
	return conflict("The call was not made: its idempotency key was used by the call %s.", u.Call).
		WithRemedy("Send the same call again: it is then answered with what that one came to.")
}

// again is the error with which the first call has failed, as it is given again.
func again(u signalbox.Idempotency, f *signalbox.TaskFailure) error {
	e := f.Err()
	e.Remedy = strings.TrimSpace(e.Remedy + " This is what the call " + u.Call + " with this idempotency key came to; a new key makes the call anew.")
	return e
}

func impossible(what string) error {
	return signalbox.Errorf(signalbox.CodeInternal, "%s", what).WithRemedy("Report this as a bug.")
}
