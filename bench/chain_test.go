package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server"
)

// BenchmarkCall drives a whole server over loopback, with a real database, in this process: the one to profile
// (-cpuprofile, -memprofile). Its figures have the caller and the upstream in them.
func BenchmarkCall(b *testing.B) {
	for k := range slow {
		for _, s := range []setting{budgets, neither} {
			b.Run(k.String()+map[setting]string{neither: " without budgets"}[s], func(b *testing.B) {
				benchmarkCall(b, k.load(), func(dir, upstream string) (string, error) { return writeConfig(dir, upstream, s) })
			})
		}
	}
	b.Run("tool", func(b *testing.B) { benchmarkCall(b, toolLoad("/mcp/bench", toolRead), writeToolConfig) })
	b.Run("tool joint", func(b *testing.B) { benchmarkCall(b, toolLoad("/mcp", "bench__"+toolRead), writeToolConfig) })
}

// configure writes the configuration of a server before an upstream, and gives its path.
type configure func(dir, upstream string) (string, error)

func benchmarkCall(b *testing.B, l load, c configure) {
	h := serving(b, c)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}}
	defer client.CloseIdleConnections()
	b.SetParallelism(connections / 2)
	b.ReportAllocs()
	before := used(b)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := ask(context.Background(), client, h, l); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64((used(b)-before).Microseconds())/float64(b.N), "cpu-µs/call")
}

// serving starts an upstream and a server before it, until the end of the benchmark.
func serving(b *testing.B, write configure) hop {
	b.Helper()
	up := httptest.NewServer(upstream())
	b.Cleanup(up.Close)
	path, err := write(b.TempDir(), up.URL)
	if err != nil {
		b.Fatal(err)
	}
	c, err := config.Load(path, os.LookupEnv, server.ConfigOptions())
	if err != nil {
		b.Fatal(err)
	}
	started, err := server.New(b.Context(), c, server.Options{
		Version: "bench", Logger: slog.New(slog.DiscardHandler), Now: time.Now, Env: os.LookupEnv,
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(b.Context()))
	ended := make(chan error, 1)
	go func() { ended <- started.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return hop{"Signalbox", &process{url: started.URL()}, benchKey}
}

// used is the processor time of this process.
func used(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
