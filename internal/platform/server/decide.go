package server

import (
	"bytes"
	"context"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/orchestration/approval"
	"github.com/signalbox/signalbox/internal/platform/json"
)

// Bounds of the page on which somebody decides.
const (
	maxDecideForm   = 16 << 10 // Bytes of what is sent.
	maxDecideReason = 500      // Characters.
)

// What a vote came through, in records.
const (
	viaPage = "page"
	viaLink = "link"
)

// decider serves the page of one approval. It works without scripts, so that it works anywhere, and its links can be sent
// to a channel.
type decider struct {
	*Server

	who   approval.Voter
	via   string
	token string
}

// decision is what the page shows.
type decision struct {
	Approval                           signalbox.Approval
	Arguments, Resources, User, Hidden string
	Open                               bool // It can be decided.
	Token, Bound                       string
	Done, Failure, Remedy              string
}

// decide serves the page to who is logged in, or has a link that a channel was sent, and takes his verdict.
func (s *Server) decide(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxDecideForm)
	d := &decider{Server: s}
	a, err := d.read(w, r)
	if err != nil {
		e := signalbox.AsError(err)
		p := page{Title: "This can not be decided here", Message: e.Message, Remedy: e.Remedy}
		if e.Code == signalbox.CodeUnauthenticated {
			p.Links = s.waysIn(linkPath + url.PathEscape(r.PathValue("id")))
		}
		s.page(w, r, e.Code.Status(), p)
		return
	}
	v, status := decision{Token: d.token}, http.StatusOK
	if r.Method == http.MethodPost {
		if err := d.vote(r, &a, &v); err != nil {
			e := signalbox.AsError(err)
			v.Failure, v.Remedy, status = e.Message, e.Remedy, e.Code.Status()
		}
	}
	d.fill(&v, a)
	d.write(r.Context(), w, status, v)
}

// read finds out who it is and reads the approval.
func (d *decider) read(w http.ResponseWriter, r *http.Request) (signalbox.Approval, error) {
	id := r.PathValue("id")
	if err := r.ParseForm(); err != nil {
		return signalbox.Approval{}, signalbox.Errorf(signalbox.CodeInvalid, "What was sent can not be read.").WithRemedy("Go back and try again.")
	}
	if err := d.identify(w, r, id); err != nil {
		return signalbox.Approval{}, err
	}
	a, err := d.data.db.Approval(r.Context(), id)
	switch {
	case err != nil:
		return a, err
	case d.via == viaLink:
		d.who.Tenant = a.Tenant
	case d.who.Tenant != a.Tenant:
		return a, signalbox.Errorf(signalbox.CodeNotFound, "There is no such approval.").WithRemedy("Look at the approvals of your own tenant.")
	}
	return a, nil
}

// identify takes the token of a link before a session: whoever follows a link decides in the channel's name.
func (d *decider) identify(w http.ResponseWriter, r *http.Request, id string) error {
	if d.token = r.FormValue("token"); d.token != "" {
		channel, ok := d.links.channel(id, d.token)
		if !ok {
			return signalbox.Errorf(signalbox.CodeForbidden, "The link is not one of ours for this approval.").
				WithRemedy("Follow the link as it was sent, or log in.")
		}
		d.via, d.who = viaLink, approval.Voter{By: "channel:" + channel, Key: "channel:" + channel, Role: signalbox.RoleApprover}
		return nil
	}
	key, err := d.keys.door.Authenticate(w, r)
	if err != nil {
		return err
	}
	if key.Role == signalbox.RoleAgent || key.Role == signalbox.RoleAuditor {
		return signalbox.Errorf(signalbox.CodeForbidden, "The role %s does not decide about calls.", key.Role).
			WithRemedy("Log in with the role that the approval needs, approver mostly, or as an admin.")
	}
	d.via = viaPage
	d.who = approval.Voter{By: key.ID, User: key.User, Key: key.ID, Agent: key.Agent, Role: key.Role, Tenant: key.Tenant}
	return nil
}

// vote takes the verdict of the form.
func (d *decider) vote(r *http.Request, a *signalbox.Approval, v *decision) error {
	reason, verdict := strings.TrimSpace(r.PostFormValue("reason")), signalbox.Verdict(r.PostFormValue("verdict"))
	switch {
	case verdict != signalbox.VerdictApprove && verdict != signalbox.VerdictDeny:
		return signalbox.Errorf(signalbox.CodeInvalid, "Nothing was decided.").WithRemedy("Press one of the buttons.")
	case len([]rune(reason)) > maxDecideReason:
		return signalbox.Errorf(signalbox.CodeInvalid, "The reason is longer than %d characters.", maxDecideReason).WithRemedy("Shorten it.")
	case verdict == signalbox.VerdictDeny && reason == "":
		return signalbox.Errorf(signalbox.CodeInvalid, "A denial needs a reason.").WithRemedy("Say why, for whoever asked.")
	}
	decided, err := d.approvals.Vote(r.Context(), d.who, a.ID, verdict, reason, d.via)
	if err != nil {
		if now, again := d.data.db.Approval(r.Context(), a.ID); again == nil {
			*a = now
		}
		return err
	}
	*a = decided
	v.Done = "Your verdict is on record."
	return nil
}

