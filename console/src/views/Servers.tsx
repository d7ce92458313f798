/** Servers: how it stands with each, now. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { serversQuery } from "../api/tools";
import type { ToolServer } from "../api/types";
import { useI18n } from "../i18n";
import { count, NONE } from "../lib/format";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Loading, PageHead } from "../ui/parts";
import { PerCall, ServerState } from "../ui/Tool";
import { Choice, Text } from "./CallFilters";

const STATES = ["ready", "connecting", "idle", "unreachable", "paused"] as const;

export function Servers() {
  const { t } = useI18n();
  const search = useSearch({ from: "/shell/servers" });
  const navigate = useNavigate({ from: "/servers" });
  const { data, error, isFetching, refetch } = useQuery(serversQuery);
  const set = (name: "name" | "state", value: string | undefined) => {
    const { [name]: _, ...rest } = search;
    void navigate({ search: value ? { ...rest, [name]: value } : rest, replace: true });
  };
  const rows = data?.items.filter((s) => s.id.includes(search.name ?? "") && (!search.state || s.state === search.state));
  return (
    <>
      <PageHead title={t("servers.title")}>
        <span className="spacer" />
        <Link className="button" to="/try" search={{}}>{t("try.title")}</Link>
        <AsOf asOf={data?.as_of} busy={isFetching} refresh={() => void refetch()} />
      </PageHead>
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && data.items.length > 0 && (
        <form className="filters always" aria-label={t("calls.filters")} onSubmit={(e) => e.preventDefault()}>
          <Text label={t("servers.filter")} value={search.name} set={(v) => set("name", v)} />
          <Choice label={t("health.state")} value={search.state} values={STATES} show={(v) => t(`server.state.${v as ToolServer["state"]}`)} set={(v) => set("state", v)} />
        </form>
      )}
      {rows?.length === 0 && <p className="panel empty" role="status">{t(data?.items.length ? "servers.noMatch" : "servers.none")}</p>}
      {rows && rows.length > 0 && <Table rows={rows} />}
    </>
  );
}

function Table({ rows }: { rows: ToolServer[] }) {
  const { t } = useI18n();
  return (
    <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("servers.title")}>
      <table className="servers-table">
        <thead>
          <tr>
            <th>{t("policy.server")}</th><th>{t("health.state")}</th><th>{t("calls.kind")}</th><th>{t("call.protocol")}</th>
            <th className="num">{t("server.tools")}</th><th className="num">{t("server.inFlight")}</th><th>{t("server.credential")}</th><th className="num">{t("server.price")}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((s) => (
            <tr key={s.id}>
              <td><Link className="mono" to="/servers/$id" params={{ id: s.id }} search={{}}>{s.id}</Link></td>
              <td><ServerState of={s} /></td>
              <td>{t(`server.kind.${s.kind}`)}</td>
              <td className="nowrap">{s.protocol_version ?? NONE}</td>
              <td className="num"><Counts of={s} /></td>
              <td className="num">{count(s.in_flight)} / {count(s.places)}</td>
              <td>{t(`server.credential.${s.credential}`)}</td>
              <td className="num"><PerCall price={s.price_per_call} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Counts are its tools, and those that somebody has to look at. */
export function Counts({ of: s }: { of: ToolServer }) {
  const { t } = useI18n();
  return (
    <>
      {count(s.tools_listed ?? s.tools_seen)}
      {s.tools_held > 0 && <> <span className="tag risk-high">{t("server.held", { count: count(s.tools_held) })}</span></>}
      {s.tools_flagged > 0 && <> <span className="tag risk-medium">{t("server.flagged", { count: count(s.tools_flagged) })}</span></>}
    </>
  );
}
