package api

import (
	"context"
	"math"
	"net/http"
	"strconv"
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
	readers := []signalbox.Role{signalbox.RoleAdmin, signalbox.RoleOperator, signalbox.RoleAuditor}
	huma.Register(api, operation("list-records", http.MethodGet, "/audit", "Records of the log, newest first", readers...), s.listRecords)
	huma.Register(api, operation("verify-log", http.MethodPost, "/audit/verify", "Recompute the whole log and compare", readers...), s.verify)
}

// listRecords pages backwards from the end of the log; the cursor is the index above the page.
func (s *server) listRecords(ctx context.Context, q *Paging) (*Body[Page[Record]], error) {
	c := callerOf(ctx)
	before := int64(math.MaxInt64)
	if q.Cursor != "" {
		var err error
		if before, err = strconv.ParseInt(q.Cursor, 10, 64); err != nil || before < 0 {
			return nil, fail(c, errCursor())
		}
	}
	entries, err := s.Records.Newest(ctx, before, q.Limit)
	if err != nil {
		return nil, fail(c, err)
	}
	page := Page[Record]{Items: []Record{}, AsOf: s.Now().UTC()}
	for _, e := range entries {
		if e.Index > 0 && len(page.Items) == q.Limit-1 {
			page.Next = cursor(strconv.FormatInt(e.Index, 10))
		}
		row, err := s.recordRow(e)
		if err != nil {
			return nil, fail(c, err)
		}
		page.Items = append(page.Items, row)
	}
	return &Body[Page[Record]]{page}, nil
}

func (s *server) recordRow(e signalbox.Entry) (Record, error) {
	r, err := s.Decode(e)
	if err != nil {
		return Record{}, err
	}
	row := Record{
		Index: e.Index, Time: e.Time, Type: e.Type, CallID: orNull(e.Call), Who: r.Who, What: r.What, When: r.When,
		Context: r.Context, Outcome: orNull(r.Outcome),
	}
	if r.Error != nil {
		row.Error = &CallFailure{r.Error.Code, r.Error.Message, r.Error.Remedy}
	}
	return row, nil
}

func (s *server) verify(ctx context.Context, _ *struct{}) (*Body[VerifyReport], error) {
	report, err := s.Verify(ctx)
	if err != nil {
		return nil, fail(callerOf(ctx), err)
	}
	return &Body[VerifyReport]{report}, nil
}
