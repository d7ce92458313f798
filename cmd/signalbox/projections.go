package main

import (
	"fmt"
	"time"

	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server"
)

type projectionsCmd struct {
	Rebuild rebuildCmd `cmd:"" help:"Drop every projection and build it anew from the log; every server must be stopped."`
}

type rebuildCmd struct {
	Database string `help:"Database." default:"${database}" placeholder:"URL"`
}

// Run rebuilds.
func (k *rebuildCmd) Run(c *console) error {
	where, err := config.ParseDatabase(k.Database)
	if err != nil {
		return &usageError{"--database: " + err.Error()}
	}
	records, err := server.RebuildProjections(c.ctx, where, time.Now)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "rebuilt from %d records\n", records)
	return err
}
