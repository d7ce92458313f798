package main

import (
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"
)

// table is everything that was measured.
type table struct {
	rows  []result
	idle  []int64 // Anonymous memory before the load, in KiB, by hop.
	syncs syncs
}

func (t *table) print(out io.Writer, hops []hop) {
	fmt.Fprintf(out, "%d cores, %s; %d connections at saturation; open loop at %d/s unary and %d/s streams of %d chunks\n",
		runtime.NumCPU(), runtime.Version(), connections, rate, streamRate, chunks+3)
	fmt.Fprintf(out, "fdatasync of 4 KiB: p50 %s, p99 %s\n\n", us(t.syncs.p50), us(t.syncs.p99))
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "call\thop\tcalls/s\tCPU/call\t× proxy\tp50\tp99\tadded p50\tadded p99\trate\tmemory\t")
	for i, r := range t.rows {
		direct, proxy := t.rows[i/len(hops)*len(hops)], t.rows[i/len(hops)*len(hops)+1]
		kind := "unary"
		if r.stream {
			kind = "stream"
		}
		fmt.Fprintf(w, "%s\t%s\t%.0f\t%s\t%.2f\t%s\t%s\t%s\t%s\t%.0f %%\t%.1f MiB\t\n", kind, r.hop, r.perSecond, us(r.cpu),
			float64(r.cpu)/float64(proxy.cpu), us(r.p50), us(r.p99), us(r.p50-direct.p50), us(r.p99-direct.p99), 100*r.reached,
			float64(r.memory)/1024)
	}
	w.Flush() //nolint:errcheck // Standard output.
	fmt.Fprintln(out)
	for i, h := range hops {
		fmt.Fprintf(out, "%s idle: %.1f MiB anonymous\n", h.name, float64(t.idle[i])/1024)
	}
	last := t.rows[len(t.rows)-1]
	base := t.rows[len(t.rows)-2]
	fmt.Fprintf(out, "CPU per stream chunk: Signalbox %s, ReverseProxy %s\n", us(last.cpu/(chunks+3)), us(base.cpu/(chunks+3)))
}

func us(d time.Duration) string { return fmt.Sprintf("%.0f µs", float64(d.Nanoseconds())/1000) }
