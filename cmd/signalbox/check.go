package main

import (
	"fmt"
	"os"

	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server"
)

type checkCmd struct {
	Config string `help:"The configuration file." type:"path" placeholder:"FILE"`
	Schema bool   `help:"Print the JSON Schema for editors instead."`
}

// Run checks a file, or prints the schema. What is doubtful about a policy is a warning: the file is good all the same.
func (k *checkCmd) Run(c *console) error {
	if k.Schema {
		schema, err := config.Schema()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.out, "%s\n", schema)
		return err
	}
	if k.Config == "" {
		return &usageError{"--config FILE is missing"}
	}
	loaded, err := config.Load(k.Config, os.LookupEnv, server.ConfigOptions())
	if err != nil {
		return err
	}
	for _, w := range loaded.Warnings {
		if _, err := fmt.Fprintf(c.errOut, "warning: %s\n", w); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(c.out, "%s is good: %d tenants, %d keys, %d providers, %d models, %d routes, %d agents, %d MCP servers (fingerprint %s)\n",
		k.Config, len(loaded.Tenants), len(loaded.Keys), len(loaded.Providers), len(loaded.Models), len(loaded.Routes),
		len(loaded.Agents), len(loaded.MCPServers), loaded.Fingerprint())
	return err
}
