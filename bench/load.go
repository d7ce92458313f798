package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// result is what was measured of one hop with one kind of call.
type result struct {
	hop       string
	stream    bool
	perSecond float64       // At saturation.
	cpu       time.Duration // Of the process, per call, at saturation.
	p50, p99  time.Duration // At the fixed rate.
	reached   float64       // The rate that was reached, of that which was asked for.
	memory    int64         // Anonymous, in KiB, after the load.
}

const path = "/v1/chat/completions"

func measure(ctx context.Context, h hop, stream bool, length time.Duration) (result, error) {
	r := result{hop: h.name, stream: stream}
	if _, _, err := saturate(ctx, h, stream, length/5); err != nil { // Warm up.
		return r, err
	}
	before, err := h.process.cpu()
	if err != nil {
		return r, err
	}
	calls, took, err := saturate(ctx, h, stream, length)
	if err != nil {
		return r, err
	}
	after, err := h.process.cpu()
	if err != nil {
		return r, err
	}
	r.perSecond = float64(calls) / took.Seconds()
	r.cpu = (after - before) / time.Duration(max(calls, 1))
	if err := r.pace(h, stream, length); err != nil {
		return r, err
	}
	r.memory = h.process.anonymous()
	return r, nil
}

// saturate keeps every connection busy and counts good answers; a bad one ends the measurement.
func saturate(ctx context.Context, h hop, stream bool, length time.Duration) (int64, time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}}
	defer client.CloseIdleConnections()
	var calls atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range connections {
		wg.Go(func() {
			for time.Since(start) < length && ctx.Err() == nil {
				if err := once(ctx, client, h, stream); err != nil {
					cancel(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	wg.Wait()
	return calls.Load(), time.Since(start), context.Cause(ctx)
}

func once(ctx context.Context, client *http.Client, h hop, stream bool) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+path, bytes.NewReader(body(stream)))
	if err != nil {
		return err
	}
	req.Header = header(h)
	answer, err := client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || stream && !bytes.HasSuffix(data, []byte("data: [DONE]\n\n")) {
		return fmt.Errorf("%s: %.300s", answer.Status, data)
	}
	return nil
}

func header(h hop) http.Header {
	head := http.Header{"Content-Type": {"application/json"}}
	if h.key != "" {
		head.Set("Authorization", "Bearer "+h.key)
	}
	return head
}

// pace sends at a fixed rate whatever comes back, and takes the quantiles of the time to the last byte.
func (r *result) pace(h hop, stream bool, length time.Duration) error {
	per := rate
	if stream {
		per = streamRate
	}
	attacker := vegeta.NewAttacker(vegeta.Connections(1024), vegeta.MaxConnections(1024), vegeta.KeepAlive(true))
	targets := vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodPost, URL: h.url + path, Body: body(stream), Header: header(h)})
	var m vegeta.Metrics
	for res := range attacker.Attack(targets, vegeta.Rate{Freq: per, Per: time.Second}, length, h.name) {
		m.Add(res)
	}
	m.Close()
	if m.Success < 1 {
		return fmt.Errorf("at %d/s only %.4f of the calls were served: %v", per, m.Success, m.Errors)
	}
	r.p50, r.p99, r.reached = m.Latencies.P50, m.Latencies.P99, m.Throughput/float64(per)
	return nil
}
