package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/signalbox/signalbox"
)

const (
	// upsertNotification leaves one that was delivered as it is: what comes later is news of an older try.
	upsertNotification = "INSERT INTO notifications (" + notificationColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) " +
		"ON CONFLICT (id) DO UPDATE SET tries = excluded.tries, due = excluded.due, done = excluded.done, " +
		"failed = excluded.failed, note = excluded.note WHERE done IS NULL"
	selectNotifications = "SELECT " + notificationColumns + " FROM notifications "

	notificationColumns = "id, alert, channel, payload, created, tries, due, done, failed, note"
)

func putNotification(t *transaction, n *signalbox.Notification) error {
	payload := n.Payload
	if payload == nil {
		payload = []byte{}
	}
	var failed int64
	if n.Failed {
		failed = 1
	}
	return t.exec(upsertNotification, n.ID, n.Alert, n.Channel, payload, n.Created.UnixMicro(), int64(n.Tries), micros(n.Next),
		micros(n.Done), failed, n.LastNote)
}

// PutNotification keeps how far a delivery has come: Tries, Next, Done, Failed and LastNote. It is durable on return. A
// notification that was delivered stays as it is.
func (d *DB) PutNotification(_ context.Context, n signalbox.Notification) error {
	return explain("store a notification", d.writer.write(int64(len(n.Payload))+rowBytes, func(t *transaction) error {
		return putNotification(t, &n)
	}))
}

// DueNotifications gives up to limit notifications whose next try is due, the longest due first.
func (d *DB) DueNotifications(ctx context.Context, now time.Time, limit int) ([]signalbox.Notification, error) {
	return collect(ctx, d.readers, "read due notifications", scanNotification,
		selectNotifications+"WHERE due <= ? ORDER BY due, id LIMIT ?", now.UnixMicro(), limit)
}

// Notifications gives the notifications of an alert, by their ids.
func (d *DB) Notifications(ctx context.Context, alert string) ([]signalbox.Notification, error) {
	return collect(ctx, d.readers, "read notifications", scanNotification,
		selectNotifications+"WHERE alert = ? ORDER BY id", alert)
}

func scanNotification(rows *sql.Rows) (n signalbox.Notification, err error) {
	var created int64
	var due, done sql.NullInt64
	err = rows.Scan(&n.ID, &n.Alert, &n.Channel, &n.Payload, &created, &n.Tries, &due, &done, &n.Failed, &n.LastNote)
	n.Created, n.Next, n.Done = time.UnixMicro(created).UTC(), timeOf(due), timeOf(done)
	return n, err
}
