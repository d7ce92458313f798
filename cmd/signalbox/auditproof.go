package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/governance/audit"
	"github.com/signalbox/signalbox/internal/platform/json"
)

type auditProveCmd struct {
	remote
	Index    int64  `arg:"" help:"The record."`
	File     string `short:"o" help:"Where to write the proof; else it is printed." type:"path" placeholder:"FILE"`
	Database string `help:"Read this database without contacting a server of ours." placeholder:"URL"`
	KeyFile  string `name:"key" help:"The log's public key; without it the key beside the SQLite file is used." type:"path" placeholder:"FILE"`
}

// Run writes the proof. One out of a database is checked first.
func (k *auditProveCmd) Run(c *console) error {
	file, err := k.proof(c)
	if err != nil {
		return err
	}
	if k.File == "" {
		_, err = c.out.Write(file)
		return err
	}
	if err := os.WriteFile(k.File, file, 0o600); err != nil {
		return &usageError{"-o: " + err.Error()}
	}
	_, err = fmt.Fprintf(c.out, "proof of record %d: %s\n", k.Index, k.File)
	return err
}

func (k *auditProveCmd) proof(c *console) ([]byte, error) {
	if k.Database == "" {
		return k.fetch(c, audit.ProofPath+"?index="+strconv.FormatInt(k.Index, 10))
	}
	db, keyFile, err := openLog(c, k.Database, k.KeyFile)
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // It was only read.
	verifier, err := audit.ReadVerifier(keyFile)
	if err != nil {
		return nil, err
	}
	p, err := audit.ProveRecord(c.ctx, db, k.Index)
	if err != nil {
		return nil, err
	}
	_, err = p.Check(verifier, nil)
	return p.Marshal(), err
}

// fetch reads one of the log's own paths, which are not of the control API.
func (r remote) fetch(c *console, path string) ([]byte, error) {
	if r.Key == "" {
		return nil, &usageError{"no API key: set SIGNALBOX_API_KEY"}
	}
	req, err := http.NewRequestWithContext(c.ctx, http.MethodGet, strings.TrimRight(r.URL, "/")+path, nil)
	if err != nil {
		return nil, &usageError{err.Error()}
	}
	req.Header.Set("Authorization", "Bearer "+r.Key)
	answer, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		return nil, &unreachableError{r.URL, err}
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, &unreachableError{r.URL, err}
	}
	if answer.StatusCode >= http.StatusBadRequest {
		return nil, decodeError(answer, data)
	}
	return data, nil
}

// proof checks a proof of one record, and with a line of an export that it is about that record.
func (k *auditVerifyCmd) proof(c *console) error {
	verifier, err := k.publicKey()
	if err != nil {
		return err
	}
	file, err := os.ReadFile(k.Proof)
	if err != nil {
		return &usageError{"--proof: " + err.Error()}
	}
	p, err := audit.ParseProof(file)
	if err != nil {
		return err
	}
	leaf, err := k.leafData()
	if err != nil {
		return err
	}
	checkpoint, err := p.Check(verifier, leaf)
	if err != nil {
		return err
	}
	if leaf == nil {
		leaf = p.LeafData
	}
	return k.print(c, map[string]any{"ok": true, "index": p.Index, "checkpoint_size": checkpoint.Size, "origin": checkpoint.Origin, "leaf_data": string(leaf)},
		[]string{fmt.Sprintf("verified: record %d is in the log %s of size %d: %s", p.Index, checkpoint.Origin, checkpoint.Size, leaf)}, nil)
}

func (k *auditVerifyCmd) publicKey() (string, error) {
	if k.KeyFile == "" {
		return "", &usageError{"--key FILE is needed: the log's public key, which must not come from whom you check"}
	}
	return audit.ReadVerifier(k.KeyFile)
}

// leafData is that of the line in --record, nil without one.
func (k *auditVerifyCmd) leafData() ([]byte, error) {
	if k.Record == "" {
		return nil, nil
	}
	text, err := os.ReadFile(k.Record)
	if err != nil {
		return nil, &usageError{"--record: " + err.Error()}
	}
	var l audit.ExportLine
	if err := json.Unmarshal(text, &l); err != nil {
		return nil, &usageError{"--record: it is not a line of an export: " + err.Error()}
	}
	e := signalbox.Entry{Index: l.Index, Time: l.Time, Type: l.Type, Tenant: l.Tenant, Call: l.Call, Content: l.Raw}
	if len(l.Digest) == len(e.Digest) && l.Raw == nil {
		e.Digest = [32]byte(l.Digest)
	}
	return audit.LeafData(e)
}

// chosen are the filters of records.
type chosen struct {
	Tenant  string `help:"Only of this tenant." placeholder:"ID"`
	User    string `help:"Only of this user." placeholder:"ID"`
	Subject string `help:"Only about this data subject." placeholder:"ID"`
	Agent   string `help:"Only of this agent." placeholder:"ID"`
	Action  string `help:"Only of this action, such as llm_call." placeholder:"NAME"`
	Risk    string `help:"Only of this risk." placeholder:"LEVEL"`
	From    string `help:"Only from this time on: a day, or RFC 3339." placeholder:"TIME"`
	To      string `help:"Only before this time." placeholder:"TIME"`
	OfRun   string `name:"run" help:"Only of this run." placeholder:"ID"`
	Call    string `help:"Only of this call." placeholder:"ID"`
}

func (k *chosen) filter() (f audit.Filter, err error) {
	f = audit.Filter{Tenant: k.Tenant, User: k.User, Subject: k.Subject, Agent: k.Agent, Action: k.Action, Risk: k.Risk, Run: k.OfRun, Call: k.Call}
	if f.From, err = instant(k.From, "--from", time.Time{}); err != nil {
		return f, err
	}
	f.To, err = instant(k.To, "--to", time.Time{})
	return f, err
}

func (k *chosen) query() (url.Values, error) {
	f, err := k.filter()
	if err != nil {
		return nil, err
	}
	q := url.Values{}
	for name, value := range map[string]string{
		"tenant": f.Tenant, "user": f.User, "subject": f.Subject, "agent": f.Agent, "action": f.Action, "risk": f.Risk,
		"run": f.Run, "call": f.Call,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, at := range map[string]time.Time{"from": f.From, "to": f.To} {
		if !at.IsZero() {
			q.Set(name, at.Format(time.RFC3339Nano))
		}
	}
	return q, nil
}
