package main

import (
	"fmt"
	"runtime"
)

type versionCmd struct{}

// Run prints the version and what it was built with.
func (versionCmd) Run(c *console) error {
	_, err := fmt.Fprintf(c.out, "signalbox %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
