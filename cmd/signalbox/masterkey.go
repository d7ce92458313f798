package main

import (
	"fmt"
	"os"
	"time"

	"github.com/signalbox/signalbox/internal/governance/seal"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server"
)

type auditRotateMasterCmd struct {
	Database string `help:"SQLite database, which no server may use meanwhile." default:"${database}" placeholder:"URL"`
	Old      string `help:"File with the master key until now; by default the one beside the database." placeholder:"FILE"`
	New      string `required:"" help:"File with the new master key." placeholder:"FILE"`
	Create   bool   `help:"Make the new key; its file must not be there yet."`
}

// Run wraps the keys of data subjects anew.
func (k *auditRotateMasterCmd) Run(c *console) error {
	where, err := config.ParseDatabase(k.Database)
	if err != nil {
		return &usageError{"--database: " + err.Error()}
	}
	old := k.Old
	if old == "" {
		old = where.Path + server.MasterKeySuffix
	}
	if where.Kind == config.DatabaseSQLite && k.Create { // Otherwise what follows refuses the database.
		if _, err := seal.CreateFile(k.New); err != nil {
			return err
		}
	}
	done, err := server.RotateMaster(c.ctx, where, seal.Source{File: old}, seal.Source{File: k.New},
		server.VaultOptions{Env: os.LookupEnv, Now: time.Now})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%d keys are wrapped by the master key %s; start the server with it: audit: {master_key: %s}, or put it in place of %s\n",
		done.Keys, done.Master, k.New, where.Path+server.MasterKeySuffix)
	return err
}
