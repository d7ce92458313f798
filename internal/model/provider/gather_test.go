package provider_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/model/provider"
)

// pieces is a body that arrives in exactly these reads.
type pieces []string

func (p *pieces) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	n := copy(b, (*p)[0])
	if (*p)[0] = (*p)[0][n:]; (*p)[0] == "" {
		*p = (*p)[1:]
	}
	return n, nil
}

func TestEventsThatArriveTogetherAreOnePart(t *testing.T) {
	begin, middle, end := openaiEvents[0], openaiEvents[1], strings.Join(openaiEvents[2:], "")
	tests := []struct {
		name  string
		reads pieces
		parts []string
		code  signalbox.Code // Of the error that ends it; "" where it is whole.
	}{
		{"one by one", pieces{begin, middle, middle, end}, []string{begin, middle, middle, end}, ""},
		{"three at once", pieces{begin, middle + middle + middle, end}, []string{begin, middle + middle + middle, end}, ""},
		{"half of the next one", pieces{begin, middle + middle[:9], middle[9:], end}, []string{begin, middle, middle, end}, ""},
		{"the end stays apart", pieces{begin + middle + middle + end}, []string{begin, middle + middle, end}, ""},
		{
			"what came before a fault is passed on",
			pieces{begin, middle + middle + "data: {bad\n\n"},
			[]string{begin, middle + middle},
			signalbox.CodeUpstream,
		},
		{"a break", pieces{begin, middle + middle}, []string{begin, middle + middle}, signalbox.CodeUpstream},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := formats[0]
			b := backend(t, f, "http://upstream.invalid", func(c *provider.Config) {
				c.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
					return &http.Response{
						StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}},
						Body: io.NopCloser(&test.reads),
					}, nil
				})
			})
			o := attempt(t.Context(), t, b, track(f, true), candidate(f))
			if !slices.Equal(o.parts, test.parts) {
				t.Errorf("got %d parts %q, want %q", len(o.parts), o.parts, test.parts)
			}
			if got := signalbox.CodeOf(o.broke); o.opened != nil || got != test.code || o.terminal != (test.code == "") {
				t.Errorf("opened with %v, broke with %v (%s), terminal %v; want %q", o.opened, o.broke, got, o.terminal, test.code)
			}
		})
	}
}
