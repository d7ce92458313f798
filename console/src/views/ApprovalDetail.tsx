/** One approval: exactly what would be sent, what is new against the last time, what led there, and who has said what. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { approvalQuery, POLL_MS } from "../api/people";
import { sessionQuery } from "../api/queries";
import type { Approval } from "../api/types";
import { useI18n } from "../i18n";
import { clock, NONE, stamp } from "../lib/format";
import { hasEdited, keptEdit, type Edit, type Edited } from "../lib/edits";
import { hindrance, isOwn, type Reader } from "../lib/inbox";
import { Bound, Decide, Does, Left, NoArguments, Outcome, Resources, State, useNeeds, type Verdict } from "../ui/Approval";
import { ArgumentsDiff } from "../ui/Diff";
import { ErrorBox } from "../ui/ErrorBox";
import { useLive } from "../ui/live";
import { Copy, Fact, Loading, PageHead, Risk } from "../ui/parts";
import { Arguments, Visible } from "../ui/Visible";
import { EditCall, EditOutcome, MakeCall } from "./EditCall";
import { useWord } from "./Inbox";
import { KeyHelp, useShortcuts } from "./KeyHelp";

export function ApprovalDetail() {
  const { t } = useI18n();
  const { id } = useParams({ from: "/shell/approvals/$id" });
  const [waits, setWaits] = useState(true);
  const live = useLive(waits, id);
  const { data, error, refetch } = useQuery({
    ...approvalQuery(id),
    // The stream ends with the decision; that the call was made is asked for.
    refetchInterval: ({ state: { data: a } }) => (a && unused(a) ? USED_MS : waits && live.link !== "live" ? POLL_MS : false),
  });
  if (data && waits !== (data.state === "pending")) setWaits(data.state === "pending");
  return (
    <>
      <PageHead title={data ? t("approval.of", { tool: data.tool_name }) : t("approval.one")}>
        {data && <State of={data} />}
        {data && <Risk level={data.risk_level} />}
        {data?.state === "pending" && <Left until={data.expires} now={live.now} />}
        {data?.state === "pending" && live.link === "lost" && <span className="tag risk-medium" role="status">{t("approval.lostShort")}</span>}
        <span className="spacer" />
        <Link className="button" to="/approvals" search={{}}>{t("approval.back")}</Link>
      </PageHead>
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && <Body a={data} now={live.now} />}
    </>
  );
}

/** How often it is asked whether an approved call was made. */
const USED_MS = 2_000;

const unused = (a: Approval) => a.state === "approved" && a.used === null && (a.use_by === null || Date.parse(a.use_by) > Date.now());

function Body({ a, now }: { a: Approval; now: () => number }) {
  const { t } = useI18n();
  const who = useQuery(sessionQuery).data;
  return (
    <>
      <Acts a={a} who={who} now={now} />
      <section className="section">
        <h2>{t("approval.what")}</h2>
        <Facts a={a} />
      </section>
      <section className="section">
        <div className="section-head"><h2>{t("approval.arguments")}</h2><p>{t("approval.argumentsHint")}</p></div>
        {a.arguments === null ? <NoArguments of={a} /> : <Arguments text={a.arguments} />}
      </section>
      {a.previous !== null && <Previous a={a} id={a.previous} />}
      <section className="section">
        <div className="section-head"><h2>{t("approval.votes")}</h2><p><Needs a={a} /></p></div>
        <Votes a={a} />
      </section>
    </>
  );
}

function Needs({ a }: { a: Approval }) {
  return <>{useNeeds()(a)}</>;
}

/** Acts offers what the reader may do, and says why not where he may not. */
function Acts({ a, who, now }: { a: Approval; who: Reader | undefined; now: () => number }) {
  const { t } = useI18n();
  const word = useWord();
  const [asking, setAsking] = useState<Verdict | null>(null);
  const [said, say] = useState("");
  const [edits, setEdits] = useState<"edit" | "again" | null>(null);
  const why = hindrance(a, who);
  const ask = (verdict: Verdict) => (why === null ? setAsking(verdict) : say(t(`approval.hindrance.${why}`)));
  const keys = useShortcuts(asking === null && edits === null, { a: () => ask("approve"), d: () => ask("deny") });
  const [edited, setEdited] = useState<Edited | null>(null);
  const again = repeatable(a, who);
  const leave = (done: Edited | null) => {
    setEdits(null);
    if (done) setEdited(done);
  };
  const withdraws = a.state === "pending" && who !== undefined && (who.role === "admin" || isOwn(a, who) && a.key_id === who.key_id);
  return (
    <>
      <p className="said" role="status">{said}</p>
      {a.state !== "pending" && (
        <div className={"notice " + (a.state === "approved" ? "good" : "bad")} role="note">
          <Outcome of={a} />
          <p>{t(`approval.state.${a.state}.hint`)}</p>
          {a.state === "approved" && a.used === null && a.use_by && <p>{t("approval.useBy", { time: clock(a.use_by, new Date(now())) })}</p>}
          {a.used_by && <p><Link to="/calls/$id" params={{ id: a.used_by }}>{t("approval.openUsed")}</Link></p>}
        </div>
      )}
      {edited && <EditOutcome of={edited} />}
      <div className="trace-tools">
        {why === null && (
          <>
            <button className="button" type="button" onClick={() => ask("approve")}>{t("approval.approveAsk")}</button>
            <button className="button" type="button" onClick={() => ask("deny")}>{t("approval.denyAsk")}</button>
            {a.kind === "tool" && a.arguments !== null && <button className="button" type="button" onClick={() => setEdits("edit")}>{t("edit.act")}</button>}
          </>
        )}
        {again && <button className="button primary" type="button" onClick={() => setEdits("again")}>{t("edit.againAsk")}</button>}
        {withdraws && <button className="button" type="button" onClick={() => setAsking("withdraw")}>{t("approval.withdrawAsk")}</button>}
        {why !== null && why !== "notPending" && <span className="quiet">{t(`approval.hindrance.${why}`)}</span>}
        {a.trace_id && <Link className="button" to="/traces/$id" params={{ id: a.trace_id }} search={{}}>{t("approval.openTrace")}</Link>}
        {a.run_id && <Link className="button" to="/runs/$id" params={{ id: a.run_id }} search={{ tenant: a.tenant }}>{t("call.openRun")}</Link>}
        {a.call_id && <Link className="button" to="/calls/$id" params={{ id: a.call_id }}>{t("approval.openCall")}</Link>}
        {why === null && <KeyHelp open={keys.help} setOpen={keys.setHelp} keys={keys.shortcuts} setKeys={keys.setShortcuts} />}
        <span><code className="quiet break">{a.id}</code> <Copy text={a.id} /></span>
      </div>
      {edits === "edit" && a.arguments !== null && <EditCall a={a} asked={a.arguments} close={leave} />}
      {edits === "again" && again && <MakeCall of={again.of} edit={again.edit} close={leave} />}
      {asking && (
        <Decide
          approval={a} verdict={asking} now={now}
          close={(done) => {
            setAsking(null);
            if (done) say(word(done));
          }}
        />
      )}
    </>
  );
}

