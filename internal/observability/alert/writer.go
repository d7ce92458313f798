package alert

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// Times between tries to write an alert.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 10 * time.Second
	// maxRejections is how often an alert is tried that the log refuses for another reason than being unavailable.
	maxRejections = 5
)

// write puts alerts into the log until the engine is closed and nothing waits.
func (e *Engine) write() {
	defer close(e.done)
	for e.work.Err() == nil {
		if i, ok := e.pending.take(); ok {
			e.writeOne(i)
			continue
		}
		select {
		case <-e.pending.wake:
		case <-e.closing:
			// What came just before Close was told to is still taken.
			i, ok := e.pending.take()
			if !ok {
				return
			}
			e.writeOne(i)
		}
	}
}

// writeOne tries until the alert is durable, refused for good, or the engine gives up.
func (e *Engine) writeOne(i item) {
	rec, put := e.record(i)
	pause := firstRetry
	for rejected := 0; ; {
		_, err := e.Log.Append(e.work, rec, put)
		if err == nil {
			if put.Brake != nil {
				e.brakes.wrote(put.Brake)
			}
			e.pending.done(true)
			e.tell(put.Alert)
			return
		}
		e.pending.note(func(s *Stats) { s.Retries++ })
		if signalbox.CodeOf(err) != signalbox.CodeUnavailable && e.work.Err() == nil {
			rejected++
		}
		if rejected == maxRejections {
			e.Logger.LogAttrs(e.work, slog.LevelError, "an alert can not be recorded", slog.String("alert", put.Alert.ID),
				slog.String("rule", put.Alert.Rule), slog.String("tenant", put.Alert.Tenant), slog.Any("error", err))
			e.pending.done(false)
			return
		}
		if !e.Wait(e.work, pause) {
			return
		}
		pause = min(2*pause, lastRetry)
	}
}

// tell shows an alert to who reads the process's own log.
func (e *Engine) tell(a signalbox.Alert) {
	level := slog.LevelInfo
	if a.Level != signalbox.AlertInfo {
		level = slog.LevelWarn
	}
	e.Logger.LogAttrs(context.Background(), level, "alert raised", slog.String("alert", a.ID), slog.String("rule", a.Rule),
		slog.String("level", string(a.Level)), slog.String("action", string(a.Action)), slog.String("tenant", a.Tenant))
}

// record makes the alert's record and its effect.
func (e *Engine) record(i item) (signalbox.Record, signalbox.PutAlert) {
	a := i.Alert
	a.Text = i.text()
	put := signalbox.PutAlert{Alert: a, Brake: i.Brake}
	channels := channelsOf(i.Raised, e.Channels())
	for _, channel := range channels {
		put.Notifications = append(put.Notifications, notificationOf(a, i.Raised, channel))
	}
	return signalbox.Record{
		Type: signalbox.RecordAdmin, Time: e.Now().UTC(), When: signalbox.When{Timestamp: a.Raised.UTC()},
		Who:     signalbox.Who{TenantID: a.Tenant, AgentID: a.Agent},
		What:    signalbox.What{Action: signalbox.ActionAlertRaised, ResourceID: a.ID, Detail: detail(a, i, channels)},
		Context: signalbox.Context{RunID: a.Run, Replica: e.Replica},
	}, put
}

func detail(a signalbox.Alert, i item, channels []string) map[string]string {
	d := map[string]string{
		"alert": a.ID, "rule": a.Rule, "level": string(a.Level), "action": string(a.Action), "per": string(a.Per),
		"threshold": strconv.FormatInt(a.Threshold, 10), "value": strconv.FormatInt(a.Value, 10), "text": a.Text,
	}
	for name, value := range map[string]string{"call": a.Call, "account": a.Account, "channels": strings.Join(channels, " ")} {
		if value != "" {
			d[name] = value
		}
	}
	if i.more > 0 {
		d["merged"] = strconv.FormatInt(i.more, 10)
	}
	if i.Brake == nil {
		return d
	}
	d["brake"] = string(i.Brake.Kind)
	if !i.Brake.Until.IsZero() {
		d["brake_until"] = i.Brake.Until.UTC().Format(time.RFC3339)
	}
	return d
}
