package postgres

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	upsertIncident = "INSERT INTO incidents (id, tenant, closed, doc) VALUES ($1, $2, $3, $4) " +
		"ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, closed = excluded.closed, doc = excluded.doc"
	selectIncidents = "SELECT n, id, tenant, closed, doc FROM incidents"
)

func putIncident(b *pgx.Batch, i *signalbox.Incident) error {
	doc, err := store.EncodeIncident(i)
	b.Queue(upsertIncident, text(i.ID), text(i.Tenant), micros(i.Closed), doc)
	return err
}

// Incident gives one incident; not_found where there is none of that id.
func (d *DB) Incident(ctx context.Context, id string) (signalbox.Incident, error) {
	found, err := collect(ctx, d.pool, "read an incident", scanIncident, selectIncidents+" WHERE id = $1", text(id))
	i, err := store.One(found, err, store.NoIncident)
	return i.Incident, err
}

// Incidents gives a page of incidents, newest first, and the cursor of the next page, "" at the end. Nil tenants are all;
// open restricts to those that are open, or to those that are closed.
func (d *DB) Incidents(ctx context.Context, tenants []string, open *bool, limit int, cursor string) ([]signalbox.Incident, string, error) {
	limit, err := store.PageLimit(limit)
	if err != nil {
		return nil, "", err
	}
	w := &conditions{}
	w.tenants(tenants)
	switch {
	case open == nil:
	case *open:
		w.and("closed IS NULL")
	default:
		w.and("closed IS NOT NULL")
	}
	if err := w.before(cursor); err != nil {
		return nil, "", err
	}
	rows, err := collect(ctx, d.readers, "list incidents", scanIncident,
		selectIncidents+w.String()+" ORDER BY n DESC LIMIT "+w.arg(limit+1), w.args...)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = strconv.FormatInt(rows[limit-1].n, 10)
	}
	return list(rows, func(i *storedIncident) signalbox.Incident { return i.Incident }), next, nil
}

type storedIncident struct {
	n int64
	signalbox.Incident
}

func scanIncident(row pgx.CollectableRow) (i storedIncident, err error) {
	var closed *int64
	var doc []byte
	if err := row.Scan(&i.n, &i.ID, &i.Tenant, &closed, &doc); err != nil {
		return i, err
	}
	i.Closed = timeOf(closed)
	return i, store.DecodeIncident(doc, &i.Incident)
}
