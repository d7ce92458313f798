package server

import (
	"context"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/governance/guard"
	"github.com/signalbox/signalbox/internal/orchestration/approval"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// sweepInterval is how often pending approvals are looked at whose time is over.
const sweepInterval = time.Second

// releaseInterval is how often claims are given back that the store could not take back when they were due.
const releaseInterval = 5 * time.Second

// startApprovals starts what asks people about risky calls.
func (s *Server) startApprovals(context.Context) error {
	s.approvals = approval.New(approval.Options{
		Store: s.data.db, Log: s.data.writer, Sealer: s.data.vault, Masker: guard.New(), Now: s.data.now, Holder: s.data.replica,
		Settings: func() approval.Settings {
			c := s.runtimes.current().config.Approvals
			return approval.Settings{
				ExpireAfter: c.ExpireAfter, UseWithin: c.UseWithin, DeniedFor: c.DeniedFor, EscalateAfter: c.EscalateAfter,
			}
		},
		Bound: s.bound, Current: s.asksStill, Asked: s.asked, Escalated: s.escalated, Decided: s.telemetry.Decided,
	})
	s.newTasks()
	s.newIdempotency()
	key := s.data.vault.Subject("approval links", "v1") // No tenant has a space in its name.
	s.links = links{key[:]}
	s.every("claims of approvals", releaseInterval, func(ctx context.Context) {
		if err := s.approvals.Release(ctx); err != nil && ctx.Err() == nil {
			s.options.Logger.WarnContext(ctx, "claims of approvals could not be given back", "error", err)
		}
	})
	return nil
}

// approvalStation asks people about what the policy wants them to be asked about.
func (s *Server) approvalStation() call.Station { return s.approvals.Station() }

// bound is what a call can cost at the most: the dearest of what could serve it.
func (s *Server) bound(t *call.Track) *signalbox.Money {
	var most *signalbox.Money
	p := s.runtimes.current().policy
	for _, c := range t.Resolve.Candidates {
		b := p.Bound(t.Call, c, 0, -1)
		if b.Unpriced {
			return nil
		}
		if most == nil || b.Cost > *most {
			most = &b.Cost
		}
	}
	return most
}

// asksStill reports whether the policy that asked for an approval is in force. Another may decide otherwise about the
// call, so that whoever wants it has to ask anew.
func (s *Server) asksStill(a signalbox.Approval) bool {
	return a.Policy == s.runtimes.current().permissions.policy.Version()
}

// sweepApprovals ends approvals whose time is over, and escalates those that wait for too long.
func (s *Server) sweepApprovals(ctx context.Context) {
	if err := s.approvals.Sweep(ctx); err != nil && ctx.Err() == nil {
		s.options.Logger.WarnContext(ctx, "pending approvals could not be looked through", "error", err)
	}
}

// untilStop waits for decisions until the process is about to stop: who waits for people must not be waited for.
type untilStop struct{ *Server }

// Wait gives an approval once it is not pending any more, or as it is when ctx ends or the process is about to.
func (x untilStop) Wait(ctx context.Context, id string) (signalbox.Approval, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(x.life, cancel)()
	return x.approvals.Wait(ctx, id)
}

// approvals gives the control API the approvals.
type approvals struct {
	*approval.Keeper

	server *Server
}

// List gives approvals, newest first.
func (x approvals) List(ctx context.Context, f signalbox.ApprovalFilter) ([]signalbox.Approval, string, error) {
	return x.server.data.db.Approvals(ctx, f)
}

// Get gives one approval.
func (x approvals) Get(ctx context.Context, id string) (signalbox.Approval, error) {
	return x.server.data.db.Approval(ctx, id)
}

// Wait gives an approval once it is not pending any more; its error is that of ctx where that ends before.
func (x approvals) Wait(ctx context.Context, id string) (signalbox.Approval, error) {
	a, err := x.Keeper.Wait(ctx, id)
	if err == nil && a.State == signalbox.ApprovalPending {
		err = ctx.Err()
	}
	return a, err
}

// Vote takes somebody's verdict.
func (x approvals) Vote(
	ctx context.Context, by api.Voter, id string, verdict signalbox.Verdict, reason, via string,
) (signalbox.Approval, error) {
	return x.Keeper.Vote(ctx, approval.Voter(by), id, verdict, reason, via)
}

// Withdraw ends an approval that is not wanted any more.
func (x approvals) Withdraw(ctx context.Context, by api.Voter, id, reason string) (signalbox.Approval, error) {
	return x.Keeper.Withdraw(ctx, approval.Voter(by), id, reason)
}
