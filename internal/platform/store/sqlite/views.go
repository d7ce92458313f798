package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// Views is the file of the projections. It is safe for concurrent use; Apply is called by one goroutine at a time.
type Views struct {
	log     *DB
	writer  *handle
	readers *sql.DB
}

func openViews(ctx context.Context, d *DB) (*Views, error) {
	o := d.options
	o.MaxPages = 0
	file := d.file + ViewsSuffix
	v := &Views{log: d}
	var err error
	// Without a sync per transaction a power loss may undo the last of them: the cursor goes back with the rows.
	if v.writer, err = openWriter(ctx, file, viewsSchema, "NORMAL", o); err != nil {
		return nil, err
	}
	if v.readers, err = openReaders(file, o.Readers); err != nil {
		return nil, errors.Join(err, v.close())
	}
	return v, nil
}

func (v *Views) close() error {
	var err error
	if v.readers != nil {
		err = v.readers.Close()
	}
	return errors.Join(err, v.writer.close())
}
