package seal

import (
	"container/list"
	"crypto/cipher"
	"sync"
	"sync/atomic"

	"github.com/signalbox/signalbox"
)

// lru keeps the values that were used last. It is used under the vault's lock.
type lru[K comparable, V any] struct {
	most  int
	order *list.List // Of *slot, the one used last in front.
	slots map[K]*list.Element
	gone  func(V) // Told what is dropped; may be nil.
}

type slot[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](most int, gone func(V)) *lru[K, V] {
	return &lru[K, V]{most: most, order: list.New(), slots: map[K]*list.Element{}, gone: gone}
}

func (c *lru[K, V]) get(key K) (v V, ok bool) {
	e, ok := c.slots[key]
	if !ok {
		return v, false
	}
	c.order.MoveToFront(e)
	s, _ := e.Value.(*slot[K, V])
	return s.value, true
}

// put adds a value, or replaces one, and drops the one that was not used for longest where there are too many.
func (c *lru[K, V]) put(key K, v V) {
	c.drop(key)
	c.slots[key] = c.order.PushFront(&slot[K, V]{key, v})
	if c.order.Len() > c.most {
		s, _ := c.order.Back().Value.(*slot[K, V])
		c.drop(s.key)
	}
}

func (c *lru[K, V]) drop(key K) {
	e, ok := c.slots[key]
	if !ok {
		return
	}
	delete(c.slots, key)
	s, _ := c.order.Remove(e).(*slot[K, V])
	if c.gone != nil {
		c.gone(s.value)
	}
}

// dropAll drops those that the function names.
func (c *lru[K, V]) dropAll(which func(V) bool) {
	for e := c.order.Front(); e != nil; {
		next := e.Next()
		if s, _ := e.Value.(*slot[K, V]); which(s.value) {
			c.drop(s.key)
		}
		e = next
	}
}

// whose is a data subject as records name it; the name "" is the tenant itself.
type whose struct{ tenant, name string }

// sealer is the key that a subject's records are sealed with, now. It is filled in by its first user while the others
// wait.
type sealer struct {
	once    sync.Once
	tenant  string
	subject [32]byte
	id      string
	aead    cipher.AEAD
	err     error
	put     atomic.Pointer[signalbox.SubjectKey] // Until it is durable.
	seals   atomic.Int64
}

// opener is a key that records were sealed with, or why it can not be had.
type opener struct {
	tenant  string
	subject [32]byte
	aead    cipher.AEAD
	state   signalbox.ContentState // What a record is that only this key opens.
}
