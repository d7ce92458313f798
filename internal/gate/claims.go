package gate

import (
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/signalbox/signalbox"
)

// The headers of a caller's claims.
const (
	HeaderRun         = "X-Signalbox-Run"
	HeaderAgent       = "X-Signalbox-Agent"
	HeaderParentAgent = "X-Signalbox-Parent-Agent"
	HeaderUser        = "X-Signalbox-User"
	HeaderStep        = "X-Signalbox-Step"
	HeaderStepKind    = "X-Signalbox-Step-Kind"
	HeaderSubject     = "X-Signalbox-Subject"
	HeaderPurpose     = "X-Signalbox-Purpose"
	HeaderRequestID   = "X-Request-Id"
)

// MaxPurpose bounds the text of [HeaderPurpose], in bytes of UTF-8.
const MaxPurpose = 256

// claims reads the claims of a request. An error names the header; the claims that were read before it are kept.
// Own is the hash of the request's key.
func (d *Door) claims(h http.Header, own [32]byte) (signalbox.Claims, *signalbox.Error) {
	var c signalbox.Claims
	ids := []struct {
		header string
		target *string
	}{
		{HeaderRun, &c.Run},
		{HeaderAgent, &c.Agent},
		{HeaderParentAgent, &c.ParentAgent},
		{HeaderUser, &c.User},
		{HeaderStepKind, &c.StepKind},
		{HeaderSubject, &c.Subject},
	}
	for _, f := range ids {
		value, err := single(h, f.header)
		if err != nil {
			return c, err
		}
		if value != "" && !signalbox.ValidID(value) {
			return c, badHeader(f.header, "is not a valid id").WithRemedy(idRemedy)
		}
		if d.misplaced(value, own) {
			return c, badHeader(f.header, "has a secret where an id belongs").WithRemedy(secretRemedy)
		}
		*f.target = value
	}
	return c, freeClaims(h, &c)
}

// freeClaims reads the claims that are not ids.
func freeClaims(h http.Header, c *signalbox.Claims) *signalbox.Error {
	step, err := single(h, HeaderStep)
	if err != nil {
		return err
	}
	if step != "" {
		n, parseErr := strconv.ParseUint(step, 10, 31)
		if parseErr != nil {
			return badHeader(HeaderStep, "is not a whole number from 0 to 2147483647").
				WithRemedy("Send the index of the step within its run.")
		}
		index := int64(n)
		c.Step = &index
	}
	purpose, err := single(h, HeaderPurpose)
	if err != nil {
		return err
	}
	if len(purpose) > MaxPurpose || !utf8.ValidString(purpose) || !printable(purpose) {
		return badHeader(HeaderPurpose, "is not plain UTF-8 text of at most 256 bytes").WithRemedy("Shorten it.")
	}
	c.Purpose = purpose
	return nil
}

// single gives the value of a header that may occur once. An empty header is like none.
func single(h http.Header, name string) (string, *signalbox.Error) {
	values := h[name]
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", badHeader(name, "was sent more than once").WithRemedy("Send it once.")
}

func badHeader(name, what string) *signalbox.Error {
	return signalbox.Errorf(signalbox.CodeInvalid, "The header %s %s.", name, what).WithField(name)
}

// narrow gives the caller that a key and its claims make. What the key is bound to wins; a claim that contradicts it is
// forbidden rather than ignored, because whoever sent it believes in it.
func narrow(key signalbox.Key, c signalbox.Claims, anyRole bool) (signalbox.Caller, error) {
	caller := callerOf(key)
	switch key.Role {
	case signalbox.RoleAgent, signalbox.RoleDeveloper, signalbox.RoleOperator, signalbox.RoleAdmin:
	case signalbox.RoleApprover, signalbox.RoleAuditor:
		if anyRole {
			break
		}
		return caller, signalbox.Errorf(signalbox.CodeForbidden, "A key of role %s may not make calls.", key.Role).
			WithRemedy("Use a key of role agent or developer.")
	default:
		return caller, signalbox.Errorf(signalbox.CodeForbidden, "The key %s has no role that is known.", key.ID).
			WithRemedy("Ask an admin for a new key.")
	}
	if err := bind(&caller.Agent, c.Agent, HeaderAgent, "agent"); err != nil {
		return caller, err
	}
	if err := bind(&caller.User, c.User, HeaderUser, "user"); err != nil {
		return caller, err
	}
	caller.ParentAgent = c.ParentAgent
	return caller, nil
}

// callerOf is who the key alone says.
func callerOf(key signalbox.Key) signalbox.Caller {
	return signalbox.Caller{
		Tenant: key.Tenant, Team: key.Team, Key: key.ID, Role: key.Role, Agent: key.Agent, User: key.User,
	}
}

func bind(bound *string, claimed, header, what string) error {
	switch {
	case claimed == "" || claimed == *bound:
		return nil
	case *bound == "":
		*bound = claimed
		return nil
	}
	return signalbox.Errorf(signalbox.CodeForbidden, "The header %s names the %s %q, and the key is bound to another.",
		header, what, claimed).WithField(header).
		WithRemedy("Leave the header out, or use the key of that " + what + ".")
}
