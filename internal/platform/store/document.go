package store

import (
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Approvals, grants, incidents, sessions and pins of tools are kept as strict JSON beside the columns that they are looked for by, which
// the documents leave out. All stores write the same documents. Times in them are whole microseconds, UTC. Text that is no
// UTF-8 is made so: one record must not fail the batch it is written in.

type approvalDocument struct {
	Asked     time.Time           `json:"asked,omitzero"`
	Expires   time.Time           `json:"expires,omitzero"`
	Decided   time.Time           `json:"decided,omitzero"`
	UseBy     time.Time           `json:"use_by,omitzero"`
	UsedBy    string              `json:"used_by,omitzero"`
	Call      string              `json:"call,omitzero"`
	Trace     string              `json:"trace,omitzero"`
	Key       string              `json:"key,omitzero"`
	Kind      signalbox.Kind      `json:"kind,omitzero"`
	Does      signalbox.Operation `json:"does,omitzero"`
	Risk      signalbox.Risk      `json:"risk,omitzero"`
	Approvers int                 `json:"approvers,omitzero"`
	Role      signalbox.Role      `json:"role,omitzero"`
	Policy    string              `json:"policy,omitzero"`
	Rule      string              `json:"rule,omitzero"`
	Bound     *signalbox.Money    `json:"bound,omitzero"`
	Votes     []voteDocument      `json:"votes,omitzero"`
	Escalate  time.Time           `json:"escalate,omitzero"`
	Previous  string              `json:"previous,omitzero"`
	Edited    string              `json:"edited,omitzero"`
}

type voteDocument struct {
	By      string            `json:"by,omitzero"`
	User    string            `json:"user,omitzero"`
	Role    signalbox.Role    `json:"role,omitzero"`
	Verdict signalbox.Verdict `json:"verdict"`
	Reason  string            `json:"reason,omitzero"`
	At      time.Time         `json:"at,omitzero"`
	Via     string            `json:"via,omitzero"`
}

// EncodeApproval gives the document of an approval. ID, Tenant, Hash, State, Used, Run, Agent, Tool and Content have
// columns.
func EncodeApproval(a *signalbox.Approval) (string, error) {
	d := approvalDocument{
		Asked: instant(a.Asked), Expires: instant(a.Expires), Decided: instant(a.Decided), UseBy: instant(a.UseBy),
		UsedBy: valid(a.UsedBy), Call: valid(a.Call), Trace: valid(a.Trace), Key: valid(a.Key), Kind: a.Kind, Does: a.Does,
		Risk: a.Risk, Approvers: a.Require.Approvers, Role: a.Require.Role, Policy: valid(a.Policy), Rule: valid(a.Rule),
		Bound: a.Bound, Escalate: instant(a.Escalate), Previous: valid(a.Previous), Edited: valid(a.Edited),
	}
	for _, v := range a.Votes {
		d.Votes = append(d.Votes, voteDocument{
			By: valid(v.By), User: valid(v.User), Role: v.Role, Verdict: v.Verdict, Reason: valid(v.Reason), At: instant(v.At),
			Via: valid(v.Via),
		})
	}
	return encode(d)
}

// DecodeApproval fills in what [EncodeApproval] wrote.
func DecodeApproval(document []byte, a *signalbox.Approval) error {
	var d approvalDocument
	if err := json.UnmarshalKnown(document, &d); err != nil {
		return err
	}
	a.Asked, a.Expires, a.Decided, a.UseBy, a.UsedBy = d.Asked, d.Expires, d.Decided, d.UseBy, d.UsedBy
	a.Call, a.Trace, a.Key, a.Kind, a.Does, a.Risk = d.Call, d.Trace, d.Key, d.Kind, d.Does, d.Risk
	a.Require = signalbox.Requirement{Approvers: d.Approvers, Role: d.Role}
	a.Policy, a.Rule, a.Bound, a.Escalate, a.Previous, a.Edited = d.Policy, d.Rule, d.Bound, d.Escalate, d.Previous, d.Edited
	a.Votes = nil
	for _, v := range d.Votes {
		a.Votes = append(a.Votes, signalbox.Vote(v))
	}
	return nil
}

type sessionDocument struct {
	Key     string           `json:"key,omitzero"`
	KeyHash [32]byte         `json:"key_hash,omitzero"`
	Person  signalbox.Person `json:"person,omitzero"`
	Source  string           `json:"source,omitzero"`
}

// EncodeSession gives the document of a session. ID, Hash, Opened, Expires and Ended have columns.
func EncodeSession(s *signalbox.Session) (string, error) {
	p := s.Person
	p.Issuer, p.Subject, p.User, p.Tenant, p.Team = valid(p.Issuer), valid(p.Subject), valid(p.User), valid(p.Tenant), valid(p.Team)
	return encode(sessionDocument{Key: valid(s.Key), KeyHash: s.KeyHash, Person: p, Source: valid(s.Source)})
}

// DecodeSession fills in what [EncodeSession] wrote.
func DecodeSession(document []byte, s *signalbox.Session) error {
	var d sessionDocument
	err := json.UnmarshalKnown(document, &d)
	s.Key, s.KeyHash, s.Person, s.Source = d.Key, d.KeyHash, d.Person, d.Source
	return err
}

func encode(document any) (string, error) {
	b, err := json.Marshal(document)
	return string(b), err
}

// instant is a time as it is kept.
func instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
