package server

import (
	"context"
	"iter"
	"strconv"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/governance/retention"
)

// headersPage is how many headers of the log are read at once.
const headersPage = 1000

// sweepTimeout is how long is waited for readers that keep what was destroyed in raw files; the next round tries again.
const sweepTimeout = 30 * time.Second

// keeper destroys the content of records whose retention is over. One process does it for all.
type keeper struct {
	*Server

	from map[string]int64 // By tenant: nothing before it is left to be destroyed.
	left bool             // What was destroyed has not been swept out of raw files yet.
}

func (k *keeper) keep(ctx context.Context) { k.keepAt(ctx, k.data.now()) }

// keepAt goes through all tenants, and reports its own errors.
func (k *keeper) keepAt(ctx context.Context, now time.Time) {
	c, destroyed := k.runtimes.current().config, false
	for i := range c.Tenants {
		r := c.RetentionOf(c.Tenants[i].ID)
		done, err := k.tenant(ctx, retention.Policy{Tenant: c.Tenants[i].ID, MinDays: r.MinDays, ContentDays: r.ContentDays}, now)
		destroyed = destroyed || done
		if err != nil && ctx.Err() == nil {
			k.options.Logger.WarnContext(ctx, "content whose retention is over could not be destroyed", "tenant", c.Tenants[i].ID, "error", err)
		}
	}
	if k.left = k.left || destroyed; !k.left {
		return
	}
	sweeping, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	err := k.data.db.Sweep(sweeping)
	if k.left = err != nil; k.left && ctx.Err() == nil {
		k.options.Logger.WarnContext(ctx, "destroyed content may still be in the database's raw files", "error", err)
	}
}

// tenant destroys what is over of one tenant, and reports whether there was anything.
func (k *keeper) tenant(ctx context.Context, p retention.Policy, now time.Time) (destroyed bool, err error) {
	before, over := p.Before(now)
	if !over {
		return false, nil
	}
	from, known := k.from[p.Tenant]
	if !known {
		if from, err = k.data.db.DestroyedUntil(ctx, p.Tenant); err != nil {
			return false, err
		}
	}
	for {
		r, err := retention.Next(p.Tenant, before, from, k.headers(ctx, from))
		if err != nil {
			return destroyed, err
		}
		if r.Records > 0 {
			if err := k.destroy(ctx, p, r, before); err != nil {
				return destroyed, err
			}
			destroyed = true
		}
		from = r.To
		k.from[p.Tenant] = from
		if r.Records < retention.MaxRecords {
			return destroyed, nil
		}
	}
}

// headers gives those of the log from an index on.
func (k *keeper) headers(ctx context.Context, from int64) iter.Seq2[retention.Header, error] {
	return func(yield func(retention.Header, error) bool) {
		for {
			page, err := k.data.db.Headers(ctx, from, headersPage)
			if err != nil {
				yield(retention.Header{}, err)
				return
			}
			for i := range page {
				e := &page[i]
				if !yield(retention.Header{Index: e.Index, Time: e.Time, Tenant: e.Tenant, Destroyed: e.Destroyed()}, nil) {
					return
				}
				from = e.Index + 1
			}
			if len(page) < headersPage {
				return
			}
		}
	}
}

// destroy writes the evidence, a record of Signalbox itself, with the effect. The tenant's records can not be the evidence
// of their own destruction, as they are destroyed one day too.
func (k *keeper) destroy(ctx context.Context, p retention.Policy, r retention.Range, before time.Time) error {
	now := k.data.now().UTC()
	_, err := k.data.writer.Append(ctx, signalbox.Record{
		Type: signalbox.RecordAdmin, Time: now, When: signalbox.When{Timestamp: now},
		What: signalbox.What{Action: signalbox.ActionContentDestroyed, Detail: map[string]string{
			audit.DestroyedTenant: p.Tenant, audit.DestroyedFrom: strconv.FormatInt(r.From, 10), audit.DestroyedTo: strconv.FormatInt(r.To, 10),
			audit.DestroyedRecords: strconv.FormatInt(r.Records, 10), audit.DestroyedBefore: before.UTC().Format(time.RFC3339),
			audit.DestroyedRule: "tenants." + p.Tenant + ".retention.content_days: " + strconv.FormatInt(p.ContentDays, 10),
		}},
		Context: signalbox.Context{Replica: k.data.replica},
	}, signalbox.DestroyContent{Tenant: p.Tenant, From: r.From, To: r.To})
	return err
}
