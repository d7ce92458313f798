package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/gate"
	"github.com/signalbox/signalbox/internal/gate/people"
	"github.com/signalbox/signalbox/internal/governance/guard"
	"github.com/signalbox/signalbox/internal/platform/config"
)

// AdminKeyFile is where the first key of an instance without any key is written, beside the database.
const AdminKeyFile = "admin.key"

// keys are the parts of the gate.
type keys struct {
	ring     *gate.Keyring
	issuer   *gate.Issuer
	people   *people.People
	sessions *gate.Sessions
	refusals *gate.Refusals
	door     *gate.Door
}

func (s *Server) startKeys(ctx context.Context) error {
	ring, err := s.keyring(ctx)
	if err != nil {
		return err
	}
	k := &keys{ring: ring, people: s.newPeople()}
	k.issuer = gate.NewIssuer(ring, s.data.writer, s.options.Now, s.tenants)
	if k.sessions, err = s.newSessions(ctx, k); err != nil {
		return err
	}
	k.refusals = gate.StartRefusals(s.data.writer, s.options.Now, s.options.Logger)
	s.onStop("refusals", func(context.Context) error { return k.refusals.Close() })
	k.door = gate.NewDoor(gate.DoorOptions{
		Keys: ring, Refusals: k.refusals, Sessions: k.sessions, People: k.people, Callers: k.people, Secrets: guard.New(), Now: s.options.Now,
		MaxBody: s.config.Limits.MaxBodyBytes,
	})
	s.keys = k
	if len(ring.List()) == 0 {
		return s.firstKey(ctx)
	}
	return nil
}

func (s *Server) keyring(ctx context.Context) (*gate.Keyring, error) {
	static, err := staticKeys(s.config)
	if err != nil {
		return nil, err
	}
	ring, err := gate.NewKeyring(static...)
	if err != nil {
		return nil, err
	}
	return ring, ring.Load(ctx, s.data.db)
}

// staticKeys gives the keys of the configuration.
func staticKeys(c *config.Config) ([]signalbox.Key, error) {
	static := make([]signalbox.Key, 0, len(c.Keys))
	for _, k := range c.Keys {
		key, err := gate.StaticKey(signalbox.Key{
			ID: k.ID, Tenant: k.Tenant, Team: k.Team, Agent: k.Agent, User: k.User, Role: k.Role,
			Budgets: slices.Concat(k.Limits, k.Budgets),
		}, k.Secret.Reveal())
		if err != nil {
			return nil, err
		}
		static = append(static, key)
	}
	return static, nil
}

// firstKey makes an admin key for an instance that has no key at all, and leaves it in a file that only its owner can
// read: without it nobody could make another one.
func (s *Server) firstKey(ctx context.Context) error {
	if s.cluster != nil { // Each replica would make one, and leave it on a machine that nobody knows of.
		return signalbox.Errorf(signalbox.CodeInvalid, "there is no API key, neither configured nor in the database").
			WithField("keys").WithRemedy("Configure one with the role admin: {id: admin, secret: \"${ADMIN_KEY}\", tenant: …, role: admin}.")
	}
	path := filepath.Join(filepath.Dir(s.config.Database.Path), AdminKeyFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write the first key: %w", err)
	}
	if err := f.Chmod(0o600); err != nil { // The file may have been there, with other rights.
		return errors.Join(fmt.Errorf("write the first key: %w", err), f.Close())
	}
	_, secret, err := s.keys.issuer.Create(ctx, signalbox.Caller{Tenant: s.config.Tenants[0].ID}, signalbox.Key{
		Tenant: s.config.Tenants[0].ID, Role: signalbox.RoleAdmin, User: "admin",
	})
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	if _, err := fmt.Fprintln(f, secret); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil { // The key is durable; so must be what opens the door with it.
		return errors.Join(err, f.Close())
	}
	s.options.Logger.WarnContext(ctx, "there was no API key: one with the role admin was made", "file", path)
	return f.Close()
}

// keyAdmin gives the control API the keys.
type keyAdmin struct{ *keys }

// List gives all keys.
func (x keyAdmin) List() []signalbox.Key { return x.ring.List() }

// Create makes a key.
func (x keyAdmin) Create(ctx context.Context, by signalbox.Caller, t signalbox.Key) (signalbox.Key, string, error) {
	return x.issuer.Create(ctx, by, t)
}

// Revoke ends a key.
func (x keyAdmin) Revoke(ctx context.Context, by signalbox.Caller, id string) (signalbox.Key, error) {
	return x.issuer.Revoke(ctx, by, id)
}
