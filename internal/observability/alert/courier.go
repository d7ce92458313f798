package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
)

// Limits of delivery.
const (
	// PageSize is how many due notifications are read at once.
	PageSize = 256
	// PerChannel is how many deliveries to one channel are under way at once.
	PerChannel = 4
	// DefaultPoll is the time between two looks at the outbox.
	DefaultPoll = time.Second
	// DeliveryTimeout bounds one delivery, whatever the channel.
	DeliveryTimeout = 30 * time.Second
	// PutOff is by how much notifications wait longer that fill the page while their channel is busy, so that those of
	// other channels are seen.
	PutOff = 15 * time.Second
	// keepTimeout bounds one try to keep what came of a delivery.
	keepTimeout = 5 * time.Second
)

// Outbox holds the notifications. It is safe for concurrent use.
type Outbox interface {
	// DueNotifications gives up to limit notifications that are not over and whose Next is not after now, the earliest
	// first.
	DueNotifications(ctx context.Context, now time.Time, limit int) ([]signalbox.Notification, error)
	// PutNotification keeps how far a delivery is; doing so twice changes nothing.
	PutNotification(ctx context.Context, n signalbox.Notification) error
}

// Channel sends notifications somewhere. It is safe for concurrent use and must end with ctx. An error says that the
// notification was not taken; a *[DeliveryError] says more. A receiver may see the same notification several times, and
// tells so by its id.
type Channel interface {
	Deliver(ctx context.Context, n signalbox.Notification) error
}

// DeliveryError says what became of a delivery.
type DeliveryError struct {
	Note       string        // For people, without secrets.
	Permanent  bool          // Further tries are useless.
	RetryAfter time.Duration // What the receiver asked for; 0: nothing.
}

// Error gives the note.
func (e *DeliveryError) Error() string { return e.Note }

// CourierOptions configure a courier. Outbox and Channels are required.
type CourierOptions struct {
	Outbox   Outbox
	Channels func() map[string]Channel // By id, as configured now; the map is only read.
	Now      func() time.Time          // Nil: the machine's clock.
	Rand     func(n int64) int64       // A random number in [0, n); nil: the runtime's. Safe for concurrent use.
	Poll     time.Duration             // 0 is [DefaultPoll].
	Logger   *slog.Logger              // Nil: nothing is logged.
}

// Courier delivers what is due. At most one should run at a time over one outbox: two deliver everything twice.
type Courier struct {
	CourierOptions

	mu     sync.Mutex
	flying map[string]bool // Notifications under way, by their ids.
	active map[string]int  // Deliveries under way, by channel.
	wg     sync.WaitGroup
}

// NewCourier makes a courier.
func NewCourier(o CourierOptions) *Courier {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Int64N
	}
	if o.Poll <= 0 {
		o.Poll = DefaultPoll
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Courier{CourierOptions: o, flying: map[string]bool{}, active: map[string]int{}}
}

// Run delivers until ctx ends, and returns when no delivery is under way any more. It may be run again.
func (c *Courier) Run(ctx context.Context) {
	defer c.wg.Wait()
	for ctx.Err() == nil {
		if err := c.round(ctx); err != nil && ctx.Err() == nil {
			c.Logger.LogAttrs(ctx, slog.LevelWarn, "due notifications can not be read or kept", slog.Any("error", err))
		}
		if !wait(ctx, c.Poll) {
			return
		}
	}
}

// round starts what is due and has room.
func (c *Courier) round(ctx context.Context) error {
	now := c.Now()
	due, err := c.Outbox.DueNotifications(ctx, now, PageSize)
	if err != nil {
		return err
	}
	var busy []signalbox.Notification
	for _, n := range due {
		switch c.begin(n) {
		case begun:
			c.wg.Go(func() { c.deliver(ctx, n) })
		case full:
			busy = append(busy, n)
		case underWay:
		}
	}
	if len(due) < PageSize {
		return nil
	}
	for _, n := range busy {
		n.Next = now.Add(PutOff).UTC()
		err = errors.Join(err, c.Outbox.PutNotification(ctx, n))
	}
	return err
}

// begin takes a place of the channel.
func (c *Courier) begin(n signalbox.Notification) beginning {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.flying[n.ID]:
		return underWay
	case c.active[n.Channel] >= PerChannel:
		return full
	}
	c.flying[n.ID] = true
	c.active[n.Channel]++
	return begun
}

type beginning int

const (
	begun beginning = iota
	full
	underWay
)

// end gives the place back.
func (c *Courier) end(n signalbox.Notification) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.flying, n.ID)
	if c.active[n.Channel]--; c.active[n.Channel] == 0 {
		delete(c.active, n.Channel)
	}
}

// deliver tries once and keeps what came of it.
func (c *Courier) deliver(ctx context.Context, n signalbox.Notification) {
	defer c.end(n)
	err := c.send(ctx, n)
	if err != nil && ctx.Err() != nil {
		return // It was cut short by the end of Run: no try.
	}
	after := Advance(n, err, c.Now(), c.Rand)
	if after.Failed {
		c.Logger.LogAttrs(ctx, slog.LevelError, "a notification is given up", slog.String("notification", n.ID),
			slog.String("channel", n.Channel), slog.Int("tries", after.Tries), slog.String("note", after.LastNote))
	}
	c.keep(ctx, after)
}

// send hands the notification to its channel. A panic of a channel is an error of this delivery.
func (c *Courier) send(ctx context.Context, n signalbox.Notification) (err error) {
	channel, ok := c.Channels()[n.Channel]
	if !ok {
		return &DeliveryError{Note: "the channel is not configured"}
	}
	ctx, cancel := context.WithTimeout(ctx, DeliveryTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = &DeliveryError{Note: fmt.Sprintf("the channel panicked: %v", p)}
		}
	}()
	return channel.Deliver(ctx, n)
}

// keep writes what came of a delivery, until it is written or Run ends: what was delivered and is not kept would be
// delivered again.
func (c *Courier) keep(ctx context.Context, n signalbox.Notification) {
	for {
		err := c.put(ctx, n)
		if err == nil {
			return
		}
		c.Logger.LogAttrs(ctx, slog.LevelWarn, "a delivery can not be kept", slog.String("notification", n.ID), slog.Any("error", err))
		if !wait(ctx, c.Poll) {
			return
		}
	}
}

func (c *Courier) put(ctx context.Context, n signalbox.Notification) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	return c.Outbox.PutNotification(ctx, n)
}
