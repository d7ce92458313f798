package people

import (
	"context"
	"crypto/rsa"
	"errors"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// Bounds of the keys of a provider.
const (
	KeysInterval = 5 * time.Second  // Between two fetches, whatever tokens are presented.
	KeysLife     = 10 * time.Minute // After which a key is looked for again: one that was withdrawn must not be good for ever.
	MaxKeys      = 64
	minRSA       = 2048 // Bits.
)

// Errors of a key set.
var (
	errNoKey     = errors.New("no key of the provider has made the signature")
	errKeysAreUp = errors.New("the provider's keys could not be fetched")
)

// keySet is the keys that a provider publishes. It is safe for concurrent use.
type keySet struct {
	url   string
	fetch func(ctx context.Context, url, bearer string) ([]byte, error)
	now   func() time.Time
	turn  chan struct{}

	mu    sync.Mutex
	keys  []jose.JSONWebKey
	at    time.Time // When they were fetched; zero before the first time.
	tried time.Time
	err   error // Of the last try.
}

func newKeySet(url string, fetch func(context.Context, string, string) ([]byte, error), now func() time.Time) *keySet {
	return &keySet{url: url, fetch: fetch, now: now, turn: make(chan struct{}, 1)}
}

// verify gives the payload of a signature that one of the keys has made. The error is errNoKey, errKeysAreUp, or that of
// the context.
func (k *keySet) verify(ctx context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	k.mu.Lock()
	keys, fresh := k.keys, !k.at.IsZero() && k.now().Sub(k.at) < KeysLife
	k.mu.Unlock()
	if fresh {
		if payload, ok := verifiedBy(keys, jws); ok {
			return payload, nil
		}
	}
	// Nobody's key: the provider may have a new one since.
	keys, failed := k.refetch(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if payload, ok := verifiedBy(keys, jws); ok { // With old ones too, as long as there are no newer.
		return payload, nil
	}
	if failed != nil {
		return nil, errors.Join(errKeysAreUp, failed)
	}
	return nil, errNoKey
}

// refetch gives the keys that are there now, and asks for them unless that was done just before. The error is that of the
// last question; the keys are then those known before.
func (k *keySet) refetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	k.mu.Lock()
	now := k.now()
	if !k.tried.IsZero() && now.Sub(k.tried) < KeysInterval {
		defer k.mu.Unlock()
		return k.keys, k.err
	}
	k.tried = now
	k.mu.Unlock()
	body, err := k.fetch(context.WithoutCancel(ctx), k.url, "")
	var keys []jose.JSONWebKey
	if err == nil {
		keys, err = parseKeys(body)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err = err; err == nil {
		k.keys, k.at = keys, now
	}
	return k.keys, k.err
}

// parseKeys reads a key set and leaves out what no token may be signed with.
func parseKeys(body []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.Value `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, err
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(raw); err != nil || !usable(key) {
			continue // Of a kind that is not known here; the provider may have others.
		}
		if keys = append(keys, key); len(keys) == MaxKeys {
			break
		}
	}
	return keys, nil
}

func usable(key jose.JSONWebKey) bool {
	if r, ok := key.Key.(*rsa.PublicKey); ok && r.N.BitLen() < minRSA {
		return false
	}
	return key.Valid() && key.IsPublic() && (key.Use == "" || key.Use == "sig")
}

// verifiedBy gives the payload if one of the keys has signed it.
func verifiedBy(keys []jose.JSONWebKey, jws *jose.JSONWebSignature) ([]byte, bool) {
	head := jws.Signatures[0].Header
	for _, key := range keys {
		if head.KeyID != "" && key.KeyID != head.KeyID || key.Algorithm != "" && key.Algorithm != head.Algorithm {
			continue
		}
		if payload, err := jws.Verify(key.Key); err == nil {
			return payload, true
		}
	}
	return nil, false
}
