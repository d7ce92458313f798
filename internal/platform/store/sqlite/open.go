package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // The driver.

	"github.com/signalbox/signalbox"
)

// Bounds of the store.
const (
	DefaultReaders     = 4               // Connections that read each file at once.
	DefaultReadTimeout = 2 * time.Second // Of one query of the console or the control API.
	busyTimeout        = 5 * time.Second // Only other programs can hold the files locked.
	ViewsSuffix        = ".views"        // Added to the database's file name for that of the projections.
	readerIdle         = time.Minute     // After which an idle reader gives its memory back.
	driverName         = "sqlite"
	dirMode            = 0o700
	fileMode           = 0o600
)

// Page caches of connections, in KiB. The log is only written at its end; the projections are written in many places.
const (
	logCache    = 1024
	viewsCache  = 8192
	readerCache = 1024
	sourceCache = 256
)

// Options of [Open]. A zero field has its default; Now is required.
type Options struct {
	Now         func() time.Time
	Readers     int
	ReadTimeout time.Duration
	WALPages    int64 // Pages in the WAL after which it is checkpointed; see [DefaultWALPages].
	MaxPages    int64 // The most pages that the log's file may have; 0 is SQLite's own bound. For tests of a full disk.
}

func (o Options) withDefaults() Options {
	if o.Readers <= 0 {
		o.Readers = DefaultReaders
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = DefaultReadTimeout
	}
	if o.WALPages <= 0 {
		o.WALPages = DefaultWALPages
	}
	return o
}

// DB is the log's file. It is safe for concurrent use.
type DB struct {
	file    string
	options Options
	lock    *lock
	broken  *broken
	writer  *handle // Nil where the file was opened read-only.
	readers *sql.DB
	shares  *handle // Reads what draws ask for.
	views   *Views
	wal     *checkpointer
	next    int64 // Index of the next record; used by the one goroutine that commits.
	ids     accountIDs
	tail    tail
	claims  claims
}

// Path gives the file of a database URL, "sqlite:data/signalbox.db". Other schemes are an error of code invalid.
func Path(databaseURL string) (string, error) {
	path, ok := strings.CutPrefix(databaseURL, "sqlite:")
	path = strings.TrimPrefix(path, "//")
	if !ok || path == "" {
		return "", signalbox.Errorf(signalbox.CodeInvalid, "%q is not an SQLite database.", databaseURL).
			WithField("database").WithRemedy("Write sqlite: and the path of a file, such as sqlite:data/signalbox.db.")
	}
	return path, nil
}

// Open locks the file, makes or migrates it and its projections, and starts the store's goroutines. Errors name what is
// wrong with the file and what to do.
func Open(ctx context.Context, file string, o Options) (*DB, error) {
	o = o.withDefaults()
	if err := os.MkdirAll(filepath.Dir(file), dirMode); err != nil {
		return nil, cannotOpen(filepath.Dir(file), err)
	}
	l, err := acquire(file)
	if err != nil {
		return nil, err
	}
	d := &DB{file: file, options: o, lock: l, broken: newBroken()}
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *DB) open(ctx context.Context) error {
	var err error
	if d.writer, err = openWriter(ctx, d.file, logSchema, d.options, "synchronous(FULL)", cache(logCache)); err != nil {
		return err
	}
	d.writer.broken = d.broken
	d.ids = accountIDs{}
	d.writer.undone = func() { clear(d.ids) } // Some of them may be of accounts that were not made after all.
	d.writer.refill = func() error { return prefill(d.file+"-wal", d.options.WALPages*pageSize) }
	if err := d.writer.refill(); err != nil {
		return err
	}
	if d.readers, err = openReaders(d.file, d.options.Readers); err != nil {
		return err
	}
	if d.shares, err = openSource(ctx, dsn(d.file, nil, "query_only(1)", cache(sourceCache))); err != nil {
		return err
	}
	if d.next, err = d.Size(ctx); err != nil {
		return err
	}
	if d.views, err = openViews(ctx, d); err != nil {
		return err
	}
	d.views.writer.broken = d.broken
	d.wal = startCheckpointer(d.options.WALPages, d.writer, d.views.writer)
	return nil
}

