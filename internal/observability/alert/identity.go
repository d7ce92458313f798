package alert

import (
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
)

// IDPrefix begins the id of every alert.
const IDPrefix = "alert_"

// key is what a rule's alerts are about, as a digest: the same on all replicas.
type key [16]byte

var encoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// digest makes a key. Identifiers hold no zero bytes.
func digest(fields ...string) key {
	sum := sha256.Sum256([]byte(strings.Join(fields, "\x00")))
	return key(sum[:len(key{})])
}

// keyOf is the key of a rule and what it is about. A rule whose threshold was changed is another one: its alerts begin
// anew.
func keyOf(r *signalbox.AlertRule, o *Observation, m measured) key {
	subject, start := o.Tenant, ""
	switch {
	case m.single:
		subject = o.Call
	case r.Per == signalbox.AlertPerRun:
		subject = o.Run
	default:
		start = m.total.Start.UTC().Format(time.RFC3339)
	}
	return digest("rule", r.ID, strconv.FormatInt(int64(r.Threshold), 10), string(r.Per), o.Tenant, subject, start)
}

// gateOf is the key of what a cooldown holds back together: alerts of one rule about single calls of one run or, without
// a run, of one agent.
func gateOf(rule string, threshold signalbox.Money, tenant, run, agent string) key {
	if run != "" {
		agent = ""
	}
	return digest("gate", rule, strconv.FormatInt(int64(threshold), 10), tenant, run, agent)
}

// id is the id of the n-th alert about the key, counted from 0.
func (k key) id(n int) string {
	id := IDPrefix + encoding.EncodeToString(k[:])
	if n > 0 {
		id += "_" + strconv.Itoa(n)
	}
	return id
}

// parseID reads what id wrote; false for an id that is none of ours.
func parseID(id string) (k key, n int, ok bool) {
	text, number, repeated := strings.Cut(strings.TrimPrefix(id, IDPrefix), "_")
	b, err := encoding.DecodeString(text)
	if err != nil || len(b) != len(k) || !strings.HasPrefix(id, IDPrefix) {
		return key{}, 0, false
	}
	if repeated {
		if n, err = strconv.Atoi(number); err != nil || n < 1 {
			return key{}, 0, false
		}
	}
	return key(b), n, true
}
