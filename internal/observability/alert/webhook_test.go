package alert

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox"
)

const secretText = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func hook(t *testing.T, url string, timeout time.Duration) *Webhook {
	t.Helper()
	w, err := NewWebhook(WebhookOptions{URL: url, Secret: secretText, Timeout: timeout, Headers: map[string]string{"X-Team": "ops", "webhook-id": "forged"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.CloseIdleConnections)
	return w
}

func receiver(t *testing.T, serve http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(serve)
	t.Cleanup(s.Close)
	return s
}

func TestAReceiverCanVerify(t *testing.T) {
	verified := errors.New("nothing came")
	var body []byte
	s := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		verified = Verify(secretText, r.Header, body, time.Now())
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Team") != "ops" || r.Header.Get(HeaderID) != "alert_1:ops" {
			t.Errorf("got %s %v", r.Method, r.Header)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	n := signalbox.Notification{ID: "alert_1:ops", Payload: []byte(`{"type":"cost_alert"}`)}
	if err := hook(t, s.URL, 0).Deliver(t.Context(), n); err != nil || verified != nil || string(body) != string(n.Payload) {
		t.Errorf("delivered: %v, verified: %v, %s", err, verified, body)
	}
}

func TestAnswersOfReceivers(t *testing.T) {
	elsewhere := receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
	done := make(chan struct{})
	slow := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-done:
		}
	})
	t.Cleanup(func() { close(done) })
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	status := func(code int, header ...string) string {
		return receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			_, _ = w.Write(make([]byte, min(code, 200)*1000))
		}).URL
	}
	tests := []struct {
		name       string
		url        string
		note       string // "" is success.
		permanent  bool
		retryAfter time.Duration
	}{
		{"taken", status(200), "", false, 0},
		{"accepted", status(202), "", false, 0},
		{"broken", status(500), "the receiver answered 500 Internal Server Error", false, 0},
		{"gone", status(410), "the receiver answered 410 Gone", true, 0},
		{"not found is tried again", status(404), "the receiver answered 404 Not Found", false, 0},
		{"redirect", status(307, "Location", elsewhere.URL), "the receiver answered with a redirect (307), which is not followed", false, 0},
		{"overloaded", status(429, "Retry-After", "120"), "the receiver answered 429 Too Many Requests", false, 2 * time.Minute},
		{"overloaded for a year", status(503, "Retry-After", "31536000"), "the receiver answered 503 Service Unavailable", false, RetryAfterCap},
		{"a status nobody knows", status(599), "the receiver answered 599", false, 0},
		{"slow", slow.URL, "the receiver did not answer in time", false, 0},
		{"down", down.URL, "connection refused", false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := hook(t, tt.url+"/?token=hidden", 300*time.Millisecond)
			err := w.Deliver(t.Context(), signalbox.Notification{ID: "n", Payload: []byte("{}")})
			if tt.note == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var d *DeliveryError
			if !errors.As(err, &d) {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(d.Note, tt.note) || d.Permanent != tt.permanent || d.RetryAfter != tt.retryAfter {
				t.Errorf("got %+v", d)
			}
			if strings.Contains(d.Note, "hidden") {
				t.Errorf("%q shows the URL", d.Note)
			}
		})
	}
}

