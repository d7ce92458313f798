package api

import (
	"context"
	"encoding/base64"
	"errors"
	"math"
	"sort"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
)

// Bounds of a query of the log.
const (
	// MaxAuditScan is how many records one request looks at. Where it has seen so many, the page ends, maybe without
	// being full or with nothing on it at all, and its cursor goes on from there.
	MaxAuditScan = 20_000
	// AuditTimeSlack is how far a record can stand in the log from where its time would be: records are ordered by when
	// they were written. One that is further away is not found by a query of a time range.
	AuditTimeSlack = 10 * time.Minute
	auditPage      = 500
)

// AuditQuery asks for a page of the log.
type AuditQuery struct {
	Paging
	AuditFilter
}

// AuditFilter are the filters of the log.
type AuditFilter struct {
	Tenant  string    `query:"tenant" maxLength:"128"`
	User    string    `query:"user" maxLength:"128"`
	Subject string    `query:"subject" maxLength:"128" doc:"Whom the act was about."`
	Agent   string    `query:"agent" maxLength:"128"`
	Action  string    `query:"action" maxLength:"64"`
	Risk    string    `query:"risk" maxLength:"32"`
	Run     string    `query:"run" maxLength:"128"`
	Call    string    `query:"call" maxLength:"64"`
	From    time.Time `query:"from"`
	To      time.Time `query:"to"`
}

func (q *AuditFilter) filter() audit.Filter {
	return audit.Filter{
		Tenant: q.Tenant, User: q.User, Subject: q.Subject, Agent: q.Agent, Action: q.Action, Risk: q.Risk, Run: q.Run, Call: q.Call,
		From: q.From, To: q.To,
	}
}

// auditScan walks the log backwards.
type auditScan struct {
	server *server
	caller ctxWithCaller
	filter audit.Filter
	before int64 // The index above what is looked at next.
	floor  int64 // The first index that can be chosen.
	limit  int
	page   Page[Record]
	seen   int
}

// run fills the page. There is a next one where the floor was not reached.
func (a *auditScan) run(ctx context.Context) error {
	read := auditPage
	if a.filter.All() {
		read = a.limit
	}
	for a.before > a.floor {
		entries, err := a.server.Records.Newest(ctx, a.before, read)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return nil
		}
		for _, e := range entries {
			if full, err := a.take(e); full || err != nil {
				return err
			}
		}
	}
	return nil
}

// take looks at an entry, and reports whether the page is complete.
func (a *auditScan) take(e signalbox.Entry) (bool, error) {
	if e.Index < a.floor || !a.filter.From.IsZero() && e.Time.Before(a.filter.From.Add(-AuditTimeSlack)) {
		a.before = a.floor
		return true, nil
	}
	a.before, a.seen = e.Index, a.seen+1
	if a.caller.maySee(e.Tenant) && a.filter.Header(&e) {
		r, err := a.server.Decode(e)
		if err != nil {
			return true, err
		}
		if a.filter.Record(&r) {
			a.page.Items = append(a.page.Items, recordRow(e, r))
		}
	}
	if len(a.page.Items) < a.limit && a.seen < MaxAuditScan {
		return false, nil
	}
	if e.Index > a.floor {
		a.page.Next = cursor(strconv.FormatInt(e.Index, 10))
	}
	return true, nil
}

// begin says where a query begins and ends.
func (a *auditScan) begin(ctx context.Context, from string) error {
	a.before = math.MaxInt64
	if a.filter.Call != "" {
		if err := a.ofCall(ctx); err != nil {
			return err
		}
	}
	if from != "" {
		before, err := strconv.ParseInt(from, 10, 64)
		if err != nil || before < 0 {
			return errCursor()
		}
		a.before = min(a.before, before)
		return nil
	}
	if a.filter.To.IsZero() {
		return nil
	}
	before, err := a.server.indexOf(ctx, a.filter.To.Add(AuditTimeSlack))
	a.before = min(a.before, before)
	return err
}

// ofCall narrows the walk to the records of a call, of which the projections know the first and the last.
func (a *auditScan) ofCall(ctx context.Context) error {
	v, err := a.server.Views.CallByID(ctx, a.filter.Call)
	switch {
	case signalbox.CodeOf(err) == signalbox.CodeNotFound:
		return nil // The projections may be behind, or have forgotten it.
	case err != nil:
		return err
	}
	a.floor = v.First()
	if v.OutcomeIndex != nil {
		a.before = *v.OutcomeIndex + 1
	}
	return nil
}

// indexOf gives the index of the first record that is not older, by halving: times ascend but for [AuditTimeSlack].
func (s *server) indexOf(ctx context.Context, at time.Time) (int64, error) {
	last, err := s.Records.Newest(ctx, math.MaxInt64, 1)
	if err != nil || len(last) == 0 {
		return 0, err
	}
	n := sort.Search(int(last[0].Index+1), func(i int) bool {
		e, lost := s.Records.Entry(ctx, int64(i))
		err = errors.Join(err, lost)
		return lost != nil || !e.Time.Before(at)
	})
	return int64(n), err
}

// RecordDetail is a record with what its proof begins with.
type RecordDetail struct {
	Record
	LeafData      string `json:"leaf_data" doc:"Base64. The hash of these bytes is the record's leaf."`
	ContentSHA256 string `json:"content_sha256" doc:"Base64. The leaf data holds it; it stays when the content is destroyed."`
	LeafHash      string `json:"leaf_hash" doc:"Base64: SHA-256 of a zero byte and the leaf data."`
	TreeSize      int64  `json:"tree_size" doc:"Of the newest checkpoint; 0 where none was signed yet. A proof exists where it is above the index."`
}

func (s *server) getRecord(ctx context.Context, in *struct {
	Index int64 `path:"index" minimum:"0"`
},
) (*Body[RecordDetail], error) {
	c := callerOf(ctx)
	e, err := s.Records.Entry(ctx, in.Index)
	if err == nil && !c.maySee(e.Tenant) {
		err = signalbox.Errorf(signalbox.CodeNotFound, "The log has no record %d.", in.Index).
			WithField("index").WithRemedy("Ask for an index below the size of the log.")
	}
	if err != nil {
		return nil, fail(c, err)
	}
	detail, err := s.recordDetail(ctx, e)
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[RecordDetail]{detail}, nil
}

func (s *server) recordDetail(ctx context.Context, e signalbox.Entry) (RecordDetail, error) {
	r, err := s.Decode(e)
	if err != nil {
		return RecordDetail{}, err
	}
	data, err := audit.LeafData(e)
	if err != nil {
		return RecordDetail{}, err
	}
	size, err := audit.SignedSize(ctx, s.Records)
	digest, leaf := audit.ContentDigest(e), tlog.RecordHash(data)
	return RecordDetail{
		Record: recordRow(e, r), LeafData: base64.StdEncoding.EncodeToString(data), TreeSize: size,
		ContentSHA256: base64.StdEncoding.EncodeToString(digest[:]), LeafHash: base64.StdEncoding.EncodeToString(leaf[:]),
	}, err
}
