package approval

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

// world is the store and the log that all replicas share.
type world struct {
	mu        sync.Mutex
	approvals map[string]signalbox.Approval
	order     []string // Ids, oldest first.
	claims    map[string]string
	fenced    map[string]bool
	keys      map[string]bool // Erased subjects.
	records   []signalbox.Record
	keep      bool // Keeps records.
	wrong     []string
	reads     int
	committed func(old, now signalbox.Approval, lost bool) // Told within the transaction. May be nil.
}

func newWorld() *world {
	return &world{
		approvals: map[string]signalbox.Approval{}, claims: map[string]string{}, fenced: map[string]bool{}, keys: map[string]bool{}, keep: true,
	}
}

// fence does what is done about a process that is gone: it can commit nothing any more, and its claims end.
func (w *world) fence(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fenced[name] = true
	maps.DeleteFunc(w.claims, func(_, holder string) bool { return holder == name })
}

func (w *world) get(id string) signalbox.Approval {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.approvals[id]
}

func (w *world) actions() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, r := range w.records {
		list = append(list, r.What.Action)
	}
	return list
}

// put does what the transaction of a record does. Whoever writes an approval must hold what it is changed under.
func (w *world) put(holder string, a signalbox.Approval, lost bool) {
	old, known := w.approvals[a.ID]
	name := a.ClaimKey()
	if !known {
		name = hashKey(a.Hash)
		w.order = append(w.order, a.ID)
	}
	if w.claims[name] != holder {
		w.wrong = append(w.wrong, fmt.Sprintf("%s wrote %s without %q, which %q has", holder, a.ID, name, w.claims[name]))
	}
	w.approvals[a.ID] = a
	if w.committed != nil {
		w.committed(old, a, lost)
	}
}

// fault is what goes wrong at the next commit of a replica.
type fault int

const (
	faultNone  fault = iota
	faultLog         // The log can not be written.
	faultDies        // The process dies before the commit.
	faultLater       // It dies after it.
)

// replica is the world as one process sees it.
type replica struct {
	*world
	name string

	state sync.Mutex
	dead  bool
	fault fault
}

var errDead = signalbox.Errorf(signalbox.CodeUnavailable, "the process is gone")

func (r *replica) gone() bool {
	r.state.Lock()
	defer r.state.Unlock()
	return r.dead
}

func (r *replica) set(change func()) {
	r.state.Lock()
	defer r.state.Unlock()
	change()
}

// enter lets a process that lives into the world.
func (r *replica) enter() (leave func(), err error) {
	if r.gone() {
		return nil, errDead
	}
	r.mu.Lock()
	r.reads++
	return r.mu.Unlock, nil
}

func (r *replica) Approval(_ context.Context, id string) (signalbox.Approval, error) {
	leave, err := r.enter()
	if err != nil {
		return signalbox.Approval{}, err
	}
	defer leave()
	a, ok := r.approvals[id]
	if !ok {
		return a, signalbox.Errorf(signalbox.CodeNotFound, "none")
	}
	return a, nil
}

func (r *replica) ApprovalOf(_ context.Context, tenant string, hash [32]byte) (signalbox.Approval, bool, error) {
	leave, err := r.enter()
	if err != nil {
		return signalbox.Approval{}, false, err
	}
	defer leave()
	for _, id := range slices.Backward(r.order) {
		a := r.approvals[id]
		if a.Tenant == tenant && a.Hash == hash {
			return a, true, nil
		}
	}
	return signalbox.Approval{}, false, nil
}

func (r *replica) Approvals(_ context.Context, f signalbox.ApprovalFilter) (list []signalbox.Approval, next string, err error) {
	leave, err := r.enter()
	if err != nil {
		return nil, "", err
	}
	defer leave()
	for _, id := range slices.Backward(r.order) {
		a := r.approvals[id]
		if slices.Contains(f.Tenants, a.Tenant) && slices.Contains(f.States, a.State) && (f.Agent == "" || f.Agent == a.Agent) && f.Tool == a.Tool && len(list) < f.Limit {
			list = append(list, a)
		}
	}
	return list, "", nil
}

