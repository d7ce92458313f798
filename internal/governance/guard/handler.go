package guard

import (
	"context"
	"fmt"
	"log/slog"
)

// Handler is a [slog.Handler] that masks messages and attributes before the next one writes them. Numbers, booleans,
// times and durations pass as they are; anything else is masked as the text that it prints as. The value of an attribute
// whose key names a secret is hidden whatever it is.
type Handler struct {
	next slog.Handler
	mask *Masker
}

// NewHandler wraps the handler that writes.
func NewHandler(next slog.Handler) *Handler { return &Handler{next: next, mask: New()} }

// Enabled asks the next handler.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle masks the record and hands it on.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	masked := slog.NewRecord(r.Time, r.Level, h.mask.Mask(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		masked.AddAttrs(h.attr(a))
		return true
	})
	return h.next.Handle(ctx, masked)
}

// WithAttrs masks the attributes once.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{next: h.next.WithAttrs(h.attrs(attrs)), mask: h.mask}
}

// WithGroup hands the group on.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{next: h.next.WithGroup(name), mask: h.mask}
}

func (h *Handler) attrs(attrs []slog.Attr) []slog.Attr {
	masked := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		masked[i] = h.attr(a)
	}
	return masked
}

func (h *Handler) attr(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	if namesSecret(a.Key) {
		return slog.String(a.Key, tagSecret)
	}
	switch v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, h.mask.Mask(v.String()))
	case slog.KindGroup:
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(h.attrs(v.Group())...)}
	case slog.KindAny:
		if v.Any() == nil {
			return a
		}
		return slog.String(a.Key, h.mask.Mask(fmt.Sprint(v.Any())))
	default:
		return slog.Attr{Key: a.Key, Value: v}
	}
}

// namesSecret reports whether a key is one of the names whose value is a secret whatever it looks like.
func namesSecret(key string) bool {
	name := appendPlain(nil, key)
	return len(name) > 0 && (strongNames.endOf(name) || headerNames.endOf(name))
}

// headerNames are headers that hold nothing but a secret.
var headerNames = newNames([]string{"authorization", "cookie"})
