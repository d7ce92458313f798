/** Canned approvals, policy, grants, incidents and sessions in the control API's shapes, and what acts make of them. */

const at = (minutes) => new Date(Date.now() + minutes * 60_000).toISOString();
export const POLICY = "sha256:4be1c07d92aa6610";
const OLD_POLICY = "sha256:90ff3a1c55d20b7e";

function approval(id, more) {
  const args = more.arguments ?? null;
  return {
    id, tenant: "acme", state: "pending", asked: at(-3), expires: at(57), decided: null, use_by: null, used: null, used_by: null, call_id: "call_0007",
    trace_id: "4bf92f3577b34da6a3ce929d0e0e4736", run_id: "run_0b7c41d29ce84f60a1d4", agent_id: "writer", key_id: "key_nightly", user_id: "jun.park", kind: "tool",
    tool_name: "files.write_file", operation: "write", resources: ["/reports/2026/q3.md"], risk_level: "medium", approvers_required: 1, approver_role: "approver",
    policy_version: POLICY, rule: "tier medium (signalbox.yml:61)", cost_bound: "0.004000000", votes: [], previous: null, edited_from: null, content: "",
    ...more, arguments: args, arguments_bytes: args === null ? null : args.length,
  };
}

const vote = (by, user, verdict, reason, minutes, via = "console") => ({ by, user, role: "approver", verdict, reason, at: at(minutes), via });

const REPORT = Array.from({ length: 30 }, (_, i) => `## Section ${i + 1}\n\nRevenue of region ${i + 1} grew by ${(i * 7) % 13} percent.`).join("\n");

export const FIRST = "appr_01k5zr8q";
export const TWO = "appr_01k5zr9d";

export function approvals() {
  const transfer = { amount: 125000.5, currency: "EUR", to: { name: "Acme Supplies", iban: "DE89370400440532013000" }, reference: "INV-2026-0147", approved: true, notify: ["finance@acme.example", "ops@acme.example"] };
  return [
    approval(TWO, {
      tool_name: "bank.transfer", operation: "delete", resources: ["DE89370400440532013000"], risk_level: "high", approvers_required: 2, asked: at(-1), expires: at(1.6), cost_bound: null,
      agent_id: "clerk", arguments: JSON.stringify({ ...transfer, to: { name: "Acme Suppli\u200bes", iban: "DE89370400440532013000" }, reference: "INV-2026-0148\u202egpj.exe" }).replace("125000.5", "125000.50000000000001"),
      previous: "appr_01k5aa01", votes: [vote("key_other", "sora.lee", "approve", "Invoice matches the order.", -0.5)], rule: "tier high (signalbox.yml:63)",
    }),
    approval(FIRST, {
      arguments: JSON.stringify({ path: "/reports/2026/q3.md", content: REPORT, overwrite: true, mode: 420 }), previous: "appr_01k5aa02", asked: at(-12), expires: at(48),
    }),
    approval("appr_01k5zrc1", {
      tool_name: "mail.send", resources: ["p\u0430ypal.com"], agent_id: "researcher-a", arguments: JSON.stringify({ to: "billing@p\u0430ypal.com", subject: "Account", body: "Please see the attached file." }),
      asked: at(-30), expires: at(200), run_id: null,
    }),
    approval("appr_01k5zrd7", { tool_name: "crm.delete_contact", operation: "delete", resources: ["contact/4471"], risk_level: "high", key_id: "key_support", user_id: "mina.kim", agent_id: "support", content: "", arguments: '{"id":4471,"id":4472}', expires: at(30) }),
    approval("appr_01k5zre2", { tool_name: "wiki.edit", resources: null, risk_level: "low", content: "sealed", user_id: null, expires: at(1500), agent_id: "writer" }),
    approval("appr_01k5aa01", { tool_name: "bank.transfer", operation: "delete", state: "approved", decided: at(-4000), used: at(-3999), used_by: "call_0003", risk_level: "high", agent_id: "clerk", arguments: JSON.stringify({ ...transfer, amount: 9800 }), votes: [vote("key_other", "sora.lee", "approve", "Known supplier.", -4001), vote("key_boss", "d.choi", "approve", "", -4000, "link")], asked: at(-4010) }),
    approval("appr_01k5aa02", { state: "approved", decided: at(-1500), used: at(-1499), used_by: "call_0004", arguments: JSON.stringify({ path: "/reports/2026/q2.md", content: REPORT.replace("## Section 3\n", "## Third section\n"), overwrite: false }), votes: [vote("key_other", "sora.lee", "approve", "", -1500)], asked: at(-1510) }),
    approval("appr_01k5aa03", { tool_name: "shell.exec", state: "denied", decided: at(-90), arguments: JSON.stringify({ command: "rm -rf /var/data" }), risk_level: "high", votes: [vote("key_other", "sora.lee", "deny", "The agent has no business there.", -90)], asked: at(-95) }),
    approval("appr_01k5aa04", { tool_name: "mail.send", state: "expired", decided: at(-600), arguments: "{}", asked: at(-660) }),
  ];
}

