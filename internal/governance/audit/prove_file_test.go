package audit

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/signalbox/signalbox"
)

// signedLog is a log of 600 records with a checkpoint, which two more records are not in.
func signedLog(t testing.TB) (*memory, *Key) {
	t.Helper()
	m, s, k := &memory{}, NewSequencer(Tree{}), someKey(t, "example.com/log")
	write(t, m, s, someCalls(0, 300)...)
	signed, err := k.Sign(s.Tree())
	if err != nil {
		t.Fatal(err)
	}
	m.checkpoints = [][]byte{signed}
	write(t, m, s, someCalls(300, 1)...)
	return m, k
}

// Code of others reads the proof, opens its checkpoint and checks it.
func TestProofOverHTTPIsCheckedByOthers(t *testing.T) {
	m, k := signedLog(t)
	get := serve(t, m)
	verifier, err := note.NewVerifier(k.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range []int64{0, 255, 256, 511, 512, 599} {
		status, body := get(ProofPath + "?index=" + strconv.FormatInt(index, 10))
		if status != http.StatusOK {
			t.Fatalf("record %d: status %d: %s", index, status, body)
		}
		var p proof.TLogProof
		if err := p.Unmarshal(body); err != nil || p.Index != uint64(index) {
			t.Fatalf("record %d: it is of %d (%v)", index, p.Index, err)
		}
		c, _, _, err := log.ParseCheckpoint(p.Checkpoint, k.Origin(), verifier)
		if err != nil {
			t.Fatal(err)
		}
		var hashes tlog.RecordProof
		for _, h := range p.Hashes {
			hashes = append(hashes, h)
		}
		if err := tlog.CheckRecord(hashes, int64(c.Size), tlog.Hash(c.Hash), index, m.entries[index].Leaf); err != nil {
			t.Errorf("record %d: %v", index, err)
		}
		if tlog.RecordHash(p.ExtraData) != m.entries[index].Leaf {
			t.Errorf("record %d: its extra data is %q", index, p.ExtraData)
		}
	}
}

func TestNoProofWhereThereIsNone(t *testing.T) {
	m, _ := signedLog(t)
	get := serve(t, m)
	for query, want := range map[string]int{
		"": http.StatusBadRequest, "?index=x": http.StatusBadRequest, "?index=-1": http.StatusBadRequest,
		"?index=600": http.StatusNotFound, "?index=10000": http.StatusNotFound, "?index=0": http.StatusOK,
	} {
		if got, body := get(ProofPath + query); got != want {
			t.Errorf("%q: status %d (%s), want %d", query, got, body, want)
		}
	}
	m.checkpoints = nil
	if got, _ := get(ProofPath + "?index=0"); got != http.StatusNotFound {
		t.Errorf("without a checkpoint: status %d", got)
	}
}

func TestProofNamesWhatDoesNotFit(t *testing.T) {
	m, k := signedLog(t)
	good, err := ProveRecord(t.Context(), m, 300)
	if err != nil {
		t.Fatal(err)
	}
	other, err := LeafData(m.entries[301])
	if err != nil {
		t.Fatal(err)
	}
	file, foreign := string(good.Marshal()), someKey(t, "example.com/other").Verifier()
	tests := map[string]struct {
		file, verifier string
		leaf           []byte
		want           string
	}{
		"good":           {file, k.Verifier(), nil, ""},
		"another key":    {file, foreign, nil, "not signed by the key"},
		"another record": {file, k.Verifier(), other, "of another record"},
		"another index":  {strings.Replace(file, "index 300", "index 301", 1), k.Verifier(), nil, "do not lead from record 301"},
		"large index":    {strings.Replace(file, "index 300", "index 600", 1), k.Verifier(), nil, "not below the size 600"},
		"odd index":      {strings.Replace(file, "index 300", "index 0300", 1), k.Verifier(), nil, "line 3 is not"},
		"no header":      {file[1:], k.Verifier(), nil, "line 1 is not"},
		"cut off":        {file[:strings.Index(file, "\n\n")], k.Verifier(), nil, "ends before the checkpoint"},
		"bad hash":       {strings.Replace(file, good.Hashes[1].String(), "x", 1), k.Verifier(), nil, "line 5 is not a hash"},
		"wrong hash":     {strings.Replace(file, good.Hashes[1].String(), good.Hashes[0].String(), 1), k.Verifier(), nil, "do not lead"},
		"bad extra":      {strings.Replace(file, "extra ", "extra !", 1), k.Verifier(), nil, "line 2 is not base64"},
		"no leaf data": {
			file[:strings.Index(file, "extra")] + file[strings.Index(file, "index"):], k.Verifier(), nil, "no leaf data",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := ParseProof([]byte(test.file))
			if err == nil {
				_, err = p.Check(test.verifier, test.leaf)
			}
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got %v", err)
			case test.want != "" && (signalbox.CodeOf(err) != signalbox.CodeInvalid || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func FuzzParseProof(f *testing.F) {
	m, _ := signedLog(f)
	p, err := ProveRecord(f.Context(), m, 5)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p.Marshal())
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := ParseProof(file)
		if err != nil {
			return
		}
		if again := p.Marshal(); string(again) != string(file) {
			t.Errorf("%q became %q", file, again)
		}
	})
}
