package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
)

// heldCount is how many sessions are opened, and how many calls wait.
const heldCount = 1000

// opening is how many of them are opened at a time, so that the memory is that of what is held and not of a burst.
const opening = 32

// held is the memory of what Signalbox keeps for clients, in KiB for [heldCount] of each, with their connections.
type held struct {
	idle     int64 // Of a process that has answered a few calls.
	sessions int64 // What sessions of older clients take besides, each with its stream open.
	waiting  int64 // What calls that wait for a person take besides.
}

// measureHeld opens sessions in one new process, and lets calls wait in another one.
func measureHeld(ctx context.Context, binary, dir, upstream string) (*held, error) {
	var h held
	for name, do := range map[string]struct {
		open  opener
		grown *int64
	}{"sessions": {openSession, &h.sessions}, "waiting": {waitForPerson, &h.waiting}} {
		p, err := startToolGateway(ctx, binary, filepath.Join(dir, name), upstream)
		if err != nil {
			return nil, err
		}
		h.idle, *do.grown, err = grow(ctx, p, do.open)
		p.stop()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return &h, nil
}

// opener makes one thing that is held, and returns when it is. What it leaves open ends with the context.
type opener func(ctx context.Context, client *http.Client, url string, n int, left *sync.WaitGroup) error

// grow gives the memory of a process before things are held, and what it grows by.
func grow(ctx context.Context, p *process, open opener) (before, grown int64, err error) {
	ctx, stop := context.WithCancel(ctx)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: opening}}
	var left sync.WaitGroup
	defer func() {
		stop()
		left.Wait()
		client.CloseIdleConnections()
	}()
	warm := func(int) error { return ask(ctx, client, hop{"", p, benchKey}, toolLoad("/mcp/bench", toolRead)) }
	if err := each(ctx, opening, warm); err != nil {
		return 0, 0, err
	}
	if _, err := p.settled(ctx); err != nil {
		return 0, 0, err
	}
	before = p.anonymous()
	if err := each(ctx, heldCount, func(n int) error { return open(ctx, client, p.url, n, &left) }); err != nil {
		return 0, 0, err
	}
	_, err = p.settled(ctx)
	return before, p.anonymous() - before, err
}

// each does something so often, some of it at a time, and gives the first few errors.
func each(ctx context.Context, times int, do func(n int) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var all []error
	next := make(chan int)
	for range opening {
		wg.Go(func() {
			for n := range next {
				if err := do(n); err != nil {
					mu.Lock()
					all = append(all, err)
					mu.Unlock()
				}
			}
		})
	}
	for n := range times {
		next <- n
	}
	close(next)
	wg.Wait()
	return errors.Join(append(all[:min(len(all), 3)], ctx.Err())...)
}

// openSession begins a session as an older client does, and opens its stream.
func openSession(ctx context.Context, client *http.Client, url string, _ int, left *sync.WaitGroup) error {
	const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{},"roots":{}},"clientInfo":{"name":"bench","version":"1"}}}`
	answer, err := send(ctx, client, http.MethodPost, url, hello, "")
	if err != nil {
		return err
	}
	session := answer.Header.Get("Mcp-Session-Id")
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || session == "" {
		return errors.Join(err, answer.Body.Close(), fmt.Errorf("no session was begun, but %s", answer.Status))
	}
	if err := answer.Body.Close(); err != nil {
		return err
	}
	stream, err := send(ctx, client, http.MethodGet, url, "", session)
	if err != nil {
		return err
	}
	if stream.StatusCode != http.StatusOK {
		return errors.Join(stream.Body.Close(), fmt.Errorf("the session's stream: %s", stream.Status))
	}
	left.Go(func() {
		io.Copy(io.Discard, stream.Body) //nolint:errcheck // It ends with the context.
		stream.Body.Close()
	})
	return nil
}

// waitForPerson makes a call that needs an approval, and returns when it is told that the call waits.
func waitForPerson(ctx context.Context, client *http.Client, url string, n int, left *sync.WaitGroup) error {
	// Its own arguments make an approval of its own; the token makes Signalbox say that it waits.
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"%s","arguments":{"n":%d,"note":"%s"},"_meta":{"progressToken":%d}}}`,
		toolWrite, n, strings.Repeat("Which trains are on the block section? ", 8), n)
	answer, err := send(ctx, client, http.MethodPost, url, body, "")
	if err != nil {
		return err
	}
	first := make([]byte, 512)
	read, err := answer.Body.Read(first)
	if read == 0 || !strings.Contains(string(first[:read]), "notifications/progress") {
		return errors.Join(err, answer.Body.Close(), fmt.Errorf("the call does not wait: %s %s", answer.Status, first[:read]))
	}
	left.Go(func() {
		io.Copy(io.Discard, answer.Body) //nolint:errcheck // It ends with the context.
		answer.Body.Close()
	})
	return nil
}

func send(ctx context.Context, client *http.Client, method, url, body, session string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url+"/mcp/bench", bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	req.Header = http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Authorization": {"Bearer " + benchKey},
	}
	if session != "" {
		req.Header.Set("Mcp-Session-Id", session)
	}
	return client.Do(req)
}

func (h *held) print(out io.Writer, o options) {
	row := func(what string, kib int64) []string {
		return []string{what, mib(kib), fmt.Sprintf("%.1f KiB", float64(kib)/heldCount)}
	}
	o.table(out, []string{fmt.Sprintf("memory of %d, each with its connection", heldCount), "all", "each"}, [][]string{
		row("sessions of older clients, with their streams", h.sessions),
		row("calls that wait for a person", h.waiting),
	})
	fmt.Fprintf(out, "\nBesides the %s of a process that has answered a few calls.\n", mib(h.idle))
}
