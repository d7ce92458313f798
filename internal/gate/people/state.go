package people

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"sync"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
)

// Bounds of logins under way.
const (
	LoginLife = 10 * time.Minute // Between the two ends of a login.
	MaxSpent  = 4096             // Logins that are remembered as used up; of more, those that end first are forgotten.
	maxState  = 4096             // Bytes of the cookie.
)

// state is what the second end of a login needs of the first. The browser keeps it, and can not read it.
type state struct {
	State    string    `json:"state"` // Comes back in the address; the browser that brings it must be the one that began.
	Nonce    string    `json:"nonce"` // Comes back in the id token.
	Verifier string    `json:"verifier"`
	To       string    `json:"to"` // The path that the browser is sent to in the end.
	Begun    time.Time `json:"begun"`
}

func newSeal(key [32]byte) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // Only for a key of another length.
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // Only for a block of another length.
	}
	return seal
}

// context keeps what is sealed here from being taken for anything else, or for another provider's.
func sealContext(provider string) []byte { return []byte("signalbox login " + provider) }

// sealed gives the value of the cookie.
func (p *People) sealed(provider string, s state) (string, error) {
	plain, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, p.seal.NonceSize())
	rand.Read(nonce) // It never fails.
	return base64.RawURLEncoding.EncodeToString(p.seal.Seal(nonce, nonce, plain, sealContext(provider))), nil
}

// unsealed reads the value of a cookie; false for one that this key has not sealed for that provider, or long ago.
func (p *People) unsealed(provider, value string) (state, bool) {
	if len(value) > maxState {
		return state{}, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(value)
	size := p.seal.NonceSize()
	if err != nil || len(raw) < size {
		return state{}, false
	}
	plain, err := p.seal.Open(nil, raw[:size], raw[size:], sealContext(provider))
	if err != nil {
		return state{}, false
	}
	var s state
	if err := json.Unmarshal(plain, &s); err != nil {
		return state{}, false
	}
	age := p.o.Now().Sub(s.Begun)
	return s, age >= -Skew && age < LoginLife // Another replica may have begun it.
}

// spent remembers which logins were used up, as far as this process has seen them. The provider takes a code once; this
// makes that certain for the browser's side too.
type spent struct {
	mu   sync.Mutex
	list map[string]time.Time // When each may be forgotten.
}

// use reports whether a login is used for the first time.
func (s *spent) use(id string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if until, ok := s.list[id]; ok && now.Before(until) {
		return false
	}
	if len(s.list) >= MaxSpent {
		s.makeRoom(now)
	}
	s.list[id] = now.Add(LoginLife + Skew)
	return true
}

func (s *spent) makeRoom(now time.Time) {
	first := ""
	for id, until := range s.list {
		if !now.Before(until) {
			delete(s.list, id)
			continue
		}
		if first == "" || until.Before(s.list[first]) {
			first = id
		}
	}
	if len(s.list) >= MaxSpent {
		delete(s.list, first)
	}
}