func (d *decider) fill(v *decision, a signalbox.Approval) {
	v.Approval, v.Open, v.Bound = a, a.State == signalbox.ApprovalPending, "not known"
	if a.Bound != nil {
		v.Bound = a.Bound.String() + " USD"
	}
	if !d.mayRead(a) {
		v.Hidden = "only approvers may read it"
		return
	}
	content, state := d.approvals.Content(a)
	if state != signalbox.ContentOpen {
		v.Hidden = string(state)
		return
	}
	v.Arguments, v.User, v.Resources = visible(string(json.Indent([]byte(content.Arguments)))), visible(content.User), visible(strings.Join(content.Resources, "\n"))
}

// mayRead is as strict as the control API: who follows a link, decides about the approval, or reads everything.
func (d *decider) mayRead(a signalbox.Approval) bool {
	switch d.who.Role {
	case signalbox.RoleApprover, signalbox.RoleAdmin, a.Require.Role:
		return true
	case signalbox.RoleAgent, signalbox.RoleDeveloper, signalbox.RoleAuditor, signalbox.RoleOperator:
	}
	return a.Key != "" && a.Key == d.who.Key
}

func (d *decider) write(ctx context.Context, w http.ResponseWriter, status int, v decision) {
	var b bytes.Buffer
	if err := decisionTemplate.Execute(&b, v); err != nil {
		d.options.Logger.WarnContext(ctx, "the page of an approval could not be made", "error", err)
		status = http.StatusInternalServerError
	}
	guardPage(w)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // Nobody is left to be told.
}

var decisionTemplate = template.Must(template.New("decision").Funcs(template.FuncMap{
	"time": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
}).Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Approval.Tool}} · {{.Approval.State}} · Signalbox</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}
dt{font-weight:600}dd{margin:0 0 .5rem;overflow-wrap:anywhere}
pre{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid;padding:.75rem}
textarea{width:100%;box-sizing:border-box;font:inherit}
button{font:inherit;padding:.75rem 1.5rem;margin:.5rem .5rem 0 0}
.failure{border-left:.3rem solid #b00;padding-left:.75rem}.done{border-left:.3rem solid #080;padding-left:.75rem}
</style>
</head>
<body>
<main>
<h1>{{.Approval.Tool}}</h1>
{{with .Failure}}<p class="failure" role="alert">{{.}} {{$.Remedy}}</p>{{end}}
{{with .Done}}<p class="done" role="status">{{.}}</p>{{end}}
<dl>
<dt>State</dt><dd>{{.Approval.State}}</dd>
<dt>Risk</dt><dd>{{.Approval.Risk}}{{with .Approval.Does}}, {{.}}{{end}}</dd>
<dt>Agent</dt><dd>{{or .Approval.Agent "none"}}</dd>
{{with .User}}<dt>On behalf of</dt><dd>{{.}}</dd>{{end}}
{{with .Approval.Run}}<dt>Run</dt><dd>{{.}}</dd>{{end}}
<dt>Why it waits</dt><dd>{{.Approval.Rule}}</dd>
<dt>It can cost</dt><dd>{{.Bound}}</dd>
<dt>Asked</dt><dd>{{time .Approval.Asked}}; it expires {{time .Approval.Expires}}</dd>
<dt>Approvals needed</dt><dd>{{.Approval.Require.Approvers}}</dd>
</dl>
{{with .Resources}}<h2>Resources</h2><pre>{{.}}</pre>{{end}}
<h2>What would be sent</h2>
{{if .Hidden}}<p>It can not be shown: {{.Hidden}}.</p>{{else}}<pre>{{.Arguments}}</pre>{{end}}
{{if .Approval.Votes}}<h2>Verdicts</h2>
<ul>{{range .Approval.Votes}}<li>{{.Verdict}} by {{.By}}{{with .User}} ({{.}}){{end}}, {{time .At}}{{with .Reason}}: {{.}}{{end}}</li>{{end}}</ul>{{end}}
{{if .Open}}<form method="post">
{{with .Token}}<input type="hidden" name="token" value="{{.}}">{{end}}
<p><label for="reason">Reason (a denial needs one; it stays in the log)</label>
<textarea id="reason" name="reason" rows="3" maxlength="500"></textarea></p>
<button name="verdict" value="deny">Deny</button>
<button name="verdict" value="approve">Approve</button>
</form>{{end}}
</main>
</body>
</html>
`))
