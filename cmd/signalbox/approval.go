package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/platform/json"
	"github.com/signalbox/signalbox/internal/platform/server/api"
)

type approvalCmd struct {
	List     approvalListCmd     `cmd:"" help:"List approvals, newest first."`
	Show     approvalShowCmd     `cmd:"" help:"Show exactly what a call would do that waits for people."`
	Approve  approvalApproveCmd  `cmd:"" help:"Approve a call."`
	Deny     approvalDenyCmd     `cmd:"" help:"Deny calls."`
	Edit     approvalEditCmd     `cmd:"" help:"Make a call with other arguments instead, in one's own name."`
	Withdraw approvalWithdrawCmd `cmd:"" help:"Take back what one has asked for, with the key that asked; an admin takes back anything."`
	Watch    approvalWatchCmd    `cmd:"" help:"Print approvals as they come and change, until it is interrupted."`
}

var approvalHeading = []string{"ID", "STATE", "RISK", "VOTES", "TENANT", "AGENT", "TOOL", "OPERATION", "EXPIRES", "RULE"}

func approvalLine(a api.Approval) []string {
	approvals := 0
	for _, v := range a.Votes {
		if v.Verdict == signalbox.VerdictApprove {
			approvals++
		}
	}
	return []string{
		a.ID, string(a.State), string(a.RiskLevel), fmt.Sprintf("%d/%d", approvals, a.Approvers), a.Tenant, text(a.AgentID),
		a.ToolName, text(a.Operation), a.Expires.Format(time.RFC3339), a.Rule,
	}
}

type approvalListCmd struct {
	remote
	format
	State  string `enum:",pending,approved,denied,expired,stale,withdrawn" default:"" help:"Only of this state: ${enum}."`
	Tenant string `help:"Only of this tenant."`
	Agent  string `help:"Only of this agent."`
	Tool   string `help:"Only of this tool."`
	OfRun  string `name:"run" help:"Only of this run."`
	Limit  int    `default:"50" help:"Approvals to show, 1 to 500."`
}

// Run lists approvals.
func (k *approvalListCmd) Run(c *console) error {
	q := tenantQuery(k.Tenant)
	q.Set("limit", strconv.Itoa(k.Limit))
	for name, value := range map[string]string{"state": k.State, "agent": k.Agent, "tool": k.Tool, "run": k.OfRun} {
		if value != "" {
			q.Set(name, value)
		}
	}
	var page api.Page[api.Approval]
	if err := k.get(c.ctx, "/approvals", q, &page); err != nil {
		return err
	}
	var rows [][]string
	for _, a := range page.Items {
		rows = append(rows, approvalLine(a))
	}
	return k.print(c, page, approvalHeading, rows)
}

type approvalShowCmd struct {
	remote
	format
	ID   string `arg:"" help:"The approval's id."`
	Wait string `help:"Wait so long for a decision, such as 45s; 60s at the most." placeholder:"TIME"`
}

// Run shows an approval.
func (k *approvalShowCmd) Run(c *console) error {
	q := url.Values{}
	if k.Wait != "" {
		q.Set("wait", k.Wait)
	}
	var a api.Approval
	if err := k.get(c.ctx, "/approvals/"+url.PathEscape(k.ID), q, &a); err != nil {
		return err
	}
	return k.print(c, a, []string{"FIELD", "VALUE"}, approvalFields(a))
}

// approvalFields shows an approval, its votes, and what would be sent, which is written so that nothing in it can pass for
// anything else on a terminal.
func approvalFields(a api.Approval) [][]string {
	rows := [][]string{
		{"id", a.ID},
		{"state", string(a.State)},
		{"tenant", a.Tenant},
		{"agent", text(a.AgentID)},
		{"key", text(a.KeyID)},
		{"user", plain(text(a.UserID))},
		{"run", text(a.RunID)},
		{"call", text(a.CallID)},
		{"kind", string(a.Kind)},
		{"tool", a.ToolName},
		{"operation", text(a.Operation)},
		{"risk", string(a.RiskLevel)},
		{"cost bound (USD)", text(a.CostBound)},
		{"asked", a.Asked.Format(time.RFC3339)},
		{"expires", a.Expires.Format(time.RFC3339)},
		{"approvers", fmt.Sprintf("%d with the role %s", a.Approvers, text(a.Role))},
		{"rule", a.Rule},
		{"policy", a.PolicyVersion},
		{"used by", text(a.UsedBy)},
		{"compare with", text(a.Previous)},
		{"edited from", text(a.EditedFrom)},
	}
	for _, v := range a.Votes {
		who := v.By
		if v.User != nil {
			who += " (" + *v.User + ")"
		}
		rows = append(rows, []string{"vote", plain(fmt.Sprintf("%s by %s at %s via %s: %s", v.Verdict, who, v.At.Format(time.RFC3339), v.Via, v.Reason))})
	}
	if a.Resources != nil {
		for _, r := range *a.Resources {
			rows = append(rows, []string{"resource", plain(r)})
		}
	}
	if a.Arguments == nil {
		return append(rows, []string{"arguments", "(not to be seen with this key" + contentNote(a.Content) + ")"})
	}
	return append(rows, []string{"arguments", plain(*a.Arguments)})
}