const line = (name, operations, resources, source, max_per_minute = null) => ({ name, operations, resources, max_per_minute, source });

export function policyInForce() {
  return {
    version: POLICY, since: at(-2000), forbids: 1,
    agents: [
      { id: "researcher-a", role: "research", declared: true, models: ["claude-sonnet", "gpt-*"], requires_approval: false, max_tokens: 200_000, tools: [line("files.*", ["read"], ["/reports/**"], "agents[0].permissions.tools[0] (signalbox.yml:14)"), line("search.web_search", ["read"], ["*"], "agents[0].permissions.tools[1] (signalbox.yml:17)", 30), line("old.*", ["read"], ["*"], "agents[0].permissions.tools[2] (signalbox.yml:19)")], data: null, network: { allow: ["*.example.org"], block: [], max_per_minute: 30 } },
      { id: "writer", role: "writing", declared: true, models: null, requires_approval: true, max_tokens: null, tools: [line("files.*", ["read", "write"], ["/reports/**", "/drafts/*"], "agents[1].permissions.tools[0] (signalbox.yml:28)"), line("wiki.edit", ["write"], ["*"], "agents[1].permissions.tools[1] (signalbox.yml:31)")], data: { tables: ["sales"], row_filter: "region = 'EU'", max_rows: 500 }, network: null },
      { id: "clerk", role: null, declared: true, models: [], requires_approval: false, max_tokens: null, tools: [line("bank.transfer", ["read", "write", "delete"], ["DE*"], "agents[2].permissions.tools[0] (signalbox.yml:40)", 2)], data: null, network: null },
      { id: "visitor", role: null, declared: false, models: null, requires_approval: false, max_tokens: null, tools: [], data: null, network: null },
    ],
    tools: ["bank.transfer", "crm.delete_contact", "files.read_file", "files.write_file", "mail.send", "search.web_search", "wiki.edit"].map((id) => ({ id, server: id.split(".")[0], operation: /read|search/.test(id) ? "read" : /delete|transfer/.test(id) ? "delete" : "write", resources: id.startsWith("files") ? [{ argument: "path", kind: "path", operation: null }] : [], source: "tools (signalbox.yml:52)" })),
    risk_rules: [{ when: 'tool.startsWith("bank.")', level: "high", source: "policy.risk[0] (signalbox.yml:58)" }],
    tiers: { low: { approvers: 0, role: null }, medium: { approvers: 1, role: "approver" }, high: { approvers: 2, role: "approver" } },
    approval_rules: [{ agent: "*", tool: "wiki.*", approvers: 0, role: null, source: "approvals.rules[0] (signalbox.yml:66)" }],
    warnings: [{ text: "The permission old.* fits no tool that is known.", source: "agents[0].permissions.tools[2] (signalbox.yml:19)" }],
  };
}

export function explain(q) {
  const agent = policyInForce().agents.find((a) => a.id === q.agent);
  const rule = agent?.tools.find((l) => q.tool.startsWith(l.name.replace("*", "")));
  const resource = String(q.arguments?.path ?? "");
  return {
    allowed: Boolean(rule), rule: rule?.source ?? null, message: rule ? `The agent ${q.agent} may do this.` : `No permission of the agent ${q.agent || "(none)"} covers ${q.tool}.`,
    would_change: rule ? [] : [`Add to the permissions of ${q.agent}: tools: [{name: ${q.tool}, operations: [write], resources: ["*"]}]`], operation: "write",
    accesses: [{ operation: "write", resource, rule: rule?.source ?? null }], risk_level: "medium", risk_rule: null, approvers_required: rule ? 1 : 0, approver_role: rule ? "approver" : null,
    why_approval: rule ? "tier medium (signalbox.yml:61)" : null, policy_version: POLICY,
  };
}

const TEXT = Array.from({ length: 40 }, (_, i) => `permit agent-${String(i).padStart(2, "0")} files.* read /reports/**`);

export function policyVersions() {
  return [
    { version: POLICY, time: at(-2000), text: [...TEXT.slice(0, 12), "permit clerk bank.transfer read,write,delete DE*", ...TEXT.slice(12, 33), ...TEXT.slice(34)].join("\n") + "\n" },
    { version: OLD_POLICY, time: at(-9000), text: [...TEXT.slice(0, 12), "permit clerk bank.transfer read DE*", ...TEXT.slice(12)].join("\n") + "\n" },
  ];
}