func (r *replica) PendingApprovals(context.Context) (list []signalbox.Approval, err error) {
	leave, err := r.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	for _, id := range r.order {
		if a := r.approvals[id]; a.State == signalbox.ApprovalPending {
			a.Content = nil
			list = append(list, a)
		}
	}
	return list, nil
}

func (r *replica) Claim(_ context.Context, name, holder string) (bool, error) {
	leave, err := r.enter()
	if err != nil {
		return false, err
	}
	defer leave()
	if r.fenced[holder] {
		return false, errDead
	}
	if r.claims[name] != "" {
		return r.claims[name] == holder && r.reads%2 == 0, nil // Claiming again what one holds may give either.
	}
	r.claims[name] = holder
	return true, nil
}

func (r *replica) Unclaim(_ context.Context, name, holder string) error {
	leave, err := r.enter()
	if err != nil {
		return err
	}
	defer leave()
	if r.claims[name] == holder {
		delete(r.claims, name)
	}
	return nil
}

func (r *replica) Append(ctx context.Context, rec signalbox.Record, effects ...signalbox.Effect) (int64, error) {
	if ctx.Err() != nil {
		return 0, signalbox.AsError(ctx.Err())
	}
	r.state.Lock()
	defer r.state.Unlock()
	f := r.fault
	r.fault, r.dead = faultNone, r.dead || f == faultDies || f == faultLater
	if f == faultLog || f == faultDies || r.dead && f == faultNone {
		return 0, errDead
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fenced[r.name] {
		return 0, errDead
	}
	for _, e := range effects {
		if put, ok := e.(signalbox.PutApproval); ok {
			r.put(r.name, put.Approval, f == faultLater)
		}
	}
	if r.keep {
		r.records = append(r.records, rec)
	}
	if f == faultLater {
		return 0, errDead
	}
	return int64(len(r.records)), nil
}

// plainSealer keeps subjects apart and hides nothing.
type plainSealer struct{ *world }

func (s plainSealer) SealBytes(tenant, subject string, aad, plain []byte) (signalbox.Sealed, []signalbox.Effect, error) {
	key := tenant + "\n" + subject
	return signalbox.Sealed{Key: key, Data: []byte(base64.StdEncoding.EncodeToString(aad) + " " + string(plain))},
		[]signalbox.Effect{signalbox.PutSubjectKey{Key: signalbox.SubjectKey{ID: key}}}, nil
}

func (s plainSealer) OpenBytes(tenant string, sealed signalbox.Sealed, aad []byte) ([]byte, signalbox.ContentState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[sealed.Key] {
		return nil, signalbox.ContentErased, nil
	}
	place, plain, _ := strings.Cut(string(sealed.Data), " ")
	if place != base64.StdEncoding.EncodeToString(aad) || !strings.HasPrefix(sealed.Key, tenant+"\n") {
		return nil, signalbox.ContentSealed, signalbox.Errorf(signalbox.CodeInternal, "moved")
	}
	return []byte(plain), signalbox.ContentOpen, nil
}

type hideDigits struct{}

func (hideDigits) Mask(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '#'
		}
		return r
	}, s)
}

// newReplica is a process with its keeper.
func newReplica(w *world, name string, now func() time.Time, change func(*Options)) (*replica, *Keeper) {
	r := &replica{world: w, name: name}
	o := Options{
		Store: r, Log: r, Sealer: plainSealer{w}, Masker: hideDigits{}, Now: now, Holder: name,
		Settings: func() Settings {
			return Settings{ExpireAfter: time.Hour, UseWithin: 15 * time.Minute, EscalateAfter: 10 * time.Minute}
		},
	}
	if change != nil {
		change(&o)
	}
	return r, New(o)
}

// upstream is what is behind the approval station: it writes the intent and executes, as the attempt station does.
func upstream(r *replica, refuse error, executed func(t *call.Track)) call.Handler {
	return call.HandlerFunc(func(ctx context.Context, t *call.Track) (call.Answer, error) {
		if refuse != nil {
			return nil, refuse
		}
		if _, err := r.Append(ctx, signalbox.Record{Type: signalbox.RecordIntent, Call: t.Call.ID}, t.Approval.Effects...); err != nil {
			return nil, err
		}
		t.Attempts = append(t.Attempts, signalbox.Attempt{N: 1})
		executed(t)
		return nil, nil
	})
}
