/** Incidents: harm that a call or a run has done, as somebody has reported it. */
import { keepPreviousData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { send } from "../api/client";
import { incidentsQuery, useMay } from "../api/people";
import type { Incident, RiskLevel } from "../api/types";
import { useI18n } from "../i18n";
import { clock, NONE, stamp } from "../lib/format";
import { Reason } from "../ui/Approval";
import { Confirm } from "../ui/Confirm";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Loading, PageHead, Risk, Segments } from "../ui/parts";
import { Visible } from "../ui/Visible";

const WHICH = ["open", "closed", "all"] as const;

export function Incidents() {
  const { t } = useI18n();
  const { which = "open" } = useSearch({ from: "/shell/incidents" });
  const navigate = useNavigate({ from: "/incidents" });
  const filter = which === "all" ? {} : { state: which === "closed" ? "closed" : "open" };
  const { data, error, isFetching, isFetchingNextPage, hasNextPage, fetchNextPage, refetch } = useInfiniteQuery({ ...incidentsQuery(filter), placeholderData: keepPreviousData });
  const rows = data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <PageHead title={t("incident.title")}>
        <Segments
          legend={t("incident.which")} name="which" value={WHICH.find((one) => one === which) ?? "open"} options={WHICH.map((value) => ({ value, text: t(`incident.${value}`) }))}
          onChange={(value) => void navigate({ search: value === "open" ? {} : { which: value }, replace: true })}
        />
        <span className="spacer" />
        <AsOf asOf={data?.pages[0]?.as_of} busy={isFetching} refresh={() => void refetch()} />
      </PageHead>
      <p className="prose quiet">{t("incident.intro")}</p>
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && rows.length === 0 && <p className="panel empty" role="status">{t(which === "open" ? "incident.noneOpen" : "incident.none")}</p>}
      {rows.length > 0 && <ol className="panel alerts">{rows.map((one) => <Item key={one.id} incident={one} />)}</ol>}
      {hasNextPage && (
        <div className="vfoot">
          <button className="button" type="button" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>{isFetchingNextPage ? t("app.loading") : t("calls.more")}</button>
        </div>
      )}
    </>
  );
}

const LEVELS: Record<RiskLevel, string> = { low: "", medium: " warning", high: " critical" };

function Item({ incident: i }: { incident: Incident }) {
  const { t } = useI18n();
  const now = new Date();
  return (
    <li className={"alert" + (i.closed === null ? LEVELS[i.severity] : "")}>
      <div className="alert-head">
        <Risk level={i.severity} />
        <p className="break"><Visible text={i.text} /></p>
        <time dateTime={i.opened} title={stamp(i.opened)}>{clock(i.opened, now)}</time>
      </div>
      <dl className="alert-facts">
        <div><dt>{t("incident.by")}</dt><dd>{i.opened_by}</dd></div>
        <div><dt>{t("calls.tenant")}</dt><dd>{i.tenant}</dd></div>
        {i.agent_id && <div><dt>{t("calls.agent")}</dt><dd>{i.agent_id}</dd></div>}
        {i.tool_name && <div><dt>{t("calls.tool")}</dt><dd className="mono">{i.tool_name}</dd></div>}
        {i.write && <div><dt>{t("calls.kind")}</dt><dd><span className="tag risk-high">{t("incident.write")}</span></dd></div>}
        {i.call_id && <div><dt>{t("call.title")}</dt><dd><Link className="mono break" to="/calls/$id" params={{ id: i.call_id }}>{i.call_id}</Link></dd></div>}
        {i.run_id && <div><dt>{t("calls.run")}</dt><dd><Link className="mono break" to="/runs/$id" params={{ id: i.run_id }} search={{ tenant: i.tenant }}>{i.run_id}</Link></dd></div>}
      </dl>
      {i.closed !== null ? (
        <p>{t("incident.closedBy", { who: i.closed_by ?? NONE, time: clock(i.closed, now) })} {i.resolution && <Visible text={i.resolution} />}</p>
      ) : <Close incident={i} />}
    </li>
  );
}

function Close({ incident: i }: { incident: Incident }) {
  const { t } = useI18n();
  const queries = useQueryClient();
  const may = useMay("closeIncident");
  const [asking, setAsking] = useState(false);
  const [text, setText] = useState("");
  if (!may) return null;
  const close = (done: boolean) => {
    setAsking(false);
    if (done) void queries.invalidateQueries({ queryKey: ["incidents"] });
  };
  return (
    <div>
      <button className="button" type="button" onClick={() => setAsking(true)}>{t("incident.close")}<span className="visually-hidden"> {i.id}</span></button>
      {asking && (
        <Confirm title={t("incident.closeTitle")} act={t("incident.close")} ready={text.trim() !== ""} run={() => send("POST", `/incidents/${encodeURIComponent(i.id)}/close`, { resolution: text.trim() })} close={close}>
          <p className="break"><Visible text={i.text} /></p>
          <Reason label={t("incident.resolution")} value={text} set={setText} most={2_000} required />
        </Confirm>
      )}
    </div>
  );
}

const SEVERITIES: readonly RiskLevel[] = ["low", "medium", "high"];

/** Report is the way to open an incident on the page of a call or a run. */
export function Report({ of }: { of: { call_id: string } | { run_id: string; tenant: string } }) {
  const { t } = useI18n();
  const queries = useQueryClient();
  const may = useMay("openIncident");
  const [asking, setAsking] = useState(false);
  const [opened, setOpened] = useState(false);
  const [severity, setSeverity] = useState<RiskLevel>("medium");
  const [text, setText] = useState("");
  if (!may) return null;
  const close = (done: boolean) => {
    setAsking(false);
    if (!done) return;
    setText("");
    setOpened(true);
    void queries.invalidateQueries({ queryKey: ["incidents"] });
  };
  return (
    <>
      <button className="button" type="button" onClick={() => setAsking(true)}>{t("incident.report")}</button>
      {opened && <span role="status">{t("incident.opened")} <Link to="/incidents" search={{}}>{t("incident.title")}</Link></span>}
      {asking && (
        <Confirm title={t("incident.report")} act={t("incident.report")} ready={text.trim() !== ""} run={() => send("POST", "/incidents", { ...of, severity, text: text.trim() })} close={close}>
          <p className="mono break">{"call_id" in of ? of.call_id : of.run_id}</p>
          <p>{t("incident.reportMeans")}</p>
          <label className="stacked"><span>{t("incident.severity")}</span>
            <select value={severity} onChange={(e) => setSeverity(e.target.value as RiskLevel)}>{SEVERITIES.map((one) => <option key={one} value={one}>{one}</option>)}</select>
          </label>
          <Reason label={t("incident.what")} value={text} set={setText} most={2_000} required />
        </Confirm>
      )}
    </>
  );
}
