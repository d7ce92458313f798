package alert

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// Limits of webhooks.
const (
	// DefaultWebhookTimeout bounds one request, from the connection to the end of the answer.
	DefaultWebhookTimeout = 10 * time.Second
	maxAnswerBytes        = 4 << 10 // Read of an answer, so that its connection can be used again.
	maxAnswerHead         = 64 << 10
	idleLife              = 30 * time.Second
)

// WebhookOptions configure a webhook. URL and Secret are required.
type WebhookOptions struct {
	URL     string
	Secret  string            // "whsec_" and base64, or any other text, which is taken as it is.
	Headers map[string]string // Sent besides; those of the signature and the content type win.
	Timeout time.Duration     // 0 is [DefaultWebhookTimeout].
	Now     func() time.Time  // Nil: the machine's clock.
}

// Webhook sends notifications as signed POSTs. It follows no redirects: they would carry a signed message to another
// place than the one configured.
type Webhook struct {
	options WebhookOptions
	key     []byte
	client  *http.Client
}

// NewWebhook makes a webhook; it fails with code invalid and the field url or secret.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// The URL is not shown: it can hold a secret.
		return nil, signalbox.Errorf(signalbox.CodeInvalid, "a webhook needs an absolute http or https URL").WithField("url").
			WithRemedy("Write it as https://host/path.")
	}
	key, err := secretKey(o.Secret)
	if err != nil {
		return nil, signalbox.Errorf(signalbox.CodeInvalid, "%v", err).WithField("secret").
			WithRemedy("Give the secret that the receiver verifies signatures with, whsec_… or plain text.")
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultWebhookTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Webhook{options: o, key: key, client: newClient(o.Timeout)}, nil
}

func newClient(timeout time.Duration) *http.Client {
	dialer := &net.Dialer{Timeout: timeout}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: timeout,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true, DisableCompression: true,
			MaxIdleConnsPerHost: PerChannel, IdleConnTimeout: idleLife, MaxResponseHeaderBytes: maxAnswerHead,
		},
	}
}

// Deliver posts the payload once. Any 2xx is done, 410 says that nobody will ever want it, everything else is to be tried
// again.
func (w *Webhook) Deliver(ctx context.Context, n signalbox.Notification) error {
	ctx, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.options.URL, bytes.NewReader(n.Payload))
	if err != nil {
		return noteOf(err)
	}
	req.Header.Set("User-Agent", "Signalbox")
	for name, value := range w.options.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/json")
	sign(req.Header, w.key, n.ID, n.Payload, w.options.Now())
	res, err := w.client.Do(req)
	if err != nil {
		return noteOf(err)
	}
	defer res.Body.Close()
	// What the receiver says besides its status is not looked at; a body that breaks changes nothing.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswerBytes))
	return verdictOf(res, w.options.Now())
}

// CloseIdleConnections closes the connections that are not in use.
func (w *Webhook) CloseIdleConnections() { w.client.CloseIdleConnections() }

// noteOf gives an error without the URL, which can hold a secret.
func noteOf(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &DeliveryError{Note: "the receiver did not answer in time"}
	}
	return &DeliveryError{Note: err.Error()}
}

// verdictOf reads a status.
func verdictOf(res *http.Response, now time.Time) error {
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return nil
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return &DeliveryError{Note: fmt.Sprintf("the receiver answered with a redirect (%d), which is not followed", res.StatusCode)}
	}
	return &DeliveryError{
		Note:       strings.TrimSpace(fmt.Sprintf("the receiver answered %d %s", res.StatusCode, http.StatusText(res.StatusCode))),
		Permanent:  res.StatusCode == http.StatusGone,
		RetryAfter: retryAfter(res.Header.Get("Retry-After"), now),
	}
}

// retryAfter reads the header: seconds, or a date; 0 for anything else.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(RetryAfterCap/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), RetryAfterCap)
	}
	return 0
}
