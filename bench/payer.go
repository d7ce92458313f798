package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/governance/budget"
	"github.com/signalbox/signalbox/internal/governance/ledger"
	"github.com/signalbox/signalbox/internal/governance/seal"
	"github.com/signalbox/signalbox/internal/platform/store"
	"github.com/signalbox/signalbox/internal/platform/store/postgres"
	"github.com/signalbox/signalbox/internal/platform/store/sqlite"
)

// callers is how many calls a payer has under way at once.
const callers = 32

// payerOptions say what a payer pays from.
type payerOptions struct {
	store    string // The file of an SQLite database, or the URL of a PostgreSQL one.
	accounts int
}

// payer is a process that does what a call does with the ledger and the log, and nothing else: it holds, writes the
// intent, settles and writes the outcome.
type payer struct {
	payerOptions
	replica string
	ledger  *ledger.Ledger
	writer  *store.Writer
	stops   []func() error // In the order of the starts.
}

// pay obeys the lines of standard input, "with 2s" or "without 2s", until it ends.
func pay(ctx context.Context, o payerOptions) error {
	p := &payer{payerOptions: o, replica: signalbox.LocalReplica}
	defer p.stop()
	if err := p.start(ctx); err != nil {
		return err
	}
	if err := p.open(ctx); err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		how, length, _ := strings.Cut(lines.Text(), " ")
		d, err := time.ParseDuration(length)
		if err != nil {
			return err
		}
		if err := p.load(ctx, how == "with", d); err != nil {
			return err
		}
	}
	return nil
}

func (p *payer) stop() {
	for _, stop := range slices.Backward(p.stops) {
		if err := stop(); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	}
}

func (p *payer) start(ctx context.Context) error {
	o := ledger.Options{Now: time.Now, Whole: true}
	var err error
	if strings.Contains(p.store, "://") {
		o.Whole = false
		err = p.startPostgres(ctx, &o)
	} else {
		err = p.startSQLite(ctx, &o)
	}
	if err != nil {
		return err
	}
	agents := make([]budget.Agent, p.accounts)
	for i := range agents {
		agents[i] = budget.Agent{ID: agent(i), Budgets: []signalbox.Budget{
			{Unit: signalbox.UnitUSD, Per: signalbox.WindowDay, Max: int64(1_000_000 * signalbox.Dollar)},
		}}
	}
	policy, err := budget.NewPolicy(budget.Options{Agents: agents, Tenants: []budget.Tenant{{ID: "bench"}}})
	if err != nil {
		return err
	}
	o.Policy, o.Replica = func() *budget.Policy { return policy }, p.replica
	p.ledger = ledger.New(o)
	p.stops = append(p.stops, func() error { return p.ledger.Close(context.WithoutCancel(ctx)) })
	return nil
}

func (p *payer) startSQLite(ctx context.Context, o *ledger.Options) error {
	db, err := sqlite.Open(ctx, p.store, sqlite.Options{Now: time.Now})
	if err != nil {
		return err
	}
	p.stops = append(p.stops, db.Close)
	tree, err := audit.Restore(ctx, db)
	if err != nil {
		return err
	}
	o.Vault = db
	return p.write(ctx, db, db, audit.NewSequencer(tree))
}

// startPostgres joins the replicas of a database and takes part in the leader's work, as a server does.
func (p *payer) startPostgres(ctx context.Context, o *ledger.Options) error {
	p.replica = signalbox.NewID("rep_", time.Now())
	db, err := postgres.Open(ctx, p.store, postgres.Options{Replica: p.replica, Now: time.Now})
	if err != nil {
		return err
	}
	p.stops = append(p.stops, db.Close)
	if err := db.Join(ctx); err != nil {
		return err
	}
	p.stops = append(p.stops, func() error { return db.Leave(context.WithoutCancel(ctx)) })
	o.Vault, o.Now = db, db.Now
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	group.Go(func() {
		db.Lead(work, postgres.LeadOptions{Sequencer: func(ctx context.Context) (store.Sequencer, error) {
			tree, err := audit.Restore(ctx, db)
			return audit.NewSequencer(tree), err
		}})
	})
	group.Go(func() {
		db.Watch(work, func(topic, account string) {
			if topic == postgres.TopicLedger && account != "" && p.ledger != nil {
				p.ledger.Wanted([]string{account})
			}
		})
	})
	p.stops = append(p.stops, func() error {
		cancel()
		group.Wait()
		return nil
	})
	return p.write(ctx, db, db, postgres.NewUnplaced(audit.Encode))
}

// write starts the writer, whose records are sealed as a server's are. All payers of a database have the same master key.
func (p *payer) write(ctx context.Context, c store.Committer, keys seal.Keys, s store.Sequencer) error {
	master, err := seal.NewMaster([seal.KeySize]byte{})
	if err != nil {
		return err
	}
	vault, err := seal.Open(ctx, seal.Options{Master: master, Keys: keys, Now: time.Now})
	if err != nil {
		return err
	}
	p.writer = store.NewWriter(c, vault.Around(s), store.Options{})
	p.stops = append(p.stops, func() error { return p.writer.Close(context.WithoutCancel(ctx)) })
	return nil
}

