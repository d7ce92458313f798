import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo, useState, type FormEvent } from "react";
import { callsQuery } from "../api/queries";
import { useI18n } from "../i18n";
import { clock, count } from "../lib/format";
import { exactMoney, showNano } from "../lib/money";
import { groupTraces, type Seen } from "../lib/traces";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Loading, PageHead, Simulated } from "../ui/parts";

const NEWEST = 500;

export function Traces() {
  const { t } = useI18n();
  const { data, error, isFetching, refetch } = useInfiniteQuery(callsQuery({}, NEWEST));
  const page = data?.pages[0];
  const seen = useMemo(() => groupTraces(page?.items ?? []), [page]);
  return (
    <>
      <PageHead title={t("traces.title")}>
        <span className="spacer" />
        <AsOf asOf={page?.as_of} busy={isFetching} refresh={() => void refetch()} />
      </PageHead>
      <OpenById />
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!page && !error && <Loading />}
      {page && (
        <section className="section">
          <div className="section-head">
            <h2>{t("traces.recent", { count: count(page.items.length) })}</h2>
            <p>{t("traces.recentHint")}</p>
          </div>
          {seen.length === 0 ? <p className="quiet">{t("traces.none")}</p> : <Table seen={seen} />}
        </section>
      )}
    </>
  );
}

function OpenById() {
  const { t } = useI18n();
  const navigate = useNavigate();
  const [id, setId] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (id.trim() !== "") void navigate({ to: "/traces/$id", params: { id: id.trim() }, search: {} });
  };
  return (
    <form className="trace-tools" onSubmit={submit}>
      <input
        className="input mono id-input"
        value={id}
        onChange={(e) => setId(e.target.value)}
        placeholder={t("traces.id")}
        aria-label={t("traces.open")}
        spellCheck={false}
      />
      <button className="button" type="submit">
        {t("traces.go")}
      </button>
    </form>
  );
}

function Table({ seen }: { seen: Seen[] }) {
  const { t } = useI18n();
  const now = new Date();
  return (
    <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("traces.title")}>
      <table>
        <thead>
          <tr>
            <th>{t("traces.first")}</th>
            <th>{t("calls.trace")}</th>
            <th>{t("policy.agents")}</th>
            <th className="num">{t("calls.title")}</th>
            <th className="num">{t("overview.failures")}</th>
            <th className="num">{t("calls.cost")}</th>
          </tr>
        </thead>
        <tbody>
          {seen.map((row) => (
            <tr key={row.trace}>
              <td className="ellipsis" title={row.first}>{clock(row.first, now)}</td>
              <td className="nowrap">
                <Link className="mono" to="/traces/$id" params={{ id: row.trace }} search={{}}>{row.trace}</Link>{" "}
                {row.simulated && <Simulated />}
              </td>
              <td>{row.agents.length === 0 ? "–" : row.agents.slice(0, 4).join(", ") + (row.agents.length > 4 ? " …" : "")}</td>
              <td className="num">{count(row.calls)}</td>
              <td className={"num" + (row.failures > 0 ? " stop" : "")}>{count(row.failures)}</td>
              <td className="num" title={"$" + exactMoney(row.nano)}>{showNano(row.nano)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