func TestRetryAfterValues(t *testing.T) {
	now := midnight
	tests := []struct {
		value string
		want  time.Duration
	}{
		{"", 0},
		{"5", 5 * time.Second},
		{"-5", 0},
		{"soon", 0},
		{"99999999999999999999", 0},
		{now.Add(time.Minute).Format(http.TimeFormat), time.Minute},
		{now.Add(-time.Minute).Format(http.TimeFormat), 0},
		{now.Add(48 * time.Hour).Format(http.TimeFormat), RetryAfterCap},
	}
	for _, tt := range tests {
		t.Run(tt.value, func(t *testing.T) {
			if got := retryAfter(tt.value, now); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestWebhooksThatCanNotBe(t *testing.T) {
	tests := []struct{ name, url, secret, field string }{
		{"no URL", "", "plain secret", "url"},
		{"a path", "/hook", "plain secret", "url"},
		{"another scheme", "ftp://host/", "plain secret", "url"},
		{"not a URL", "http://[::1", "plain secret", "url"},
		{"no secret", "http://host/", "", "secret"},
		{"a secret that is not base64", "http://host/", "whsec_%%%", "secret"},
		{"an empty secret", "http://host/", "whsec_", "secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewWebhook(WebhookOptions{URL: tt.url, Secret: tt.secret})
			if e := signalbox.AsError(err); e.Code != signalbox.CodeInvalid || e.Field != tt.field || e.Remedy == "" {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestSignatureOfTheConvention checks a signature that was computed by other means, for the secret, id and time of the
// convention's own example.
func TestSignatureOfTheConvention(t *testing.T) {
	h := http.Header{}
	key, err := secretKey(secretText)
	if err != nil {
		t.Fatal(err)
	}
	sign(h, key, "msg_p5jXN8AQM9LWM0D4loKWxJek", []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0))
	if got := h.Get(HeaderSignature); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("the signature is %s", got)
	}
}

func signed(secret string) (http.Header, []byte) {
	h, body := http.Header{}, []byte(`{"type":"cost_alert"}`)
	key, _ := secretKey(secret)
	sign(h, key, "alert_1:ops", body, midnight)
	return h, body
}

func TestVerify(t *testing.T) {
	tests := []struct {
		name   string
		change func(h http.Header, body []byte)
		secret string
		late   time.Duration
		want   error
	}{
		{"as it was sent", nil, secretText, 0, nil},
		{"at the end of the tolerance", nil, secretText, Tolerance, nil},
		{"too late", nil, secretText, Tolerance + time.Second, ErrTimestamp},
		{"too early", nil, secretText, -Tolerance - time.Second, ErrTimestamp},
		{"another secret", nil, "something else", 0, ErrSignature},
		{"no secret", nil, "", 0, ErrSecret},
		{"another body", func(_ http.Header, b []byte) { b[2] = 'T' }, secretText, 0, ErrSignature},
		{"another id", func(h http.Header, _ []byte) { h.Set(HeaderID, "alert_2:ops") }, secretText, 0, ErrSignature},
		{"an id with a full stop", func(h http.Header, _ []byte) { h.Set(HeaderID, "a.b") }, secretText, 0, ErrUnsigned},
		{"no id", func(h http.Header, _ []byte) { h.Del(HeaderID) }, secretText, 0, ErrUnsigned},
		{"no time", func(h http.Header, _ []byte) { h.Del(HeaderTimestamp) }, secretText, 0, ErrUnsigned},
		{"no signature", func(h http.Header, _ []byte) { h.Del(HeaderSignature) }, secretText, 0, ErrUnsigned},
		{"another version", func(h http.Header, _ []byte) { h.Set(HeaderSignature, "v2"+h.Get(HeaderSignature)[2:]) }, secretText, 0, ErrSignature},
		{"a broken signature", func(h http.Header, _ []byte) { h.Set(HeaderSignature, "v1,%%%") }, secretText, 0, ErrSignature},
		{"a time long before", func(h http.Header, _ []byte) { h.Set(HeaderTimestamp, "-9223372036854775808") }, secretText, 0, ErrTimestamp},
		{"the second of two", func(h http.Header, _ []byte) { h.Set(HeaderSignature, "v1,AAAA "+h.Get(HeaderSignature)) }, secretText, 0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, body := signed(secretText)
			if tt.change != nil {
				tt.change(h, body)
			}
			if err := Verify(tt.secret, h, body, midnight.Add(tt.late)); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	plain, body := signed("a plain secret")
	if err := Verify("a plain secret", plain, body, midnight); err != nil {
		t.Errorf("with a plain secret: %v", err)
	}
}

// FuzzVerify looks for a message that is taken and was not signed so.
func FuzzVerify(f *testing.F) {
	h, body := signed(secretText)
	f.Add(h.Get(HeaderID), h.Get(HeaderTimestamp), h.Get(HeaderSignature), body)
	f.Add("a", "1", "v1,", []byte{})
	f.Add("a.1", "2", "v1,"+base64.StdEncoding.EncodeToString(make([]byte, 32)), []byte("x"))
	f.Fuzz(func(t *testing.T, id, stamp, signature string, b []byte) {
		got := http.Header{}
		got.Set(HeaderID, id)
		got.Set(HeaderTimestamp, stamp)
		got.Set(HeaderSignature, signature)
		if Verify(secretText, got, b, midnight) == nil && (id != h.Get(HeaderID) || stamp != h.Get(HeaderTimestamp) || string(b) != string(body)) {
			t.Errorf("taken: %q %q %q %q", id, stamp, signature, b)
		}
	})
}

// TestARealReceiverThatIsDownAndComesBack goes the whole way, with real time.
func TestARealReceiverThatIsDownAndComesBack(t *testing.T) {
	tries := make(chan string, 10)
	n := 0
	s := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		tries <- r.Header.Get(HeaderID)
		if n++; n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	o := newOutbox(message("alert_1:ops", "ops", time.Now()))
	c := NewCourier(CourierOptions{
		Outbox: o, Channels: func() map[string]Channel { return map[string]Channel{"ops": hook(t, s.URL, 0)} },
		Rand: func(int64) int64 { return 0 }, Poll: 10 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { c.Run(ctx); close(done) }()
	if a, b := <-tries, <-tries; a != b || a != "alert_1:ops" {
		t.Errorf("the tries have the ids %q and %q", a, b)
	}
	for o.get("alert_1:ops").Done.IsZero() {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
	if got := o.get("alert_1:ops"); got.Failed || got.Tries != 2 {
		t.Errorf("got %+v", got)
	}
}
