package server

import (
	"context"
	"errors"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
)

// placedPoll is how often the leader looks whether records have got their places.
const placedPoll = 20 * time.Millisecond

// undertaker settles what replicas that are gone have left behind, for one leadership.
type undertaker struct {
	*Server

	ended map[string]bool // Replicas whose open calls have ended: fenced as they are, they can begin no others.
}

// run looks for such replicas until ctx ends.
func (u *undertaker) run(ctx context.Context) {
	loop(ctx, tendInterval, u.tend)
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), StopTimeout)
	defer cancel()
	u.told(stopping, u.cluster.db.Renounce(stopping)) // The next leader may end the rest.
}

func (u *undertaker) told(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		u.options.Logger.WarnContext(ctx, "what a replica left behind could not be settled", "error", err)
	}
}

func (u *undertaker) tend(ctx context.Context) {
	u.told(ctx, func() error {
		gone, err := u.gone(ctx)
		if err != nil || len(gone) == 0 {
			return err
		}
		if err := u.endCalls(ctx, gone); err != nil {
			return err
		}
		for _, r := range gone {
			if err := u.bury(ctx, r); err != nil {
				return err
			}
		}
		return nil
	}())
}

func (u *undertaker) gone(ctx context.Context) ([]postgres.Replica, error) {
	replicas, err := u.cluster.db.Replicas(ctx)
	var gone []postgres.Replica
	for _, r := range replicas {
		if !r.Fenced.IsZero() {
			gone = append(gone, r)
		}
	}
	return gone, err
}

// endCalls gives back what replicas had drawn and not used, and ends their open calls, all in one pass over the log.
func (u *undertaker) endCalls(ctx context.Context, gone []postgres.Replica) error {
	ours := map[string]bool{}
	for _, r := range gone {
		if u.ended[r.ID] {
			continue
		}
		if err := u.cluster.db.ReturnShares(ctx, r.ID, false); err != nil {
			return err
		}
		heir, err := u.cluster.db.Inherit(ctx, r.ID)
		if err != nil {
			return err
		}
		if heir {
			ours[r.ID] = true
		}
	}
	if len(ours) == 0 {
		return nil
	}
	if err := u.placed(ctx); err != nil {
		return err
	}
	if err := u.recoverCalls(ctx, func(replica string) bool { return ours[replica] }); err != nil {
		return err
	}
	for id := range ours {
		u.ended[id] = true
	}
	return nil
}

// placed waits until all that is durable now can be read from the log.
func (u *undertaker) placed(ctx context.Context) error {
	mark, err := u.cluster.db.PendingMark(ctx)
	for err == nil {
		var left int64
		if left, err = u.cluster.db.PendingUpTo(ctx, mark); err != nil || left == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(placedPoll):
		}
	}
	return err
}

// bury forgets a replica whose open calls have ended. Its places under limits of concurrency are given back when its last
// call must have ended, because that may still run.
func (u *undertaker) bury(ctx context.Context, r postgres.Replica) error {
	over := r.Fenced.Add(u.config.Cluster.LongestCall + clockSkew)
	if !u.ended[r.ID] || r.Left.IsZero() && u.data.now().Before(over) {
		return nil
	}
	if err := u.cluster.db.ReturnShares(ctx, r.ID, true); err != nil {
		return err
	}
	delete(u.ended, r.ID)
	action := map[string]string{"replica": r.ID, "fenced": r.Fenced.Format(time.RFC3339)}
	return errors.Join(u.note(ctx, signalbox.ActionReplicaFenced, action), u.cluster.db.Forget(ctx, r.ID))
}
