package audit

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
)

func export(t testing.TB, m *memory, o ExportOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := Export(t.Context(), m, &b, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestExportVerifies(t *testing.T) {
	m, k := signedLog(t)
	destroy(m, 7)
	for name, test := range map[string]struct {
		filter Filter
		want   int64
	}{
		"all":       {Filter{}, 600},
		"none":      {Filter{Tenant: "globex"}, 0},
		"call":      {Filter{Call: "call_3"}, 2}, // One of them is destroyed.
		"agent":     {Filter{Agent: "researcher"}, 599},
		"time":      {Filter{From: start.Add(10 * time.Millisecond), To: start.Add(12 * time.Millisecond)}, 4},
		"no action": {Filter{Action: signalbox.ActionToolCall}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			file := export(t, m, ExportOptions{Filter: test.filter})
			r, err := VerifyExport(t.Context(), bytes.NewReader(file), ExportChecks{Verifier: k.Verifier(), Saved: m.checkpoints[0]})
			if err != nil || !r.OK() || r.Records != test.want {
				t.Errorf("%d records, want %d; %+v (%v)", r.Records, test.want, r.Findings, err)
			}
		})
	}
}

// Code of others checks the lines of an export.
func TestExportIsCheckedByOthers(t *testing.T) {
	m, k := signedLog(t)
	lines := strings.Split(strings.TrimSuffix(string(export(t, m, ExportOptions{})), "\n"), "\n")
	var last exportLast
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(k.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	c, _, _, err := log.ParseCheckpoint([]byte(last.End.Checkpoint), k.Origin(), verifier)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range lines[:len(lines)-1] {
		var l ExportLine
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(l.Proof, int64(c.Size), tlog.Hash(c.Hash), l.Index, m.entries[i].Leaf); err != nil {
			t.Errorf("line %d: %v", i+1, err)
		}
	}
}

func TestVerifyExportNamesWhatDoesNotFit(t *testing.T) {
	m, k := signedLog(t)
	file := string(export(t, m, ExportOptions{}))
	lines := strings.SplitAfter(strings.TrimSuffix(file, "\n"), "\n")
	lines[len(lines)-1] += "\n"
	edit := func(n int, old, now string) string {
		all := append([]string(nil), lines...)
		if all[n-1] = strings.Replace(all[n-1], old, now, 1); all[n-1] == lines[n-1] {
			t.Fatalf("line %d has no %q: %s", n, old, all[n-1])
		}
		return strings.Join(all, "")
	}
	without := func(n int) string {
		return strings.Join(append(append([]string(nil), lines[:n-1]...), lines[n:]...), "")
	}
	other, foreign := someKey(t, "example.com/other"), &memory{}
	s := NewSequencer(Tree{})
	write(t, foreign, s, someCalls(1000, 300)...)
	rewritten, err := k.Sign(s.Tree())
	if err != nil {
		t.Fatal(err)
	}
	ofAnother, err := other.Sign(s.Tree())
	if err != nil {
		t.Fatal(err)
	}
	small := export(t, m, ExportOptions{Filter: Filter{Call: "call_3"}})
	older := NewSequencer(Tree{})
	write(t, &memory{}, older, someCalls(0, 100)...)
	past, err := k.Sign(older.Tree())
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		file, verifier string
		saved          []byte
		line, index    int64
		want           string // Of a finding, or of an error where the line is -1.
	}{
		"cut":                {file[:len(file)/2], "", nil, -1, 0, "truncated"},
		"last line cut":      {strings.Join(lines[:600], ""), "", nil, -1, 0, "truncated"},
		"empty":              {"", "", nil, -1, 0, "truncated"},
		"another key":        {file, other.Verifier(), nil, -1, 0, "not signed by the key example.com/other"},
		"saved of another":   {file, "", ofAnother, -1, 0, "not signed by the key"},
		"other history":      {file, "", rewritten, 600, -1, "another root"},
		"older, the same":    {file, "", past, -2, 0, ""},
		"older, of a part":   {string(small), "", past, 0, -1, "can not be compared"},
		"content":            {edit(5, `"content":{"who":{"agent_id":"researcher"`, `"content":{"who":{"agent_id":"nobody"`), "", nil, 5, 4, "the content was changed"},
		"raw":                {edit(5, `"content_raw":"eyJ`, `"content_raw":"eyK`), "", nil, 5, 4, "proof does not lead"},
		"tenant":             {edit(9, `"tenant":"acme"`, `"tenant":"other"`), "", nil, 9, 8, "proof does not lead"},
		"index":              {edit(9, `{"index":8`, `{"index":7`), "", nil, 9, 7, "comes after record 7"},
		"no JSON":            {edit(9, `{"index":8`, `{"index:8`), "", nil, 9, -1, "not a record of an export"},
		"removed":            {without(300), "", nil, 0, -1, "lines were removed"},
		"removed, sum":       {without(300), "", nil, 0, -1, "its last line was written for"},
		"removed, whole log": {without(300), "", nil, 0, -1, "do not give the root"},
		"state":              {edit(5, `"state":""`, `"state":"erased"`), "", nil, 5, 4, "the content was changed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.verifier == "" {
				test.verifier = k.Verifier()
			}
			r, err := VerifyExport(t.Context(), strings.NewReader(test.file), ExportChecks{Verifier: test.verifier, Saved: test.saved})
			if test.line == -1 {
				if signalbox.CodeOf(err) != signalbox.CodeInvalid || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %q", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			found := test.line == -2 && r.OK()
			for _, f := range r.Findings {
				found = found || f.Line == test.line && f.Index == test.index && strings.Contains(f.What, test.want)
			}
			if !found {
				t.Errorf("got %+v, want %q in line %d", r.Findings, test.want, test.line)
			}
		})
	}
}