export function grants() {
  const grant = (id, more) => ({ id, tenant: "acme", agent_id: "support", tool: "crm.*", reason: "The CRM's own tool is down and the customer waits.", by: "key_ops d.choi", from: at(-20), until: at(10), ended: null, reviewed: null, reviewer: null, review: null, overdue: false, ended_by: null, active: false, ...more });
  return [
    grant("grant_03", { active: true }),
    grant("grant_02", { agent_id: "writer", tool: "files.*", from: at(-4000), until: at(-3940), overdue: true, reason: "Restore of the reports after the disk failed." }),
    grant("grant_01", { from: at(-9000), until: at(-8940), ended: at(-8960), ended_by: "key_ops d.choi", reviewed: at(-8000), reviewer: "sora.lee", review: "Three contacts were changed, all of them rightly." }),
  ];
}

export function incidents() {
  const incident = (id, more) => ({ id, tenant: "acme", call_id: "call_0003", run_id: null, tool_name: "bank.transfer", agent_id: "clerk", write: true, severity: "high", text: "The transfer went to the wrong account.", opened: at(-300), opened_by: "sora.lee", closed: null, closed_by: null, resolution: null, ...more });
  return [
    incident("inc_02", {}),
    incident("inc_01", { call_id: null, run_id: "run_0b7c41d29ce84f60a1d4", tool_name: null, write: false, severity: "low", text: "The run repeated the same search for an hour.", closed: at(-100), closed_by: "d.choi", resolution: "A limit of steps was set." }),
  ];
}

export function openSessions() {
  const session = (id, more) => ({ id, key_id: null, user_id: null, tenant: "acme", role: "operator", opened: at(-90), expires: at(390), source: "127.0.0.1", current: false, ...more });
  return [session("session_01", { key_id: "key_support", user_id: "mina.kim", current: true }), session("session_02", { user_id: "sora.lee@acme.example", role: "approver", source: "10.2.0.14" })];
}

/** Desk is the state behind the mock's routes: who decides what, and who is told. */
export class Desk {
  approvals = approvals();
  grants = grants();
  incidents = incidents();
  sessions = openSessions();
  listeners = new Set();

  pending() {
    return this.approvals.filter((a) => a.state === "pending");
  }

  find(id) {
    return this.approvals.find((a) => a.id === id);
  }

  tell(one) {
    for (const listener of this.listeners) listener(one);
  }

  /** decide gives the approval, or the words of a conflict. */
  decide(id, verdict, reason, who) {
    const a = this.find(id);
    if (!a) return "There is no such approval.";
    if (a.state !== "pending") return `The approval is ${a.state}.`;
    const now = new Date().toISOString();
    if (verdict === "withdraw") Object.assign(a, { state: "withdrawn", decided: now });
    else {
      a.votes = [...a.votes, { by: who.key_id, user: who.user, role: who.role, verdict, reason, at: now, via: "console" }];
      const yes = a.votes.filter((v) => v.verdict === "approve").length;
      if (verdict === "deny") Object.assign(a, { state: "denied", decided: now });
      else if (yes >= a.approvers_required) Object.assign(a, { state: "approved", decided: now, use_by: at(15) });
    }
    this.tell(a);
    return a;
  }

  /**
   * edit makes the call with other arguments, or has it wait for somebody else; drafts need nobody. It gives what came of
   * it, or the words of a conflict.
   */
  edit(id, body, who) {
    const a = this.find(id);
    const last = a?.votes.at(-1);
    const mine = a?.state === "denied" && last.by === who.key_id && last.reason.startsWith("edited: ");
    if (!mine) {
      const got = this.decide(id, "deny", "edited: " + body.reason, who);
      if (typeof got === "string") return got;
    }
    const call_id = "call_" + String(100 + this.approvals.length);
    const made = { call_id, approval_id: null, result: { content: [{ type: "text", text: "Written." }], isError: false } };
    const args = JSON.stringify(body.arguments);
    const open = this.approvals.find((one) => one.edited_from === id && one.arguments === args && one.used === null && (one.state === "pending" || one.state === "approved"));
    if (open?.state === "approved") {
      this.tell(Object.assign(open, { used: new Date().toISOString(), used_by: call_id }));
      return made;
    }
    if (String(body.arguments.path ?? "").startsWith("/drafts/")) return made;
    const waits = open ?? approval("appr_edit_" + this.approvals.length, {
      tool_name: a.tool_name, operation: a.operation, risk_level: a.risk_level, agent_id: a.agent_id, run_id: null, call_id, key_id: who.key_id, user_id: who.user, arguments: args,
      resources: [String(body.arguments.path ?? "")], asked: new Date().toISOString(), edited_from: id,
    });
    if (!open) {
      this.approvals.push(waits);
      this.tell(waits);
    }
    return { call_id, approval_id: waits.id, result: null };
  }

