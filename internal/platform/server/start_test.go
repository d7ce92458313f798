package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/signalbox/signalbox"
)

// Whatever keeps a server from starting, it is told with the field to blame, and nothing is left behind: no goroutine, no
// lock on the database, no port.
func TestStartFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	_, foreign := certificate(t, t.TempDir())
	for _, c := range []struct {
		name, config string
		code         signalbox.Code
		field        string
	}{
		{"port in use", fmt.Sprintf("listen: %s\n", taken.Addr()), signalbox.CodeConflict, "listen"},
		{"no such certificate", "tls: {cert: /nowhere/cert.pem, key: /nowhere/key.pem}\n", signalbox.CodeInvalid, "tls"},
		{"key of another certificate", fmt.Sprintf("tls: {cert: %s, key: %s}\n", cert, foreign), signalbox.CodeInvalid, "tls"},
		{"certificate that is a key", fmt.Sprintf("tls: {cert: %s, key: %s}\n", key, key), signalbox.CodeInvalid, "tls"},
		{"key of another log", "audit: {origin: another.example/log}\n", signalbox.CodeInvalid, "audit.origin"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			started(t, dir, someKeys).stop() // The database and its key are there; an error shows at the end of the test.
			s, _, err := made(dir, configured(t, dir, c.config+someKeys))
			if err == nil {
				s.stop(context.Background())
				t.Fatal("it started")
			}
			e := signalbox.AsError(err)
			if e.Code != c.code || e.Field != c.field || e.Remedy == "" {
				t.Errorf("got %s in %q with the remedy %q, want %s in %q (%v)", e.Code, e.Field, e.Remedy, c.code, c.field, err)
			}
			goleak.VerifyNone(t, before)
			started(t, dir, someKeys)
		})
	}
}

// A second server on the same database is refused while the first one runs, and does it no harm.
func TestSecondServer(t *testing.T) {
	dir := t.TempDir()
	first := started(t, dir, someKeys+simulatedModel)
	if _, _, err := made(dir, configured(t, dir, someKeys)); err == nil || signalbox.AsError(err).Remedy == "" {
		t.Errorf("the second server gives %v", err)
	}
	if response, text := first.send(http.MethodPost, chatPath, agentKey, chat("small", false)); response.StatusCode != http.StatusOK {
		t.Errorf("the first answers %d: %s", response.StatusCode, text)
	}
}

// An instance without any key gets one, in a file for its owner only, and only once.
func TestFirstKey(t *testing.T) {
	dir := t.TempDir()
	i := started(t, dir, "")
	path := filepath.Join(dir, AdminKeyFile)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != fs.FileMode(0o600) {
		t.Fatalf("the file has mode %v: %v", info, err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.TrimSpace(string(content))
	response, text := i.send(http.MethodGet, "/api/v1/session", secret, "")
	if response.StatusCode != http.StatusOK || !strings.Contains(text, `"role":"admin"`) {
		t.Fatalf("the key answers %d: %s", response.StatusCode, text)
	}
	if strings.Contains(i.log.String(), secret) {
		t.Error("the log shows the secret")
	}
	if err := i.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	again := started(t, dir, "")
	if _, err := os.Stat(path); err == nil {
		t.Error("a second start made a second key")
	}
	if response, _ := again.send(http.MethodGet, "/api/v1/session", secret, ""); response.StatusCode != http.StatusOK {
		t.Errorf("after a restart the key answers %d", response.StatusCode)
	}
}

// A file that was there with other rights is not left readable to others.
func TestFirstKeyOverAnOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, AdminKeyFile)
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	started(t, dir, "")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v: %v", info.Mode(), err)
	}
}

// With a certificate the server speaks TLS, HTTP/1.1 and HTTP/2, and the console's cookie is for TLS only.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	i := started(t, dir, fmt.Sprintf("tls: {cert: %s, key: %s}\n", cert, key)+someKeys+simulatedModel)
	roots := x509.NewCertPool()
	pemBytes, err := os.ReadFile(cert)
	if err != nil || !roots.AppendCertsFromPEM(pemBytes) {
		t.Fatal("no certificate", err)
	}
	for proto, two := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(proto, func(t *testing.T) {
			i.client.CloseIdleConnections()
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: two}
			defer transport.CloseIdleConnections()
			i.client.Transport = transport
			for _, stream := range []bool{false, true} {
				response, text := i.send(http.MethodPost, chatPath, agentKey, chat("small", stream))
				if response.StatusCode != http.StatusOK || response.Proto != proto || response.TLS.Version < tls.VersionTLS12 {
					t.Fatalf("%s answers %d: %s", response.Proto, response.StatusCode, text)
				}
				if stream && (!strings.HasSuffix(text, "data: [DONE]\n\n") || response.Trailer.Get("X-Signalbox-Cost-Usd") == "") {
					t.Errorf("the stream ends with %q, its trailer is %v", text[max(0, len(text)-40):], response.Trailer)
				}
			}
			response, text := i.send(http.MethodPost, "/api/v1/session", "", `{"key":"`+adminKey+`"}`, "X-Signalbox-Console", "1")
			cookies := response.Cookies()
			if len(cookies) != 1 || !cookies[0].Secure {
				t.Errorf("the login answers %d with the cookies %v: %s", response.StatusCode, cookies, text)
			}
		})
	}
	plain := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if response, err := plain.Get("http://" + i.Addr().String() + "/healthz"); err == nil {
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			t.Error("the port serves plain HTTP too")
		}
	}
}

// certificate makes one for 127.0.0.1 and its key.
func certificate(t *testing.T, dir string) (certFile, keyFile string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "signalbox"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}
