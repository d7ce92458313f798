package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Bounds of a reconciliation.
const (
	MaxReconciled    = 1000
	maxReconcileBody = 256 << 10
)

// Reconcile corrects what a call has cost, and gives what it was taken for; nil where that was not known. It reports
// whether anything changed: the same figure a second time changes nothing. Errors are of code not_found, conflict (the
// call is under way, or never left), invalid or unavailable. Safe for concurrent use.
type Reconcile func(ctx context.Context, by signalbox.Caller, call string, cost signalbox.Money) (was *signalbox.Money, changed bool, err error)

// The states of a reconciled item.
const (
	reconcileCorrected = "corrected"
	reconcileUnchanged = "unchanged"
	reconcileRefused   = "refused"
)

// Bill is what calls have really cost. It only describes the body: that is read exactly as it is written.
type Bill struct {
	Items []BillItem `json:"items" maxItems:"1000"`
}

// BillItem is what one call has cost.
type BillItem struct {
	Call string  `json:"call_id"`
	Cost Dollars `json:"cost_usd"`
}

// Reconciliation is what came of a bill.
type Reconciliation struct {
	Items     []ReconciledCall `json:"items" doc:"In the order of the bill."`
	Corrected int              `json:"corrected"`
	Unchanged int              `json:"unchanged"`
	Refused   int              `json:"refused"`
}

// ReconciledCall is what came of one item.
type ReconciledCall struct {
	Call  string     `json:"call_id"`
	State string     `json:"state" enum:"corrected,unchanged,refused"`
	Was   *string    `json:"was_usd" doc:"What the call was taken for; null where that was not known."`
	Cost  *string    `json:"cost_usd"`
	Error *ItemError `json:"error" doc:"Why the item was refused."`
}

// ItemError says what is wrong with one item and what helps.
type ItemError struct {
	Code    signalbox.Code `json:"code"`
	Message string         `json:"message"`
	Remedy  string         `json:"remedy"`
	Field   *string        `json:"field"`
}

func (s *server) registerReconcile(api huma.API) {
	op := exact(operation("reconcile-costs", http.MethodPost, "/costs/reconcile", "Correct what calls have cost",
		signalbox.RoleOperator, signalbox.RoleAdmin))
	op.MaxBodyBytes = maxReconcileBody
	huma.Register(api, op, s.reconcile)
}

func (s *server) reconcile(ctx context.Context, in *struct{ Body exactBody[Bill] }) (*Body[Reconciliation], error) {
	c := callerOf(ctx)
	items, r, err := readBill(in.Body.Value)
	if err != nil {
		return nil, fail(c, err)
	}
	out := Reconciliation{Items: []ReconciledCall{}}
	for i, item := range items {
		row := s.reconcileOne(ctx, c, r, item, fmt.Sprintf("items[%d]", i))
		switch row.State {
		case reconcileCorrected:
			out.Corrected++
		case reconcileUnchanged:
			out.Unchanged++
		default:
			out.Refused++
		}
		out.Items = append(out.Items, row)
	}
	return &Body[Reconciliation]{out}, nil
}

// readBill reads the list of items, each of which is read when its turn comes.
func readBill(body []byte) ([]json.Node, *planReader, error) {
	r := &planReader{doc: body, places: map[string]json.Node{}}
	root, err := json.Object(body)
	if err != nil {
		return nil, r, signalbox.Errorf(signalbox.CodeInvalid, "The body is not a JSON object: %v.", err).WithField("body").
			WithRemedy(`Send {"items": [{"call_id": "call_…", "cost_usd": "0.0123"}]}.`)
	}
	var items []json.Node
	err = r.members(root, "", []member{{"items", true, func(n json.Node, at string) (err error) {
		if items, err = n.Array(); err != nil {
			return r.fault(at, "is not a list", `Write [{"call_id": "call_…", "cost_usd": "0.0123"}].`)
		}
		if len(items) > MaxReconciled {
			return r.fault(at, fmt.Sprintf("has %d items; %d are allowed", len(items), MaxReconciled), "Send them in several requests.")
		}
		return nil
	}}})
	return items, r, err
}

func (s *server) reconcileOne(ctx context.Context, c ctxWithCaller, r *planReader, item json.Node, at string) ReconciledCall {
	row, cost := ReconciledCall{State: reconcileRefused}, signalbox.Money(0)
	err := r.billItem(item, at, &row.Call, &cost)
	if err == nil {
		text, was, changed := cost.String(), (*signalbox.Money)(nil), false
		if was, changed, err = s.Reconcile(ctx, c.caller(), row.Call, cost); err == nil {
			row.State, row.Cost = reconcileUnchanged, &text
		}
		if row.Was = dollars(was); changed {
			row.State = reconcileCorrected
		}
	}
	if err != nil {
		e := signalbox.AsError(err)
		row.Error = &ItemError{e.Code, e.Message, e.Remedy, OrNull(e.Field)}
	}
	return row
}

func (r *planReader) billItem(n json.Node, at string, call *string, cost *signalbox.Money) error {
	r.places[at] = n
	m, err := n.Object()
	if err != nil {
		return r.fault(at, "is not an object", `Write {"call_id": "call_…", "cost_usd": "0.0123"}.`)
	}
	if err := r.members(m, at, []member{{"call_id", true, r.text(call)}, {"cost_usd", true, r.money(cost)}}); err != nil {
		return err
	}
	if *cost < 0 {
		return r.fault(join2(at, "cost_usd"), "is negative", "Give what the call has cost, 0 or more.")
	}
	return nil
}
