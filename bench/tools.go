package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// toolRate is the calls per second of the open-loop measurement.
const toolRate = 500

// toolHops are the rows of the part, in their order.
const (
	toolDirect = iota
	toolProxied
	toolOne   // Through the server's own endpoint.
	toolJoint // Through the endpoint of all servers.
)

// toolConfig is a configuration with one MCP server, whose tools have a price. Keys, limits, budgets, permissions, pins and
// the record are on.
const toolConfig = `mcp_servers:
  bench:
    url: "@URL@` + toolPath + `"
    price: {per_call: 0.001}
    max_concurrent_calls: 4096
    tools: {` + toolRead + `: {operation: read}, ` + toolWrite + `: {operation: write}}
`

// runTools measures calls of a tool, then what is kept in memory for sessions and for calls that wait for people.
func runTools(ctx context.Context, o options, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	upstream, err := startProcess(ctx, self, dir, "-role", "upstream")
	if err != nil {
		return err
	}
	defer upstream.stop()
	proxy, err := startProcess(ctx, self, dir, "-role", "proxy", "-target", upstream.url)
	if err != nil {
		return err
	}
	defer proxy.stop()
	gateway, err := startToolGateway(ctx, o.binary, filepath.Join(dir, "speed"), upstream.url)
	if err != nil {
		return err
	}
	defer gateway.stop()
	c := &comparison{options: o, version: version(ctx, o.binary)}
	c.add(hop{"direct", upstream, ""}, toolLoad(toolPath, toolRead))
	c.add(hop{"ReverseProxy", proxy, ""}, toolLoad(toolPath, toolRead))
	c.add(hop{"Signalbox /mcp/{server}", gateway, benchKey}, toolLoad("/mcp/bench", toolRead))
	c.add(hop{"Signalbox /mcp", gateway, benchKey}, toolLoad("/mcp", "bench__"+toolRead))
	for n := range o.rounds {
		if err := c.round(ctx, n); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "tools: round %d of %d is done\n", n+1, o.rounds)
	}
	held, err := measureHeld(ctx, o.binary, dir, upstream.url)
	if err != nil {
		return err
	}
	o.block(os.Stdout, "tools", func() {
		c.printTools(os.Stdout)
		held.print(os.Stdout, o)
	})
	if c.failed() > 0 {
		return errors.New("calls have failed; see the table")
	}
	return nil
}

// startToolGateway starts Signalbox before the upstream, with a database in the folder.
func startToolGateway(ctx context.Context, binary, dir, upstream string) (*process, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	path, err := writeToolConfig(dir, upstream)
	if err != nil {
		return nil, err
	}
	return startProcess(ctx, binary, dir, "serve", "--config", path)
}

// writeToolConfig writes the configuration of Signalbox before a tool server, and returns its path.
func writeToolConfig(dir, upstream string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	permitted := `    permissions: {tools: [{name: bench.read, operations: [read], resources: ["*"]}, {name: bench.write, operations: [write], resources: ["*"]}]}`
	settings := strings.Replace(budgets.text(), "agents:\n  - {id: bench, budgets: [{unit: usd, per: day, max: 1000000}]}",
		"agents:\n  - id: bench\n    budgets: [{unit: usd, per: day, max: 1000000}]\n"+permitted, 1)
	text := strings.NewReplacer("@DIR@", dir, "@URL@", upstream).Replace(settings + configText + toolConfig)
	path := filepath.Join(dir, "signalbox.yml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// printTools prints the rows; what a hop adds is its quantile less the direct one of the same round.
func (c *comparison) printTools(out io.Writer) {
	c.options.head(out, c.version)
	fmt.Fprintf(out, "Medians of %d rounds, and the lowest and highest; %d connections at saturation, open loop at %d/s; %d calls are a run.\n\n",
		c.options.rounds, connections, toolRate, callsInRun)
	var lines [][]string
	for h, hop := range c.hops {
		line := []string{
			hop.name, fmt.Sprintf("%.0f", middle(collect(len(c.rows[h]), func(i int) float64 { return c.rows[h][i].perSecond }))),
			us(middle(c.each(h, func(m measurement) time.Duration { return m.cpu }))), ratioText(c.ratio(h, toolProxied)),
		}
		lines = append(lines, append(line, c.latencies(h)...))
	}
	c.options.table(out, []string{"tools/call", "calls/s", "CPU/call", "× ReverseProxy", "p50", "p99", "added p50", "added p99"}, lines)
	fmt.Fprintln(out)
}

func (c *comparison) latencies(h int) []string {
	if c.options.paced == 0 {
		return []string{"–", "–", "–", "–"} // They were not measured.
	}
	added := func(of func(measurement) time.Duration) string {
		return us(middle(collect(len(c.rows[h]), func(i int) time.Duration { return of(c.rows[h][i]) - of(c.rows[toolDirect][i]) })))
	}
	p50 := func(m measurement) time.Duration { return m.p50 }
	p99 := func(m measurement) time.Duration { return m.p99 }
	return []string{us(middle(c.each(h, p50))), us(middle(c.each(h, p99))), added(p50), added(p99)}
}
