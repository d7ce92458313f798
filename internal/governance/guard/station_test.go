package guard

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/call"
)

const (
	mail = "kim@example.com"
	off  = signalbox.GuardOff
	flag = signalbox.GuardFlag
	mask = signalbox.GuardMask
	stop = signalbox.GuardBlock
)

// answer gives its parts, then its error.
type answer struct {
	call.Answer
	parts []call.Part
	err   error
}

func (a *answer) Next(context.Context) (call.Part, error) {
	if len(a.parts) == 0 {
		return call.Part{}, a.err
	}
	part := a.parts[0]
	a.parts = a.parts[1:]
	return part, nil
}

func (*answer) Close() error { return nil }

// server is what stands behind the station.
type server struct {
	got    string // The arguments that reached it; "" where it was not called.
	result string
	err    error
	does   func(t *call.Track) error
}

func (s *server) Serve(_ context.Context, t *call.Track) (call.Answer, error) {
	s.got = string(t.Tool().Arguments)
	if s.does != nil {
		if err := s.does(t); err != nil {
			return nil, err
		}
	}
	if s.err != nil {
		return nil, s.err
	}
	return &answer{parts: []call.Part{{Data: []byte(s.result), Terminal: true}}, err: io.EOF}, nil
}

func options(r signalbox.GuardRules) Options {
	rules := NewRules(r)
	return Options{
		Rules: func(string, string) *Rules { return rules },
		Same:  func(_ *call.Track, arguments []byte) bool { return !strings.Contains(string(arguments), `"path":"[`) },
	}
}

func track(arguments string) *call.Track {
	return call.NewTrack(&signalbox.Call{
		Kind: signalbox.KindTool, Tool: &signalbox.ToolRequest{Server: "files", Name: "read", Arguments: []byte(arguments)},
	})
}

// pass sends a call through the station, and gives what its caller gets.
func pass(o Options, t *call.Track, s *server) (string, error) {
	a, err := Station(o)(call.HandlerFunc(s.Serve)).Serve(context.Background(), t)
	if err != nil {
		return "", err
	}
	data, err := call.ReadAll(context.Background(), a)
	return string(data), err
}

func side(action signalbox.GuardAction, unseen int64, found ...signalbox.GuardFound) *signalbox.GuardSide {
	return &signalbox.GuardSide{Action: action, Found: found, Unseen: unseen}
}

func once(where signalbox.GuardPlace, d signalbox.GuardDetector) signalbox.GuardFound {
	return signalbox.GuardFound{Where: where, Detector: d, Count: 1}
}

