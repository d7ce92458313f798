package upstream

import (
	"context"
	"time"
)

// MinListTTL is how long a list that a caller asks for is kept at least, also where its server says that nobody should: who
// asks again and again makes us read it once a second.
const MinListTTL = time.Second

// freshness is what a list knows of its age.
type freshness struct {
	says time.Duration // For how long its server says that it counts; 0: not at all.
	read time.Time     // When we had all of it.
}

// aged is a list that knows its age.
type aged[T any] interface {
	*T
	freshness() *freshness
}

func (l *ToolList) freshness() *freshness  { return &l.age }
func (l *EntryList) freshness() *freshness { return &l.age }

// Fresh is how long a caller who is given the list now may keep it: no longer than its server says, nor than we believe it.
func (u *Server) Fresh(l interface{ freshness() *freshness }) time.Duration {
	age := l.freshness()
	return max(0, min(u.ListTTL, age.says)-u.now().Sub(age.read))
}

// listing is how a caller asks for lists.
type listing struct {
	fresh bool          // Not older than their servers allow.
	wait  time.Duration // For one of them; 0 is as long as it takes.
}

type listingKey struct{}

// ForCaller is the context of a caller who asks for lists themselves. They are not older than their servers allow, or than
// [MinListTTL], while what a call needs of them is believed for ListTTL. And none is waited for longer than the time given
// (0: as long as it takes). Where the last list of a server has failed, that time counts from when it was asked: one that hangs
// holds up those who come first, and not everybody who comes while it hangs.
func ForCaller(ctx context.Context, wait time.Duration) context.Context {
	return context.WithValue(ctx, listingKey{}, listing{fresh: true, wait: wait})
}

func listingOf(ctx context.Context) listing {
	l, _ := ctx.Value(listingKey{}).(listing)
	return l
}

// believes is how old a list may be that we believe for so long, and its server for so long.
func (l listing) believes(ours, says time.Duration) time.Duration {
	if !l.fresh {
		return ours
	}
	return min(ours, max(says, MinListTTL))
}

// waits bounds the time for a list for which so much of it is over already.
func (l listing) waits(ctx context.Context, already time.Duration) (context.Context, context.CancelFunc) {
	if l.wait == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, l.wait-already)
}
