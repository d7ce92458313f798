package main

import (
	"os"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/seal"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server"
)

// masterKey says where the key is that opens, without a server, what records say about people.
type masterKey struct {
	MasterKey    string `help:"File with the master key: what is sealed is opened with it." type:"path" placeholder:"FILE" xor:"master"`
	MasterKeyEnv string `help:"The environment variable that holds the master key." placeholder:"NAME" xor:"master"`
}

func (k masterKey) given() bool { return k.MasterKey != "" || k.MasterKeyEnv != "" }

// decoder opens the records of a database; nil, where no master key is given, opens what is not sealed.
func (k masterKey) decoder(c *console, db seal.Keys) (func(signalbox.Entry) (signalbox.Record, error), error) {
	if !k.given() {
		return nil, nil
	}
	return server.Decoder(c.ctx, db, server.VaultOptions{
		Keys: config.MasterKeys{Current: config.MasterKey{File: k.MasterKey, Env: k.MasterKeyEnv}}, Env: os.LookupEnv, Now: time.Now,
	})
}

// nothingSealed refuses a database in which something is sealed: without its master key nobody is found by name, and an
// empty answer would look like there is nothing.
func nothingSealed(c *console, db seal.Keys) error {
	_, err := db.SubjectKey(c.ctx, seal.IndexID)
	if err == nil {
		return &usageError{"--user and --subject need --master-key FILE or --master-key-env NAME: the names are sealed in this database"}
	}
	if signalbox.CodeOf(err) == signalbox.CodeNotFound {
		return nil
	}
	return err
}
