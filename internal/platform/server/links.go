package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/signalbox/signalbox"
)

// linkPath begins the page on which somebody decides without scripts.
const linkPath = "/decide/"

// links sign the addresses by which whoever reads a channel can decide: the key is derived from the master key, so that
// each replica knows the links of all.
type links struct{ key []byte }

// of gives the address of the page of an approval for a channel.
func (l links) of(a signalbox.Approval, channel, base string) string {
	return base + linkPath + a.ID + "?token=" + l.token(a.ID, channel)
}

// token names the channel and proves that we have sent it: "channel.signature". It is good as long as the approval is
// pending, and for one verdict, since a channel votes once.
func (l links) token(id, channel string) string {
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte("decide\n" + id + "\n" + channel))
	return base64.RawURLEncoding.EncodeToString([]byte(channel)) + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// channel gives the channel of a token; false for a token that we have not made for this approval.
func (l links) channel(id, token string) (string, bool) {
	name, _, _ := strings.Cut(token, ".")
	channel, err := base64.RawURLEncoding.DecodeString(name)
	if err != nil || !hmac.Equal([]byte(l.token(id, string(channel))), []byte(token)) {
		return "", false
	}
	return string(channel), true
}
