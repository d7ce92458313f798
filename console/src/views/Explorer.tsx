/** The decision explorer: a call that is not made, what the policy says to it, by which line, and what would change that. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { explainQuery, policyQuery } from "../api/people";
import type { Explanation, Question } from "../api/types";
import { useI18n } from "../i18n";
import { NONE } from "../lib/format";
import { readJson } from "../lib/json";
import { toolIds } from "../lib/policy";
import type { PolicySearch } from "../router";
import { Does } from "../ui/Approval";
import { ErrorBox } from "../ui/ErrorBox";
import { Loading, Risk } from "../ui/parts";
import { Visible } from "../ui/Visible";

interface Props {
  search: PolicySearch;
  change: (next: PolicySearch) => void;
}

const FIELDS = ["agent", "tool", "args", "model", "purpose", "step", "tenant"] as const;
type Field = (typeof FIELDS)[number];
type Form = Partial<Record<Field, string>>;

/** question is what the address asks; null where it asks nothing, or its arguments are no JSON object. */
function question(search: PolicySearch): Question | null {
  if (!search.tool && !search.model) return null;
  const { args, step, tenant, model, purpose } = search;
  if (args && readJson(args)?.kind !== "object") return null;
  return {
    ...(search.agent ? { agent: search.agent } : {}), ...(search.tool ? { tool: search.tool } : {}), ...(tenant ? { tenant } : {}),
    ...(model ? { model } : {}), ...(purpose ? { purpose } : {}), ...(step ? { step_kind: step } : {}),
  };
}

export function Explorer({ search, change }: Props) {
  const { t } = useI18n();
  const asked = question(search);
  const { data, error, isFetching, refetch } = useQuery(explainQuery(asked, search.args ?? ""));
  return (
    <>
      <p className="prose">{t("explain.intro")}</p>
      <Ask key={FIELDS.map((name) => search[name] ?? "").join("\n")} search={search} change={change} busy={isFetching} again={() => void refetch()} />
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {asked && !data && !error && <Loading />}
      {asked && data && <Answer of={data} />}
    </>
  );
}

function Ask({ search, change, busy, again }: Props & { busy: boolean; again: () => void }) {
  const { t } = useI18n();
  const policy = useQuery(policyQuery).data;
  const [form, setForm] = useState<Form>(() => Object.fromEntries(FIELDS.flatMap((name) => (search[name] ? [[name, search[name]]] : []))));
  const [wrong, setWrong] = useState<"explain.badArguments" | "explain.oneOf" | null>(null);
  const submit = () => {
    const bad = (form.args ?? "").trim() !== "" && readJson(form.args!)?.kind !== "object";
    const why = bad ? "explain.badArguments" : !form.tool?.trim() === !form.model?.trim() ? "explain.oneOf" : null;
    setWrong(why);
    if (why) return;
    const full = Object.fromEntries(FIELDS.flatMap((name) => (form[name]?.trim() ? [[name, form[name]!.trim()]] : []))) as Form;
    if (FIELDS.every((name) => full[name] === search[name])) again();
    else change({ tab: "explain", ...full });
  };
  const field = (name: Exclude<Field, "args">, label: string, values?: string[]) => (
    <label className="stacked">
      <span>{label}</span>
      <input className="input mono" value={form[name] ?? ""} spellCheck={false} {...(values ? { list: "explain-" + name } : {})} onChange={(e) => setForm({ ...form, [name]: e.target.value })} />
      {values && <datalist id={"explain-" + name}>{values.map((one) => <option key={one} value={one} />)}</datalist>}
    </label>
  );
  return (
    <form
      className="panel block ask"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <div className="ask-fields">
        {field("agent", t("calls.agent"), policy?.agents?.map((a) => a.id))}
        {field("tool", t("calls.tool"), policy && toolIds(policy))}
        {field("model", t("calls.model"))}
        {field("purpose", t("audit.purpose"))}
        {field("step", t("explain.step"))}
        {field("tenant", t("calls.tenant"))}
      </div>
      <label className="stacked">
        <span>{t("approval.arguments")}</span>
        <textarea
          className="input mono" rows={5} spellCheck={false} placeholder='{"path": "/reports/2026.md"}' value={form.args ?? ""} aria-invalid={wrong === "explain.badArguments"} aria-describedby="args-wrong"
          onChange={(e) => setForm({ ...form, args: e.target.value })}
        />
      </label>
      <div id="args-wrong" aria-live="assertive">{wrong && <p className="stop">{t(wrong)}</p>}</div>
      <div><button className="button primary" type="submit" disabled={busy}>{t("explain.ask")}</button></div>
    </form>
  );
}

function Answer({ of: a }: { of: Explanation }) {
  const { t } = useI18n();
  return (
    <section className="section" aria-live="polite">
      <div className={"notice wide " + (a.allowed ? "good" : "bad")}>
        <h2 className={a.allowed ? "" : "stop"}>{t(a.allowed ? (a.approvers_required > 0 ? "explain.allowedAfter" : "explain.allowed") : "explain.denied")}</h2>
        {a.message && <p><Visible text={a.message} /></p>}
        {a.rule && <p>{t("explain.by")} <code className="break">{a.rule}</code></p>}
      </div>
      {a.would_change.length > 0 && (
        <>
          <h2>{t("explain.wouldChange")}</h2>
          <ul className="lines">{a.would_change.map((text, i) => <li key={i}>{text}</li>)}</ul>
        </>
      )}
      {a.accesses.length > 0 && (
        <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("explain.accesses")}>
          <table>
            <caption className="visually-hidden">{t("explain.accesses")}</caption>
            <thead><tr><th>{t("audit.operation")}</th><th>{t("audit.resource")}</th><th>{t("explain.permittedBy")}</th></tr></thead>
            <tbody>
              {a.accesses.map((one, i) => (
                <tr key={i}>
                  <td><Does operation={one.operation} /></td>
                  <td className="mono break">{one.resource === "" ? <span className="quiet">{t("explain.noResource")}</span> : <Visible text={one.resource} />}</td>
                  <td className="break">{one.rule ? <code>{one.rule}</code> : <span className="stop">{t("explain.byNone")}</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <dl className="facts">
        <div><dt>{t("calls.risk")}</dt><dd><Risk level={a.risk_level || null} /> {a.risk_rule && <code className="break">{a.risk_rule}</code>}</dd></div>
        <div><dt>{t("policy.approvers")}</dt><dd>{a.allowed ? a.approvers_required : NONE} {a.approver_role && `(${a.approver_role})`} {a.why_approval}</dd></div>
        <div><dt>{t("call.policy")}</dt><dd className="mono break">{a.policy_version || NONE}</dd></div>
      </dl>
    </section>
  );
}
