package server

import (
	"context"
	"encoding/hex"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/observability/projection"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

// Bounds of work on data subjects.
const (
	blocksPage   = 256              // Blocks of records that are looked up at once.
	purgeTimeout = 10 * time.Second // How long an erasure waits for projections and files.
	purgePause   = 50 * time.Millisecond
	day          = 24 * time.Hour
)

// The members of the detail of an erasure besides [projection.DetailTenant] and [projection.DetailSubject].
const (
	detailKeys    = "keys_destroyed"
	detailReason  = "reason"
	detailExpire  = "backups_expire"
	detailByKey   = "by_key"
	detailByRole  = "by_role"
	detailOpen    = "keys_open"
	detailErased  = "keys_erased"
	shortestNamed = 3 // A name shorter than this is looked for in a reason as a whole word only, and mostly is one.
)

// subjectStore is what is needed of the log besides.
type subjectStore interface {
	// Page gives up to limit entries with an index ≥ from, in order.
	Page(ctx context.Context, from int64, limit int) ([]signalbox.Entry, error)
	// Sweep makes that files hold nothing any more that was removed before, as far as the store can.
	Sweep(ctx context.Context) error
}

// subjects gives the control API what can be done about people in the log. One erasure at a time: how many keys it
// destroys is counted before.
type subjects struct {
	*Server
	mu sync.Mutex
}

// Erase destroys the keys of a subject, and what is projected from what they sealed.
func (x *subjects) Erase(ctx context.Context, by signalbox.Caller, tenant, subject, reason string) (api.Erasure, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := nameless(reason, subject); err != nil {
		return api.Erasure{}, err
	}
	keys, hash, err := x.keysOf(ctx, tenant, subject)
	if err != nil {
		return api.Erasure{}, err
	}
	out := api.Erasure{Tenant: tenant, SubjectHash: hex.EncodeToString(hash[:]), APIKeys: x.keysNaming(tenant, subject)}
	now := x.data.now().UTC().Truncate(time.Microsecond)
	out.KeysDestroyed = openKeys(keys)
	if out.ErasedAt = lastGone(keys); out.KeysDestroyed > 0 {
		out.ErasedAt = now
	}
	out.BackupsExpire = x.backupsExpire(out.ErasedAt)
	if out.KeysDestroyed > 0 {
		_, err := x.data.writer.Append(ctx, x.erasure(by, subject, &out, reason), signalbox.DestroySubject{
			Tenant: tenant, Subject: hash, At: now,
		})
		if err != nil {
			return api.Erasure{}, err
		}
	}
	x.data.vault.Forget(tenant, hash)
	return x.finish(ctx, out, hash)
}

// finish waits until nothing of the subject is left in projections and files. The keys are destroyed, which it does not
// undo: what could not be finished is told, and done by erasing once more.
func (x *subjects) finish(ctx context.Context, out api.Erasure, hash [32]byte) (api.Erasure, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), purgeTimeout)
	defer cancel()
	out.Record = x.projected(ctx, hash, out.ErasedAt)
	err := x.data.db.Sweep(ctx)
	out.Complete = out.Record != nil && err == nil
	if err != nil {
		x.options.Logger.WarnContext(ctx, "files may still hold what was erased, until they are written over", "error", err)
	}
	switch {
	case !out.Complete:
		out.Message = "The keys are destroyed; lists or files may still hold something of the subject. Erase once more in a minute."
	case out.KeysDestroyed == 0:
		out.Message = "Nothing was left: the subject was erased before."
	default:
		out.Message = "The keys are destroyed, and with them all that they sealed."
	}
	return out, nil
}

