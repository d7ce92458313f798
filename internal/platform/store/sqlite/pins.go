package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	upsertPin = "INSERT INTO tool_pins (server, tool, state, since, doc) VALUES (?, ?, ?, ?, ?) " +
		"ON CONFLICT (server, tool) DO UPDATE SET state = excluded.state, since = excluded.since, doc = excluded.doc"
	selectPins = "SELECT server, tool, state, since, doc FROM tool_pins"
)

func putPins(t *transaction, pins []signalbox.Pin) error {
	for i := range pins {
		p := &pins[i]
		doc, err := store.EncodePin(p)
		if err != nil {
			return err
		}
		if err := t.exec(upsertPin, p.Server, p.Tool, string(p.State), p.Since.UnixMicro(), doc); err != nil {
			return err
		}
	}
	return nil
}

// Pins gives the pins of the tools of a server, by their names; "" is all servers, by their ids.
func (d *DB) Pins(ctx context.Context, server string) ([]signalbox.Pin, error) {
	w := &where{}
	if server != "" {
		w.and("server = ?", server)
	}
	ctx, cancel := context.WithTimeout(ctx, d.options.ReadTimeout)
	defer cancel()
	return collect(ctx, d.readers, "list pins", scanPin, selectPins+w.String()+" ORDER BY server, tool", w.args...)
}

func scanPin(rows *sql.Rows) (p signalbox.Pin, err error) {
	var since int64
	var doc sql.RawBytes
	if err := rows.Scan(&p.Server, &p.Tool, &p.State, &since, &doc); err != nil {
		return p, err
	}
	p.Since = time.UnixMicro(since).UTC()
	return p, store.DecodePin(doc, &p)
}
