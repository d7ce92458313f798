package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
)

// Record is an entry of the log: its header in clear, and who, what, when and context as recorded.
type Record struct {
	Index   int64                `json:"index"`
	Time    time.Time            `json:"time"`
	Type    signalbox.RecordType `json:"type" enum:"intent,attempt,outcome,admin"`
	CallID  *string              `json:"call_id"`
	Who     signalbox.Who        `json:"who"`
	What    signalbox.What       `json:"what"`
	When    signalbox.When       `json:"when"`
	Context signalbox.Context    `json:"context"`
	Outcome *signalbox.Outcome   `json:"outcome"`
	Error   *CallFailure         `json:"error"`

	Content  signalbox.ContentState `json:"content" enum:",sealed,erased,destroyed" doc:"What could not be read: nothing where it is empty."`
	Stations *signalbox.Stations    `json:"stations" doc:"What each station did; null where the record is not about a call, or the call is under way."`
	Budget   *BudgetStand           `json:"budget"`
	SealedBy *string                `json:"sealed_by" doc:"Id of the data subject's key; null where nothing is sealed."`
}

// BudgetStand is the tightest budget of a call, before it and after it.
type BudgetStand struct {
	Account string `json:"account"`
	Max     string `json:"max" doc:"US dollars where the account is of money, else a count. The same below."`
	Before  string `json:"before"`
	After   string `json:"after"`
}

// VerifyReport says whether the log is what was written.
type VerifyReport struct {
	OK             bool      `json:"ok"`
	Records        int64     `json:"records"`
	CheckpointSize int64     `json:"checkpoint_size"`
	Root           string    `json:"root"`
	Findings       []Finding `json:"findings"`
}

// Finding is one thing that is wrong, and where.
type Finding struct {
	Index   *int64 `json:"index" doc:"The record; null where it concerns the whole log."`
	Problem string `json:"problem"`
}

func (s *server) registerAudit(api huma.API) {
	readers := auditReaders()
	huma.Register(api, operation("list-records", http.MethodGet, "/audit", "Records of the log, newest first", readers...), s.listRecords)
	huma.Register(api, operation("get-record", http.MethodGet, "/audit/{index}", "One record with its leaf", readers...), s.getRecord)
	huma.Register(api, operation("verify-log", http.MethodPost, "/audit/verify", "Recompute the whole log and compare", readers...), s.verify)
}

// listRecords pages backwards from the end of the log; the cursor is the index above the page.
func (s *server) listRecords(ctx context.Context, q *AuditQuery) (*Body[Page[Record]], error) {
	c := callerOf(ctx)
	a := auditScan{
		server: s, caller: c, filter: q.filter(), limit: q.Limit, page: Page[Record]{Items: []Record{}, AsOf: s.Now().UTC()},
	}
	err := a.begin(ctx, q.Cursor)
	if err == nil {
		err = a.run(ctx)
	}
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[Page[Record]]{a.page}, nil
}

func recordRow(e signalbox.Entry, r signalbox.Record) Record {
	row := Record{
		Index: e.Index, Time: e.Time, Type: e.Type, CallID: OrNull(e.Call), Who: r.Who, What: r.What, When: r.When,
		Context: r.Context, Outcome: OrNull(r.Outcome), Content: r.Content, Stations: r.Stations, Budget: budgetRow(r.Budget),
	}
	if r.Error != nil {
		row.Error = &CallFailure{r.Error.Code, r.Error.Message, r.Error.Remedy}
	}
	if r.Sealed != nil {
		row.SealedBy = OrNull(r.Sealed.Key)
	}
	return row
}

func budgetRow(b *signalbox.BudgetStand) *BudgetStand {
	if b == nil {
		return nil
	}
	unit := signalbox.UnitRequests // Shown as a plain count, should the account's name not be readable.
	if a, err := signalbox.ParseAccount(b.Account); err == nil {
		unit = a.Unit
	}
	return &BudgetStand{b.Account, amount(unit, b.Max), amount(unit, b.Before), amount(unit, b.After)}
}

func (s *server) verify(ctx context.Context, _ *struct{}) (*Body[VerifyReport], error) {
	report, err := s.Verify(ctx)
	if err != nil {
		return nil, fail(callerOf(ctx), err)
	}
	return &Body[VerifyReport]{report}, nil
}
