package alert

import (
	"errors"
	"time"
	"unicode/utf8"

	"github.com/signalbox/signalbox"
)

// The schedule of tries: exponential, each delay random between nothing and its upper bound, so that receivers that come
// back are not met by everything at once.
const (
	RetryBase     = 10 * time.Second // The upper bound of the first delay; it doubles with each try.
	RetryCap      = 2 * time.Hour    // The most an upper bound grows to.
	RetryLeast    = time.Second      // No delay is shorter.
	RetryAfterCap = time.Hour        // The most that a receiver's Retry-After is heeded.
	GiveUpAfter   = 24 * time.Hour   // After the notification was made, one last try.
	MaxTries      = 64               // Never more.
	maxNote       = 300              // Bytes of the note that is kept.
)

// Advance gives the notification after a try that ended with err (nil: it was taken) at now. It is pure but for rand,
// which gives a number in [0, n).
func Advance(n signalbox.Notification, err error, now time.Time, rand func(n int64) int64) signalbox.Notification {
	now = now.UTC()
	n.Tries++
	if err == nil {
		n.Done, n.Next, n.LastNote = now, time.Time{}, "taken"
		return n
	}
	var d *DeliveryError
	if !errors.As(err, &d) {
		d = &DeliveryError{Note: err.Error()}
	}
	n.LastNote = cut(d.Note)
	end := n.Created.Add(GiveUpAfter)
	if d.Permanent || n.Tries >= MaxTries || !now.Before(end) {
		n.Done, n.Next, n.Failed = now, time.Time{}, true
		return n
	}
	n.Next = now.Add(delay(n.Tries, d.RetryAfter, rand))
	if n.Next.After(end) {
		n.Next = end.UTC()
	}
	return n
}

// delay is how long to wait after so many tries.
func delay(tries int, retryAfter time.Duration, rand func(int64) int64) time.Duration {
	upper := RetryCap
	if shift := tries - 1; shift < 10 { // Beyond that the doubled base is above the cap.
		upper = min(RetryCap, RetryBase<<shift)
	}
	return max(RetryLeast, time.Duration(rand(int64(upper)+1)), min(retryAfter, RetryAfterCap))
}

// cut bounds a note.
func cut(s string) string {
	if len(s) <= maxNote {
		return s
	}
	s = s[:maxNote]
	for s != "" && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