// OpenReadOnly opens a database file for reading the log, without its lock and without migrating it; the serving
// process may be running. There are no projections.
func OpenReadOnly(ctx context.Context, file string) (*DB, error) {
	d := &DB{file: file, options: Options{}.withDefaults()}
	if _, err := os.Stat(file); err != nil {
		return nil, cannotOpen(file, err)
	}
	var err error
	if d.readers, err = sql.Open(driverName, readOnlyDSN(file)); err != nil {
		return nil, explain("open the database", err)
	}
	version, err := logSchema.check(ctx, d.readers, file)
	if err == nil && version == 0 {
		err = foreign(file)
	}
	if err != nil {
		return nil, errors.Join(err, d.readers.Close())
	}
	return d, nil
}

// Views gives the projections; nil where the file was opened read-only.
func (d *DB) Views() *Views { return d.views }

// File is the path of the database.
func (d *DB) File() string { return d.file }

// Close ends the goroutines, closes the files and releases the lock. Nothing may be using the store any more. Files that
// are broken are left to the end of the process, because closing them would write and sync; so is the lock.
func (d *DB) Close() error {
	var errs []error
	if d.wal != nil {
		errs = append(errs, d.wal.stop())
	}
	if d.broken.is() != nil {
		return nil // The reason has been told.
	}
	if d.views != nil {
		errs = append(errs, d.views.close())
	}
	if d.readers != nil {
		errs = append(errs, d.readers.Close())
	}
	if d.shares != nil {
		errs = append(errs, d.shares.close())
	}
	if d.writer != nil {
		errs = append(errs, d.writer.close())
	}
	if d.lock != nil {
		errs = append(errs, d.lock.release())
	}
	return errors.Join(errs...)
}

// openWriter opens the writing connection of a file and migrates it.
func openWriter(ctx context.Context, file string, s schema, o Options, pragmas ...string) (*handle, error) {
	if err := create(file); err != nil {
		return nil, err
	}
	// Refuse what is not ours or newer before any pragma changes the file.
	if err := inspect(ctx, file, s); err != nil {
		return nil, err
	}
	pragmas = append(pragmas, "journal_mode(WAL)", "secure_delete(1)", "foreign_keys(1)", "temp_store(MEMORY)",
		"wal_autocheckpoint(0)", fmt.Sprintf("journal_size_limit(%d)", walLimit))
	if o.MaxPages > 0 {
		pragmas = append(pragmas, fmt.Sprintf("max_page_count(%d)", o.MaxPages))
	}
	h, err := openHandle(ctx, dsn(file, url.Values{"_txlock": {"immediate"}}, pragmas...))
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx, h.conn, file, o.Now()); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// create makes the file with its mode, so that SQLite gives the same to the WAL.
func create(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, fileMode) // The path is the operator's.
	if err != nil {
		return cannotOpen(file, err)
	}
	return f.Close()
}

func inspect(ctx context.Context, file string, s schema) error {
	db, err := sql.Open(driverName, dsn(file, nil))
	if err != nil {
		return explain("open the database", err)
	}
	defer func() { _ = db.Close() }() // It was only read.
	_, err = s.check(ctx, db, file)
	return err
}

func openReaders(file string, n int) (*sql.DB, error) {
	db, err := sql.Open(driverName, dsn(file, nil, "query_only(1)", cache(readerCache)))
	if err != nil {
		return nil, explain("open the database", err)
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	db.SetConnMaxIdleTime(readerIdle)
	return db, nil
}

// readOnlyDSN opens a file that this process must not change. Where no WAL lies beside it, the file is whole by itself
// and is read as immutable: that works in a read-only directory too.
func readOnlyDSN(file string, pragmas ...string) string {
	v := url.Values{"mode": {"ro"}}
	if _, err := os.Stat(file + "-wal"); errors.Is(err, os.ErrNotExist) {
		v.Set("immutable", "1")
	}
	return dsn(file, v, append(pragmas, "query_only(1)")...)
}

// sourceDSN names the log's file for a connection that reads much of it once.
func (d *DB) sourceDSN() string {
	pragmas := []string{cache(sourceCache)}
	if d.writer == nil {
		return readOnlyDSN(d.file, pragmas...)
	}
	return dsn(d.file, nil, append(pragmas, "query_only(1)")...)
}

// dsn makes the driver's name of a file. The path is escaped, so that it can hold any character.
func dsn(file string, v url.Values, pragmas ...string) string {
	if v == nil {
		v = url.Values{}
	}
	v.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()))
	v.Set("_dqs", "0")
	for _, p := range pragmas {
		v.Add("_pragma", p)
	}
	return "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + v.Encode()
}

// cache is the pragma of a page cache of so many KiB.
func cache(kib int) string { return fmt.Sprintf("cache_size(-%d)", kib) }
