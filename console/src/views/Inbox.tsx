/** The inbox: what waits for somebody, as it happens. The keys decide about the one row that is marked, never about a place. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useMemo, useRef, useState } from "react";
import { approvalQuery, inboxQuery, POLL_MS } from "../api/people";
import { sessionQuery } from "../api/queries";
import type { Approval, Page } from "../api/types";
import { useI18n } from "../i18n";
import { clock, count } from "../lib/format";
import { byUrgency, fits, hindrance } from "../lib/inbox";
import type { ApprovalsSearch } from "../router";
import { Decide, type Verdict } from "../ui/Approval";
import { ErrorBox } from "../ui/ErrorBox";
import { useLive, type Live } from "../ui/live";
import { AsOf, Loading, PageHead } from "../ui/parts";
import { ApprovalFilters } from "./Approvals";
import { DenyMany } from "./DenyMany";
import { InboxRow } from "./InboxRow";
import { KeyHelp, useShortcuts } from "./KeyHelp";

/** More rows than this are shown on request. */
const MOST_ROWS = 100;

export function Inbox({ search }: { search: ApprovalsSearch }) {
  const { t } = useI18n();
  const who = useQuery(sessionQuery).data;
  const live = useLive(true);
  const { data, error, isFetching, refetch } = useQuery({ ...inboxQuery, refetchInterval: live.link === "live" ? false : POLL_MS });
  const rows = useRows(data, live.left, search);
  const [most, setMost] = useState(MOST_ROWS);
  const shown = rows.slice(0, most);
  const waiting = rows.filter((a) => a.state === "pending").length;
  const desk = useDesk(shown, who);
  return (
    <>
      <PageHead title={t("approval.title")}>
        {data && <span className="sub">{t("approval.count", { count: count(waiting) })}</span>}
        <LinkTag live={live} asOf={data?.as_of} />
        <span className="spacer" />
        <KeyHelp open={desk.help} setOpen={desk.setHelp} keys={desk.shortcuts} setKeys={desk.setShortcuts} />
        <AsOf asOf={data?.as_of} busy={isFetching} refresh={() => void refetch()} />
      </PageHead>
      <ApprovalFilters search={search} />
      {error && !data && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      <p className="said" role="status">{desk.said}</p>
      {desk.chosen.length > 0 && (
        <div className="batch panel" role="region" aria-label={t("approval.selection")}>
          <b>{t("approval.selected", { count: count(desk.chosen.length) })}</b>
          <button className="button danger" type="button" onClick={() => desk.setMany(true)}>{t("approval.denyMany", { count: count(desk.chosen.length) })}</button>
          <button className="button plain" type="button" onClick={desk.clear}>{t("approval.unselect")}</button>
          <span className="quiet">{t("approval.noBatchApprove")}</span>
        </div>
      )}
      {data && rows.length === 0 && (
        <p className="panel empty" role="status">{t(Object.keys(search).length > 0 ? "approval.noMatch" : "approval.none")}</p>
      )}
      {shown.length > 0 && (
        <ol className="inbox panel" ref={desk.list} aria-label={t("approval.waiting")}>
          {shown.map((a) => (
            <InboxRow
              key={a.id} approval={a} who={who} now={live.now} current={desk.current === a.id} chosen={desk.chosen.some((one) => one.id === a.id)}
              focus={() => desk.setCurrent(a.id)} choose={() => desk.toggle(a.id)} ask={(verdict) => desk.ask(a, verdict)}
            />
          ))}
        </ol>
      )}
      {rows.length > shown.length && (
        <div className="vfoot">
          <button className="button" type="button" onClick={() => setMost(most + MOST_ROWS)}>{t("approval.showMore", { count: count(rows.length - shown.length) })}</button>
        </div>
      )}
      {desk.asking && (
        <Decide approval={desk.asking.approval} verdict={desk.asking.verdict} now={live.now} close={desk.answered} />
      )}
      {desk.many && <DenyMany approvals={desk.chosen} close={desk.manyDone} />}
    </>
  );
}

/** LinkTag says whether the inbox is live, and what is done when it is not. */
function LinkTag({ live, asOf }: { live: Live; asOf: string | undefined }) {
  const { t } = useI18n();
  if (live.link === "live") return <span className="tag good">{t("approval.live")}</span>;
  if (live.link === "connecting") return <span className="tag">{t("approval.connecting")}</span>;
  return (
    <span className="tag risk-medium" role="status">
      {t(live.link === "lost" ? "approval.lost" : "approval.refused", { seconds: POLL_MS / 1_000, time: clock(asOf, new Date()) })}
    </span>
  );
}

/** useRows keeps what was decided meanwhile in its place, so that no row moves under somebody's hand. */
function useRows(page: Page<Approval> | undefined, left: Live["left"], search: ApprovalsSearch): Approval[] {
  const filter = JSON.stringify(search);
  const queries = useQueryClient();
  const seen = useRef({ filter, rows: new Map<string, Approval>() });
  return useMemo(() => {
    if (!page) return [];
    const rows = new Map(page.items.filter((a) => fits(a, search)).map((a) => [a.id, a]));
    const before = seen.current.filter === filter ? seen.current.rows : new Map<string, Approval>();
    for (const [id, was] of before) {
      if (!rows.has(id)) rows.set(id, left.get(id) ?? answered(id) ?? missing(was, page));
    }
    // What the server said to this reader's own vote is known without the stream.
    function answered(id: string): Approval | undefined {
      const known = queries.getQueryData(approvalQuery(id).queryKey);
      return known && known.state !== "pending" ? known : undefined;
    }
    seen.current = { filter, rows };
    return [...rows.values()].sort(byUrgency);
    // The filter's text stands for the filter.
  }, [page, left, filter, queries]);
}

/** missing: it is not pending any more, but nobody told what became of it. A list that goes on says nothing of the rest. */
function missing(was: Approval, page: Page<Approval>): Approval {
  return was.state !== "pending" || page.next !== null ? was : { ...was, state: "stale", decided: null };
}

/** useDesk is what the reader is at: the marked row, the chosen ones, and what is asked of him. */
function useDesk(rows: Approval[], who: Parameters<typeof hindrance>[1]) {
  const { t } = useI18n();
  const navigate = useNavigate();
  const list = useRef<HTMLOListElement>(null);
  const [current, setCurrent] = useState<string | null>(null);
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const [asking, setAsking] = useState<{ approval: Approval; verdict: Verdict } | null>(null);
  const [many, setMany] = useState(false);
  const [said, say] = useState("");
  const chosen = rows.filter((a) => ids.has(a.id) && hindrance(a, who) === null);
  const at = rows.findIndex((a) => a.id === current);
  const ask = (approval: Approval, verdict: Verdict) => {
    const why = verdict === "withdraw" ? null : hindrance(approval, who);
    setCurrent(approval.id);
    if (why) say(t(`approval.hindrance.${why}`));
    else setAsking({ approval, verdict });
  };
  const toggle = (id: string) => {
    const row = rows.find((a) => a.id === id);
    const why = row ? hindrance(row, who) : "notPending";
    if (why) return say(t(`approval.hindrance.${why}`));
    setIds((was) => {
      const next = new Set(was);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  };
  const go = (to: number) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, to))];
    if (!row) return;
    setCurrent(row.id);
    const link = list.current?.querySelector<HTMLElement>(`[data-id="${CSS.escape(row.id)}"]`);
    link?.focus();
    link?.scrollIntoView({ block: "nearest" });
  };
  const row = at < 0 ? undefined : rows[at];
  const keys = useShortcuts(asking === null && !many, {
    j: () => go(at + 1),
    k: () => go(at < 0 ? 0 : at - 1),
    a: () => (chosen.length > 1 ? say(t("approval.noBatchApprove")) : row && ask(row, "approve")),
    d: () => (chosen.length > 0 ? setMany(true) : row && ask(row, "deny")),
    x: () => row && toggle(row.id),
    Enter: () => row && void navigate({ to: "/approvals/$id", params: { id: row.id } }),
  });
  const word = useWord();
  return {
    list, current, setCurrent, chosen, asking, ask, many, setMany, said, toggle, ...keys,
    clear: () => setIds(new Set()),
    answered: (done: Approval | null) => {
      setAsking(null);
      if (done) say(word(done));
    },
    manyDone: (text: string | null) => {
      setMany(false);
      if (text !== null) {
        setIds(new Set());
        say(text);
      }
    },
  };
}

/** useWord says in one sentence what the server made of a verdict. */
export function useWord(): (a: Approval) => string {
  const { t } = useI18n();
  return (a) => {
    const given = a.votes.filter((v) => v.verdict === "approve").length;
    if (a.state === "pending") return t("approval.saidMore", { tool: a.tool_name, missing: Math.max(0, a.approvers_required - given) });
    return t("approval.said", { tool: a.tool_name, state: t(`approval.state.${a.state}`) });
  };
}
