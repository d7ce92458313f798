package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/signalbox/signalbox"
)

// Limits of talking to a witness.
const (
	// WitnessTimeout bounds one request, from the connection to the end of the answer.
	WitnessTimeout = 10 * time.Second

	maxWitnessAnswer = 16 << 10
	maxProof         = 63 // Hashes of a consistency proof, as C2SP tlog-witness has it.
	witnessTries     = 3  // Requests in a row where the witness knows the log at another size than was thought.
)

// Witness is an anchor that checks, with a proof, that each checkpoint continues the one before it, and says so with its
// signature (C2SP tlog-witness and tlog-cosignature, Ed25519).
type Witness struct {
	url    string
	key    cosigner
	src    HashSource
	client *http.Client
	size   int64 // At which the witness has seen the log last, as far as known.
}

// NewWitness makes a witness of its submission prefix and its public key (name+hash+data, of type 4). src is the log.
func NewWitness(prefix, key string, src HashSource) (*Witness, error) {
	u, err := url.Parse(prefix)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, signalbox.Errorf(signalbox.CodeInvalid, "A witness needs an absolute http or https URL.").
			WithField("witness").WithRemedy("Write it as https://host/prefix, without add-checkpoint.")
	}
	c, err := parseCosigner(key)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxWitnessAnswer,
	}
	return &Witness{
		url: strings.TrimRight(prefix, "/") + "/add-checkpoint", key: c, src: src,
		client: &http.Client{
			Transport: transport, Timeout: WitnessTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Close gives up the connection.
func (w *Witness) Close() { w.client.CloseIdleConnections() }

// Put asks for the cosignature of a checkpoint. One that the checkpoint has already is not asked for again.
func (w *Witness) Put(ctx context.Context, signed []byte) ([]byte, error) {
	c, err := readCheckpoint(signed)
	if err != nil {
		return nil, err
	}
	if _, err := note.Open(signed, note.VerifierList(w.key)); err == nil {
		w.size = c.Size
		return nil, nil
	}
	if w.size > c.Size { // Another process has brought a newer one, or the log was cut: the witness knows.
		w.size = 0
	}
	for range witnessTries {
		body, err := w.request(ctx, c, signed)
		if err != nil {
			return nil, err
		}
		answer, err := w.post(ctx, body)
		if err != nil {
			return nil, err
		}
		if answer.status != http.StatusConflict {
			return w.cosignature(c, signed, answer)
		}
		if err := w.conflict(c, answer); err != nil {
			return nil, err
		}
	}
	return nil, anchorError("See to it that only this log is brought to the witness under this name.", "The witness %s was told of other checkpoints each time.", w.key.name)
}

// request is the body: the size the witness is thought to know, the proof from there, and the checkpoint.
func (w *Witness) request(ctx context.Context, c Checkpoint, signed []byte) ([]byte, error) {
	body := fmt.Appendf(nil, "old %d\n", w.size)
	if 0 < w.size && w.size < c.Size {
		proof, err := ProveConsistency(ctx, w.src, c.Size, w.size)
		if err != nil {
			return nil, err
		}
		if len(proof) > maxProof {
			return nil, anchorError("Report it: no log is that large.", "The consistency proof has %d hashes, more than %d.", len(proof), maxProof)
		}
		for _, h := range proof {
			body = append(base64.StdEncoding.AppendEncode(body, h[:]), '\n')
		}
	}
	return append(append(body, '\n'), signed...), nil
}

type witnessAnswer struct {
	status int
	body   []byte
}

func (w *Witness) post(ctx context.Context, body []byte) (witnessAnswer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return witnessAnswer{}, w.unreachable(err)
	}
	req.Header.Set("User-Agent", "Signalbox")
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	res, err := w.client.Do(req)
	if err != nil {
		return witnessAnswer{}, w.unreachable(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxWitnessAnswer))
	if err != nil {
		return witnessAnswer{}, w.unreachable(err)
	}
	return witnessAnswer{res.StatusCode, text}, nil
}

// unreachable gives an error without the URL, which can hold a credential.
func (w *Witness) unreachable(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return anchorError("Check audit.anchor and the network; it is tried again.", "The witness %s can not be reached: %v.", w.key.name, err)
}

// conflict takes note of the size at which the witness knows the log.
func (w *Witness) conflict(c Checkpoint, a witnessAnswer) error {
	text := strings.TrimSuffix(string(a.body), "\n")
	size, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || size < 0 || strconv.FormatInt(size, 10) != text:
		return anchorError("Ask who runs the witness.", "The witness %s answered 409 without the size that it knows.", w.key.name)
	case size > c.Size:
		return anchorError("Run `signalbox audit verify`: records were cut off, unless another replica has brought a newer checkpoint.",
			"The witness %s has seen this log at size %d; the checkpoint is of size %d.", w.key.name, size, c.Size)
	case size == w.size:
		return anchorError("Run `signalbox audit verify` with a checkpoint that was kept elsewhere.",
			"The witness %s has seen another history of this log at size %d.", w.key.name, size)
	}
	w.size = size
	return nil
}

// cosignature gives the witness's signature line out of an answer, once it is verified.
func (w *Witness) cosignature(c Checkpoint, signed []byte, a witnessAnswer) ([]byte, error) {
	switch a.status {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusForbidden:
		return nil, anchorError("Give the log's public key to who runs the witness; check the URL.",
			"The witness %s answered %d: it does not know the log %q, or not its key.", w.key.name, a.status, c.Origin)
	case http.StatusUnprocessableEntity:
		return nil, anchorError("Run `signalbox audit verify` with a checkpoint that was kept elsewhere.",
			"The witness %s answered 422: the log of size %d does not continue the one it has seen at size %d.", w.key.name, c.Size, w.size)
	default:
		return nil, anchorError("Ask who runs the witness; it is tried again.", "The witness %s answered %d.", w.key.name, a.status)
	}
	n, err := note.Open(append(bytes.Clone(signed), a.body...), note.VerifierList(w.key))
	if err != nil {
		return nil, anchorError("Check the key in audit.anchor.", "The answer of the witness %s has no good cosignature of its key.", w.key.name).WithCause(err)
	}
	w.size = c.Size
	return []byte(signatureMark + n.Sigs[0].Name + " " + n.Sigs[0].Base64 + "\n"), nil
}

// cosigner verifies cosignatures of type cosignature/v1.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

// cosignatureType is the algorithm's number in keys of the note format.
const cosignatureType = 0x04

func parseCosigner(key string) (cosigner, error) {
	name, rest, _ := strings.Cut(key, "+")
	hash, data, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(data)
	if err == nil && name != "" && len(raw) == 1+ed25519.PublicKeySize && raw[0] == cosignatureType {
		sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
		c := cosigner{name, binary.BigEndian.Uint32(sum[:]), raw[1:]}
		if hash == fmt.Sprintf("%08x", c.hash) {
			return c, nil
		}
	}
	return cosigner{}, signalbox.Errorf(signalbox.CodeInvalid, "The key of a witness is no public key for Ed25519 cosignatures (name+hash+data, of type 4).").
		WithField("key").WithRemedy("Copy it whole from who runs the witness.")
}

// Name is the witness's name.
func (c cosigner) Name() string { return c.name }

// KeyHash tells its keys apart.
func (c cosigner) KeyHash() uint32 { return c.hash }

// Verify checks a signature over the text of a note: a time in eight bytes, and the signature of both.
func (c cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(signature)
	if at > math.MaxInt64 {
		return false
	}
	message := append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", at), text...)
	return ed25519.Verify(c.key, message, signature[8:])
}
