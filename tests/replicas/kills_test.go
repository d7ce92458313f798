package replicas

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/signalbox/signalbox/tests/fleet"
)

// defaultKills is the short form; SIGNALBOX_REPLICA_KILLS sets another number for the long one.
const defaultKills = 6

func kills(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SIGNALBOX_REPLICA_KILLS")
	if text == "" {
		return defaultKills
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SIGNALBOX_REPLICA_KILLS=%q is not a number of kills", text)
	}
	return n
}

// One replica after the other is killed under load and started again.
func TestKillsUnderLoad(t *testing.T) {
	f, p := launch(t)
	var l fleet.Load
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(ctx, f, 8, traffic)
	}()
	for range kills(t) {
		time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond)
		slot := rand.IntN(replicas)
		f.At(slot).Kill()
		f.Start(t, slot)
	}
	cancel()
	<-done
	check(t, f, &l, p.Count())
}
