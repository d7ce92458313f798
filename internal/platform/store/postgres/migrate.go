package postgres

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// The keys of our advisory locks: the first number is ours ("SBOX"), the second tells them apart. They are a database's,
// not a server's.
const (
	lockSpace     = 0x53424f58
	lockMigration = 1
	lockLeader    = 2
)

// minVersion is the oldest PostgreSQL that is served.
const minVersion = 140000

// migrateTimeout bounds one step of a migration.
const migrateTimeout = 50 * time.Second

// checkServer refuses a server that would lose what it has committed, or garble it.
func checkServer(ctx context.Context, c *pgx.Conn) error {
	var version, synchronous, fsync, retry, encoding string
	var standby bool
	err := c.QueryRow(ctx, "SELECT current_setting('server_version_num'), current_setting('synchronous_commit'), "+
		"current_setting('fsync'), current_setting('data_sync_retry'), current_setting('server_encoding'), pg_is_in_recovery()").
		Scan(&version, &synchronous, &fsync, &retry, &encoding, &standby)
	if err != nil {
		return err
	}
	if n, err := strconv.Atoi(version); err != nil || n < minVersion {
		return oldServer(version)
	}
	switch {
	case standby:
		return isStandby()
	case synchronous == "off":
		return notDurable("synchronous_commit")
	case fsync == "off":
		return notDurable("fsync")
	case retry == "on":
		return retriesSyncs()
	case encoding != "UTF8":
		return wrongEncoding(encoding)
	}
	return nil
}

// checkReadable refuses what is no database of ours, or a newer one.
func checkReadable(ctx context.Context, c *pgx.Conn) error {
	version, err := schemaVersion(ctx, c)
	if err == nil && version == 0 {
		return empty()
	}
	return err
}

// migrate brings the schema to the newest version, one transaction per step, while other replicas that start wait.
func migrate(ctx context.Context, c *pgx.Conn) error {
	have, err := schemaVersion(ctx, c)
	if err != nil || have == len(migrations) {
		return err
	}
	if _, err := c.Exec(ctx, "SELECT pg_advisory_lock($1, $2)", lockSpace, lockMigration); err != nil {
		return err
	}
	if have, err = schemaVersion(ctx, c); err != nil { // Another replica may have been faster.
		return err
	}
	for i := have; i < len(migrations); i++ {
		if err := step(ctx, c, i+1, migrations[i]); err != nil {
			return err
		}
	}
	return nil // The connection is closed by the caller, and with it goes the lock.
}

func step(ctx context.Context, c *pgx.Conn, version int, script string) error {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		for _, q := range []string{
			createSchema(c),
			"CREATE TABLE IF NOT EXISTS signalbox_schema (version int PRIMARY KEY, applied timestamptz NOT NULL)",
			script,
		} {
			if _, err := tx.Exec(ctx, q); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "INSERT INTO signalbox_schema VALUES ($1, clock_timestamp())", version)
		return err
	})
}

// createSchema makes our schema. It may be there: a role that may not create schemas is given one. One that the operator
// has chosen in the URL is there already.
func createSchema(c *pgx.Conn) string {
	if c.Config().RuntimeParams["search_path"] != schemaName {
		return "SELECT 1"
	}
	return "DO $$ BEGIN IF to_regnamespace('" + schemaName + "') IS NULL THEN CREATE SCHEMA " + schemaName + "; END IF; END $$"
}

// schemaVersion gives the version of the schema, 0 where there is none, and an error where it is newer than this program.
func schemaVersion(ctx context.Context, c *pgx.Conn) (int, error) {
	var table *string
	if err := c.QueryRow(ctx, "SELECT to_regclass('signalbox_schema')::text").Scan(&table); err != nil {
		return 0, err
	}
	if table == nil {
		return 0, nil
	}
	var version *int
	err := c.QueryRow(ctx, "SELECT max(version) FROM signalbox_schema").Scan(&version)
	switch {
	case err != nil && !errors.Is(err, pgx.ErrNoRows):
		return 0, err
	case version == nil:
		return 0, nil
	case *version > len(migrations):
		return 0, newerSchema(*version, len(migrations))
	}
	return *version, nil
}
