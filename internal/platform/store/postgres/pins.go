package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/store"
)

const (
	upsertPins = "INSERT INTO tool_pins (server, tool, state, since, doc) " +
		"SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[]) " +
		"ON CONFLICT (server, tool) DO UPDATE SET state = excluded.state, since = excluded.since, doc = excluded.doc"
	selectPins = "SELECT server, tool, state, since, doc FROM tool_pins"
)

// pinsSchema is a step of the migrations.
const pinsSchema = `
-- What is known of the tools of MCP servers since they were seen first. state and since are what lists are made by; the
-- forms of the tool are in doc, as JSON.
CREATE TABLE tool_pins (
    server text   COLLATE "C" NOT NULL,
    tool   text   COLLATE "C" NOT NULL,
    state  text   NOT NULL,
    since  bigint NOT NULL,
    doc    text   NOT NULL,
    PRIMARY KEY (server, tool)
);
`

// putPins queues one statement for all pins, none of which may be there twice.
func putPins(b *pgx.Batch, pins []signalbox.Pin) error {
	servers, tools, states, docs := make([]string, len(pins)), make([]string, len(pins)), make([]string, len(pins)), make([]string, len(pins))
	since := make([]int64, len(pins))
	for i := range pins {
		p := &pins[i]
		doc, err := store.EncodePin(p)
		if err != nil {
			return err
		}
		servers[i], tools[i], states[i], since[i], docs[i] = text(p.Server), text(p.Tool), string(p.State), p.Since.UnixMicro(), doc
	}
	b.Queue(upsertPins, servers, tools, states, since, docs)
	return nil
}

// Pins gives the pins of the tools of a server, by their names; "" is all servers, by their ids.
func (d *DB) Pins(ctx context.Context, server string) ([]signalbox.Pin, error) {
	w := &conditions{}
	if server != "" {
		w.and("server = ?", text(server))
	}
	return collect(ctx, d.pool, "list pins", scanPin, selectPins+w.String()+" ORDER BY server, tool", w.args...)
}

func scanPin(row pgx.CollectableRow) (p signalbox.Pin, err error) {
	var since int64
	var doc []byte
	if err := row.Scan(&p.Server, &p.Tool, &p.State, &since, &doc); err != nil {
		return p, err
	}
	p.Since = time.UnixMicro(since).UTC()
	return p, store.DecodePin(doc, &p)
}
