package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/config"
)

// The exit codes of every command.
const (
	exitYes         = 0
	exitNo          = 1 // Not verified, denied, not found, refused.
	exitUsage       = 2
	exitUnreachable = 3 // No server, or none that answers.
)

// errNo ends a command whose answer is no and which has already said so.
var errNo = errors.New("no")

// cli is the command line.
type cli struct {
	Serve       serveCmd       `cmd:"" help:"Run the server."`
	Check       checkCmd       `cmd:"" help:"Check a configuration file: every problem with its place and remedy."`
	Demo        demoCmd        `cmd:"" help:"Send a sample multi-agent conversation through a running instance."`
	Key         keyCmd         `cmd:"" help:"Create, list and revoke API keys."`
	Audit       auditCmd       `cmd:"" help:"List and verify the log."`
	Subject     subjectCmd     `cmd:"" help:"Erase what the log says of a person, or give it out."`
	Cost        costCmd        `cmd:"" help:"Prices, reports, and corrections by the provider's bill."`
	Run         runCmd         `cmd:"" help:"Open, show, list and end runs with a budget."`
	Budget      budgetCmd      `cmd:"" help:"Accounts with their caps, and those that an overrun has closed."`
	Alert       alertCmd       `cmd:"" help:"Alerts, and the brakes that they have set."`
	Policy      policyCmd      `cmd:"" help:"Who may do what, and why."`
	Approval    approvalCmd    `cmd:"" help:"Calls that wait for people."`
	Guard       guardCmd       `cmd:"" help:"What is found in calls of tools, and masked or blocked there."`
	BreakGlass  breakGlassCmd  `cmd:"" help:"Grants that go beyond permissions for a while."`
	Tool        toolCmd        `cmd:"" help:"Tools of MCP servers: what is pinned of them, and what waits for review."`
	Search      searchCmd      `cmd:"" help:"Look for tools and agents."`
	Incident    incidentCmd    `cmd:"" help:"Harm that calls and runs have done."`
	Session     sessionCmd     `cmd:"" help:"Logins of the console."`
	Projections projectionsCmd `cmd:"" help:"Rebuild what is projected from the log."`
	Backup      backupCmd      `cmd:"" help:"Copy the SQLite database while it is being served."`
	Restore     restoreCmd     `cmd:"" help:"Make a database of a backup, once its log has been verified."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
	DemoTools   demoToolsCmd   `cmd:"" hidden:""`

	Plan      notBuilt `cmd:"" help:"Simulation of plans: not built in this version."`
	Checklist notBuilt `cmd:"" help:"Compliance: not built in this version."`
}

// console is what commands write to.
type console struct {
	ctx    context.Context //nolint:containedctx // It lives as long as the command.
	out    io.Writer
	errOut io.Writer
}

// notBuilt is a command that the design names and this version does not have.
type notBuilt struct {
	Args []string `arg:"" optional:""`
}

// Run says so.
func (notBuilt) Run(*console) error {
	return &usageError{"this command is not built in this version"}
}

// usageError is a mistake in the command line.
type usageError struct{ message string }

// Error gives the message.
func (e *usageError) Error() string { return e.message }

// Main runs the command line and gives the exit code.
func Main(ctx context.Context, args []string, out, errOut io.Writer) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("signalbox"), kong.Description("The production control plane for multi-agent systems."),
		kong.Writers(out, errOut), kong.Vars{"database": config.DefaultDatabase}, kong.Exit(func(code int) { exited = code }), kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		fmt.Fprintln(errOut, "signalbox:", err)
		return exitUsage
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 { // Help was asked for and printed.
		return exited
	}
	if err != nil {
		fmt.Fprintln(errOut, "signalbox:", err)
		return exitUsage
	}
	return exitCode(errOut, parsed.Run(&console{ctx: ctx, out: out, errOut: errOut}))
}

// exitCode prints an error and gives the code it stands for.
func exitCode(errOut io.Writer, err error) int {
	var usage *usageError
	var down *unreachableError
	var problems config.Problems
	switch {
	case err == nil:
		return exitYes
	case errors.Is(err, errNo):
		return exitNo
	case errors.As(err, &problems):
		fmt.Fprintln(errOut, problems.Error())
		return exitNo
	case errors.As(err, &usage):
		fmt.Fprintln(errOut, "signalbox:", err)
		return exitUsage
	case errors.As(err, &down):
		fmt.Fprintln(errOut, "signalbox:", err)
		return exitUnreachable
	}
	printError(errOut, err)
	return exitNo
}

func printError(w io.Writer, err error) {
	var e *signalbox.Error
	if !errors.As(err, &e) {
		fmt.Fprintln(w, "signalbox:", err)
		return
	}
	fmt.Fprintln(w, "signalbox:", e.Error())
	if e.Remedy != "" {
		fmt.Fprintln(w, "  remedy:", e.Remedy)
	}
}
