package alert

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed message, as the Standard Webhooks convention names them.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// Tolerance is how far a message's time may be from the receiver's clock, either way. It bounds how long a message that
// somebody has caught can be sent again.
const Tolerance = 5 * time.Minute

const (
	secretPrefix     = "whsec_"
	signatureVersion = "v1"
)

// The errors of [Verify].
var (
	ErrUnsigned  = errors.New("the message has no usable webhook-id, webhook-timestamp and webhook-signature")
	ErrTimestamp = errors.New("the message's time is too far from now")
	ErrSignature = errors.New("no signature of the message fits the secret")
	ErrSecret    = errors.New("the secret is empty, or is not base64 after whsec_")
)

// secretKey gives the key that a secret stands for.
func secretKey(secret string) ([]byte, error) {
	key := []byte(secret)
	if text, coded := strings.CutPrefix(secret, secretPrefix); coded {
		var err error
		if key, err = base64.StdEncoding.DecodeString(text); err != nil {
			return nil, ErrSecret // The cause could show a part of the secret.
		}
	}
	if len(key) == 0 {
		return nil, ErrSecret
	}
	return key, nil
}

// sign sets the headers of a message.
func sign(h http.Header, key []byte, id string, body []byte, now time.Time) {
	stamp := strconv.FormatInt(now.Unix(), 10)
	h.Set(HeaderID, id)
	h.Set(HeaderTimestamp, stamp)
	h.Set(HeaderSignature, signatureVersion+","+base64.StdEncoding.EncodeToString(mac(key, id, stamp, body)))
}

func mac(key []byte, id, stamp string, body []byte) []byte {
	m := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(m, "%s.%s.", id, stamp) // A hash takes everything.
	_, _ = m.Write(body)
	return m.Sum(nil)
}

// Verify tells a receiver whether a message was signed with the secret, and lately. Which id it has seen before is for
// the receiver to keep. Of several signatures, as there are while a secret is replaced, one that fits is enough.
func Verify(secret string, header http.Header, body []byte, now time.Time) error {
	key, err := secretKey(secret)
	if err != nil {
		return err
	}
	id, stamp := header.Get(HeaderID), header.Get(HeaderTimestamp)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if id == "" || strings.Contains(id, ".") || err != nil || header.Get(HeaderSignature) == "" {
		return ErrUnsigned
	}
	if age := now.Unix() - seconds; seconds < 0 || age > int64(Tolerance/time.Second) || age < -int64(Tolerance/time.Second) {
		return ErrTimestamp
	}
	want := mac(key, id, stamp, body)
	for _, signature := range strings.Fields(header.Get(HeaderSignature)) {
		version, text, _ := strings.Cut(signature, ",")
		got, err := base64.StdEncoding.DecodeString(text)
		if err == nil && version == signatureVersion && hmac.Equal(got, want) {
			return nil
		}
	}
	return ErrSignature
}
