/** Break-glass grants: who may do for a while what no permission covers, why, and whether somebody has looked at it since. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { send } from "../api/client";
import { grantsQuery, policyQuery, useMay } from "../api/people";
import { sessionQuery } from "../api/queries";
import type { Grant } from "../api/types";
import { useI18n } from "../i18n";
import { clock, count, NONE, stamp } from "../lib/format";
import { toolIds } from "../lib/policy";
import { Left, Reason } from "../ui/Approval";
import { Confirm } from "../ui/Confirm";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Loading, PageHead } from "../ui/parts";
import { Visible } from "../ui/Visible";

const now = () => Date.now();

export function BreakGlass() {
  const { t } = useI18n();
  const { data, error, isFetching, refetch } = useQuery(grantsQuery);
  const [giving, setGiving] = useState(false);
  const mayGrant = useMay("grant");
  const grants = data?.items ?? [];
  const active = grants.filter((g) => g.active);
  const open = grants.filter((g) => !g.active && g.reviewed === null);
  const done = grants.filter((g) => !g.active && g.reviewed !== null);
  return (
    <>
      <PageHead title={t("grant.title")}>
        <span className="spacer" />
        {mayGrant && <button className="button" type="button" onClick={() => setGiving(true)}>{t("grant.give")}</button>}
        <AsOf asOf={data?.as_of} busy={isFetching} refresh={() => void refetch()} />
      </PageHead>
      <p className="prose quiet">{t("grant.intro")}</p>
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && (
        <>
          <List title={t("grant.active")} none={t("grant.noneActive")} grants={active} />
          {open.length > 0 && <List title={t("grant.unreviewed", { count: count(open.length) })} none="" grants={open} />}
          <List title={t("grant.past")} none={t("grant.nonePast")} grants={done} />
        </>
      )}
      {giving && <Give close={() => setGiving(false)} />}
    </>
  );
}

function List({ title, none, grants }: { title: string; none: string; grants: Grant[] }) {
  return (
    <section className="section">
      <h2>{title}</h2>
      {grants.length === 0 ? <p className="quiet">{none}</p> : <ul className="grants">{grants.map((g) => <Item key={g.id} grant={g} />)}</ul>}
    </section>
  );
}

function Item({ grant: g }: { grant: Grant }) {
  const { t } = useI18n();
  const today = new Date();
  const look = g.active ? "caution" : g.reviewed === null ? "bad" : "";
  return (
    <li className={"notice wide grant " + look}>
      <div>
        <p>
          <b>{t("grant.may", { agent: g.agent_id, tool: g.tool })}</b>{" "}
          {g.active && <Left until={g.until} now={now} />}
          {!g.active && g.reviewed === null && <span className="tag risk-high">{t("grant.notReviewed")}</span>}
          {g.overdue && <span className="tag risk-high">{t("grant.overdue")}</span>}
        </p>
        <p className="break"><Visible text={g.reason} /></p>
        <p className="quiet">
          {t("grant.by", { who: g.by })} · {g.tenant} · <time dateTime={g.from} title={stamp(g.from)}>{clock(g.from, today)}</time> – <time dateTime={g.until} title={stamp(g.until)}>{clock(g.until, today)}</time>
          {g.ended !== null && <> · {t("grant.endedAt", { time: clock(g.ended, today), who: g.ended_by ?? NONE })}</>}
        </p>
        {g.reviewed !== null && <p>{t("grant.reviewedBy", { who: g.reviewer ?? NONE, time: clock(g.reviewed, today) })} {g.review && <Visible text={g.review} />}</p>}
      </div>
      <div className="acts"><End grant={g} /><Review grant={g} /></div>
    </li>
  );
}

const path = (g: Grant, act: string) => `/break-glass/${encodeURIComponent(g.id)}/${act}`;

function End({ grant: g }: { grant: Grant }) {
  const { t } = useI18n();
  const queries = useQueryClient();
  const may = useMay("endGrant");
  const [asking, setAsking] = useState(false);
  if (!g.active || !may) return null;
  const close = (done: boolean) => {
    setAsking(false);
    if (done) void queries.invalidateQueries({ queryKey: grantsQuery.queryKey });
  };
  return (
    <>
      <button className="button" type="button" onClick={() => setAsking(true)}>{t("grant.end")}<span className="visually-hidden"> {g.agent_id} {g.tool}</span></button>
      {asking && (
        <Confirm title={t("grant.endTitle")} act={t("grant.end")} run={() => send("POST", path(g, "end"))} close={close}>
          <p>{t("grant.may", { agent: g.agent_id, tool: g.tool })}</p>
          <p>{t("grant.endMeans")}</p>
        </Confirm>
      )}
    </>
  );
}

/** isGiver: who gave it stands there as the key and, where it has one, the user. */
const isGiver = (g: Grant, who: { key_id: string; user: string | null }) =>
  g.by === who.key_id || g.by.startsWith(who.key_id + " ") || (who.user !== null && g.by.endsWith(" " + who.user));

