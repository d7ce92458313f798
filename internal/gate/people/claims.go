package people

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// Bounds of what claims may be.
const (
	MaxSubject = 255 // Bytes; OpenID Connect has the same.
	maxID      = 128 // Bytes of an id, as [signalbox.ValidID] has it.
)

// claims are what a provider says of a person.
type claims map[string]any

// text gives a claim that is a string, "" for another.
func (c claims) text(name string) string {
	s, _ := c[name].(string)
	return s
}

// time gives a claim that is a time in seconds since 1970.
func (c claims) time(name string) (time.Time, bool) {
	n, ok := c[name].(float64)
	if !ok || math.IsNaN(n) || n < 0 || n > 1e11 {
		return time.Time{}, false
	}
	return time.Unix(int64(n), 0), true
}

// audience reports whether the token is for somebody.
func (c claims) audience(want string) bool {
	return want != "" && slices.Contains(texts(c["aud"]), want)
}

// texts gives the strings of a claim that is one string or a list of them.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, item := range v {
			if s, ok := item.(string); ok {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}

// at gives the claim at a path. A name that has dots itself, as URLs do, is found too.
func at(object map[string]any, path string) any {
	if v, ok := object[path]; ok {
		return v
	}
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		if inner, ok := object[path[:i]].(map[string]any); ok {
			if v := at(inner, path[i+1:]); v != nil {
				return v
			}
		}
	}
	return nil
}

// power orders the roles, the most powerful first: who may do all, who runs the service, who decides, who reads
// everything, who sees his own tenant's, who makes calls.
var power = []signalbox.Role{
	signalbox.RoleAdmin, signalbox.RoleOperator, signalbox.RoleApprover, signalbox.RoleAuditor, signalbox.RoleDeveloper,
	signalbox.RoleAgent,
}

// role gives the most powerful role that the claims have, else the default.
func (s *source) role(c claims) (signalbox.Role, error) {
	var has []signalbox.Role
	if s.RoleClaim != "" {
		for _, value := range texts(at(c, s.RoleClaim)) {
			has = append(has, s.Roles[value])
		}
	}
	for _, role := range power {
		if slices.Contains(has, role) {
			return role, nil
		}
	}
	if s.DefaultRole.Valid() {
		return s.DefaultRole, nil
	}
	return "", signalbox.Errorf(signalbox.CodeForbidden, "The identity provider %s gives this person no role here.", s.ID).
		WithRemedy(fmt.Sprintf("Put the person into a group whose value of the claim %q is in `roles` of the provider, or set `default_role`.", s.RoleClaim))
}

// person makes a person of claims that were verified.
func (p *People) person(s *source, c claims) (signalbox.Person, error) {
	who := signalbox.Person{Issuer: s.Issuer, Subject: c.text("sub"), User: user(c), Tenant: s.Tenant}
	var err error
	if who.Role, err = s.role(c); err != nil {
		return who, err
	}
	if said, err := one(s, c, s.TenantClaim); err != nil {
		return who, err
	} else if said != "" {
		who.Tenant = said
	}
	if !p.tenant(who.Tenant) {
		return who, signalbox.Errorf(signalbox.CodeForbidden, "The identity provider %s gives this person no tenant that is configured here.", s.ID).
			WithRemedy("Set `tenant` or `tenant_claim` of the provider so that they give one of `tenants`.")
	}
	who.Team, err = one(s, c, s.TeamClaim)
	return who, err
}

// one gives the only value of a claim that is an id; "" where there is no such claim.
func one(s *source, c claims, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	values := texts(at(c, path))
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", nil
	case len(values) == 1 && signalbox.ValidID(values[0]):
		return values[0], nil
	}
	return "", signalbox.Errorf(signalbox.CodeForbidden, "The claim %q of the identity provider %s is not one id.", path, s.ID).
		WithRemedy(`Let the provider send one value of 1 to 128 letters, digits and "-_.:@/+=".`)
}

func (p *People) tenant(id string) bool { return id != "" && slices.Contains(p.o.Tenants(), id) }

// user is what records call a person: the address where it is verified, else the subject.
func user(c claims) string {
	verified := c["email_verified"] == true || c["email_verified"] == "true" // Some providers send it as a string.
	if mail := c.text("email"); verified && signalbox.ValidID(mail) {
		return mail
	}
	return shortened("", c.text("sub"))
}

// personID is the id of a person's key.
func personID(provider, subject string) string { return shortened("person:"+provider+":", subject) }

// shortened makes an id of a prefix and a subject, which may have any characters: what an id can not have is written as
// "=" and two hexadecimal digits. One that is too long is replaced by its hash. No two subjects have the same.
func shortened(prefix, subject string) string {
	var b strings.Builder
	b.WriteString(prefix)
	for _, c := range []byte(subject) {
		if c == '=' || !signalbox.ValidID(string(rune(c))) {
			fmt.Fprintf(&b, "=%02x", c)
			continue
		}
		b.WriteByte(c)
	}
	if b.Len() <= maxID {
		return b.String()
	}
	sum := sha256.Sum256([]byte(subject))
	return prefix + "==" + hex.EncodeToString(sum[:])
}
