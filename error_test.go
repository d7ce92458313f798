package signalbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

func TestAsError(t *testing.T) {
	ours := signalbox.Errorf(signalbox.CodeConflict, "taken").WithField("id").WithRemedy("choose another").
		WithCause(errors.New("row exists")).WithRetryAfter(time.Second)
	tests := []struct {
		name string
		err  error
		code signalbox.Code
	}{
		{"ours", ours, signalbox.CodeConflict},
		{"ours, wrapped", fmt.Errorf("store: %w", ours), signalbox.CodeConflict},
		{"foreign", errors.New("secret detail"), signalbox.CodeInternal},
		{"cancelled", fmt.Errorf("read: %w", context.Canceled), signalbox.CodeCancelled},
		{"deadline", context.DeadlineExceeded, signalbox.CodeTimeout},
		{"nil", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := signalbox.CodeOf(tt.err); got != tt.code {
				t.Fatalf("code %q, want %q", got, tt.code)
			}
			if tt.err == nil {
				return
			}
			if e := signalbox.AsError(tt.err); strings.Contains(e.Message, "secret detail") || !errors.Is(tt.err, e) && e.Cause == nil {
				t.Errorf("message %q, cause %v", e.Message, e.Cause)
			}
		})
	}
	if got := ours.Error(); got != "conflict: id: taken: row exists" || !errors.Is(ours, ours.Cause) {
		t.Errorf("text %q", got)
	}
}

func TestCodes(t *testing.T) {
	retryable := 0
	for _, c := range signalbox.Codes() {
		if c.Status() < 400 || c.Status() > 599 {
			t.Errorf("%s has status %d", c, c.Status())
		}
		if c.Retryable() {
			retryable++
		}
	}
	if len(signalbox.Codes()) != 19 || retryable != 4 || signalbox.Code("other").Status() != 500 {
		t.Errorf("%d codes, %d retryable", len(signalbox.Codes()), retryable)
	}
}

func TestIDs(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	a, b := signalbox.NewID(signalbox.CallPrefix, now), signalbox.NewID(signalbox.CallPrefix, now.Add(time.Millisecond))
	if a >= b || len(a) != len("call_")+26 || !signalbox.ValidID(a) {
		t.Errorf("%s and %s do not sort by time", a, b)
	}
	for _, bad := range []string{"", "a b", "é", "a\n", strings.Repeat("x", signalbox.MaxIDLength+1), "a\"b"} {
		if signalbox.ValidID(bad) {
			t.Errorf("%q counts as valid", bad)
		}
	}
	for _, role := range signalbox.Roles() {
		if !role.Valid() {
			t.Errorf("%s is not valid", role)
		}
	}
	if signalbox.Role("root").Valid() {
		t.Error("root is a valid role")
	}
}
