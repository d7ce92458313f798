package postgres

import (
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/signalbox/signalbox"
)

// The topics of [DB.Watch]: what replicas keep in memory and others change.
const (
	TopicKeys          = "keys"          // Keys were created or revoked.
	TopicBrakes        = "brakes"        // Brakes were set or lifted.
	TopicRuns          = "runs"          // Runs were opened, halted, resumed, ended.
	TopicAccounts      = "accounts"      // Accounts were closed or opened again.
	TopicNotifications = "notifications" // Notifications wait to be delivered.
	TopicSubjects      = "subjects"      // Keys of data subjects were destroyed.
	TopicApprovals     = "approvals"     // Approvals were asked for, voted on, decided, used.
	TopicTasks         = "tasks"         // Tasks whose calls are under way are not wanted any more.
	TopicGrants        = "grants"        // Break-glass grants were given, ended, reviewed.
	TopicSessions      = "sessions"      // Sessions of people were opened or ended.
	TopicPins          = "pins"          // Tools were pinned, held, accepted, rejected.
	TopicLedger        = "ledger"        // Another replica needs room in an account, which is the payload; "" is any account.
)

// topicChannel carries the names of topics, ledgerChannel the texts of accounts.
const (
	topicChannel  = "signalbox_topic"
	ledgerChannel = "signalbox_ledger"
)

// effects queues the effects that this part of the package stores, and gives the topics that all of them change, sorted.
func effects(b *pgx.Batch, entries []signalbox.Entry) (topics []string, err error) {
	for i := range entries {
		e := &entries[i]
		for _, effect := range e.Effects {
			if err := queueEffect(b, e, effect); err != nil {
				return nil, err
			}
			topics = append(topics, topicsOf(effect)...)
		}
	}
	slices.Sort(topics)
	return slices.Compact(topics), nil
}

func queueEffect(b *pgx.Batch, entry *signalbox.Entry, effect signalbox.Effect) error {
	switch e := effect.(type) {
	case signalbox.PutKey:
		return putKey(b, e.Key)
	case signalbox.RevokeKey:
		b.Queue(revokeKey, e.ID, e.At.UnixMicro())
	case signalbox.PutSubjectKey:
		putSubjectKey(b, e.Key)
	case signalbox.DestroySubject:
		destroySubjectKeys(b, e)
	case signalbox.RewrapSubjectKey:
		b.Queue(rewrapKey, e.ID, e.Wrapped, e.Master)
	case signalbox.DestroyContent:
		destroyContent(b, entry, e)
	case signalbox.Post, signalbox.OpenAccount, signalbox.PutRun, signalbox.PutAlert, signalbox.LiftBrake: // Stored by post.
	default:
		if isDecision(effect) {
			return queueDecision(b, effect)
		}
		return fmt.Errorf("the store does not know the effect %T", effect)
	}
	return nil
}

func topicsOf(effect signalbox.Effect) []string {
	switch e := effect.(type) {
	case signalbox.PutKey, signalbox.RevokeKey:
		return []string{TopicKeys}
	case signalbox.DestroySubject:
		return []string{TopicSubjects}
	case signalbox.OpenAccount:
		return []string{TopicAccounts}
	case signalbox.Post:
		if slices.ContainsFunc(e.Entries, func(l signalbox.LedgerEntry) bool { return l.Closed }) {
			return []string{TopicAccounts}
		}
	case signalbox.PutRun:
		return []string{TopicRuns}
	case signalbox.LiftBrake:
		return []string{TopicBrakes}
	case signalbox.PutAlert:
		return alertTopics(e)
	}
	return decisionTopics(effect)
}

func alertTopics(e signalbox.PutAlert) (topics []string) {
	if e.Brake != nil {
		topics = append(topics, TopicBrakes)
	}
	if len(e.Notifications) > 0 {
		topics = append(topics, TopicNotifications)
	}
	return topics
}

const (
	bumpTopics = "INSERT INTO versions (topic, n) SELECT t, 1 FROM unnest($1::text[]) t " +
		"ON CONFLICT (topic) DO UPDATE SET n = versions.n + 1"
	notifyTopics = "SELECT pg_notify('" + topicChannel + "', t) FROM unnest($1::text[]) t"
)

// bump queues that topics have changed. Transactions that notify commit one after the other over the whole server, so
// that what changes often is found out by asking.
func bump(b *pgx.Batch, topics []string) {
	if len(topics) == 0 {
		return
	}
	b.Queue(bumpTopics, topics)
	if rare := slices.DeleteFunc(slices.Clone(topics), func(t string) bool { return t == TopicRuns }); len(rare) > 0 {
		b.Queue(notifyTopics, rare)
	}
}

// hasPost reports whether any entry has an effect that is stored by post.
func hasPost(entries []signalbox.Entry) bool {
	for i := range entries {
		for _, effect := range entries[i].Effects {
			switch effect.(type) {
			case signalbox.PutKey, signalbox.RevokeKey, signalbox.PutSubjectKey, signalbox.DestroySubject, signalbox.RewrapSubjectKey, signalbox.DestroyContent:
			default:
				if !isDecision(effect) {
					return true
				}
			}
		}
	}
	return false
}