func contentNote(s signalbox.ContentState) string {
	if s == signalbox.ContentOpen {
		return ""
	}
	return ", " + string(s)
}

// plain escapes what is not printable: control characters, and those that are invisible or turn the direction of text.
func plain(s string) string {
	quoted := strconv.QuoteToGraphic(s)
	quoted = quoted[1 : len(quoted)-1]
	return strings.ReplaceAll(quoted, `\"`, `"`)
}

type approvalApproveCmd struct {
	remote
	format
	ID     string `arg:"" help:"The approval's id."`
	Reason string `help:"Why; it is kept."`
}

// Run approves. There is no way to approve several at once.
func (k *approvalApproveCmd) Run(c *console) error {
	return k.decide(c, k.format, k.ID, "approve", k.Reason)
}

type approvalWithdrawCmd struct {
	remote
	format
	ID     string `arg:"" help:"The approval's id."`
	Reason string `help:"Why; it is kept."`
}

// Run takes a question back.
func (k *approvalWithdrawCmd) Run(c *console) error {
	return k.decide(c, k.format, k.ID, "withdraw", k.Reason)
}

// decide votes on one approval, or withdraws it.
func (r remote) decide(c *console, f format, id, verdict, reason string) error {
	var a api.Approval
	path := "/approvals/" + url.PathEscape(id) + "/" + verdict
	if err := r.send(c.ctx, http.MethodPost, path, api.VoteRequest{Reason: reason}, &a, api.ViaHeader, "cli"); err != nil {
		return err
	}
	return f.print(c, a, approvalHeading, [][]string{approvalLine(a)})
}

type approvalDenyCmd struct {
	remote
	format
	IDs    []string `arg:"" name:"id" help:"The approvals' ids."`
	Reason string   `required:"" help:"Why: whoever has asked reads it."`
}

// Run denies one approval or several.
func (k *approvalDenyCmd) Run(c *console) error {
	if len(k.IDs) == 1 {
		return k.decide(c, k.format, k.IDs[0], "deny", k.Reason)
	}
	var done api.Denied
	body := api.DenyMany{IDs: k.IDs, Reason: k.Reason}
	if err := k.send(c.ctx, http.MethodPost, "/approvals/deny", body, &done, api.ViaHeader, "cli"); err != nil {
		return err
	}
	var rows [][]string
	failed := false
	for _, one := range done.Items {
		result := "denied"
		if one.Error != nil {
			result, failed = string(one.Error.Code)+": "+one.Error.Message, true
		}
		rows = append(rows, []string{one.ID, result})
	}
	if err := k.print(c, done, []string{"ID", "RESULT"}, rows); err != nil {
		return err
	}
	if failed {
		return errNo
	}
	return nil
}

type approvalWatchCmd struct {
	remote
	format
	Tenant string `help:"Only of this tenant."`
	ID     string `help:"Only this one, until it is decided." placeholder:"ID"`
}

// maxEvent bounds one event of the stream.
const maxEvent = 16 << 20

// Run prints a line for each approval that is pending or changes. A broken stream is an error; whoever wants more starts
// again.
func (k *approvalWatchCmd) Run(c *console) error {
	q := tenantQuery(k.Tenant)
	if k.ID != "" {
		q.Set("id", k.ID)
	}
	answer, err := k.open(c, "/api/v1/approvals/events?"+q.Encode())
	if err != nil {
		return err
	}
	defer answer.Close()
	lines := bufio.NewScanner(answer)
	lines.Buffer(nil, maxEvent)
	name := ""
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			name = value
		case "data":
			if err := k.show(c, name, value); err != nil {
				return err
			}
		}
	}
	if c.ctx.Err() != nil { // It was interrupted, which is how it ends.
		return nil
	}
	if err := lines.Err(); err != nil {
		return &unreachableError{k.URL, err}
	}
	if k.ID == "" {
		return &unreachableError{k.URL, io.ErrUnexpectedEOF}
	}
	return nil
}

// show prints an event.
func (k *approvalWatchCmd) show(c *console, name, data string) error {
	var list api.Inbox
	if name == "approval" {
		list.Items = make([]api.Approval, 1)
		if err := json.Unmarshal([]byte(data), &list.Items[0]); err != nil {
			return err
		}
	} else if err := json.Unmarshal([]byte(data), &list); err != nil {
		return err
	}
	for _, a := range list.Items {
		line := strings.Join(approvalLine(a), "  ")
		if k.Output == outputJSON {
			b, err := json.Marshal(a)
			if err != nil {
				return err
			}
			line = string(b)
		}
		if _, err := fmt.Fprintln(c.out, line); err != nil {
			return err
		}
	}
	return nil
}
