package server

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/governance/seal"
	"github.com/signalbox/signalbox/internal/platform/config"
)

// MasterKeySuffix is added to the SQLite file's name for that of the master key, where the configuration names none.
const MasterKeySuffix = ".master"

// VaultOptions say where the master keys of a database are.
type VaultOptions struct {
	Keys   config.MasterKeys
	Beside string // The SQLite file; "" for PostgreSQL.
	Env    func(string) (string, bool)
	Now    func() time.Time
	Logger *slog.Logger // Told that a key was made; nil refuses to make one.
}

// OpenVault opens the vault of a database. Beside an SQLite file without one it makes a master key, unless the database
// has been used with another.
func OpenVault(ctx context.Context, db seal.Keys, o VaultOptions) (*seal.Vault, error) {
	master, err := o.master(ctx, db)
	if err != nil {
		return nil, err
	}
	var previous []*seal.Master
	for _, k := range o.Keys.Previous {
		m, err := masterSource(k).Load(ctx, o.Env)
		if err != nil {
			return nil, err
		}
		previous = append(previous, m)
	}
	return seal.Open(ctx, seal.Options{Master: master, Previous: previous, Keys: db, Now: o.Now})
}

// Decoder gives what decodes the records of a database that no server uses. One in which nothing was ever sealed needs no
// master key.
func Decoder(ctx context.Context, db seal.Keys, o VaultOptions) (func(signalbox.Entry) (signalbox.Record, error), error) {
	_, err := db.SubjectKey(ctx, seal.IndexID)
	if signalbox.CodeOf(err) == signalbox.CodeNotFound {
		return audit.Decode, nil
	}
	if err != nil {
		return nil, err
	}
	vault, err := OpenVault(ctx, db, o)
	if err != nil {
		return nil, err
	}
	return vault.Decode, nil
}

func masterSource(k config.MasterKey) seal.Source {
	return seal.Source{File: k.File, Env: k.Env, Command: k.Command}
}

func (o VaultOptions) master(ctx context.Context, db seal.Keys) (*seal.Master, error) {
	source := masterSource(o.Keys.Current)
	if !source.IsZero() {
		return source.Load(ctx, o.Env)
	}
	if o.Beside == "" {
		return nil, signalbox.Errorf(signalbox.CodeInvalid, "With PostgreSQL no master key is made, as all replicas need the same one.").
			WithField("audit.master_key").WithRemedy("Name a file with it, such as audit: {master_key: /etc/signalbox/master.key}.")
	}
	source.File = o.Beside + MasterKeySuffix
	if _, err := os.Stat(source.File); !errors.Is(err, fs.ErrNotExist) {
		return source.Load(ctx, o.Env)
	}
	return o.create(ctx, db, source.File)
}

// create makes the key of a database that has never had one.
func (o VaultOptions) create(ctx context.Context, db seal.Keys, file string) (*seal.Master, error) {
	used, err := db.SubjectKey(ctx, seal.IndexID)
	if err == nil {
		return nil, signalbox.Errorf(signalbox.CodeInvalid, "The master key file %s is missing, and the database was used with the master key %s.",
			file, used.Master).WithField("audit.master_key").
			WithRemedy("Restore the file from where a copy is kept, or name where the key is; without it nobody can read what records say of people.")
	}
	if signalbox.CodeOf(err) != signalbox.CodeNotFound {
		return nil, err
	}
	if o.Logger == nil {
		return nil, signalbox.Errorf(signalbox.CodeInvalid, "The master key file %s is missing.", file).WithField("audit.master_key").
			WithRemedy("Name where the key is, or start the server once, which makes one.")
	}
	m, err := seal.CreateFile(file)
	if err == nil {
		o.Logger.WarnContext(ctx, "a master key was made; keep a copy elsewhere, apart from backups of the database: without it what records say of people can not be read",
			"file", filepath.Base(file), "key", m.ID())
	}
	return m, err
}

// vaultOptions are those of this server.
func (s *Server) vaultOptions(beside string) VaultOptions {
	return VaultOptions{
		Keys: s.config.Audit.MasterKeys(), Beside: beside, Env: s.options.Env, Now: s.options.Now, Logger: s.options.Logger,
	}
}