/**
 * repeatable is the edit that the reader can send again: of what he has edited himself, as this tab keeps it; and of what
 * his edit waited for, once that is approved, as it was asked.
 */
function repeatable(a: Approval, who: Reader | undefined): { of: string; edit: Edit } | null {
  if (hasEdited(a, who)) {
    const edit = keptEdit(a.id);
    return edit && { of: a.id, edit };
  }
  if (a.edited_from === null || a.state !== "approved" || a.used !== null || a.key_id !== who?.key_id || a.arguments === null) return null;
  return { of: a.edited_from, edit: { arguments: a.arguments, reason: keptEdit(a.edited_from)?.reason ?? "approved" } };
}

function Facts({ a }: { a: Approval }) {
  const { t } = useI18n();
  const now = new Date();
  return (
    <dl className="facts">
      <Fact name={t(a.kind === "model" ? "calls.model" : "calls.tool")}><span className="mono"><Visible text={a.tool_name} /></span> <Does operation={a.operation} /></Fact>
      {a.kind === "tool" && <Fact name={t("approval.resources")}>{a.resources === null ? <span className="quiet">{t("approval.notShown")}</span> : <Resources of={a} />}</Fact>}
      <Fact name={t("calls.agent")}>{a.agent_id ?? NONE}</Fact>
      <Fact name={t("calls.tenant")}>{a.tenant}</Fact>
      <Fact name={t("call.user")}>{a.user_id ?? NONE}</Fact>
      <Fact name={t("call.key")} copy={a.key_id}><span className="mono">{a.key_id ?? NONE}</span></Fact>
      <Fact name={t("calls.cost")}><Bound cost={a.cost_bound} /></Fact>
      <Fact name={t("approval.rule")}>{a.rule ? <Visible text={a.rule} /> : NONE}</Fact>
      <Fact name={t("call.policy")}><span className="mono break">{a.policy_version}</span></Fact>
      <Fact name={t("approval.asked")}><time dateTime={a.asked} title={stamp(a.asked)}>{clock(a.asked, now)}</time></Fact>
      <Fact name={t("approval.expires")}><time dateTime={a.expires} title={stamp(a.expires)}>{clock(a.expires, now)}</time></Fact>
      {a.edited_from && <Fact name={t("approval.editedFrom")}><Link className="mono break" to="/approvals/$id" params={{ id: a.edited_from }}>{a.edited_from}</Link></Fact>}
    </dl>
  );
}

/** Previous compares with the last call of this tool by this agent that somebody approved. */
function Previous({ a, id }: { a: Approval; id: string }) {
  const { t } = useI18n();
  const { data, error, refetch } = useQuery({ ...approvalQuery(id), staleTime: 60_000 });
  return (
    <section className="section">
      <div className="section-head">
        <h2>{t("approval.previous")}</h2>
        {data && <p>{t("approval.previousAt", { time: clock(data.decided, new Date()) })} <Link to="/approvals/$id" params={{ id }}>{t("approval.openPrevious")}</Link></p>}
      </div>
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && (a.arguments === null || data.arguments === null ? <p className="quiet">{t("approval.noCompare")}</p> : <ArgumentsDiff before={data.arguments} after={a.arguments} />)}
    </section>
  );
}

function Votes({ a }: { a: Approval }) {
  const { t } = useI18n();
  const votes = a.votes;
  if (votes.length === 0) return <p className="quiet">{t("approval.noVotes")}</p>;
  return (
    <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("approval.votes")}>
      <table>
        <thead><tr><th>{t("approval.who")}</th><th>{t("session.role")}</th><th>{t("approval.verdict")}</th><th>{t("approval.why")}</th><th>{t("approval.at")}</th><th>{t("approval.via")}</th></tr></thead>
        <tbody>
          {votes.map((v) => (
            <tr key={v.by}>
              <td className="break" title={v.by}>{v.user ?? v.by}</td>
              <td>{v.role}</td>
              <td><span className={"tag " + (v.verdict === "deny" ? "risk-high" : "good")}>{t(v.verdict === "deny" ? "approval.state.denied" : "approval.state.approved")}</span></td>
              <td className="break">{v.reason ? <Visible text={v.reason} /> : <span className="quiet">{NONE}</span>}</td>
              <td className="nowrap" title={stamp(v.at)}>{clock(v.at, new Date())}</td>
              <td>{v.via}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
