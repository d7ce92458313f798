package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
)

const (
	// upsertNotification leaves one that was delivered as it is: what comes later is news of an older try.
	upsertNotification = "INSERT INTO notifications AS o (" + notificationColumns + ") VALUES " +
		"($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) " +
		"ON CONFLICT (id) DO UPDATE SET tries = excluded.tries, due = excluded.due, done = excluded.done, " +
		"failed = excluded.failed, note = excluded.note WHERE o.done IS NULL"
	selectNotifications = "SELECT " + notificationColumns + " FROM notifications "

	notificationColumns = "id, alert, channel, payload, created, tries, due, done, failed, note"
)

// notificationArrays gives the columns of notifications, each as an array.
func notificationArrays(all []signalbox.Notification) []any {
	type n = signalbox.Notification
	return []any{
		list(all, func(v *n) string { return text(v.ID) }), list(all, func(v *n) string { return text(v.Alert) }),
		list(all, func(v *n) string { return text(v.Channel) }), list(all, payload),
		list(all, func(v *n) int64 { return v.Created.UnixMicro() }), list(all, func(v *n) int64 { return int64(v.Tries) }),
		list(all, func(v *n) *int64 { return micros(v.Next) }), list(all, func(v *n) *int64 { return micros(v.Done) }),
		list(all, func(v *n) bool { return v.Failed }), list(all, func(v *n) string { return text(v.LastNote) }),
	}
}

func payload(n *signalbox.Notification) []byte {
	if n.Payload == nil {
		return []byte{}
	}
	return n.Payload
}

// PutNotification keeps how far a delivery has come: Tries, Next, Done, Failed and LastNote. It is durable on return. A
// notification that was delivered stays as it is.
func (d *DB) PutNotification(ctx context.Context, n signalbox.Notification) error {
	_, err := d.pool.Exec(ctx, upsertNotification, text(n.ID), text(n.Alert), text(n.Channel), payload(&n),
		n.Created.UnixMicro(), n.Tries, micros(n.Next), micros(n.Done), n.Failed, text(n.LastNote))
	return explain("store a notification", err)
}

// DueNotifications gives up to limit notifications whose next try is due, the longest due first.
func (d *DB) DueNotifications(ctx context.Context, now time.Time, limit int) ([]signalbox.Notification, error) {
	return collect(ctx, d.pool, "read due notifications", scanNotification,
		selectNotifications+"WHERE due <= $1 ORDER BY due, id LIMIT $2", now.UnixMicro(), limit)
}

// Notifications gives the notifications of an alert, by their ids.
func (d *DB) Notifications(ctx context.Context, alert string) ([]signalbox.Notification, error) {
	return collect(ctx, d.readers, "read notifications", scanNotification,
		selectNotifications+"WHERE alert = $1 ORDER BY id", text(alert))
}

func scanNotification(row pgx.CollectableRow) (n signalbox.Notification, err error) {
	var created int64
	var due, done *int64
	err = row.Scan(&n.ID, &n.Alert, &n.Channel, &n.Payload, &created, &n.Tries, &due, &done, &n.Failed, &n.LastNote)
	n.Created, n.Next, n.Done = time.UnixMicro(created).UTC(), timeOf(due), timeOf(done)
	return n, err
}
