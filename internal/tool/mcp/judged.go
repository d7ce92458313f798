package mcp

import (
	"crypto/sha256"
	"strconv"
	"sync"
	"time"
)

// Bounds of what is remembered of questions that servers ask in tasks.
const (
	MaxJudged = 10_000           // Questions.
	JudgedFor = 15 * time.Minute // How long one that was permitted is not judged again.
)

// judged are the questions of servers in tasks that were permitted a while ago. A task that waits for its caller asks the
// same each time that somebody looks at it, and that would be a record each time. Another process judges for itself.
type judged struct {
	mu    sync.Mutex
	until map[[sha256.Size]byte]time.Time
}

// recently reports whether the question was permitted a while ago.
func (j *judged) recently(task string, q question, now time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return now.Before(j.until[hashOf(task, q)])
}

// note notes that the question was permitted.
func (j *judged) note(task string, q question, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.until == nil {
		j.until = map[[sha256.Size]byte]time.Time{}
	}
	if len(j.until) >= MaxJudged {
		for hash, until := range j.until {
			if !now.Before(until) {
				delete(j.until, hash)
			}
		}
	}
	if len(j.until) < MaxJudged {
		j.until[hashOf(task, q)] = now.Add(JudgedFor)
	}
}

func hashOf(task string, q question) [sha256.Size]byte {
	var b []byte
	for _, part := range []string{task, q.key, q.method, string(q.params)} {
		b = append(append(strconv.AppendInt(b, int64(len(part)), 10), ':'), part...)
	}
	return sha256.Sum256(b)
}
