package main

import (
	"fmt"
	"os"
	"time"

	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server"
)

type projectionsCmd struct {
	Rebuild rebuildCmd `cmd:"" help:"Drop every projection and build it anew from the log; every server must be stopped."`
}

type rebuildCmd struct {
	Database  string `help:"Database." default:"${database}" placeholder:"URL"`
	MasterKey string `help:"File with the master key; by default the one beside the SQLite file, or what SIGNALBOX_MASTER_KEY holds." placeholder:"FILE"`
}

// Run rebuilds.
func (k *rebuildCmd) Run(c *console) error {
	where, err := config.ParseDatabase(k.Database)
	if err != nil {
		return &usageError{"--database: " + err.Error()}
	}
	records, err := server.RebuildProjections(c.ctx, where, vaultOptions(k.MasterKey))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "rebuilt from %d records\n", records)
	return err
}

// masterKeyVariable may hold the master key for commands that use a database without a server.
const masterKeyVariable = "SIGNALBOX_MASTER_KEY"

// vaultOptions say where the master key is: in the file, else in the variable, else beside the SQLite file.
func vaultOptions(file string) server.VaultOptions {
	o := server.VaultOptions{Env: os.LookupEnv, Now: time.Now}
	if _, ok := os.LookupEnv(masterKeyVariable); file != "" {
		o.Keys.Current.File = file
	} else if ok {
		o.Keys.Current.Env = masterKeyVariable
	}
	return o
}
