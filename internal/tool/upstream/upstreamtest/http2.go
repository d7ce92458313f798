package upstreamtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Authority makes certificates that only tests trust.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes one.
func NewAuthority(t *testing.T) *Authority {
	t.Helper()
	a := &Authority{}
	template := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour)}
	made := a.sign(t, template)
	a.key = made.PrivateKey.(*ecdsa.PrivateKey)
	a.cert = made.Leaf
	return a
}

// sign makes a certificate; the first one signs itself.
func (a *Authority) sign(t *testing.T, template *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: "of tests"}
	template.NotBefore = template.NotAfter.Add(-2 * time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// Certificate makes a certificate for a host name or an address, which is valid until then.
func (a *Authority) Certificate(t *testing.T, host string, until time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	return a.sign(t, template)
}

// Pool has the authority's own certificate.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// PEM is the authority's own certificate for a file.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// HTTP2 serves HTTP/2 over TLS frame by frame, so that a test can break it. Each request is served in a goroutine of its own,
// when it has come in whole. It gives the address.
func HTTP2(t *testing.T, certificate tls.Certificate, serve func(*Stream)) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{certificate}, NextProtos: []string{http2.NextProtoTLS}, MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() { (&conversation{conn: c, serve: serve, open: map[uint32]*Stream{}}).run() })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return "https://" + l.Addr().String()
}

// conversation is one connection.
type conversation struct {
	conn  net.Conn
	serve func(*Stream)
	open  map[uint32]*Stream // Requests that come in.

	mu      sync.Mutex
	framer  *http2.Framer
	encoder *hpack.Encoder
	block   bytes.Buffer
	silent  bool
}

// Stream is one request, and how it is answered.
type Stream struct {
	Method, Path string
	Header       map[string]string
	Body         []byte

	id uint32
	c  *conversation
}

func (c *conversation) run() {
	defer c.conn.Close()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := readFull(c.conn, preface); err != nil {
		return
	}
	c.framer = http2.NewFramer(c.conn, c.conn)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.encoder = hpack.NewEncoder(&c.block)
	c.write(func() error { return c.framer.WriteSettings() })
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return
		}
		if s := c.take(frame); s != nil {
			serving.Go(func() { c.serve(s) })
		}
	}
}

func readFull(c net.Conn, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var more int
		more, err = c.Read(b[n:])
		n += more
	}
	return n, err
}

// take takes a frame, and gives the request that it ends.
func (c *conversation) take(frame http2.Frame) *Stream {
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			c.write(c.framer.WriteSettingsAck)
		}
	case *http2.PingFrame:
		if data := f.Data; !f.IsAck() {
			c.write(func() error { return c.framer.WritePing(true, data) })
		}
	case *http2.MetaHeadersFrame:
		s := &Stream{Header: map[string]string{}, id: f.StreamID, c: c}
		for _, field := range f.Fields {
			s.Header[field.Name] = field.Value
		}
		s.Method, s.Path = s.Header[":method"], s.Header[":path"]
		c.open[f.StreamID] = s
		return c.whole(f.StreamID, f.StreamEnded())
	case *http2.DataFrame:
		if s := c.open[f.StreamID]; s != nil {
			s.Body = append(s.Body, f.Data()...)
		}
		return c.whole(f.StreamID, f.StreamEnded())
	}
	return nil
}

func (c *conversation) whole(id uint32, ended bool) *Stream {
	s := c.open[id]
	if !ended {
		return nil
	}
	delete(c.open, id)
	return s
}

// write writes frames, unless the connection is to be silent. Whether the client is there is not our matter.
func (c *conversation) write(frames func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.silent {
		_ = frames()
	}
}

// Head begins the answer, with status 200.
func (s *Stream) Head(contentType string) {
	s.c.write(func() error {
		s.c.block.Reset()
		for _, f := range []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "content-type", Value: contentType}} {
			if err := s.c.encoder.WriteField(f); err != nil {
				return err
			}
		}
		return s.c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: s.c.block.Bytes(), EndHeaders: true})
	})
}

// Data goes on with the answer, or ends it.
func (s *Stream) Data(text string, end bool) {
	s.c.write(func() error { return s.c.framer.WriteData(s.id, end, []byte(text)) })
}

// Reset resets the stream.
func (s *Stream) Reset(code http2.ErrCode) {
	s.c.write(func() error { return s.c.framer.WriteRSTStream(s.id, code) })
}

// GoAway says that the connection takes no further requests, and whether this one was the last that was looked at, or it was
// not.
func (s *Stream) GoAway(seen bool, code http2.ErrCode) {
	last := s.id
	if !seen {
		last = 0
	}
	s.c.write(func() error { return s.c.framer.WriteGoAway(last, code, nil) })
}

// Close closes the connection.
func (s *Stream) Close() { s.c.conn.Close() }

// Silence lets the connection answer nothing any more, not even a ping.
func (s *Stream) Silence() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.silent = true
}