/** Review is for somebody other than who gave the grant, once it is over. */
function Review({ grant: g }: { grant: Grant }) {
  const { t } = useI18n();
  const queries = useQueryClient();
  const may = useMay("reviewGrant");
  const who = useQuery(sessionQuery).data;
  const [asking, setAsking] = useState(false);
  const [text, setText] = useState("");
  if (g.active || g.reviewed !== null || !may) return null;
  if (who && isGiver(g, who)) return <span className="quiet">{t("grant.own")}</span>;
  const close = (done: boolean) => {
    setAsking(false);
    if (done) void queries.invalidateQueries({ queryKey: grantsQuery.queryKey });
  };
  return (
    <>
      <button className="button" type="button" onClick={() => setAsking(true)}>{t("grant.review")}<span className="visually-hidden"> {g.agent_id} {g.tool}</span></button>
      {asking && (
        <Confirm title={t("grant.reviewTitle")} act={t("grant.review")} ready={text.trim() !== ""} run={() => send("POST", path(g, "review"), { review: text.trim() })} close={close}>
          <p>{t("grant.may", { agent: g.agent_id, tool: g.tool })}</p>
          <p className="quiet break"><Visible text={g.reason} /></p>
          <Reason label={t("grant.found")} hint={t("grant.foundHint")} value={text} set={setText} most={2_000} required />
        </Confirm>
      )}
    </>
  );
}

const MINUTES = [15, 30, 60, 120, 240];

function Give({ close }: { close: () => void }) {
  const { t } = useI18n();
  const queries = useQueryClient();
  const policy = useQuery(policyQuery).data;
  const [agent, setAgent] = useState("");
  const [tool, setTool] = useState("");
  const [reason, setReason] = useState("");
  const [minutes, setMinutes] = useState(30);
  const done = (ok: boolean) => {
    if (ok) void queries.invalidateQueries({ queryKey: grantsQuery.queryKey });
    close();
  };
  return (
    <Confirm
      title={t("grant.give")} act={t("grant.give")} close={done} ready={[agent, tool, reason].every((text) => text.trim() !== "")}
      run={() => send("POST", "/break-glass", { agent: agent.trim(), tool: tool.trim(), reason: reason.trim(), minutes })}
    >
      <p>{t("grant.giveMeans")}</p>
      <label className="stacked"><span>{t("calls.agent")}</span><input className="input mono" data-first list="grant-agents" required value={agent} onChange={(e) => setAgent(e.target.value)} /></label>
      <datalist id="grant-agents">{(policy?.agents ?? []).map((a) => <option key={a.id} value={a.id} />)}</datalist>
      <label className="stacked"><span>{t("grant.tool")}</span><input className="input mono" list="grant-tools" required placeholder="files.*" value={tool} onChange={(e) => setTool(e.target.value)} /></label>
      <datalist id="grant-tools">{(policy ? toolIds(policy) : []).map((id) => <option key={id} value={id} />)}</datalist>
      <label className="stacked"><span>{t("grant.minutes")}</span>
        <select value={minutes} onChange={(e) => setMinutes(Number(e.target.value))}>{MINUTES.map((m) => <option key={m} value={m}>{m}</option>)}</select>
      </label>
      <GrantReason value={reason} set={setReason} />
    </Confirm>
  );
}

function GrantReason({ value, set }: { value: string; set: (text: string) => void }) {
  const { t } = useI18n();
  return <label className="stacked"><span>{t("approval.reasonNeeded")}</span><textarea className="input" rows={3} maxLength={500} required value={value} onChange={(e) => set(e.target.value)} /></label>;
}
