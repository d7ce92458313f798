package canary

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/signalbox/signalbox/tests/harness"
)

// newIdentity starts an identity provider that logs nobody in, and repeats in its errors whatever it was sent.
func newIdentity(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(nil)
	t.Cleanup(server.Close)
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer":%[1]q,"authorization_endpoint":"%[1]s/authorize","token_endpoint":"%[1]s/token","jwks_uri":"%[1]s/keys",`+
			`"response_types_supported":["code"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["RS256"]}`, server.URL)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		said, _ := io.ReadAll(r.Body)
		values, _ := url.ParseQuery(string(said))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":%[1]s,"error_description":%[1]s}`, quote(values.Get("code")))
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":[]}`) })
	server.Config.Handler = mux
	return server.URL
}

// direct follows no redirect, as nobody is to see where one leads but who looks at it.
var direct = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// read reads an answer.
func read(r *http.Response, err error) (harness.Answer, error) {
	if err != nil {
		return harness.Answer{}, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return harness.Answer{Status: r.StatusCode, Header: r.Header, Body: string(body)}, err
}

// visit asks for a page as a browser does; a form makes it a POST.
func (b *bench) visit(t *testing.T, path, form string, header ...string) harness.Answer {
	t.Helper()
	method := http.MethodGet
	if form != "" {
		method, header = http.MethodPost, append(header, "Content-Type", "application/x-www-form-urlencoded")
	}
	r, err := http.NewRequestWithContext(t.Context(), method, b.URL+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	a, err := read(direct.Do(r))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// begun begins a login, and gives its cookie and its state.
func (b *bench) begun(t *testing.T, to string) (cookie, state string) {
	t.Helper()
	a := b.visit(t, "/login/corp?to="+url.QueryEscape(to), "")
	address, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.Status != http.StatusSeeOther {
		t.Fatalf("the login begins with %d, %v: %s", a.Status, err, a.Body)
	}
	return strings.SplitN(a.Header.Get("Set-Cookie"), ";", 2)[0], address.Query().Get("state")
}

// page is a field of a page; $ in the path and in the form is the text.
func page(name, path, form string, header ...string) field {
	return field{name: "page " + name, content: true, send: func(b *bench, t *testing.T, text string) harness.Answer {
		var filled []string
		for _, h := range header {
			filled = append(filled, strings.ReplaceAll(h, "$", url.QueryEscape(text)))
		}
		escaped := url.PathEscape(text)
		if strings.Contains(path, "?") {
			escaped = url.QueryEscape(text)
		}
		return b.visit(t, strings.ReplaceAll(path, "$", escaped), strings.ReplaceAll(form, "$", url.QueryEscape(text)), filled...)
	}}
}

// returned is a field of what an identity provider sends a browser back with; % is the state of a login that was begun.
func returned(name, query string) field {
	return field{name: "login, " + name, content: true, send: func(b *bench, t *testing.T, text string) harness.Answer {
		cookie, state := b.begun(t, "/")
		return b.visit(t, "/login/corp/callback?"+strings.NewReplacer("$", url.QueryEscape(text), "%", state).Replace(query), "", "Cookie", cookie)
	}}
}

// decides is a field of the form of the page of an approval.
func decides(name, form string, content bool) field {
	return field{name: "decide, " + name, content: content, send: func(b *bench, t *testing.T, text string) harness.Answer {
		defer b.settle(t)
		filled := strings.ReplaceAll(form, "$", url.QueryEscape(text))
		return b.visit(t, "/decide/"+b.weighty(t), filled, "Authorization", "Bearer "+b.approver)
	}}
}

func loginFields() []field {
	return []field{
		page("of a provider", "/login/$", ""),
		page("after the login", "/login/corp?to=$", ""),
		page("after the login, a path", "/login/corp?to=/$", ""),
		page("of a return", "/login/corp/callback?code=$&state=$&error=$&error_description=$&iss=$&$=1", ""),
		page("of another's return", "/login/$/callback?code=c&state=s", ""),
		page("of a return with a cookie", "/login/corp/callback?code=c&state=s", "", "Cookie", "signalbox_login=$"),
		returned("code", "code=$&state=%"),
		returned("state", "code=c&state=$"),
		returned("error", "error=$&error_description=$&state=%"),
		returned("issuer", "code=c&iss=$&state=%"),
		{name: "token of a person", content: true, send: func(b *bench, t *testing.T, text string) harness.Answer {
			return b.Send(t, http.MethodGet, "/api/v1/calls", text, "")
		}},

		page("of an approval", "/decide/$", "", "Authorization", "Bearer "+harness.Admin),
		page("of an approval with a token", "/decide/appr_0?token=$", ""),
		page("of an approval with a token of two parts", "/decide/appr_0?token=b3Bz.$", ""),
		decides("reason to approve", "verdict=approve&reason=$", false),
		decides("reason to deny", "verdict=deny&reason=$", false),
		decides("verdict", "verdict=$&reason=x", true),
		decides("token", "verdict=approve&token=$", true),
	}
}