func TestStation(t *testing.T) {
	const (
		in, out     = `{"to":"` + mail + `", "n":1}`, `{"text":"` + mail + `"}`
		maskedIn    = `{"to":"[email]", "n":1}`
		maskedOut   = `{"text":"[email]"}`
		passed      = signalbox.StatusPassed
		denied      = signalbox.StatusDenied
		argument    = signalbox.GuardArguments
		email, card = signalbox.DetectEmail, signalbox.DetectCard
	)
	cases := map[string]struct {
		rules            signalbox.GuardRules
		arguments        string
		sent, gets       string // "": it was not sent, or nothing comes.
		field            string // Of the error.
		guardIn, guardTo signalbox.Status
		report           *signalbox.Guarded
	}{
		"off":               {signalbox.GuardRules{Arguments: off, Detectors: []signalbox.GuardDetector{email}}, in, in, out, "", "", "", nil},
		"flags":             {signalbox.GuardRules{Arguments: flag, Results: flag}, in, in, out, "", passed, passed, &signalbox.Guarded{Input: side(flag, 0, once(argument, email)), Output: side(flag, 0, once(signalbox.GuardResult, email))}},
		"masks":             {signalbox.GuardRules{Arguments: mask, Results: mask}, in, maskedIn, maskedOut, "", passed, passed, &signalbox.Guarded{Input: side(mask, 0, once(argument, email)), Output: side(mask, 0, once(signalbox.GuardResult, email))}},
		"masks results":     {signalbox.GuardRules{Results: mask}, in, in, maskedOut, "", "", passed, &signalbox.Guarded{Output: side(mask, 0, once(signalbox.GuardResult, email))}},
		"masks arguments":   {signalbox.GuardRules{Arguments: mask}, in, maskedIn, out, "", passed, "", &signalbox.Guarded{Input: side(mask, 0, once(argument, email))}},
		"blocks arguments":  {signalbox.GuardRules{Arguments: stop, Results: mask}, in, "", "", "arguments/to", denied, "", &signalbox.Guarded{Input: side(stop, 0, once(argument, email))}},
		"blocks results":    {signalbox.GuardRules{Results: stop}, in, in, "", "result/text", "", denied, &signalbox.Guarded{Output: side(stop, 0, once(signalbox.GuardResult, email))}},
		"other detectors":   {signalbox.GuardRules{Arguments: stop, Results: stop, Detectors: []signalbox.GuardDetector{card}}, in, in, out, "", passed, passed, &signalbox.Guarded{Input: side(stop, 0), Output: side(stop, 0)}},
		"a number to mask":  {signalbox.GuardRules{Arguments: mask}, `{"to":"` + mail + `","n":4111111111111111}`, "", "", "arguments/n", denied, "", &signalbox.Guarded{Input: side(mask, 0, once(argument, card), once(argument, email))}},
		"a number to flag":  {signalbox.GuardRules{Arguments: flag}, `{"n":4111111111111111}`, `{"n":4111111111111111}`, out, "", passed, "", &signalbox.Guarded{Input: side(flag, 0, once(argument, card))}},
		"what it acts on":   {signalbox.GuardRules{Arguments: mask}, `{"note":"` + mail + `","path":"` + mail + `"}`, "", "", "arguments/path", denied, "", &signalbox.Guarded{Input: side(mask, 0, signalbox.GuardFound{Where: argument, Detector: email, Count: 2})}},
		"nothing is there":  {signalbox.GuardRules{Arguments: mask, Results: stop, Detectors: []signalbox.GuardDetector{card}}, `{"path":"[x]"}`, `{"path":"[x]"}`, out, "", passed, passed, &signalbox.Guarded{Input: side(mask, 0), Output: side(stop, 0)}},
		"what has no sense": {signalbox.GuardRules{Arguments: flag}, `{"a":1,"a":2}`, "", "", "arguments", denied, "", &signalbox.Guarded{Input: side(flag, 0)}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, track := &server{result: out}, track(tc.arguments)
			got, err := pass(options(tc.rules), track, s)
			if got != tc.gets || s.got != tc.sent {
				t.Errorf("sent %q and gets %q, want %q and %q", s.got, got, tc.sent, tc.gets)
			}
			if e := signalbox.AsError(err); tc.field != "" && (e.Code != signalbox.CodeBlocked || e.Field != tc.field || strings.Contains(e.Error()+e.Remedy, "kim") || !strings.Contains(e.Remedy, "mcp_servers.files.guard.")) {
				t.Errorf("got %+v, want it blocked at %s", e, tc.field)
			} else if tc.field == "" && err != nil {
				t.Error(err)
			}
			if track.Guard.Input != tc.guardIn || track.Guard.Output != tc.guardTo {
				t.Errorf("got %q and %q, want %q and %q", track.Guard.Input, track.Guard.Output, tc.guardIn, tc.guardTo)
			}
			var report *signalbox.Guarded
			if track.Guard.Beside != nil {
				report = track.Guard.Beside.Report()
			}
			if !reflect.DeepEqual(report, tc.report) {
				t.Errorf("got the report %s, want %s", shown(report), shown(tc.report))
			}
		})
	}
}

func shown(g *signalbox.Guarded) string {
	if g == nil {
		return "nil"
	}
	text := ""
	for _, s := range []*signalbox.GuardSide{g.Input, g.Output} {
		if s == nil {
			text += "nil "
			continue
		}
		text += string(s.Action)
		for _, f := range s.Found {
			text += " " + string(f.Where) + "." + string(f.Detector)
		}
		text += "; "
	}
	return text
}

func TestStationLeavesOtherCallsAlone(t *testing.T) {
	o := Options{Rules: func(string, string) *Rules { panic("it was asked for rules") }}
	c := call.NewTrack(&signalbox.Call{Kind: signalbox.KindModel, Model: &signalbox.ModelRequest{}})
	called := false
	_, err := Station(o)(call.HandlerFunc(func(context.Context, *call.Track) (call.Answer, error) {
		called = true
		return nil, nil
	})).Serve(context.Background(), c)
	if !called || err != nil || c.Guard.Beside != nil {
		t.Errorf("got %t, %v", called, err)
	}
}

