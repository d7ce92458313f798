package sqlite

import (
	"context"
	"database/sql"
	"strconv"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	upsertIncident = "INSERT INTO incidents (id, tenant, closed, doc) VALUES (?, ?, ?, ?) " +
		"ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, closed = excluded.closed, doc = excluded.doc"
	selectIncidents = "SELECT n, id, tenant, closed, doc FROM incidents"
)

func putIncident(t *transaction, i *signalbox.Incident) error {
	doc, err := store.EncodeIncident(i)
	if err != nil {
		return err
	}
	return t.exec(upsertIncident, i.ID, i.Tenant, micros(i.Closed), doc)
}

// Incident gives one incident; not_found where there is none of that id.
func (d *DB) Incident(ctx context.Context, id string) (signalbox.Incident, error) {
	found, err := collect(ctx, d.readers, "read an incident", scanIncident, selectIncidents+" WHERE id = ?", id)
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
	w := &where{}
	w.in("tenant", tenants)
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
	ctx, cancel := context.WithTimeout(ctx, d.options.ReadTimeout)
	defer cancel()
	rows, err := collect(ctx, d.readers, "list incidents", scanIncident,
		selectIncidents+w.String()+" ORDER BY n DESC LIMIT ?", append(w.args, limit+1)...)
	return incidentPage(rows, limit, err)
}

// incidentPage cuts off what was read beyond the page.
func incidentPage(rows []storedIncident, limit int, err error) ([]signalbox.Incident, string, error) {
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = strconv.FormatInt(rows[limit-1].n, 10)
	}
	all := make([]signalbox.Incident, len(rows))
	for i := range rows {
		all[i] = rows[i].Incident
	}
	return all, next, nil
}

type storedIncident struct {
	n int64
	signalbox.Incident
}

func scanIncident(rows *sql.Rows) (i storedIncident, err error) {
	var closed sql.NullInt64
	var doc sql.RawBytes
	if err := rows.Scan(&i.n, &i.ID, &i.Tenant, &closed, &doc); err != nil {
		return i, err
	}
	i.Closed = timeOf(closed)
	return i, store.DecodeIncident(doc, &i.Incident)
}