// opened is a record as a vault gives it, and its entry with the sealed part.
func sealedEntry(t *testing.T, m *memory, s *Sequencer) signalbox.Record {
	t.Helper()
	r := someRecord(signalbox.RecordIntent, 1)
	opened := r
	opened.Who.UserID, opened.What.ResourceID, opened.Content = "minji", "patient 7", signalbox.ContentOpen
	r.What.InputSummary, r.Sealed = "", &signalbox.Sealed{Key: "sk_1", Data: []byte("ciphertext")}
	write(t, m, s, r)
	opened.Sealed = r.Sealed
	return opened
}

func TestExportOfSealedRecords(t *testing.T) {
	m, s, k := &memory{}, NewSequencer(Tree{}), someKey(t, "x")
	opened := sealedEntry(t, m, s)
	signed, err := k.Sign(s.Tree())
	if err != nil {
		t.Fatal(err)
	}
	m.checkpoints = [][]byte{signed}
	open := func(signalbox.Entry) (signalbox.Record, error) { return opened, nil }
	check := func(file string, decode func(signalbox.Entry) (signalbox.Record, error)) ExportReport {
		t.Helper()
		r, err := VerifyExport(t.Context(), strings.NewReader(file), ExportChecks{Verifier: k.Verifier(), Decode: decode})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	file := string(export(t, m, ExportOptions{Decode: open, Filter: Filter{User: "minji"}}))
	if !strings.Contains(file, `"user_id":"minji"`) || !strings.Contains(file, `"state":""`) {
		t.Errorf("it is not open: %s", file)
	}
	if r := check(file, nil); !r.OK() || r.Sealed != 1 {
		t.Errorf("without a key: %+v", r)
	}
	if r := check(file, open); !r.OK() || r.Sealed != 0 {
		t.Errorf("with a key: %+v", r)
	}
	forged := strings.Replace(file, `"user_id":"minji"`, `"user_id":"ahjun"`, 1)
	if r := check(forged, open); r.OK() {
		t.Error("a forged user was not found with the key")
	}
	forged = strings.Replace(file, `"agent_id":"researcher"`, `"agent_id":"nobody"`, 1)
	for _, decode := range []func(signalbox.Entry) (signalbox.Record, error){nil, open} {
		if r := check(forged, decode); !strings.Contains(r.Findings[0].What, "the content was changed") {
			t.Errorf("a forged agent: %+v", r)
		}
	}
	closed := string(export(t, m, ExportOptions{}))
	if !strings.Contains(closed, `"state":"sealed"`) || strings.Contains(closed, "minji") {
		t.Errorf("it is not sealed: %s", closed)
	}
	if r := check(closed, open); !r.OK() {
		t.Errorf("sealed: %+v", r)
	}
}

func TestExportAsOCSF(t *testing.T) {
	m, s, k := &memory{}, NewSequencer(Tree{}), someKey(t, "x")
	admin := func(action string) signalbox.Record {
		return signalbox.Record{
			Type: signalbox.RecordAdmin, Time: start, Who: signalbox.Who{TenantID: "acme", UserID: "minji", KeyID: "k"},
			When: signalbox.When{Timestamp: start}, What: signalbox.What{Action: action},
		}
	}
	denied := someRecord(signalbox.RecordOutcome, 5)
	denied.Outcome, denied.Error = signalbox.OutcomeDenied, &signalbox.Failure{Code: signalbox.CodeForbidden, Message: "No."}
	write(t, m, s, append(someCalls(0, 1), admin(signalbox.ActionLogin), admin(signalbox.ActionLogout), admin(signalbox.ActionKeyRevoked), denied)...)
	signed, err := k.Sign(s.Tree())
	if err != nil {
		t.Fatal(err)
	}
	m.checkpoints = [][]byte{signed}
	lines := strings.Split(strings.TrimSuffix(string(export(t, m, ExportOptions{Format: ExportOCSF})), "\n"), "\n")
	want := []struct{ class, activity, status int }{{6003, 99, 0}, {6003, 99, 1}, {3002, 1, 1}, {3002, 2, 1}, {3004, 4, 1}, {6003, 99, 2}}
	if len(lines) != len(want) {
		t.Fatalf("%d events, want %d", len(lines), len(want))
	}
	for i, w := range want {
		var ev ocsf
		if err := json.Unmarshal([]byte(lines[i]), &ev); err != nil {
			t.Fatal(err)
		}
		if ev.ClassUID != w.class || ev.ActivityID != w.activity || ev.StatusID != w.status || ev.TypeUID != w.class*100+w.activity ||
			ev.Metadata.Sequence != int64(i) || ev.Metadata.TenantUID != "acme" {
			t.Errorf("event %d: got %+v, want %+v", i, ev, w)
		}
	}
}