// projected waits until the erasure of that time is projected, and gives the index of its record.
func (x *subjects) projected(ctx context.Context, hash [32]byte, at time.Time) *int64 {
	for {
		evidence, err := x.evidence(ctx, hash)
		for _, e := range evidence {
			if e.Time.Equal(at) {
				return &e.Index
			}
		}
		if err != nil && ctx.Err() == nil {
			x.options.Logger.DebugContext(ctx, "the evidence of an erasure could not be read yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(purgePause):
		}
	}
}

// erasure is the record. The subject's name is nowhere in it: neither as the one who asks.
func (x *subjects) erasure(by signalbox.Caller, subject string, out *api.Erasure, reason string) signalbox.Record {
	r := x.subjectRecord(by, signalbox.ActionErasure, out.ErasedAt, out.Tenant, out.SubjectHash)
	if r.Who.UserID == subject {
		r.Who.UserID = ""
	}
	r.What.Detail[detailKeys], r.What.Detail[detailReason] = strconv.Itoa(out.KeysDestroyed), reason
	r.What.Detail[detailExpire] = out.BackupsExpire
	return r
}

func (x *subjects) subjectRecord(by signalbox.Caller, action string, now time.Time, tenant, hash string) signalbox.Record {
	return signalbox.Record{
		Type: signalbox.RecordAdmin, Time: now, When: signalbox.When{Timestamp: now},
		Who: by.Who(by.Tenant),
		What: signalbox.What{Action: action, Detail: map[string]string{
			projection.DetailTenant: tenant, projection.DetailSubject: hash, detailByKey: by.Key, detailByRole: string(by.Role),
		}},
		Context: signalbox.Context{Replica: x.data.replica},
	}
}

// nameless refuses a reason that names the subject: the record stays, in the clear.
func nameless(reason, subject string) error {
	text, name := strings.ToLower(reason), strings.ToLower(subject)
	named := strings.Contains(text, name)
	if len(name) < shortestNamed {
		named = slices.Contains(strings.Fields(text), name)
	}
	if !named {
		return nil
	}
	return signalbox.Errorf(signalbox.CodeInvalid, "The reason names the subject.").WithField("reason").
		WithRemedy("Give the number of the request, or what it is based on: the reason stays in the log for ever.")
}

// keysOf gives the keys of a subject, destroyed ones too, and by what the log knows it.
func (x *subjects) keysOf(ctx context.Context, tenant, subject string) ([]signalbox.SubjectKey, [32]byte, error) {
	if !slices.Contains(x.tenants(), tenant) {
		return nil, [32]byte{}, signalbox.Errorf(signalbox.CodeNotFound, "There is no tenant %s.", tenant).WithField("tenant").
			WithRemedy("Name a tenant of the configuration.")
	}
	hash := x.data.vault.Subject(tenant, subject)
	keys, err := x.data.db.SubjectKeysOf(ctx, tenant, hash)
	if err == nil && len(keys) == 0 {
		err = signalbox.Errorf(signalbox.CodeNotFound, "Nothing was ever recorded about that subject.").WithField("subject").
			WithRemedy("Check the name, which is that of X-Signalbox-Subject or of the user, and the tenant; both are case-sensitive.")
	}
	return keys, hash, err
}

func openKeys(keys []signalbox.SubjectKey) (n int) {
	for _, k := range keys {
		if k.Gone.IsZero() {
			n++
		}
	}
	return n
}

func lastGone(keys []signalbox.SubjectKey) (last time.Time) {
	for _, k := range keys {
		if k.Gone.After(last) {
			last = k.Gone
		}
	}
	return last
}

// keysNaming gives the API keys that hold the subject's name.
func (x *subjects) keysNaming(tenant, subject string) []string {
	ids := []string{}
	for _, k := range x.keys.ring.List() {
		if k.Tenant == tenant && k.User == subject {
			ids = append(ids, k.ID)
		}
	}
	return ids
}

// backupsExpire is the day when a backup that was made on that day has expired.
func (x *subjects) backupsExpire(at time.Time) string {
	return at.UTC().Add(time.Duration(x.config.Audit.BackupDays) * day).Format(time.DateOnly)
}

// Export notes the request and gives the entries that the subject's keys seal.
func (x *subjects) Export(
	ctx context.Context, by signalbox.Caller, tenant, subject string,
) (iter.Seq2[signalbox.Entry, error], func() api.SubjectSummary, error) {
	keys, hash, err := x.keysOf(ctx, tenant, subject)
	if err != nil {
		return nil, nil, err
	}
	evidence, err := x.evidence(ctx, hash)
	if err != nil {
		return nil, nil, err
	}
	total := api.SubjectSummary{
		Tenant: tenant, SubjectHash: hex.EncodeToString(hash[:]), KeysOpen: openKeys(keys), Evidence: evidence,
	}
	total.KeysErased = len(keys) - total.KeysOpen
	r := x.subjectRecord(by, signalbox.ActionSubjectExported, x.data.now().UTC(), tenant, total.SubjectHash)
	r.What.Detail[detailOpen], r.What.Detail[detailErased] = strconv.Itoa(total.KeysOpen), strconv.Itoa(total.KeysErased)
	if _, err := x.data.writer.Append(ctx, r); err != nil {
		return nil, nil, err
	}
	var ids []string
	for _, k := range keys {
		if k.Gone.IsZero() {
			ids = append(ids, k.ID)
		}
	}
	counted := func(yield func(signalbox.Entry, error) bool) {
		for e, err := range x.sealedBy(ctx, ids) {
			if err == nil {
				total.Records++
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
	return counted, func() api.SubjectSummary { return total }, nil
}

// evidence gives the erasures of a subject that are projected, oldest first.
func (x *subjects) evidence(ctx context.Context, hash [32]byte) ([]api.SubjectEvidence, error) {
	list := []api.SubjectEvidence{}
	for e, err := range x.inBlocks(ctx, []string{projection.EvidenceKey(hash)}, 0, 1<<62) {
		if err != nil {
			return nil, err
		}
		if e.Type != signalbox.RecordAdmin {
			continue
		}
		r, err := x.data.vault.Decode(e)
		if err != nil {
			return nil, err
		}
		if of, ok := projection.SubjectOf(&r); !ok || of != hash || r.What.Action != signalbox.ActionErasure {
			continue
		}
		d := r.What.Detail
		list = append(list, api.SubjectEvidence{
			Index: e.Index, Time: e.Time, KeysDestroyed: d[detailKeys], Reason: d[detailReason], BackupsExpire: d[detailExpire],
		})
	}
	return list, nil
}

// sealedBy gives the entries that those keys seal, in order: by the blocks that projections know of, and after them what
// is not projected yet.
func (x *subjects) sealedBy(ctx context.Context, keys []string) iter.Seq2[signalbox.Entry, error] {
	return func(yield func(signalbox.Entry, error) bool) {
		if len(keys) == 0 {
			return
		}
		progress, err := x.data.views.Progress(ctx)
		if err != nil {
			yield(signalbox.Entry{}, err)
			return
		}
		ours := func(e signalbox.Entry, err error) bool {
			if err == nil && !slices.Contains(keys, projection.SealingKey(e.Content)) {
				return true
			}
			return yield(e, err) && err == nil
		}
		for e, err := range x.inBlocks(ctx, keys, 0, progress.Cursor) {
			if !ours(e, err) {
				return
			}
		}
		for e, err := range x.data.db.Entries(ctx, progress.Cursor) {
			if err == nil && e.Index >= progress.Size || !ours(e, err) {
				return
			}
		}
	}
}

// inBlocks gives the entries of the blocks that are noted for those keys, from one index on and before another.
func (s *Server) inBlocks(ctx context.Context, keys []string, first, before int64) iter.Seq2[signalbox.Entry, error] {
	return func(yield func(signalbox.Entry, error) bool) {
		for from := first / signalbox.SealedBlockSize; ; {
			blocks, err := s.data.views.SealedBlocks(ctx, keys, from, blocksPage)
			for i := 0; i < len(blocks) && err == nil; i++ {
				var entries []signalbox.Entry
				entries, err = s.data.db.Page(ctx, blocks[i]*signalbox.SealedBlockSize, signalbox.SealedBlockSize)
				for _, e := range entries {
					if first <= e.Index && e.Index < before && e.Index/signalbox.SealedBlockSize == blocks[i] && !yield(e, nil) {
						return
					}
				}
			}
			if err != nil {
				yield(signalbox.Entry{}, err)
			}
			if err != nil || len(blocks) < blocksPage {
				return
			}
			from = blocks[len(blocks)-1] + 1
		}
	}
}
