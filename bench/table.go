package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// block prints what fn does, between the marks of a block in docs/performance.md.
func (o options) block(out io.Writer, part string, fn func()) {
	if o.markdown {
		fmt.Fprintf(out, "<!-- bench %s: begin (printed by `go run ./bench -markdown`) -->\n", part)
		defer fmt.Fprintf(out, "<!-- bench %s: end -->\n\n", part)
	}
	fn()
}

// head prints what was measured, where and when.
func (o options) head(out io.Writer, version string) {
	fmt.Fprintf(out, "%s; %d cores, load average %s, %s, %s.\n", version, runtime.NumCPU(), loadAverage(), runtime.Version(),
		time.Now().UTC().Format("2006-01-02 15:04 UTC"))
}

var columns = []string{
	"call", "hop", "calls/s", "CPU/call", "× proxy", "lowest to highest", "p50", "p99", "added p50", "added p99", "rate", "memory", "failed",
}

func (r *report) print(out io.Writer) { r.options.block(out, "calls", func() { r.printAll(out) }) }

func (r *report) printAll(out io.Writer) {
	r.options.head(out, r.version)
	fmt.Fprintf(out, "Medians of %d rounds; %d connections at saturation; open loop at %d/s unary and %d/s streams of %d events; slow streams: %s between events.\n\n",
		r.options.rounds, connections, rate, streamRate, events, eventPause)
	r.options.table(out, columns, r.cells())
	fmt.Fprintln(out)
	r.options.table(out, []string{"what", "target", "measured", ""}, r.targets())
	r.failures(out)
}

func (r *report) cells() (lines [][]string) {
	for k := range kindCount {
		for h, name := range [hopCount]string{"direct", "ReverseProxy", "Signalbox"} {
			m := r.row(k, h)
			latency := []string{us(m.p50), us(m.p99), us(m.addedP50), us(m.addedP99), fmt.Sprintf("%.0f %%", 100*m.reached)}
			if k.rate() == 0 || r.options.paced == 0 { // It was not measured.
				latency = []string{"–", "–", "–", "–", "–"}
			}
			line := []string{
				k.String(), name, fmt.Sprintf("%.0f", m.perSecond), us(m.cpu), fmt.Sprintf("%.2f", m.ratio),
				fmt.Sprintf("%.2f to %.2f", m.lowest, m.highest),
			}
			lines = append(lines, append(append(line, latency...), mib(m.memory), fmt.Sprint(m.failed)))
		}
	}
	return lines
}

// table prints lines in aligned columns, or as Markdown.
func (o options) table(out io.Writer, head []string, lines [][]string) {
	if o.markdown {
		fmt.Fprintf(out, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
		for _, line := range lines {
			fmt.Fprintf(out, "| %s |\n", strings.Join(line, " | "))
		}
		return
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	for _, line := range append([][]string{head}, lines...) {
		fmt.Fprintln(w, strings.Join(line, "\t")+"\t")
	}
	w.Flush() //nolint:errcheck // Standard output.
}

// failures shows the first failure of each hop that had one.
func (r *report) failures(out io.Writer) {
	for k := range kindCount {
		for h, name := range [hopCount]string{"direct", "ReverseProxy", "Signalbox"} {
			if m := r.row(k, h); m.failed > 0 {
				fmt.Fprintf(out, "\n%s, %s: %d calls failed, such as: %s\n", name, k, m.failed, m.failure)
			}
		}
	}
}

func us(d time.Duration) string { return fmt.Sprintf("%.0f µs", float64(d.Nanoseconds())/1000) }

func mib(kib int64) string { return fmt.Sprintf("%.1f MiB", float64(kib)/1024) }

func ms(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
