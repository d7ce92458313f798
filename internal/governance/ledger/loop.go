package ledger

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/signalbox/signalbox"
)

const (
	// DrawTimeout bounds one transaction of draws.
	DrawTimeout = 5 * time.Second
	// sweepEvery is how often idle accounts are looked for while no call waits.
	sweepEvery = 10 * time.Second
)

// loop performs draws in batches: while one is under way, what is needed gathers for the next. It also tells the book
// the time.
func (l *Ledger) loop() {
	defer close(l.stopped)
	timer, pace := time.NewTimer(sweepEvery), sweepEvery //nolint:forbidigo // As above: the book is told the time.
	defer timer.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-l.kick:
		case <-timer.C:
			l.do(func(b *book) { b.tick(l.Now()) })
			timer.Reset(pace)
		}
		l.round(context.Background())
		if next := l.pace(); next != pace {
			pace = next
			timer.Reset(pace)
		}
	}
}

// pace is how often the book is told the time.
func (l *Ledger) pace() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.book.waiting > 0 {
		return retryEvery
	}
	return sweepEvery
}

// round performs the draws that are needed until none is.
func (l *Ledger) round(ctx context.Context) {
	l.mu.Lock()
	rounds := l.rounds
	l.rounds = nil
	l.mu.Unlock()
	var first error
	for more := true; more; {
		var err error
		if more, err = l.batch(ctx); first == nil {
			first = err
		}
	}
	for _, ended := range rounds {
		ended <- first
	}
}

// batch performs one transaction; false where there was nothing to do.
func (l *Ledger) batch(ctx context.Context) (bool, error) {
	l.mu.Lock()
	accounts, draws := l.book.draws()
	l.mu.Unlock()
	if len(draws) == 0 {
		return false, nil
	}
	shares, err := l.draw(ctx, draws)
	if err != nil {
		l.Logger.WarnContext(ctx, "shares of budgets could not be drawn", slog.Int("accounts", len(draws)), slog.Any("error", err))
		l.do(func(b *book) { b.failed(l.Now(), accounts, err) })
		return true, err
	}
	l.do(func(b *book) { b.arrived(l.Now(), accounts, shares) })
	return true, nil
}

func (l *Ledger) draw(ctx context.Context, draws []signalbox.Draw) ([]signalbox.Share, error) {
	ctx, cancel := context.WithTimeout(ctx, DrawTimeout)
	defer cancel()
	shares, err := l.Vault.Draw(ctx, l.Replica, draws)
	if err == nil && len(shares) != len(draws) {
		err = fmt.Errorf("%d shares came for %d draws", len(shares), len(draws))
	}
	return shares, err
}

// Close refuses calls from here on, gives free room back and ends the ledger's goroutine. Tabs that are open can still be
// settled. Closing again changes nothing.
func (l *Ledger) Close(ctx context.Context) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	close(l.stop)
	<-l.stopped
	l.do(func(b *book) { b.close(errClosed()) })
	for {
		if more, err := l.batch(ctx); err != nil || !more {
			return err
		}
	}
}
