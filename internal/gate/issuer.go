package gate

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// Issuer creates and revokes keys. It asks nobody for permission: whoever serves its methods decides who may call them.
// It is safe for concurrent use; changes happen one after the other.
type Issuer struct {
	mu   sync.Mutex
	ring *Keyring
	log  call.Log
	now  func() time.Time

	tenants func() []string
}

// NewIssuer makes an issuer for a keyring, the log that its acts are recorded in, and the tenants that are configured.
func NewIssuer(ring *Keyring, log call.Log, now func() time.Time, tenants func() []string) *Issuer {
	return &Issuer{ring: ring, log: log, now: now, tenants: tenants}
}

// Create makes a key bound as the template says (tenant, team, agent, user, role, limits; the rest of it is ignored),
// records it, and returns it with its secret, which exists nowhere else from then on. When it returns, the key is durable
// and good. Errors: invalid for a bad template or a tenant that is not configured, unavailable where the log can not be written.
func (i *Issuer) Create(ctx context.Context, by signalbox.Caller, template signalbox.Key) (signalbox.Key, string, error) {
	secret, now := NewSecret(), i.now().UTC()
	key := template
	key.ID, key.Hash, key.Hint = signalbox.NewID(signalbox.KeyPrefix, now), HashSecret(secret), secret[:hintLength]
	key.Static, key.Created, key.Revoked = false, now, time.Time{}
	if err := checkKey(key); err != nil {
		return signalbox.Key{}, "", err
	}
	if !slices.Contains(i.tenants(), key.Tenant) {
		return signalbox.Key{}, "", signalbox.Errorf(signalbox.CodeInvalid, "There is no tenant %q.", clip(key.Tenant)).WithField("tenant").
			WithRemedy("Use one of `tenants` in the configuration, or add it there.")
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	r := keyRecord(signalbox.ActionKeyCreated, by, key, now)
	if _, err := i.log.Append(ctx, r, signalbox.PutKey{Key: key}); err != nil {
		return signalbox.Key{}, "", err
	}
	if err := i.ring.Put(key); err != nil {
		return signalbox.Key{}, "", err
	}
	return key, secret, nil
}

// Revoke ends a key and returns it as it is then. A key that was revoked before is returned as it is, without a second
// record. Errors: not_found, conflict for a static key, unavailable where the log can not be written: the key is then
// still good.
func (i *Issuer) Revoke(ctx context.Context, by signalbox.Caller, id string) (signalbox.Key, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	key, ok := i.ring.Key(id)
	switch {
	case !ok:
		return signalbox.Key{}, signalbox.Errorf(signalbox.CodeNotFound, "There is no API key %q.", clip(id)).
			WithField("id").WithRemedy("`signalbox key list` shows the keys and their ids.")
	case key.Static:
		return key, signalbox.Errorf(signalbox.CodeConflict, "The API key %q comes from the configuration file.", id).
			WithField("id").WithRemedy("Remove it from `keys` in the configuration and reload.")
	case !key.Revoked.IsZero():
		return key, nil
	}
	key.Revoked = i.now().UTC()
	r := keyRecord(signalbox.ActionKeyRevoked, by, key, key.Revoked)
	if _, err := i.log.Append(ctx, r, signalbox.RevokeKey{ID: id, At: key.Revoked}); err != nil {
		return signalbox.Key{}, err
	}
	i.ring.Revoke(id, key.Revoked)
	return key, nil
}

// keyRecord is the admin record of an act upon a key. It belongs to the key's tenant, whoever acted.
func keyRecord(action string, by signalbox.Caller, key signalbox.Key, at time.Time) signalbox.Record {
	detail := map[string]string{
		"key": key.ID, "hint": key.Hint, "tenant": key.Tenant, "role": string(key.Role),
		"team": key.Team, "agent": key.Agent, "user": key.User,
	}
	for name, value := range detail {
		if value == "" {
			delete(detail, name)
		}
	}
	return signalbox.Record{
		Type: signalbox.RecordAdmin, Time: at,
		Who:  by.Who(key.Tenant),
		What: signalbox.What{Action: action, ResourceID: key.ID, Detail: detail},
		When: signalbox.When{Timestamp: at},
	}
}
