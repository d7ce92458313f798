package server

import (
	"context"
	"time"

	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/orchestration/idempotency"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// newIdempotency makes what lets an idempotency key make one call at most.
func (s *Server) newIdempotency() {
	s.once = idempotency.New(idempotency.Options{
		Store: s.data.db, Claims: s.approvals, Sealer: s.data.vault, Now: s.data.now, Asks: asksCaller,
		Keep: func() time.Duration { return s.runtimes.current().config.Idempotency.Keep },
		Report: func(err error) {
			s.options.Logger.Error("a call with an idempotency key can not be answered again", "error", err)
		},
	})
}

// asksCaller reports whether the answer of a call is a question to its caller, who then makes the call again with an answer.
func asksCaller(t *call.Track) bool {
	a := t.Served()
	return a != nil && a.Finish == rpc.TypeInputRequired
}

// forgetIdempotency removes what is known of idempotency keys that can be used again.
func (s *Server) forgetIdempotency(ctx context.Context) {
	s.forget(ctx, "idempotency keys", s.data.db.ForgetIdempotency)
}
