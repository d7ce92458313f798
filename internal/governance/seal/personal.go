package seal

import (
	"slices"

	"github.com/signalbox/signalbox"
)

// personalDetails are the details of admin records that name a person.
var personalDetails = []string{"user", "subject", "user_id", "subject_id"}

// PersonalDetails lists the details of admin records that name a person. They are sealed, and so are
// [PersonalReason] and [PersonalHash] in some.
func PersonalDetails() []string { return slices.Clone(personalDetails) }

// decisions are the actions about requests of people. Their detail "reason" is what a person wrote about one, and may name
// anybody; their detail "hash" is that of a call, and whoever can guess what was in the call can find out by it. In other
// records a reason is evidence that must outlive an erasure, that of the erasure itself above all.
var decisions = []string{
	signalbox.ActionApprovalRequested, signalbox.ActionApprovalVoted, signalbox.ActionApprovalEnded,
	signalbox.ActionBreakGlass, signalbox.ActionBreakGlassEnded, signalbox.ActionBreakGlassReview,
}

// Details that are sealed only in records about approvals and break-glass grants.
const (
	PersonalReason = "reason"
	PersonalHash   = "hash"
)

// personal reports whether a detail of an admin record is sealed.
func personal(action, detail string) bool {
	return slices.Contains(personalDetails, detail) ||
		(detail == PersonalReason || detail == PersonalHash) && slices.Contains(decisions, action)
}

// take moves the personal fields out of the record, which is the caller's own but for what it points to: that is copied
// before it is changed. It reports whether there were any.
func take(r *signalbox.Record, p *signalbox.Personal) bool {
	p.UserID, r.Who.UserID = r.Who.UserID, ""
	p.SubjectID, r.Who.SubjectID = r.Who.SubjectID, ""
	found := p.UserID != "" || p.SubjectID != ""
	if r.Type == signalbox.RecordAdmin {
		return takeDetail(r, p) || found
	}
	p.ResourceID, r.What.ResourceID = r.What.ResourceID, ""
	p.InputSummary, r.What.InputSummary = r.What.InputSummary, ""
	p.OutputSummary, r.What.OutputSummary = r.What.OutputSummary, ""
	if r.Error != nil && r.Error.Message != "" {
		failure := *r.Error
		p.ErrorMessage, failure.Message = failure.Message, ""
		r.Error = &failure
	}
	takeAttempts(r, p)
	return found || p.ResourceID != "" || p.InputSummary != "" || p.OutputSummary != "" || p.ErrorMessage != "" || p.Attempts != nil
}

func takeAttempts(r *signalbox.Record, p *signalbox.Personal) {
	if !slices.ContainsFunc(r.Attempts, func(a signalbox.Attempt) bool { return a.Message != "" }) {
		return
	}
	r.Attempts = slices.Clone(r.Attempts)
	p.Attempts = make([]string, len(r.Attempts))
	for i := range r.Attempts {
		p.Attempts[i], r.Attempts[i].Message = r.Attempts[i].Message, ""
	}
}

func takeDetail(r *signalbox.Record, p *signalbox.Personal) bool {
	for name, value := range r.What.Detail {
		if !personal(r.What.Action, name) {
			continue
		}
		if p.Detail == nil {
			p.Detail = map[string]string{}
		}
		p.Detail[name] = value
	}
	if p.Detail == nil {
		return false
	}
	rest := map[string]string{}
	for name, value := range r.What.Detail {
		if _, ok := p.Detail[name]; !ok {
			rest[name] = value
		}
	}
	r.What.Detail = rest
	return true
}

// put gives a decoded record its personal fields back.
func put(r *signalbox.Record, p *signalbox.Personal) {
	r.Who.UserID, r.Who.SubjectID = p.UserID, p.SubjectID
	if r.Type == signalbox.RecordAdmin {
		putDetail(r, p)
		return
	}
	r.What.ResourceID, r.What.InputSummary, r.What.OutputSummary = p.ResourceID, p.InputSummary, p.OutputSummary
	if r.Error != nil {
		r.Error.Message = p.ErrorMessage
	}
	for i := range min(len(p.Attempts), len(r.Attempts)) {
		r.Attempts[i].Message = p.Attempts[i]
	}
}

func putDetail(r *signalbox.Record, p *signalbox.Personal) {
	if p.Detail == nil {
		return
	}
	if r.What.Detail == nil {
		r.What.Detail = map[string]string{}
	}
	for name, value := range p.Detail {
		r.What.Detail[name] = value
	}
}

// subject is whose record it is: the name of a data subject, or "" where only the tenant's own key is left.
func subject(p *signalbox.Personal) string {
	if p.SubjectID != "" {
		return p.SubjectID
	}
	return p.UserID
}
