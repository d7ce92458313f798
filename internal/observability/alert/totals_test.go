package alert

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox/signalbox"
)

// totalsOf is what all replicas have settled.
type totalsOf struct {
	mu    sync.Mutex
	m     map[string]int64
	err   error
	reads int
}

func (l *totalsOf) Settled(_ context.Context, accounts []string) (map[string]int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	out := map[string]int64{}
	for _, a := range accounts {
		if n, ok := l.m[a]; ok {
			out[a] = n
		}
	}
	return out, l.err
}

func (l *totalsOf) set(account string, n signalbox.Money, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.m[account], l.err = int64(n), err
}

func newReplicaRig(rules ...signalbox.AlertRule) (*rig, *totalsOf) {
	totals := &totalsOf{m: map[string]int64{}}
	return newRigOver(totals, rules...), totals
}

// What this replica knows of is below every threshold, and all of them together are above: the run is halted.
func TestAReplicaSeesWhatTheOthersSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, totals := newReplicaRig(ladder()...)
		defer r.stop(t)
		account := runAccount("acme", "r")
		r.ledger.settle(account, usd/10)
		totals.set(account, 11*usd, nil)
		ctx, leave, err := r.Enter(t.Context(), track("call_2", "r"))
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		r.Ended(outcome("call_1", "r", usd/10))
		synctest.Wait()
		if len(r.log.alerts()) != 0 {
			t.Fatal("an alert came before the total was read")
		}
		frozenFor(ctx, t, "10")
		synctest.Wait()
		if n := len(r.log.alerts()); n != 4 {
			t.Errorf("%d alerts are written, want the four of the ladder", n)
		}
		if a := r.log.alerts()[0].Alert; a.Run != "r" || a.Agent != "researcher" || a.Account != account || a.Value != int64(11*usd) {
			t.Errorf("the alert is %+v", a)
		}
	})
}

// A read that fails is made again, and its accounts stay due; a run that nobody adds to is not read.
func TestTotalsAreReadAgainAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, totals := newReplicaRig(ladder()...)
		defer r.stop(t)
		account := runAccount("acme", "r")
		r.ledger.settle(account, usd/10)
		totals.set(account, usd, errors.New("no connection"))
		r.Ended(outcome("call_1", "r", usd/10))
		time.Sleep(LookAfter + 1)
		synctest.Wait()
		totals.set(account, usd, nil)
		time.Sleep(lookTimeout + LookAfter + 1)
		synctest.Wait()
		if n := len(r.log.alerts()); n != 1 {
			t.Errorf("%d alerts are written, want one", n)
		}
		time.Sleep(10 * lookTimeout)
		if totals.reads != 2 {
			t.Errorf("the totals were read %d times", totals.reads)
		}
	})
}

// What is due when the engine is closed is looked at before.
func TestCloseLooksAtTotals(t *testing.T) {
	r, totals := newReplicaRig(ladder()...)
	account := runAccount("acme", "r")
	r.ledger.settle(account, usd/10)
	totals.set(account, usd, nil)
	r.Ended(outcome("call_1", "r", usd/10))
	r.stop(t)
	if n := len(r.log.alerts()); n != 1 {
		t.Errorf("%d alerts are written, want one", n)
	}
}

// Closing does not wait for a database that does not answer.
func TestCloseGivesUpOnTotals(t *testing.T) {
	r := newRigOver(stuck{}, ladder()...)
	r.ledger.settle(runAccount("acme", "r"), usd/10)
	r.Ended(outcome("call_1", "r", usd/10))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Close(ctx); err != nil {
		t.Error(err)
	}
}

type stuck struct{}

func (stuck) Settled(ctx context.Context, _ []string) (map[string]int64, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// The budget of an account is warned of by what all replicas have settled in it.
func TestABudgetIsWarnedOfByAll(t *testing.T) {
	r, totals := newReplicaRig()
	b := balance(signalbox.OwnerTenant, signalbox.UnitTokens, 10, false)
	account := b.Account.String()
	r.ledger.set(account, b)
	totals.set(account, 900, nil)
	r.Ended(outcome("call_1", "", usd, account))
	r.stop(t)
	if puts := r.log.alerts(); len(puts) != 1 || puts[0].Alert.Rule != RuleBudget || puts[0].Alert.Value != 900 {
		t.Errorf("%+v is written", puts)
	}
}

// More accounts than there is room for are counted, and those that wait stay.
func TestLooksAreBounded(t *testing.T) {
	l := newLooks()
	for n := range MaxLooks + 3 {
		l.put(fmt.Sprint(n), adder{})
	}
	l.put("0", adder{call: "later"})
	if l.count() != 3 || len(l.due) != MaxLooks || l.due["0"].call != "later" {
		t.Errorf("%d wait, %d were left out", len(l.due), l.count())
	}
	if n := len(l.take()); n != lookBatch {
		t.Errorf("%d are taken at once", n)
	}
}
