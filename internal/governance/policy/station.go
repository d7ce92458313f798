package policy

import (
	"context"
	"fmt"
	"slices"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// Options are what the station works with.
type Options struct {
	Policy func() *Policy                               // The policy in force.
	Grants func(tenant, agent string) []signalbox.Grant // Break-glass grants in force for an agent; nil: there are none.
}

// Station decides about every call by the policy in force, and leaves of its candidates those that are permitted. It
// refuses with forbidden, or invalid where it can not tell what a call would do, or where the tool's side finds the
// arguments of a permitted call at fault. A panic means no.
func Station(o Options) call.Station {
	return func(next call.Handler) call.Handler {
		return call.HandlerFunc(func(ctx context.Context, t *call.Track) (call.Answer, error) {
			d, err := o.decide(t)
			t.Policy = d.PolicyResult
			if err != nil {
				return nil, err
			}
			if t.Call.Kind == signalbox.KindModel {
				t.Resolve.Candidates = narrowed(t.Resolve.Candidates, d.Models)
			}
			return next.Serve(ctx, t)
		})
	}
}

// decide asks the policy. The error is the refusal.
func (o Options) decide(t *call.Track) (d Decision, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			d = Decision{PolicyResult: call.PolicyResult{Status: signalbox.StatusFailed, Version: d.Version}}
			err = signalbox.Errorf(signalbox.CodeInternal, "The policy failed to decide, which means no.").
				WithCause(fmt.Errorf("the policy panicked: %v", cause)).
				WithRemedy("Give the request id to the operator, whose log has the cause.")
		}
	}()
	d = o.Policy().Decide(o.request(t))
	if !d.Allowed {
		return d, signalbox.Errorf(d.Code, "%s", d.Message).WithField(d.Field).WithRemedy(d.Remedy)
	}
	return d, faulty(t)
}

// faulty gives what is wrong with the arguments of a permitted call of a tool.
func faulty(t *call.Track) error {
	if len(t.Resolve.Candidates) == 1 && t.Resolve.Candidates[0].Refusal != nil {
		return t.Resolve.Candidates[0].Refusal
	}
	return nil
}

// request is what the policy sees of a call.
func (o Options) request(t *call.Track) Request {
	r := Request{
		Caller: t.Gate.Caller, Run: t.Gate.Run, Purpose: t.Call.Claims.Purpose, StepKind: t.Call.Claims.StepKind,
		Kind: t.Call.Kind, Tool: t.Call.Tool, Route: t.Resolve.Route,
	}
	if t.Call.Kind == signalbox.KindModel {
		r.Model, r.Models = t.Call.Model.Model, make([]string, len(t.Resolve.Candidates))
		for i := range t.Resolve.Candidates {
			r.Models[i] = t.Resolve.Candidates[i].Name
		}
		return r
	}
	if len(t.Resolve.Candidates) > 0 {
		r.Annotations = t.Resolve.Candidates[0].Annotations
	}
	if o.Grants != nil {
		r.Grants = o.Grants(r.Caller.Tenant, r.Caller.Agent)
	}
	return r
}

// narrowed leaves the candidates whose names are permitted, in their order.
func narrowed(candidates []signalbox.Candidate, names []string) []signalbox.Candidate {
	if len(names) == len(candidates) {
		return candidates
	}
	var left []signalbox.Candidate
	for _, c := range candidates {
		if slices.Contains(names, c.Name) {
			left = append(left, c)
		}
	}
	return left
}
