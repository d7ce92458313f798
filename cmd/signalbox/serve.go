package main

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/signalbox/signalbox/internal/governance/guard"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server"
	"github.com/signalbox/signalbox/internal/tool/keeper"
)

// selfVariable names this program in configurations, so that the quickstart can start its sample tool server.
const selfVariable = "SIGNALBOX_SELF"

type serveCmd struct {
	Config   string `help:"The configuration file; without one the quickstart's is used." type:"path" placeholder:"FILE"`
	Listen   string `help:"Address to listen on, instead of the configured one." placeholder:"ADDR"`
	Database string `help:"Database, instead of the configured one." placeholder:"URL"`
}

// Run serves until the process is told to stop.
func (k *serveCmd) Run(c *console) error {
	if err := keeper.Hide(); err != nil { // Before any child is there.
		return err
	}
	loaded, err := k.load()
	if err != nil {
		return err
	}
	setCollector()
	logger := slog.New(guard.NewHandler(slog.NewTextHandler(c.errOut, nil)))
	// The HTTP client of the standard library writes bytes of answers that it did not expect to the default logger, which
	// nobody masks. Nothing of ours uses that one.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	s, err := server.New(c.ctx, loaded, server.Options{
		Version: version, Logger: logger, Now: time.Now, Env: environment, Source: server.Source{Path: k.Config, Load: k.load},
	})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c.out, "signalbox %s serves %s (console: %s/)\n", version, s.URL(), s.URL()); err != nil {
		return err
	}
	return s.Run(c.ctx)
}

// load reads the configuration; what the command line says wins.
func (k *serveCmd) load() (*config.Config, error) {
	loaded, err := k.file()
	if err != nil {
		return nil, err
	}
	changed := *loaded
	if k.Listen != "" {
		changed.Listen = k.Listen
	}
	if k.Database == "" {
		return &changed, nil
	}
	stored, err := changed.WithDatabase(k.Database)
	if err != nil {
		return nil, &usageError{"--database: " + err.Error()}
	}
	return stored, nil
}

func (k *serveCmd) file() (*config.Config, error) {
	if k.Config == "" {
		return config.Default(environment)
	}
	return config.Load(k.Config, environment, server.ConfigOptions())
}

// environment is the process's, and this program's own path.
func environment(name string) (string, bool) {
	if name != selfVariable {
		return os.LookupEnv(name)
	}
	path, err := os.Executable()
	return path, err == nil
}
