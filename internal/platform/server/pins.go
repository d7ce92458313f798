package server

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/guard"
	"github.com/signalbox/signalbox/internal/observability/alert"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/server/api"
	"github.com/signalbox/signalbox/internal/tool/pin"
)

// ruleToolHeld is the rule of alerts about tools that wait for review, and the type of what channels are sent.
const ruleToolHeld = "tool_held"

// maxTold is how many tools a message names.
const maxTold = 10

// ToolPayload is what a channel is sent about tools that wait for review. What their servers say of them is not in it: that
// may be what is wrong with them.
type ToolPayload struct {
	Type   string   `json:"type"` // Always "tool_held".
	Server string   `json:"server"`
	Tools  []string `json:"tools"` // Their ids, ten at the most.
	Count  int      `json:"count"`
	Text   string   `json:"text"`
	URL    string   `json:"url"` // Of the control API, which lists them.
}

// startPins reads the pins of tools.
func (s *Server) startPins(ctx context.Context) error {
	s.pins = pin.New(pin.Options{
		Store: s.data.db, Log: s.data.writer, Masker: guard.New(), Now: s.data.now, Holder: s.data.replica,
		Settings: s.pinSettings, Held: s.toolsHeld,
	})
	if err := s.pins.Load(ctx); err != nil {
		return err
	}
	s.every("claims of pins", releaseInterval, func(ctx context.Context) {
		if err := s.pins.Release(ctx); err != nil && ctx.Err() == nil {
			s.options.Logger.WarnContext(ctx, "a claim of pins could not be given back", "error", err)
		}
	})
	return nil
}

// pinSettings are those of the configuration in force. A server that is not in it any more has the defaults.
func (s *Server) pinSettings(server string) pin.Settings {
	p := config.DefaultPins()
	if c, found := s.runtimes.current().config.MCPServers[server]; found {
		p = c.Pins
	}
	return pin.Settings{HoldFirst: p.First == config.PinHold, HoldFlagged: p.Flagged == config.PinHold}
}

// toolsHeld tells people of tools that wait for review.
func (s *Server) toolsHeld(server string, held []signalbox.Pin) {
	p := ToolPayload{Type: ruleToolHeld, Server: server, Tools: []string{}, Count: len(held), URL: s.publicURL() + "/api/v1/pins?state=held"}
	for i := range held[:min(len(held), maxTold)] {
		p.Tools = append(p.Tools, pin.Visible(held[i].ID()))
	}
	more := ""
	if p.Count > maxTold {
		more = fmt.Sprintf(" and %d more", p.Count-maxTold)
	}
	p.Text = mask.Mask(fmt.Sprintf("Tools of the MCP server %q are held until somebody reviews them: %s%s.", server, strings.Join(p.Tools, ", "), more))
	s.options.Logger.Warn("tools are held until somebody reviews them", "server", server, "tools", p.Tools, "count", p.Count)
	digest := pin.Digest(held)
	channels := s.runtimes.current().config.Approvals.Channels
	s.alerts.Raise(alert.Raised{
		Alert: signalbox.Alert{
			ID: ruleToolHeld + "-" + server + "-" + hex.EncodeToString(digest[:8]), Rule: ruleToolHeld, Level: signalbox.AlertWarning,
			Action: actionOf(channels), Per: signalbox.AlertPerRequest, Raised: s.data.now().UTC(), Text: p.Text,
		},
		Channels: channels,
		Payload:  func(string) []byte { return payload(p) },
	})
}

// pinMetrics shows how many tools of each server are held and flagged.
func (s *Server) pinMetrics() error {
	gauge := func(name, description string, value func(server string) int64) error {
		return s.telemetry.GaugeBy(name, description, "server", func(show func(string, int64)) {
			for id := range s.runtimes.current().config.MCPServers {
				show(id, value(id))
			}
		})
	}
	return errors.Join(
		gauge("signalbox.tools.held", "Tools that wait for review, by server.", func(server string) int64 { held, _ := s.pins.Count(server); return held }),
		gauge("signalbox.tools.flagged", "Tools that look suspicious, by server.", func(server string) int64 { _, flagged := s.pins.Count(server); return flagged }),
	)
}

// pins gives the control API the pins.
type pins struct{ *pin.Keeper }

// Review decides about the new form of a tool.
func (x pins) Review(ctx context.Context, by signalbox.Caller, r api.PinVerdict) (signalbox.Pin, error) {
	return x.Keeper.Review(ctx, pin.Review{
		Server: r.Server, Tool: r.Tool, Form: r.Form, Accept: r.Accept, Reason: r.Reason, By: api.Actor(by),
		Who: by.Who(""), // Tools are those of all tenants.
	})
}
