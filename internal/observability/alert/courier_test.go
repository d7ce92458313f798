package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox/signalbox"
)

// memoryOutbox is an outbox; fail makes it fail.
type memoryOutbox struct {
	mu   sync.Mutex
	m    map[string]signalbox.Notification
	fail error
	puts int
}

func newOutbox(list ...signalbox.Notification) *memoryOutbox {
	o := &memoryOutbox{m: map[string]signalbox.Notification{}}
	for _, n := range list {
		o.m[n.ID] = n
	}
	return o
}

func (o *memoryOutbox) DueNotifications(_ context.Context, now time.Time, limit int) ([]signalbox.Notification, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	due := slices.SortedFunc(maps.Values(o.m), func(a, b signalbox.Notification) int {
		return cmp.Or(a.Next.Compare(b.Next), cmp.Compare(a.ID, b.ID))
	})
	due = slices.DeleteFunc(due, func(n signalbox.Notification) bool { return n.Next.IsZero() || n.Next.After(now) })
	return due[:min(limit, len(due))], o.fail
}

func (o *memoryOutbox) PutNotification(_ context.Context, n signalbox.Notification) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		return o.fail
	}
	o.puts++
	o.m[n.ID] = n
	return nil
}

func (o *memoryOutbox) failWith(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail = err
}

func (o *memoryOutbox) get(id string) signalbox.Notification {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.m[id]
}

// channelFunc is a channel of one function.
type channelFunc func(ctx context.Context, n signalbox.Notification) error

func (f channelFunc) Deliver(ctx context.Context, n signalbox.Notification) error { return f(ctx, n) }

func message(id, channel string, at time.Time) signalbox.Notification {
	return signalbox.Notification{ID: id, Alert: "alert_1", Channel: channel, Payload: []byte(`{}`), Created: at, Next: at}
}

// deliver runs a courier; stop ends it.
func deliver(t *testing.T, o Outbox, channels map[string]Channel) (stop func()) {
	t.Helper()
	c := NewCourier(CourierOptions{Outbox: o, Channels: func() map[string]Channel { return channels }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	return func() { cancel(); <-done }
}

func TestTriesForADayThenGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, tries := time.Now(), 0
		var last time.Time
		down := channelFunc(func(context.Context, signalbox.Notification) error {
			tries++
			last = time.Now()
			return errors.New("the receiver is down")
		})
		o := newOutbox(message("n", "ops", start))
		stop := deliver(t, o, map[string]Channel{"ops": down})
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		if n := o.get("n"); n.Failed || !n.Done.IsZero() || n.Tries != tries || n.LastNote != "the receiver is down" {
			t.Errorf("after 23 hours: %+v", n)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		n := o.get("n")
		if !n.Failed || n.Done.IsZero() || !n.Next.IsZero() || n.Tries != tries || tries > MaxTries {
			t.Errorf("after 25 hours and %d tries: %+v", tries, n)
		}
		if age := last.Sub(start); tries < MaxTries && age < GiveUpAfter {
			t.Errorf("the last try was after %s", age)
		}
		stop()
	})
}

func TestComesBackWhenTheReceiverDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		up := channelFunc(func(context.Context, signalbox.Notification) error {
			if time.Since(start) < 10*time.Minute {
				return &DeliveryError{Note: "no", RetryAfter: time.Minute}
			}
			return nil
		})
		o := newOutbox(message("n", "ops", start))
		stop := deliver(t, o, map[string]Channel{"ops": up})
		time.Sleep(2 * time.Hour)
		if n := o.get("n"); n.Failed || n.Done.IsZero() || n.LastNote != "taken" || n.Tries > 11 {
			t.Errorf("got %+v, want it taken after at most a try each minute", n)
		}
		stop()
	})
}

func TestADeadChannelDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		o := newOutbox()
		for i := range 4 * PageSize {
			n := message(fmt.Sprintf("dead-%04d", i), "dead", start)
			o.m[n.ID] = n
		}
		for i := range 20 {
			n := message(fmt.Sprintf("live-%04d", i), "live", start.Add(time.Second))
			o.m[n.ID] = n
		}
		most, now := 0, 0
		var mu sync.Mutex
		dead := channelFunc(func(ctx context.Context, _ signalbox.Notification) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-ctx.Done()
			mu.Lock()
			now--
			mu.Unlock()
			return ctx.Err()
		})
		taken := channelFunc(func(context.Context, signalbox.Notification) error { return nil })
		stop := deliver(t, o, map[string]Channel{"dead": dead, "live": taken})
		time.Sleep(12 * time.Second)
		synctest.Wait()
		for i := range 20 {
			if n := o.get(fmt.Sprintf("live-%04d", i)); n.Done.IsZero() {
				t.Fatalf("%s waits behind the dead channel", n.ID)
			}
		}
		time.Sleep(DeliveryTimeout)
		stop()
		if most != PerChannel {
			t.Errorf("%d deliveries at once, want %d", most, PerChannel)
		}
		if n := o.get("dead-0000"); n.Tries != 1 || n.Next.IsZero() {
			t.Errorf("the delivery that took too long: %+v", n)
		}
	})
}

func TestWhatIsTakenIsNotDeliveredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, tries := newOutbox(message("n", "ops", time.Now())), 0
		channel := channelFunc(func(context.Context, signalbox.Notification) error {
			tries++
			o.failWith(errors.New("the database is away"))
			return nil
		})
		stop := deliver(t, o, map[string]Channel{"ops": channel})
		time.Sleep(time.Minute)
		o.failWith(nil)
		time.Sleep(time.Minute)
		stop()
		if n := o.get("n"); tries != 1 || n.Done.IsZero() || n.Failed {
			t.Errorf("%d tries, %+v", tries, n)
		}
	})
}

func TestTheEndOfRunIsNoTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(message("n", "ops", time.Now()), message("m", "late", time.Now()))
		release := make(chan struct{})
		channels := map[string]Channel{
			"ops":  channelFunc(func(ctx context.Context, _ signalbox.Notification) error { <-ctx.Done(); return ctx.Err() }),
			"late": channelFunc(func(context.Context, signalbox.Notification) error { <-release; return nil }),
		}
		stop := deliver(t, o, channels)
		time.Sleep(5 * time.Second)
		go func() { time.Sleep(time.Second); close(release) }()
		stop()
		if n := o.get("n"); n.Tries != 0 || n.Next.IsZero() {
			t.Errorf("the one that was cut short: %+v", n)
		}
		if n := o.get("m"); n.Done.IsZero() {
			t.Errorf("the one that was taken: %+v", n)
		}
	})
}

func TestTheDatabaseGoesAwayForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(message("n", "ops", time.Now()))
		channel := channelFunc(func(context.Context, signalbox.Notification) error { o.failWith(errors.New("away")); return nil })
		stop := deliver(t, o, map[string]Channel{"ops": channel})
		time.Sleep(time.Minute)
		stop() // Does not hang.
	})
}

func TestChannelsThatDoNotWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(message("a", "removed", time.Now()), message("b", "panics", time.Now()), message("c", "gone", time.Now()))
		channels := map[string]Channel{
			"panics": channelFunc(func(context.Context, signalbox.Notification) error { panic("oops") }),
			"gone": channelFunc(func(context.Context, signalbox.Notification) error {
				return &DeliveryError{Note: "gone", Permanent: true}
			}),
		}
		stop := deliver(t, o, channels)
		time.Sleep(500 * time.Millisecond)
		stop()
		for id, want := range map[string]string{"a": "the channel is not configured", "b": "the channel panicked: oops"} {
			if n := o.get(id); n.LastNote != want || n.Failed || n.Tries != 1 || n.Next.IsZero() {
				t.Errorf("%s: %+v", id, n)
			}
		}
		if n := o.get("c"); !n.Failed || n.Tries != 1 || !n.Next.IsZero() {
			t.Errorf("the one that nobody wants: %+v", n)
		}
	})
}

func TestDelays(t *testing.T) {
	most := func(n int64) int64 { return n - 1 }
	least := func(int64) int64 { return 0 }
	for tries, want := range map[int]time.Duration{1: 10 * time.Second, 2: 20 * time.Second, 10: 5120 * time.Second, 11: 2 * time.Hour, 64: 2 * time.Hour} {
		if got := delay(tries, 0, most); got != want {
			t.Errorf("after %d tries at most %s, want %s", tries, got, want)
		}
		if got := delay(tries, 0, least); got != RetryLeast {
			t.Errorf("after %d tries at least %s", tries, got)
		}
	}
	if got := delay(1, 24*time.Hour, least); got != RetryAfterCap {
		t.Errorf("a receiver that asks for a day gets %s", got)
	}
}

func TestEveryDeliveryEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := message("n", "ops", midnight)
		random := func(limit int64) int64 { return rapid.Int64Range(0, limit-1).Draw(t, "delay") }
		now := midnight
		for n.Done.IsZero() {
			if n.Tries >= MaxTries {
				t.Fatalf("%d tries", n.Tries)
			}
			if n.Next.Before(now) || n.Next.Sub(midnight) > GiveUpAfter {
				t.Fatalf("the next try after %s is at %s", now, n.Next)
			}
			now = n.Next.Add(time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "late")))
			n = Advance(n, &DeliveryError{Note: "no", RetryAfter: time.Duration(rapid.Int64().Draw(t, "retry_after"))}, now, random)
		}
		if !n.Failed || !n.Next.IsZero() {
			t.Fatalf("ends as %+v", n)
		}
	})
}

func TestNotesAreCut(t *testing.T) {
	long := ""
	for range 200 {
		long += "가나"
	}
	n := Advance(message("n", "ops", midnight), errors.New("x"+long), midnight, func(int64) int64 { return 0 })
	if len(n.LastNote) > maxNote+3 || n.LastNote[len(n.LastNote)-3:] != "…" {
		t.Errorf("%d bytes: %q", len(n.LastNote), n.LastNote)
	}
}