func TestStationThatFailsMeansNo(t *testing.T) {
	cases := map[string]func(o *Options){
		"in comparing": func(o *Options) { o.Same = func(*call.Track, []byte) bool { panic("no policy") } },
		"in looking":   func(o *Options) { o.Rules = func(string, string) *Rules { return &Rules{arguments: mask} } },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			o, s, track := options(signalbox.GuardRules{Arguments: mask}), &server{}, track(`{"to":"`+mail+`"}`)
			spoil(&o)
			_, err := pass(o, track, s)
			if e := signalbox.AsError(err); e.Code != signalbox.CodeInternal || !strings.Contains(e.Error(), "panicked") || s.got != "" || track.Guard.Input != signalbox.StatusFailed {
				t.Errorf("got %v, sent %q, %q", err, s.got, track.Guard.Input)
			}
		})
	}
	t.Run("in editing", func(t *testing.T) {
		v := &visit{rules: NewRules(signalbox.GuardRules{Results: mask})}
		broken := Scrubbed{Counts: map[signalbox.GuardDetector]int64{signalbox.DetectEmail: 1}, edits: []edit{{}}}
		if _, err := v.judge(inward, signalbox.GuardResult, []byte(`{}`), broken); signalbox.CodeOf(err) != signalbox.CodeInternal {
			t.Errorf("got %v", err)
		}
	})
	t.Run("with an answer in parts", func(t *testing.T) {
		a := &guardedAnswer{
			Answer: &answer{parts: []call.Part{{Data: []byte(`{}`)}}}, track: track(`{}`),
			visit: &visit{rules: NewRules(signalbox.GuardRules{Results: flag})},
		}
		if _, err := a.Next(context.Background()); signalbox.CodeOf(err) != signalbox.CodeInternal || a.track.Guard.Output != signalbox.StatusFailed {
			t.Errorf("got %v, %q", err, a.track.Guard.Output)
		}
	})
}

func TestStationKnowsWhatWasSaidBeside(t *testing.T) {
	const said = `{"message":"no such user ` + mail + `"}`
	upstream := signalbox.Errorf(signalbox.CodeUpstream, "it failed")
	cases := map[string]struct {
		rules   signalbox.GuardRules
		does    func(t *call.Track) error
		code    signalbox.Code
		in, out signalbox.Status
		report  *signalbox.Guarded
	}{
		"an error is masked": {signalbox.GuardRules{Results: mask}, func(t *call.Track) error {
			doc, err := t.Guard.Beside.ToCaller([]byte(said))
			if string(doc) != `{"message":"no such user [email]"}` || err != nil {
				return errors.New("it was not")
			}
			return upstream
		}, signalbox.CodeUpstream, "", signalbox.StatusPassed, &signalbox.Guarded{Output: side(mask, 0, once(signalbox.GuardBeside, signalbox.DetectEmail))}},
		"an error is blocked": {signalbox.GuardRules{Results: stop}, func(t *call.Track) error {
			_, err := t.Guard.Beside.ToCaller([]byte(said))
			return err
		}, signalbox.CodeBlocked, "", signalbox.StatusDenied, &signalbox.Guarded{Output: side(stop, 0, once(signalbox.GuardBeside, signalbox.DetectEmail))}},
		"_meta is blocked": {signalbox.GuardRules{Arguments: stop}, func(t *call.Track) error {
			_, err := t.Guard.Beside.ToServer([]byte(said))
			return err
		}, signalbox.CodeBlocked, signalbox.StatusDenied, "", &signalbox.Guarded{Input: side(stop, 0, once(signalbox.GuardBeside, signalbox.DetectEmail))}},
		"nobody looks": {signalbox.GuardRules{Arguments: mask}, func(t *call.Track) error {
			doc, err := t.Guard.Beside.ToCaller([]byte(said))
			return errors.Join(err, map[bool]error{true: upstream}[string(doc) == said])
		}, signalbox.CodeUpstream, signalbox.StatusPassed, "", &signalbox.Guarded{Input: side(mask, 0)}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			track := track(`{}`)
			_, err := pass(options(tc.rules), track, &server{does: tc.does})
			if signalbox.CodeOf(err) != tc.code || track.Guard.Input != tc.in || track.Guard.Output != tc.out {
				t.Errorf("got %v, %q, %q", err, track.Guard.Input, track.Guard.Output)
			}
			if got := track.Guard.Beside.Report(); !reflect.DeepEqual(got, tc.report) {
				t.Errorf("got %s, want %s", shown(got), shown(tc.report))
			}
		})
	}
	t.Run("an answer that breaks", func(t *testing.T) {
		track := track(`{}`)
		v := &visit{rules: NewRules(signalbox.GuardRules{Results: flag})}
		if _, err := v.ToCaller([]byte(said)); err != nil {
			t.Fatal(err)
		}
		a := &guardedAnswer{Answer: &answer{err: upstream}, track: track, visit: v}
		if _, err := a.Next(context.Background()); !errors.Is(err, upstream) || track.Guard.Output != signalbox.StatusPassed {
			t.Errorf("got %v, %q", err, track.Guard.Output)
		}
	})
}

