package upstream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/tool/rpc"
)

// MaxNotices is how many notifications wait for one who listens; more are dropped. They say that something has changed, and
// who is late reads the newest anyway.
const MaxNotices = 64

// watcher hears what an upstream says of changes.
type watcher struct {
	notices chan rpc.Message
	uris    []string // Of the resources to hear of.
}

// Watch gives what the upstream says of changes: of its lists, and of the resources of those URIs. While somebody watches, it
// is listened to; stop ends it. Who is late by [MaxNotices] misses some.
func (u *Server) Watch(uris []string) (notices <-chan rpc.Message, stop func()) {
	w := &watcher{notices: make(chan rpc.Message, MaxNotices), uris: uris}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.watchers == nil {
		u.watchers = map[*watcher]struct{}{}
	}
	u.watchers[w] = struct{}{}
	u.rewatch()
	return w.notices, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.watchers, w)
		u.rewatch()
	}
}

// rewatch begins to listen anew where what is listened for has changed, and ends it where nobody listens. The mutex is held.
func (u *Server) rewatch() {
	want := map[string]bool{}
	for w := range u.watchers {
		for _, uri := range w.uris {
			want[uri] = true
		}
	}
	if u.unwatch != nil && len(u.watchers) > 0 && maps.Equal(want, u.watched) {
		return
	}
	if u.unwatch != nil {
		u.unwatch()
		u.unwatch = nil
	}
	if len(u.watchers) == 0 || u.life.Err() != nil {
		return
	}
	var ctx context.Context
	ctx, u.unwatch = context.WithCancel(u.life)
	u.watched = want
	u.wg.Go(func() { u.listenOn(ctx, slices.Sorted(maps.Keys(want))) })
}

// listenOn listens to the upstream until ctx ends, over its ends and ours.
func (u *Server) listenOn(ctx context.Context, uris []string) {
	for n := 1; ctx.Err() == nil; n++ {
		begun := u.now()
		err := u.listenOnce(ctx, uris)
		if errors.Is(err, errNothingToHear) {
			return
		}
		if u.now().Sub(begun) > stable {
			n = 1
		}
		pause := time.NewTimer(min(MaxBackoff, MinBackoff<<min(n, 10)))
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
		pause.Stop()
	}
}

var errNothingToHear = errors.New("the server has no stream of notifications")

// listenOnce listens in one session. It returns when that ends.
func (u *Server) listenOnce(ctx context.Context, uris []string) error {
	s, err := u.session(ctx)
	if err != nil {
		return err
	}
	if s.modern {
		_, err := s.wire.request(ctx, rpc.MethodListen, "", listenParams(s, uris))
		var answered *rpc.Error
		if errors.As(err, &answered) && answered.Code == rpc.CodeMethodNotFound {
			return errNothingToHear
		}
		return err
	}
	for _, uri := range uris {
		var params rpc.Object
		params.Text("uri", uri)
		if _, err := s.wire.request(ctx, rpc.MethodSubscribe, "", params.Bytes()); err != nil {
			u.logger.DebugContext(ctx, "a resource can not be subscribed to", "server", u.ID, "error", err)
		}
	}
	if w, ok := s.wire.(*httpWire); ok {
		return w.stream(ctx)
	}
	select { // A child says by itself what has changed.
	case <-s.wire.lost():
	case <-ctx.Done():
	}
	return nil
}

func listenParams(s *session, uris []string) []byte {
	var o, wanted rpc.Object
	wanted.Add("toolsListChanged", []byte("true"))
	wanted.Add("promptsListChanged", []byte("true"))
	wanted.Add("resourcesListChanged", []byte("true"))
	if len(uris) > 0 {
		wanted.Add("resourceSubscriptions", rpc.Texts(uris))
	}
	o.Add("notifications", wanted.Bytes())
	o.Add("_meta", s.meta(nil, rpc.NoCapabilities))
	return o.Bytes()
}

// stream reads the stream of notifications that a legacy server may have.
func (w *httpWire) stream(ctx context.Context) error {
	res, err := w.authorized(ctx, func(authorization string) (*http.Response, error) { return w.openStream(ctx, authorization) })
	if err != nil {
		return err
	}
	defer res.Body.Close()
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case res.StatusCode == http.StatusMethodNotAllowed:
		return errNothingToHear
	case failedStatus(res.StatusCode) != 0 || media != "text/event-stream":
		return fmt.Errorf("the server answered with status %d and content type %q", res.StatusCode, media)
	}
	events := rpc.NewEvents(res.Body)
	for {
		data, err := events.Next()
		if err != nil {
			return err
		}
		m, err := rpc.Decode(data)
		switch {
		case err != nil:
			return err
		case m.Method != "" && m.ID != nil:
			w.answer(ctx, m)
		case m.Method != "":
			w.onNotice(m)
		}
	}
}

func (w *httpWire) openStream(ctx context.Context, authorization string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url, nil)
	if err != nil {
		return nil, &wireError{err: err}
	}
	req.Header.Set("Accept", "text/event-stream")
	w.head(req, "", "")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, err := w.client.Do(req)
	if err != nil {
		return nil, &wireError{err: err, sent: true}
	}
	return res, nil
}

// publish hands a notification to those who listen. The mutex is held.
func (u *Server) publish(m rpc.Message) {
	uri := ""
	if m.Method == rpc.MethodUpdated {
		uri = rpc.TextIn(m.Params, "uri")
	}
	for w := range u.watchers {
		if m.Method == rpc.MethodUpdated && !slices.Contains(w.uris, uri) {
			continue
		}
		select {
		case w.notices <- rpc.Message{Method: m.Method, Params: withoutMeta(m.Params)}:
		default: // He is late; see [MaxNotices].
		}
	}
}

// withoutMeta gives parameters without their _meta, which is between the upstream and us.
func withoutMeta(params json.Value) json.Value {
	members, err := json.Object(params)
	if err != nil {
		return json.Value("{}")
	}
	return rpc.Without(members, "_meta")
}
