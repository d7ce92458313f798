package postgres

import (
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
)

// What people decide costs a commit a statement of its own and those of its topic; no other commit costs more for it.
func TestStatementsOfEffects(t *testing.T) {
	for name, c := range map[string]struct {
		effects    []signalbox.Effect
		topics     []string
		statements int
		post       bool
	}{
		"none":     {},
		"a post":   {effects: []signalbox.Effect{signalbox.Post{}}, post: true},
		"approval": {effects: []signalbox.Effect{signalbox.PutApproval{}}, topics: []string{TopicApprovals}, statements: 1},
		"approval and post": {
			effects: []signalbox.Effect{signalbox.PutApproval{}, signalbox.Post{}}, topics: []string{TopicApprovals}, statements: 1,
			post: true,
		},
		"grant":  {effects: []signalbox.Effect{signalbox.PutGrant{}}, topics: []string{TopicGrants}, statements: 1},
		"policy": {effects: []signalbox.Effect{signalbox.PutPolicyVersion{}}, statements: 1},
		"pins":   {effects: []signalbox.Effect{signalbox.PutPins{Pins: make([]signalbox.Pin, 3)}}, topics: []string{TopicPins}, statements: 1},
		"idempotency": {
			effects: []signalbox.Effect{signalbox.PutIdempotency{}, signalbox.DropIdempotency{}}, statements: 2,
		},
		"incident": {effects: []signalbox.Effect{signalbox.PutIncident{}}, statements: 1},
		"sessions": {
			effects: []signalbox.Effect{signalbox.PutSession{}, signalbox.EndSession{}}, topics: []string{TopicSessions}, statements: 3,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, entries := &pgx.Batch{}, []signalbox.Entry{{Time: time.Now(), Effects: c.effects}}
			topics, err := effects(b, entries)
			if err != nil || b.Len() != c.statements || !slices.Equal(topics, c.topics) || hasPost(entries) != c.post {
				t.Errorf("%d statements, topics %v, post %v (%v)", b.Len(), topics, hasPost(entries), err)
			}
		})
	}
}
