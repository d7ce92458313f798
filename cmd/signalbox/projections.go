package main

import (
	"fmt"
	"time"

	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server"
)

type projectionsCmd struct {
	Rebuild rebuildCmd `cmd:"" help:"Drop every projection and build it anew from the log; the server must be stopped."`
}

type rebuildCmd struct {
	Database string `help:"Database." default:"${database}" placeholder:"URL"`
}

// Run rebuilds.
func (k *rebuildCmd) Run(c *console) error {
	file, err := databaseFile(k.Database)
	if err != nil {
		return err
	}
	records, err := server.RebuildProjections(c.ctx, file, time.Now)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "rebuilt from %d records\n", records)
	return err
}

// databaseFile gives the SQLite file of an address; commands that work without a server know no other database.
func databaseFile(address string) (string, error) {
	where, err := config.ParseDatabase(address)
	if err != nil {
		return "", &usageError{"--database: " + err.Error()}
	}
	file, err := where.File()
	if err != nil {
		return "", &usageError{"--database: " + err.Error()}
	}
	return file, nil
}