  /** stream answers the inbox as server-sent events: all that is pending first, then what changes. */
  stream(req, res, id) {
    res.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    let n = Number(req.headers["last-event-id"] ?? 0);
    const send = (event, data) => res.write(`id: ${++n}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    send("reset", { items: id ? [this.find(id)].filter(Boolean) : this.pending() });
    const listener = (one) => (!id || one.id === id) && send("approval", one);
    this.listeners.add(listener);
    const beat = setInterval(() => res.write(":\n\n"), 15_000);
    req.on("close", () => {
      clearInterval(beat);
      this.listeners.delete(listener);
    });
  }

  /** answer is [status, body] for the paths of this file, null for others. */
  answer(method, path, q, body, who) {
    const page = (items) => [200, { items, next: null, as_of: new Date().toISOString() }];
    const conflict = (message) => [409, { error: { code: "conflict", message, remedy: "What is decided stays so.", field: "id", request_id: "req_mock" } }];
    const nothing = [404, { error: { code: "not_found", message: "There is no such thing.", remedy: "Look in the list.", field: "id", request_id: "req_mock" } }];
    const one = (item, change) => (item ? [200, change ? Object.assign(item, change) : item] : nothing);
    const now = new Date().toISOString();
    const [, kind, id, act] = /^\/([\w-]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(path) ?? [];
    switch (`${method} ${kind}${id ? "/:id" : ""}${act ? "/" + act : ""}`) {
      case "GET approvals": {
        const states = (q.get("state") ?? "").split(",").filter(Boolean);
        const fits = (a) => (states.length === 0 || states.includes(a.state)) && [["agent", "agent_id"], ["tool", "tool_name"], ["run", "run_id"], ["tenant", "tenant"]].every(([n, f]) => !q.get(n) || a[f] === q.get(n));
        return page(this.approvals.filter(fits).sort((a, b) => (a.asked < b.asked ? 1 : -1)));
      }
      case "POST approvals/:id":
        return [200, { items: body.ids.map((each) => {
          const got = this.decide(each, "deny", body.reason, who);
          return { id: each, ok: typeof got !== "string", error: typeof got === "string" ? { code: "conflict", message: got } : null };
        }) }];
      case "GET approvals/:id":
        return one(this.find(id));
      case "POST approvals/:id/approve":
      case "POST approvals/:id/deny":
      case "POST approvals/:id/withdraw": {
        const got = this.decide(id, act, body.reason ?? "", who);
        return typeof got === "string" ? conflict(got) : [200, got];
      }
      case "POST approvals/:id/edit": {
        const got = this.edit(id, body, who);
        return typeof got === "string" ? conflict(got) : [200, got];
      }
      case "GET policy":
        return [200, policyInForce()];
      case "POST policy/:id":
        return [200, explain(body)];
      case "GET policy/:id":
        return [200, { items: policyVersions().map(({ version, time }) => ({ version, time })) }];
      case `GET policy/:id/${act}`:
        return one(policyVersions().find((v) => v.version === decodeURIComponent(act)));
      case "GET break-glass":
        return page(this.grants);
      case "POST break-glass":
        this.grants.unshift({ ...this.grants[0], id: "grant_" + this.grants.length, agent_id: body.agent, tool: body.tool, reason: body.reason, by: who.key_id, from: now, until: at(body.minutes), active: true, reviewed: null, overdue: false });
        return [200, this.grants[0]];
      case "POST break-glass/:id/end":
        return one(this.grants.find((g) => g.id === id), { active: false, ended: now, ended_by: who.key_id });
      case "POST break-glass/:id/review":
        return one(this.grants.find((g) => g.id === id), { reviewed: now, reviewer: who.user, review: body.review });
      case "GET incidents":
        return page(this.incidents.filter((i) => !q.get("state") || (i.closed === null) === (q.get("state") === "open")));
      case "POST incidents":
        this.incidents.unshift({ ...this.incidents[0], id: "inc_" + this.incidents.length, call_id: body.call_id ?? null, run_id: body.run_id ?? null, severity: body.severity, text: body.text, opened: now, opened_by: who.user, closed: null });
        return [200, this.incidents[0]];
      case "POST incidents/:id/close":
        return one(this.incidents.find((i) => i.id === id), { closed: now, closed_by: who.user, resolution: body.resolution });
      case "GET sessions":
        return page(this.sessions);
      case "POST sessions/:id/revoke": {
        const gone = this.sessions.find((s) => s.id === id);
        this.sessions = this.sessions.filter((s) => s !== gone);
        return one(gone);
      }
    }
    return null;
  }
}
