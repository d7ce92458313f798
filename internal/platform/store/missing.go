package store

import (
	"time"

	"github.com/signalbox/signalbox"
)

// Bounds of what is read at once.
const (
	// MaxPendingApprovals is how many pending approvals are read; the oldest are.
	MaxPendingApprovals = 10_000
	// MaxSessions is how many open sessions are read; the newest are.
	MaxSessions = 10_000
)

// SessionGrace is how long an expired session is kept, at the least. It covers clocks that differ.
const SessionGrace = time.Hour

// NoApproval is the error of an id that no approval has.
func NoApproval() *signalbox.Error {
	return missing("approval").WithRemedy("List approvals with GET /api/v1/approvals, or `signalbox approval list`.")
}

// NoGrant is the error of an id that no break-glass grant has.
func NoGrant() *signalbox.Error {
	return missing("break-glass grant").WithRemedy("List grants with GET /api/v1/break-glass.")
}

// NoIncident is the error of an id that no incident has.
func NoIncident() *signalbox.Error {
	return missing("incident").WithRemedy("List incidents with GET /api/v1/incidents, or `signalbox incident list`.")
}

// NoTask is the error of an id that no task has.
func NoTask() *signalbox.Error {
	return missing("task").WithRemedy("Ask for a task by the id that a call was answered with.")
}

// NoPolicyVersion is the error of a policy that was never in force.
func NoPolicyVersion() *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeNotFound, "There was no such version of the policy.").WithField("version").
		WithRemedy("List them with GET /api/v1/policy/versions.")
}

func missing(what string) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeNotFound, "There is no such %s.", what).WithField("id")
}

// One gives the only value of a list, or the error where there is none.
func One[T any](list []T, err error, none func() *signalbox.Error) (v T, _ error) {
	switch {
	case err != nil:
		return v, err
	case len(list) == 0:
		return v, none()
	}
	return list[0], nil
}