func TestVisitIsSafeForConcurrentUse(t *testing.T) {
	v := &visit{rules: NewRules(signalbox.GuardRules{Arguments: mask, Results: mask})}
	if g := v.Report(); g != nil {
		t.Errorf("got %s before anything passed", shown(g))
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				if doc, err := v.ToCaller([]byte(`{"message":"` + mail + `"}`)); err != nil || strings.Contains(string(doc), mail) {
					t.Errorf("got %s, %v", doc, err)
				}
				v.Report()
			}
		})
	}
	group.Wait()
	if got := v.Report().Output.Found[0].Count; got != 400 {
		t.Errorf("counted %d, want 400", got)
	}
}

func TestRulesWithoutACall(t *testing.T) {
	r := NewRules(signalbox.GuardRules{Arguments: mask, Results: stop})
	if got, done, err := r.Arguments("files", []byte(`{"to":"`+mail+`"}`), func([]byte) bool { return true }); string(got) != `{"to":"[email]"}` || len(done.Findings) != 1 || err != nil {
		t.Errorf("got %s, %+v, %v", got, done, err)
	}
	if _, _, err := r.Result("files", []byte(`{"to":"`+mail+`"}`)); signalbox.CodeOf(err) != signalbox.CodeBlocked {
		t.Errorf("got %v", err)
	}
	var none *Rules
	if arguments, results := r.Actions(); arguments != mask || results != stop {
		t.Errorf("got %s and %s", arguments, results)
	}
	if got, _, err := none.Result("files", []byte(`{"to":"`+mail+`"}`)); string(got) != `{"to":"`+mail+`"}` || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

func BenchmarkGuard(b *testing.B) {
	text := strings.Repeat(english, 40)
	docs := map[string]string{
		"1 kB clean":   `{"content":[{"type":"text","text":"` + text[:950] + `"}]}`,
		"1 kB, 1 mail": `{"content":[{"type":"text","text":"` + text[:900] + ` kim@example.com "}]}`,
		"8 kB clean":   `{"content":[{"type":"text","text":"` + text[:8000] + `"}]}`,
		"8 kB records": `{"structuredContent":{"rows":[` + strings.Repeat(`{"id":12345,"name":"Kim","status":"open","note":"see section 3"},`, 125) + `{}]}}`,
	}
	for _, rules := range []signalbox.GuardRules{{}, {Results: mask}} {
		o := options(rules)
		for name, doc := range docs {
			b.Run(name+" "+string(NewRules(rules).action(inward)), func(b *testing.B) {
				b.SetBytes(int64(len(doc)))
				b.ReportAllocs()
				s, t := &server{result: doc}, track(`{}`)
				station := Station(o)(call.HandlerFunc(s.Serve))
				for b.Loop() {
					a, err := station.Serve(context.Background(), t)
					if err == nil {
						_, err = a.Next(context.Background())
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func TestAside(t *testing.T) {
	if NewRules(signalbox.GuardRules{}).Aside("files") != nil {
		t.Error("nobody looks, and somebody does")
	}
	aside := NewRules(signalbox.GuardRules{Results: signalbox.GuardMask, Arguments: signalbox.GuardBlock}).Aside("files")
	got, err := aside.ToCaller([]byte(`{"taskId":"t","result":{"content":[{"type":"text","text":"a@example.com"},{"type":"image","data":"aGVsbG8=","mimeType":"image/png"}]}}`))
	want := `{"taskId":"t","result":{"content":[{"type":"text","text":"[email]"},{"type":"image","data":"aGVsbG8=","mimeType":"image/png"}]}}`
	if string(got) != want || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := aside.ToServer([]byte(`{"q":"a@example.com"}`)); signalbox.CodeOf(err) != signalbox.CodeBlocked {
		t.Errorf("got %s, %v", got, err)
	}
}
