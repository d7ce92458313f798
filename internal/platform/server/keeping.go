package server

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/observability/projection"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// Bounds of what is told of how the log is kept.
const (
	// ShownArchives is how many archives the status lists.
	ShownArchives = 100
	// CountSubjectsEvery is how long a count of all keys of data subjects is good for.
	CountSubjectsEvery = 10 * time.Second
)

// keeping knows what the log says of how it was kept: it reads each of those records once, where the projections say that
// they are.
type keeping struct {
	server *Server

	mu        sync.Mutex
	next      int64              // Records before it are read.
	destroyed map[string]int64   // By tenant, records whose content was destroyed.
	archives  []api.AuditArchive // Oldest first.
	subjects  api.AuditSubjects
	counted   time.Time // When subjects was counted.
}

func newKeeping(s *Server) *keeping { return &keeping{server: s, destroyed: map[string]int64{}} }

func (k *keeping) api() api.AuditKeeping {
	return api.AuditKeeping{Retention: k.retention, Archives: k.listed, SubjectKeys: k.subjectKeys}
}

// read catches up. The caller has the lock.
func (k *keeping) read(ctx context.Context) error {
	s := k.server
	progress, err := s.data.views.Progress(ctx)
	if err != nil {
		return err
	}
	keys := []string{projection.ActionKey(signalbox.ActionContentDestroyed), projection.ActionKey(signalbox.ActionLogArchived)}
	for e, err := range s.inBlocks(ctx, keys, k.next, progress.Cursor) {
		if err != nil {
			return err
		}
		if e.Type == signalbox.RecordAdmin {
			r, err := s.data.vault.Decode(e)
			if err != nil {
				return err
			}
			k.note(&r)
		}
		k.next = e.Index + 1
	}
	k.next = max(k.next, progress.Cursor)
	return nil
}

func (k *keeping) note(r *signalbox.Record) {
	d := r.What.Detail
	number := func(name string) int64 {
		n, err := strconv.ParseInt(d[name], 10, 64)
		if err != nil {
			return 0 // Signalbox itself has written them: there is nobody to tell.
		}
		return n
	}
	switch r.What.Action {
	case signalbox.ActionContentDestroyed:
		k.destroyed[d[audit.DestroyedTenant]] += number(audit.DestroyedRecords)
	case signalbox.ActionLogArchived:
		k.archives = append(k.archives, api.AuditArchive{
			First: number("first"), Last: number("last"), Time: r.Time, File: d["file"], SHA256: d["sha256"],
		})
		k.archives = k.archives[max(len(k.archives)-ShownArchives, 0):]
	}
}

// retention gives the rules of all tenants of the configuration, and after them those that have left it and of which
// something was destroyed.
func (k *keeping) retention(ctx context.Context) ([]api.AuditRetention, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.read(ctx); err != nil {
		return nil, err
	}
	c := k.server.runtimes.current().config
	var tenants []string
	for i := range c.Tenants {
		tenants = append(tenants, c.Tenants[i].ID)
	}
	for _, tenant := range slices.Sorted(maps.Keys(k.destroyed)) {
		if !slices.Contains(tenants, tenant) {
			tenants = append(tenants, tenant)
		}
	}
	list := []api.AuditRetention{}
	for _, tenant := range tenants {
		r := c.RetentionOf(tenant)
		list = append(list, api.AuditRetention{
			TenantID: tenant, Domain: string(r.Domain), MinDays: r.MinDays, ContentDays: r.ContentDays, Destroyed: k.destroyed[tenant],
		})
	}
	return list, nil
}

// listed gives the newest archives.
func (k *keeping) listed(ctx context.Context) ([]api.AuditArchive, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.read(ctx); err != nil {
		return nil, err
	}
	list := slices.Clone(k.archives)
	slices.Reverse(list)
	if list == nil {
		list = []api.AuditArchive{}
	}
	return list, nil
}

// subjectKeys counts at most every [CountSubjectsEvery]: it takes a look at all of them.
func (k *keeping) subjectKeys(ctx context.Context) (api.AuditSubjects, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.server.options.Now()
	if !k.counted.IsZero() && now.Sub(k.counted) < CountSubjectsEvery {
		return k.subjects, nil
	}
	open, destroyed, err := k.server.data.db.CountSubjectKeys(ctx)
	if err != nil {
		return api.AuditSubjects{}, err
	}
	k.subjects, k.counted = api.AuditSubjects{Open: open, Destroyed: destroyed}, now
	return k.subjects, nil
}
