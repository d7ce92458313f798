package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// costReconcileCmd corrects what calls have cost by the provider's bill.
type costReconcileCmd struct {
	remote
	format
	File string `type:"existingfile" placeholder:"FILE" xor:"bill" required:"" help:"The bill as CSV, with the columns call_id and cost_usd."`
	Call string `placeholder:"ID" xor:"bill" required:"" help:"One call; its cost is given with --cost."`
	Cost string `placeholder:"USD" help:"What the call has cost, in US dollars."`
}

// Run sends the bill in as many requests as it takes. Its answer is no (exit code 1) where an item was refused.
func (k *costReconcileCmd) Run(c *console) error {
	items, err := k.items()
	if err != nil {
		return err
	}
	all := api.Reconciliation{Items: []api.ReconciledCall{}}
	for part := range slices.Chunk(items, api.MaxReconciled) {
		var done api.Reconciliation
		if err := k.do(c.ctx, http.MethodPost, "/costs/reconcile", api.Bill{Items: part}, &done); err != nil {
			return errors.Join(err, k.show(c, all))
		}
		all.Items = append(all.Items, done.Items...)
		all.Corrected += done.Corrected
		all.Unchanged += done.Unchanged
		all.Refused += done.Refused
	}
	if err := k.show(c, all); err != nil {
		return err
	}
	if all.Refused > 0 {
		return errNo
	}
	return nil
}

func (k *costReconcileCmd) show(c *console, all api.Reconciliation) error {
	var rows [][]string
	for _, i := range all.Items {
		why := "-"
		if i.Error != nil {
			why = i.Error.Message + " " + i.Error.Remedy
		}
		rows = append(rows, []string{i.Call, i.State, text(i.Was), text(i.Cost), why})
	}
	if err := k.print(c, all, []string{"CALL", "STATE", "WAS", "COST", "WHY"}, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.errOut, "%d corrected, %d unchanged, %d refused\n", all.Corrected, all.Unchanged, all.Refused)
	return err
}

func (k *costReconcileCmd) items() ([]api.BillItem, error) {
	switch {
	case k.Call != "" && k.Cost == "":
		return nil, &usageError{"--call needs --cost"}
	case k.Call == "" && k.Cost != "":
		return nil, &usageError{"--cost needs --call; with --file the costs are in the file"}
	case k.Call != "":
		if _, err := signalbox.ParseMoney(k.Cost); err != nil {
			return nil, &usageError{"--cost: " + err.Error()}
		}
		return []api.BillItem{{Call: k.Call, Cost: api.Dollars(k.Cost)}}, nil
	}
	f, err := os.Open(k.File)
	if err != nil {
		return nil, &usageError{err.Error()}
	}
	defer f.Close()
	items, err := readBill(f)
	if err != nil {
		return nil, &usageError{k.File + ": " + err.Error()}
	}
	return items, nil
}

// readBill reads a bill whose first line names its columns; others than the two are passed over. Nothing is sent of a
// bill that has a line which can not be read.
func readBill(from io.Reader) ([]api.BillItem, error) {
	r := csv.NewReader(from)
	r.ReuseRecord = true
	heading, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("it has no first line: %w", err)
	}
	call, cost := slices.Index(heading, "call_id"), slices.Index(heading, "cost_usd")
	if call < 0 || cost < 0 {
		return nil, errors.New("its first line must name the columns call_id and cost_usd")
	}
	var items []api.BillItem
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return items, nil
		}
		if err != nil {
			return nil, err
		}
		if _, err := signalbox.ParseMoney(row[cost]); err != nil {
			line, _ := r.FieldPos(cost)
			return nil, fmt.Errorf("line %s: cost_usd: %w", strconv.Itoa(line), err)
		}
		items = append(items, api.BillItem{Call: row[call], Cost: api.Dollars(row[cost])})
	}
}
