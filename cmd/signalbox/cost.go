package main

import (
	"net/url"
	"strconv"

	"github.com/signalbox/signalbox/internal/platform/server/api"
)

type costCmd struct {
	Prices    costPricesCmd    `cmd:"" help:"The price table in force, with sources and dates."`
	Report    costReportCmd    `cmd:"" help:"What calls have cost, exactly and completely."`
	ROI       notBuilt         `cmd:"" name:"roi" help:"Not built in this version."`
	Reconcile costReconcileCmd `cmd:"" help:"Correct what calls have cost, by the provider's bill."`
}

type costPricesCmd struct {
	remote
	format
}

// Run lists prices, in US dollars per million tokens.
func (k *costPricesCmd) Run(c *console) error {
	var list api.PriceList
	if err := k.get(c.ctx, "/prices", url.Values{}, &list); err != nil {
		return err
	}
	var rows [][]string
	for _, p := range list.Items {
		rows = append(rows, []string{
			p.Provider, p.Model, p.Input, p.Output, text(p.CacheRead), text(p.CacheWrite), strconv.Itoa(len(p.Tiers)),
			p.Source, text(p.Effective),
		})
	}
	return k.print(c, list, []string{"PROVIDER", "MODEL", "INPUT", "OUTPUT", "CACHE READ", "CACHE WRITE", "TIERS", "SOURCE", "EFFECTIVE"}, rows)
}