// open uses every account once, so that none is new when it is measured.
func (p *payer) open(ctx context.Context) error {
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for n := i; n < p.accounts && errs[i] == nil; n += callers {
				_, errs[i] = p.call(ctx, n, true)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func agent(n int) string { return fmt.Sprintf("agent-%05d", n) }

// load keeps all callers busy for that long and prints what came of it: see [payment].
func (p *payer) load(ctx context.Context, entries bool, length time.Duration) error {
	times, errs := make([][]time.Duration, callers), make([]error, callers)
	var wg sync.WaitGroup
	before, begun := cpuTime(), time.Now()
	for i := range callers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), uint64(begun.UnixNano()))) //nolint:gosec // Which account it is does not matter.
			for errs[i] == nil && time.Since(begun) < length {
				var took time.Duration
				if took, errs[i] = p.call(ctx, random.IntN(p.accounts), entries); errs[i] == nil {
					times[i] = append(times[i], took)
				}
			}
		})
	}
	wg.Wait()
	took, used := time.Since(begun), cpuTime()-before
	all := slices.Concat(times...)
	if err := errors.Join(errs...); err != nil || len(all) == 0 {
		return fmt.Errorf("%d calls, and %w", len(all), err)
	}
	slices.Sort(all)
	_, err := fmt.Fprintln(os.Stdout, len(all), int64(took), int64(used), int64(all[len(all)/2]), int64(all[len(all)*99/100]))
	return err
}

// cost is what each call is held for and costs.
const cost signalbox.Money = 1000

// call is one call's two records, with its hold and settlement in them or without, and how long both took.
func (p *payer) call(ctx context.Context, n int, entries bool) (time.Duration, error) {
	begun := time.Now()
	intent, outcome := p.records(n, begun.UTC())
	if !entries {
		if _, err := p.writer.Append(ctx, intent); err != nil {
			return 0, err
		}
		_, err := p.writer.Append(ctx, outcome)
		return time.Since(begun), err
	}
	t := call.NewTrack(&signalbox.Call{
		ID: intent.Call, Kind: signalbox.KindTool, Caller: signalbox.Caller{Tenant: "bench", Agent: agent(n)},
	})
	tab, err := p.ledger.Open(ctx, t)
	if err != nil {
		return 0, err
	}
	defer tab.Leave()
	a := signalbox.Attempt{N: 1}
	price := signalbox.Price{Rates: signalbox.Rates{PerCall: cost}}
	if err := tab.Hold(ctx, t, signalbox.Candidate{Name: "bench.tool", Price: &price}, &a); err != nil {
		return 0, err
	}
	if err := p.book(ctx, tab, intent, false); err != nil {
		return 0, err
	}
	spent := cost
	a.Cost = &spent
	tab.Spend(&a)
	err = p.book(ctx, tab, outcome, true)
	return time.Since(begun), err
}

// book writes a record with what it changes in the ledger.
func (p *payer) book(ctx context.Context, tab call.Tab, r signalbox.Record, ended bool) error {
	r.Ledger = tab.Entries(ended)
	if _, err := p.writer.Append(ctx, r, signalbox.Post{Replica: p.replica, Entries: r.Ledger}); err != nil {
		tab.Lost()
		return err
	}
	tab.Booked()
	return nil
}

// records are of the size that a call's are.
func (p *payer) records(n int, now time.Time) (intent, outcome signalbox.Record) {
	price := cost
	intent = signalbox.Record{
		Type: signalbox.RecordIntent, Call: signalbox.NewID("call_", now), Time: now,
		Who:      signalbox.Who{AgentID: agent(n), TenantID: "bench", KeyID: "bench", Role: signalbox.RoleAgent, Source: "127.0.0.1"},
		What:     signalbox.What{Action: signalbox.ActionToolCall, Kind: signalbox.KindTool, ToolName: "bench.tool", InputSummary: summary},
		When:     signalbox.When{Timestamp: now, TraceID: "0af7651916cd43dd8448eb211c80319c", SpanID: "b7ad6b7169203331"},
		Context:  signalbox.Context{RequestID: "bench", Protocol: signalbox.ProtocolMCP, Replica: p.replica},
		Attempts: []signalbox.Attempt{{N: 1, Name: "bench.tool", Provider: "bench", Started: now, Held: &price, Basis: signalbox.BasisNone}},
	}
	outcome = intent
	outcome.Type, outcome.Outcome, outcome.What.OutputSummary, outcome.What.Cost = signalbox.RecordOutcome, signalbox.OutcomeOK, summary, &price
	return intent, outcome
}

var summary = strings.Repeat("What a tool was given or has said. ", 6)

// cpuTime is what the kernel has booked to this process.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
