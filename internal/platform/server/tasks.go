package server

import (
	"context"
	"time"

	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/orchestration/task"
	"github.com/signalbox/signalbox/internal/tool/mcp"
	"github.com/signalbox/signalbox/internal/tool/upstream"
)

// forgetInterval is how often tasks are looked for that nobody finds any more.
const forgetInterval = time.Minute

// newTasks makes what makes calls in place of callers who need not stay. The chain is given once there is one.
func (s *Server) newTasks() {
	s.tasks = task.New(task.Options{
		Store: s.data.db, Approvals: s.approvals, Log: s.data.writer, Sealer: s.data.vault, Now: s.data.now,
		Again: s.keys.people.Again, Parse: mcp.ParseCall, Handed: upstream.TaskIn, Serve: s.serveTask,
		Report: func(err error) { s.options.Logger.Warn("a task is left for later", "error", err) },
	})
}

// startTasks begins to make calls for those who are not there.
func (s *Server) startTasks(context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.tasks.Run(s.life)
	}()
	s.onStop("tasks", func(ctx context.Context) error {
		s.end()
		<-done
		s.tasks.Stop(ctx)
		return nil
	})
	return nil
}

// serveTask lets a call pass the stations like one that comes in now. What it comes to is kept with its outcome. Who has it
// made knows tasks, so that its server may make one of it.
func (s *Server) serveTask(ctx context.Context, t *call.Track) error {
	answer, err := s.chain.Serve(upstream.WithTasks(ctx), t)
	if err != nil {
		return err
	}
	_, err = call.ReadAll(ctx, answer)
	return err
}

// forgetTasks removes tasks that have ended long ago.
func (s *Server) forgetTasks(ctx context.Context) {
	s.forget(ctx, "tasks", s.data.db.ForgetTasks)
}

// forget removes what nobody is to find any more, in batches. What it is says the log where that fails.
func (s *Server) forget(ctx context.Context, what string, batch func(ctx context.Context, before time.Time, limit int) (int, error)) {
	for n := forgetBatch; n == forgetBatch; {
		var err error
		if n, err = batch(ctx, s.data.now(), forgetBatch); err != nil {
			if ctx.Err() == nil {
				s.options.Logger.WarnContext(ctx, "old rows could not be removed", "of", what, "error", err)
			}
			return
		}
	}
}
