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

// measurement is one hop with one kind of call in one round.
type measurement struct {
	perSecond float64       // At saturation.
	cpu       time.Duration // Of the process, per call, at saturation.
	p50, p99  time.Duration // At the fixed rate.
	reached   float64       // The rate that was reached, of that which was asked for.
	memory    int64         // Anonymous, in KiB, after the load.
	failed    int64         // Calls that were not answered whole.
	failure   string        // The first of them.
}

// load is what is sent to a hop, and what a whole answer to it is.
type load struct {
	path  string
	head  http.Header // Besides what says who calls, and in which run.
	body  []byte
	rate  int               // Calls per second at which latency is measured; 0 leaves it out.
	whole func([]byte) bool // Whether an answer of status 200 is one; nil: any is.
}

// load is a call of the model of this kind.
func (k kind) load() load {
	l := load{path: "/v1/chat/completions", head: http.Header{"Content-Type": {"application/json"}}, body: body(k), rate: k.rate()}
	if k != unary {
		l.whole = func(answer []byte) bool { return bytes.HasSuffix(answer, []byte("data: [DONE]\n\n")) }
	}
	return l
}

const (
	warmUp      = 5   // The part of a measurement that goes before it to warm up, as a divisor.
	maxFailures = 100 // More of them end the benchmark: it would measure something else.
)

func measure(ctx context.Context, h hop, l load, o options) (m measurement, err error) {
	warm := saturate(ctx, h, l, o.saturated/warmUp)
	before, err := h.process.settled(ctx)
	if err != nil {
		return m, err
	}
	s := saturate(ctx, h, l, o.saturated)
	after, err := h.process.settled(ctx)
	if err != nil {
		return m, err
	}
	m.perSecond = float64(s.calls.Load()) / s.took.Seconds()
	m.cpu = (after - before) / time.Duration(max(s.calls.Load(), 1))
	m.count(warm.failed.Load(), warm.failure)
	m.count(s.failed.Load(), s.failure)
	if o.paced > 0 && l.rate > 0 {
		m.pace(h, l, o.paced)
	}
	m.memory = h.process.anonymous()
	if m.failed > maxFailures {
		return m, fmt.Errorf("%d calls to %s failed, such as: %s", m.failed, h.name, m.failure)
	}
	return m, ctx.Err()
}

// count adds calls that have failed.
func (m *measurement) count(failed int64, failure string) {
	m.failed += failed
	if m.failure == "" {
		m.failure = failure
	}
}

// saturation is the load that keeps every connection busy.
type saturation struct {
	calls, failed atomic.Int64
	took          time.Duration
	once          sync.Once
	failure       string
}

func saturate(ctx context.Context, h hop, l load, length time.Duration) *saturation {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}}
	defer client.CloseIdleConnections()
	s := &saturation{}
	var wg sync.WaitGroup
	start := time.Now()
	for range connections {
		wg.Go(func() {
			for time.Since(start) < length && ctx.Err() == nil && s.failed.Load() <= maxFailures {
				s.note(ask(ctx, client, h, l))
			}
		})
	}
	wg.Wait()
	s.took = time.Since(start)
	return s
}

func (s *saturation) note(err error) {
	if err == nil {
		s.calls.Add(1)
		return
	}
	s.failed.Add(1)
	s.once.Do(func() { s.failure = err.Error() })
}

// ask makes one call and reads its answer to the end.
func ask(ctx context.Context, client *http.Client, h hop, l load) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.process.url+l.path, bytes.NewReader(l.body))
	if err != nil {
		return err
	}
	req.Header = l.header(h)
	answer, err := client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || l.whole != nil && !l.whole(data) {
		return fmt.Errorf("%s: %.300s", answer.Status, data)
	}
	return nil
}

// asked counts the calls of all hops.
var asked atomic.Int64

// header makes the head of a call. So many calls in a row are one run.
func (l load) header(h hop) http.Header {
	head := l.head.Clone()
	if h.key != "" {
		head.Set("Authorization", "Bearer "+h.key)
		head.Set("X-Signalbox-Run", fmt.Sprintf("bench-%d", asked.Add(1)/callsInRun))
	}
	return head
}

// pace sends at a fixed rate whatever comes back, and takes the quantiles of the time to the last byte.
func (m *measurement) pace(h hop, l load, length time.Duration) {
	attacker := vegeta.NewAttacker(vegeta.Connections(1024), vegeta.MaxConnections(1024), vegeta.KeepAlive(true))
	targets := func(t *vegeta.Target) error {
		*t = vegeta.Target{Method: http.MethodPost, URL: h.process.url + l.path, Body: l.body, Header: l.header(h)}
		return nil
	}
	var v vegeta.Metrics
	for res := range attacker.Attack(targets, vegeta.Rate{Freq: l.rate, Per: time.Second}, length, h.name) {
		v.Add(res)
		if res.Error != "" || res.Code != http.StatusOK {
			m.count(1, fmt.Sprintf("status %d %s", res.Code, res.Error))
		}
	}
	v.Close()
	m.p50, m.p99, m.reached = v.Latencies.P50, v.Latencies.P99, v.Throughput/float64(l.rate)
}
