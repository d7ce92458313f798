package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Times of watching. What no notification tells is found out within watchInterval.
const (
	watchInterval = time.Second
	watchTimeout  = 3 * time.Second
	watchPause    = 250 * time.Millisecond // Before a connection that was lost is made anew.
)

// topics that are told when a connection is made: what was missed without one is not known.
var topics = []string{
	TopicKeys, TopicBrakes, TopicRuns, TopicAccounts, TopicNotifications, TopicSubjects, TopicApprovals, TopicGrants, TopicSessions,
	TopicPins, TopicLedger,
}

// Watch tells what other replicas, or this one, have changed, until ctx ends: each change at least once within two
// seconds, or once the database can be reached again. Payload is empty but for [TopicLedger]. At first, and whenever the
// connection was lost, all topics are told, for what may have been missed. Changed is called by one goroutine; while it
// runs, nothing else is told. One connection is kept for each Watch.
func (d *DB) Watch(ctx context.Context, changed func(topic, payload string)) {
	apart := false // The database could not be reached the last time: that is told once.
	for ctx.Err() == nil {
		c, err := d.connect(ctx)
		told := apart && err != nil
		if apart = err != nil; !apart {
			err = listen(ctx, c, changed)
		}
		if err != nil && ctx.Err() == nil && !told {
			d.options.Logger.WarnContext(ctx, "changes of other replicas are not heard", "error", explain("watch", err))
		}
		wait(ctx, watchPause)
	}
}

// listen is the life of one connection.
func listen(ctx context.Context, c *pgx.Conn, changed func(topic, payload string)) error {
	defer hangUp(c)
	// Listen first and read then: what is in neither is told by a notification.
	if _, err := c.Exec(ctx, "LISTEN "+topicChannel+"; LISTEN "+ledgerChannel); err != nil {
		return err
	}
	v, err := readVersions(c)
	if err != nil {
		return err
	}
	for _, topic := range topics {
		changed(topic, "")
	}
	for ctx.Err() == nil {
		if v, err = next(ctx, c, v, changed); err != nil {
			return err
		}
	}
	return nil
}

// next waits for a notification, or a while, and tells what has changed.
func next(ctx context.Context, c *pgx.Conn, before versions, changed func(topic, payload string)) (versions, error) {
	n, err := notification(ctx, c)
	if err != nil || ctx.Err() != nil {
		return before, err
	}
	if n != nil && n.Channel == ledgerChannel {
		changed(TopicLedger, n.Payload)
		if time.Since(before.read) < watchInterval {
			return before, nil
		}
	}
	now, err := readVersions(c)
	if err != nil {
		return before, err
	}
	for _, topic := range now.since(before) {
		changed(topic, "")
	}
	return now, nil
}

// notification waits for one; nil after a while without.
func notification(ctx context.Context, c *pgx.Conn) (*pgconn.Notification, error) {
	short, cancel := context.WithTimeout(ctx, watchInterval)
	defer cancel()
	n, err := c.WaitForNotification(short)
	if err != nil && !c.IsClosed() && (ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded)) {
		return nil, nil //nolint:nilnil // There is none, and nothing is wrong.
	}
	return n, err
}

// versions counts the changes of topics.
type versions struct {
	read   time.Time
	counts map[string]int64
}

func readVersions(c *pgx.Conn) (versions, error) {
	ctx, cancel := context.WithTimeout(context.Background(), watchTimeout)
	defer cancel()
	v := versions{read: time.Now(), counts: map[string]int64{}}
	rows, err := c.Query(ctx, "SELECT topic, n FROM versions")
	if err != nil {
		return v, err
	}
	var topic string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&topic, &n}, func() error {
		v.counts[topic] = n
		return nil
	})
	return v, err
}

// since gives the topics that have another count than before, sorted.
func (v versions) since(before versions) (changed []string) {
	for topic, n := range v.counts {
		if before.counts[topic] != n {
			changed = append(changed, topic)
		}
	}
	slices.Sort(changed)
	return changed
}
