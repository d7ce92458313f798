package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// demoCmd is a sample conversation of several agents, each of which speaks to Signalbox as a program would that knows
// nothing of it but its address: over the OpenAI API, the Anthropic API, and MCP.
type demoCmd struct {
	remote
	Large  string `default:"sim-large" help:"Model for planning and writing; it should have a fallback."`
	Small  string `default:"sim-small" help:"Model for research."`
	Server string `default:"search" help:"MCP server with the tool web_search."`
	Topic  string `default:"Which of our support questions may agents answer alone?" help:"What the agents work on."`
}

// Run holds the conversation and tells what each step did.
func (k *demoCmd) Run(c *console) error {
	if k.Key == "" {
		return &usageError{"no API key: set SIGNALBOX_API_KEY"}
	}
	d := &demo{demoCmd: k, console: c, run: signalbox.NewID(signalbox.RunPrefix, time.Now()), trace: randomHex(16)}
	planner := d.agent("planner", "")
	d.printf("run %s, trace %s\n", d.run, d.trace)
	plan, err := planner.chat(c.ctx, k.Large, "plan", "Make a plan to find out: "+k.Topic)
	if err != nil {
		return err
	}
	if err := d.research(c.ctx, plan); err != nil {
		return err
	}
	writer := d.agent("writer", "planner")
	if _, err := writer.chatStream(c.ctx, k.Large, "write", "Write the answer to: "+k.Topic); err != nil {
		return err
	}
	if _, err := planner.chat(c.ctx, k.Small, "review", "Is this complete? "+k.Topic); err != nil {
		return err
	}
	d.printf("waterfall: %s/traces/%s\n", k.URL, d.trace)
	return nil
}

// research lets two agents work side by side. One of them meets a model that is overloaded and is served by its
// fallback, and then an answer that breaks off.
func (d *demo) research(ctx context.Context, plan string) error {
	var wg sync.WaitGroup
	errs := make([]error, 2)
	wg.Go(func() { errs[0] = d.market(ctx, plan) })
	wg.Go(func() { errs[1] = d.risk(ctx, plan) })
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) market(ctx context.Context, plan string) error {
	a := d.agent("researcher-market", "planner")
	if _, err := a.messages(ctx, d.Small, "research", "Find how many teams let agents answer. Plan: "+plan); err != nil {
		return err
	}
	found, err := a.search(ctx, "support teams that let agents answer alone")
	if err != nil {
		return err
	}
	_, err = a.messages(ctx, d.Small, "summarise", "Summarise: "+found)
	return err
}

func (d *demo) risk(ctx context.Context, plan string) error {
	a := d.agent("researcher-risk", "planner")
	// The first candidate is overloaded; its fallback serves.
	if _, err := a.chat(ctx, d.Large, "research", "simulate: fail=overloaded model="+d.Large+"\nFind what can go wrong. Plan: "+plan); err != nil {
		return err
	}
	if _, err := a.search(ctx, "incidents with autonomous support agents"); err != nil {
		return err
	}
	// An answer that breaks off is a failure, and is never passed off as a whole one.
	if _, err := a.chat(ctx, d.Small, "check", "simulate: fail=truncated\nCheck the sources."); err == nil {
		return fmt.Errorf("the broken answer of the failing step was presented as a whole one")
	}
	_, err := a.chat(ctx, d.Small, "check", "Check the sources again.")
	return err
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}
