package sqlite

import (
	"context"
	"sync"
)

// claims are kept in memory: the file's lock makes this the only process that has any, and they are not to outlive it.
// Nothing is written, so that claiming never waits for the log's writer nor the writer for a claim.
type claims struct {
	mu      sync.Mutex
	holders map[string]string // By name.
}

// Claim makes that only this holder has the name until [DB.Unclaim], or the end of the process; false where another
// one has it. Claiming again what one has is true, and one Unclaim ends it all the same. A context that has ended is an error
// and claims nothing. It is safe for concurrent use and does not wait.
func (d *DB) Claim(ctx context.Context, name, holder string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, explain("claim", err)
	}
	c := &d.claims
	c.mu.Lock()
	defer c.mu.Unlock()
	if other, taken := c.holders[name]; taken {
		return other == holder, nil
	}
	if c.holders == nil {
		c.holders = map[string]string{}
	}
	c.holders[name] = holder
	return true, nil
}

// Unclaim gives a name back, whatever has become of the context. It does nothing where this holder does not have it.
func (d *DB) Unclaim(_ context.Context, name, holder string) error {
	c := &d.claims
	c.mu.Lock()
	defer c.mu.Unlock()
	if other, taken := c.holders[name]; taken && other == holder {
		delete(c.holders, name)
	}
	return nil
}
