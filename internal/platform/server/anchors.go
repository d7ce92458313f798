package server

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/observability/alert"
	"github.com/signalbox/signalbox/internal/platform/config"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// CheckpointPayloadType is the type of what a webhook is sent about a checkpoint.
const CheckpointPayloadType = "audit_checkpoint"

// CheckpointPayload is what a webhook is sent about a checkpoint, as JSON.
type CheckpointPayload struct {
	Type       string `json:"type"`
	Origin     string `json:"origin"`
	Size       int64  `json:"size"`
	Root       string `json:"root"`       // In base64.
	Checkpoint string `json:"checkpoint"` // The signed note.
}

// webhookAnchor posts checkpoints.
type webhookAnchor struct {
	hook     *alert.Webhook
	verifier string
}

// Put posts the checkpoint. Its id is the same however often it is sent, so that a receiver knows a repetition.
func (a webhookAnchor) Put(ctx context.Context, signed []byte) ([]byte, error) {
	c, err := audit.OpenCheckpoint(signed, a.verifier)
	if err != nil {
		return nil, err
	}
	payload, err := json.Marshal(CheckpointPayload{CheckpointPayloadType, c.Origin, c.Size, c.Root.String(), string(signed)})
	if err != nil {
		return nil, err
	}
	err = a.hook.Deliver(ctx, signalbox.Notification{
		ID: fmt.Sprintf("checkpoint_%d_%s", c.Size, hex.EncodeToString(c.Root[:8])), Payload: payload,
	})
	var failed *alert.DeliveryError
	if errors.As(err, &failed) {
		return nil, signalbox.Errorf(signalbox.CodeUnavailable, "The webhook has not taken the checkpoint: %s.", failed.Note).
			WithField("audit.anchor").WithRemedy("Check audit.anchor and the receiver; it is tried again.")
	}
	return nil, err
}

// checkAnchors holds the log against what anchor files say it was.
func (s *Server) checkAnchors(ctx context.Context, ring *audit.Keyring, src audit.HashSource) error {
	for _, a := range s.config.Audit.Anchor {
		if a.File == "" {
			continue
		}
		if err := audit.NewFileAnchor(a.File).Check(ctx, ring, src); err != nil {
			return err
		}
	}
	return nil
}

// startAnchors starts what brings checkpoints elsewhere. It idles until this process signs.
func (s *Server) startAnchors(ctx context.Context) error {
	var targets []audit.AnchorTarget
	var closers []func()
	for i, a := range s.config.Audit.Anchor {
		target, closer, err := s.anchorTarget(a)
		if err != nil {
			e := signalbox.AsError(err)
			return e.WithField(fmt.Sprintf("audit.anchor[%d].%s", i, e.Field))
		}
		targets, closers = append(targets, target), append(closers, closer)
	}
	s.data.anchors = audit.StartAnchors(ctx, targets, audit.AnchorOptions{Now: s.options.Now, Report: func(a audit.AnchorState) {
		if a.Err != nil {
			s.options.Logger.WarnContext(ctx, "a checkpoint could not be anchored; it is tried again", "kind", a.Kind, "target", a.Target, "error", a.Err)
			return
		}
		s.options.Logger.InfoContext(ctx, "checkpoints are anchored again", "kind", a.Kind, "target", a.Target, "size", a.Size)
	}})
	s.onStop("anchors", func(ctx context.Context) error {
		err := s.data.anchors.Stop(ctx)
		for _, end := range closers {
			end()
		}
		return err
	})
	return nil
}

func (s *Server) anchorTarget(a config.Anchor) (audit.AnchorTarget, func(), error) {
	switch {
	case a.File != "":
		return audit.AnchorTarget{Kind: audit.AnchorFile, Target: a.File, Anchor: audit.NewFileAnchor(a.File)}, func() {}, nil
	case !a.Webhook.IsZero():
		hook, err := alert.NewWebhook(alert.WebhookOptions{URL: a.Webhook.Reveal(), Secret: a.Secret.Reveal(), Now: s.options.Now})
		if err != nil {
			return audit.AnchorTarget{}, nil, err
		}
		anchor := webhookAnchor{hook, s.data.key.Verifier()}
		return audit.AnchorTarget{Kind: audit.AnchorWebhook, Target: a.Webhook.String(), Anchor: anchor}, hook.CloseIdleConnections, nil
	}
	witness, err := audit.NewWitness(a.Witness.Reveal(), a.Key, s.data.db)
	if err != nil {
		return audit.AnchorTarget{}, nil, err
	}
	return audit.AnchorTarget{Kind: audit.AnchorWitness, Target: a.Witness.String(), Anchor: witness}, witness.Close, nil
}

// auditStatus tells how the log is kept, for the control API.
func (s *Server) auditStatus(ctx context.Context) (api.AuditStatus, error) {
	size, err := s.data.db.Size(ctx)
	if err != nil {
		return api.AuditStatus{}, err
	}
	status := api.AuditStatus{Tree: api.AuditTree{Size: size, Origin: s.data.key.Origin()}}
	for _, k := range s.data.key.Keys() {
		status.Tree.Keys = append(status.Tree.Keys, api.AuditKey{Name: k.Name, ID: k.ID, Active: k.Active})
	}
	stored, err := s.data.db.LatestCheckpoint(ctx)
	if err != nil {
		return status, err
	}
	if stored != nil {
		c, err := audit.OpenCheckpoint(stored, s.data.key.Verifier())
		if err != nil {
			return status, err
		}
		root := c.Root.String()
		status.Tree.CheckpointSize, status.Tree.Root = &c.Size, &root
		if newest, err := s.data.db.Entry(ctx, c.Size-1); err == nil {
			status.Tree.CheckpointTime = &newest.Time
		}
	}
	status.Anchors = s.anchorStates()
	return status, nil
}

func (s *Server) anchorStates() []api.AuditAnchor {
	list := []api.AuditAnchor{}
	for _, state := range s.data.anchors.States() {
		a := api.AuditAnchor{Kind: string(state.Kind), Target: state.Target}
		if state.Size >= 0 {
			at := state.Time.UTC().Truncate(time.Millisecond)
			a.Size, a.Time = &state.Size, &at
		}
		if state.Err != nil {
			e := signalbox.AsError(state.Err)
			text := e.Message
			if e.Remedy != "" {
				text += " " + e.Remedy
			}
			a.Error = &text
		}
		list = append(list, a)
	}
	return list
}
