package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox/signalbox/tests/harness"
)

// certificate writes a certificate for this machine and its key, and gives the pool that trusts it.
func certificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "signalbox test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

// The listener speaks TLS, in HTTP/1.1 and HTTP/2, streams and trailers included, and nothing else.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	pool := certificate(t, dir)
	tlsLine := fmt.Sprintf("tls: {cert: %q, key: %q}\n", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	i := harness.Start(t, harness.Options{Dir: dir, Config: tlsLine + harness.Simulated, Trust: pool})
	if !strings.HasPrefix(i.URL, "https://") {
		t.Fatalf("the address is %s", i.URL)
	}
	for _, c := range []struct {
		name  string
		two   bool
		major int
	}{{"HTTP/1.1", false, 1}, {"HTTP/2", true, 2}} {
		t.Run(c.name, func(t *testing.T) {
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: c.two}}
			defer client.CloseIdleConnections()
			body := strings.Replace(good, "{", `{"stream":true,`, 1)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.URL+chatPath, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+harness.Agent)
			r.Header.Set("Content-Type", "application/json")
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err != nil || response.ProtoMajor != c.major || !strings.HasSuffix(string(text), "data: [DONE]\n\n") {
				t.Errorf("%s, %v: %s", response.Proto, err, text)
			}
			if response.Trailer.Get("X-Signalbox-Cost-Usd") == "" {
				t.Error("the trailer says no cost")
			}
		})
	}
	plain, err := http.Get("http" + strings.TrimPrefix(i.URL, "https") + "/healthz")
	if err == nil {
		plain.Body.Close()
		if plain.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP is answered with %d", plain.StatusCode)
		}
	}
	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11}}}
	if response, err := old.Get(i.URL + "/healthz"); err == nil {
		response.Body.Close()
		t.Error("TLS 1.1 is accepted")
	}
}

func TestTLSFilesThatDoNotFit(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir)
	line := fmt.Sprintf("tls: {cert: %q, key: %q}\n", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "cert.pem"))
	refuses(t, harness.Options{Dir: dir, Config: line + harness.Simulated}, "tls", "certificate")
}
