import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import uPlot from "uplot";
import { costsQuery } from "../api/queries";
import type { Bucket, CostBy, Costs as Data, CostTotal } from "../api/types";
import { useI18n } from "../i18n";
import { csv, download } from "../lib/csv";
import { bucketLabel, compact, count, percent } from "../lib/format";
import { compareMoney, exactMoney, parseMoney, showMoney, showNano, sumMoney, toChart } from "../lib/money";
import { stackCosts } from "../lib/series";
import { bounds } from "../lib/time";
import type { CostsSearch } from "../router";
import { Chart, timeAxis, timeRange, valueAxis } from "../ui/Chart";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Loading, PageHead, RangePicker, Segments } from "../ui/parts";

const BYS: readonly CostBy[] = ["tenant", "team", "agent", "model", "tool", "provider", "run"];
const BUCKETS: readonly Bucket[] = ["hour", "day"];
/** Colours of the stack: seven named keys and the rest. */
const NAMED = 7;

export function Costs() {
  const { t } = useI18n();
  const search = useSearch({ from: "/shell/costs" });
  const navigate = useNavigate({ from: "/costs" });
  const [at, setAt] = useState(Date.now);
  const range = search.range ?? "24h";
  const by = BYS.find((one) => one === search.by) ?? "model";
  const bucket = BUCKETS.find((one) => one === search.bucket) ?? (range === "7d" || range === "30d" ? "day" : "hour");
  const window = useMemo(() => bounds(range, at), [range, at]);
  const { data: pages, error, isFetching, isFetchingNextPage, hasNextPage, fetchNextPage, refetch } = useInfiniteQuery({
    ...costsQuery({ by, bucket, ...window }),
    placeholderData: keepPreviousData,
  });
  const data = useMemo(() => joinPages(pages?.pages), [pages]);
  const change = (next: CostsSearch) => void navigate({ search: { ...search, ...next }, replace: true });
  return (
    <>
      <PageHead title={t("costs.title")}>
        <span className="spacer" />
        <AsOf asOf={data?.as_of} busy={isFetching} refresh={() => setAt(Date.now())} />
      </PageHead>
      <div className="trace-tools">
        <RangePicker value={range} onChange={(next) => change({ range: next })} />
        <Segments legend={t("costs.by")} name="by" value={by} onChange={(next) => change({ by: next })} options={BYS.map((value) => ({ value, text: t(`costs.by.${value}`) }))} />
        <Segments legend={t("costs.bucket")} name="bucket" value={bucket} onChange={(next) => change({ bucket: next })} options={BUCKETS.map((value) => ({ value, text: t(`costs.bucket.${value}`) }))} />
        <span className="spacer" />
        {data && <Downloads data={data} rest={() => allPages(fetchNextPage)} />}
      </div>
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && data.totals.length === 0 && <p className="panel empty">{t("costs.empty")}</p>}
      {data && data.totals.length > 0 && <Result data={data} sort={search.sort} change={change} />}
      {data && hasNextPage && (
        <div className="vfoot">
          <button className="button" type="button" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {isFetchingNextPage ? t("app.loading") : t("calls.more")}
          </button>
          <span role="status">{t("costs.partial", { count: count(data.totals.length) })}</span>
        </div>
      )}
    </>
  );
}

/** joinPages makes one answer of the pages of runs; by everything else there is one page. */
function joinPages(pages: Data[] | undefined): Data | undefined {
  const [first, ...rest] = pages ?? [];
  if (!first || rest.length === 0) return first;
  return { ...first, totals: [...first.totals, ...rest.flatMap((page) => page.totals)], next: rest[rest.length - 1]!.next };
}

/** allPages loads what is not loaded yet, page after page, and gives everything. */
async function allPages(more: () => Promise<{ data?: { pages: Data[] } | undefined; hasNextPage: boolean; error: Error | null }>): Promise<Data | undefined> {
  for (;;) {
    const { data, hasNextPage, error } = await more();
    if (error) return undefined; // The page shows it.
    if (!hasNextPage) return joinPages(data?.pages);
  }
}

interface DownloadsProps {
  data: Data;
  rest: () => Promise<Data | undefined>;
}

/** Downloads hold everything that was asked for, also the pages that are not on the screen yet. */
function Downloads({ data, rest }: DownloadsProps) {
  const { t } = useI18n();
  const [busy, setBusy] = useState(false);
  const tenants = data.by === "run";
  const name = (what: string) => `signalbox-cost-${what}-by-${data.by}-${data.from.slice(0, 10)}-${data.to.slice(0, 10)}.csv`;
  const head = ["calls", "failures", "input_tokens", "output_tokens", "cost_usd", "unpriced_calls"];
  const totals = async () => {
    setBusy(true);
    const all = data.next === null ? data : await rest();
    setBusy(false);
    if (!all) return;
    const rows = all.totals.map((r) => [r.key, ...(tenants ? [r.tenant] : []), r.calls, r.failures, r.input_tokens, r.output_tokens, r.cost, r.unpriced]);
    download(name("totals"), csv([[data.by, ...(tenants ? ["tenant"] : []), ...head], ...rows]));
  };
  const series = () =>
    download(
      name(data.bucket),
      csv([
        ["time", data.by, ...head],
        ...data.series.flatMap((s) => s.points.map((p) => [p.time, s.key, p.calls, p.failures, p.input_tokens, p.output_tokens, p.cost, p.unpriced])),
      ]),
    );
  return (
    <>
      <button className="button" type="button" disabled={busy} onClick={() => void totals()}>{busy ? t("app.loading") : t("costs.csvTotals")}</button>
      {data.series.length > 0 && <button className="button" type="button" onClick={series}>{t("costs.csvSeries")}</button>}
    </>
  );
}

interface ResultProps {
  data: Data;
  sort: string | undefined;
  change: (next: CostsSearch) => void;
}

function Result({ data, sort, change }: ResultProps) {
  const stack = useMemo(() => stackCosts(data, NAMED), [data]);
  const swatches = useMemo(() => new Map(stack.keys.map((key, i) => [key, i + 1])), [stack]);
  return (
    <>
      {stack.times.length > 0 && <StackChart data={data} stack={stack} />}
      <Totals data={data} sort={sort} change={change} swatch={(key) => swatches.get(key) ?? (swatches.get(null) || 8)} />
    </>
  );
}

function StackChart({ data, stack }: { data: Data; stack: ReturnType<typeof stackCosts> }) {
  const { t } = useI18n();
  const daily = data.bucket === "day";
  const half = daily ? 43_200 : 1_800;
  // The highest stack is drawn first and the lower ones over it, so that each shows its own share.
  const aligned = useMemo<uPlot.AlignedData>(() => [stack.times, ...[...stack.tops].reverse()], [stack]);
  const options = useMemo(() => stackOptions(stack.keys.length, daily, half), [stack.keys.length, daily, half]);
  const total = sumMoney(data.totals.map((row) => row.cost));
  const label = t("costs.chartLabel", { bucket: t(`costs.bucket.${data.bucket}`), by: t(`costs.by.${data.by}`), cost: showNano(total) });
  return (
    <section className="panel chart">
      <Chart
        label={label}
        height={250}
        data={aligned}
        options={options}
        readout={(i) => (
          <>
            {i !== null && stack.times[i] !== undefined && <b>{bucketLabel(new Date(stack.times[i] * 1_000).toISOString(), data.bucket)}</b>}
            {stack.keys.map((key, k) => (
              <span className="key" key={key ?? ""}>
                <i className={"swatch s" + (k + 1)} />
                {key === null ? t("costs.rest") : key || t("costs.key.none")}
                {i !== null && <b>{showNano(BigInt(Math.round((stack.values[k]?.[i] ?? 0) * 1e9)))}</b>}
              </span>
            ))}
          </>
        )}
      />
    </section>
  );
}

function stackOptions(size: number, daily: boolean, half: number) {
  const bars = uPlot.paths.bars!({ size: [0.68, 44], gap: 1 });
  return (paint: (name: string) => string): Omit<uPlot.Options, "width" | "height"> => ({
    padding: [10, 12, 0, 4],
    scales: {
      x: { time: true, range: (u) => timeRange(u, half) },
      usd: { range: (_, __, max) => [0, max > 0 ? max * 1.12 : 1] },
    },
    ...(daily ? { tzDate: (ts: number) => uPlot.tzDate(new Date(ts * 1_000), "Etc/UTC") } : {}),
    axes: [timeAxis(paint, daily), valueAxis(paint, (v) => "$" + String(Number(v.toPrecision(6))), 3, "usd", true)],
    series: [
      {},
      ...Array.from({ length: size }, (_, i) => {
        const fill = paint("--s" + (size - i));
        return { scale: "usd", paths: bars, fill, stroke: fill, width: 0, points: { show: false } };
      }),
    ],
  });
}

type Column = "key" | "calls" | "failures" | "input_tokens" | "output_tokens" | "cost";
const COLUMNS: readonly { id: Column; key: "calls.title" | "overview.failures" | "costs.input" | "costs.output" | "calls.cost" }[] = [
  { id: "calls", key: "calls.title" },
  { id: "failures", key: "overview.failures" },
  { id: "input_tokens", key: "costs.input" },
  { id: "output_tokens", key: "costs.output" },
  { id: "cost", key: "calls.cost" },
];

/** The URL holds the sorting as a column's name, with a minus for the largest first. */
function sorted(rows: CostTotal[], column: Column, down: boolean): CostTotal[] {
  const order = (a: CostTotal, b: CostTotal) =>
    column === "key" ? a.key.localeCompare(b.key) : column === "cost" ? compareMoney(a.cost, b.cost) : a[column] - b[column];
  return [...rows].sort((a, b) => (down ? -order(a, b) : order(a, b)));
}

function Totals({ data, sort, change, swatch }: ResultProps & { swatch: (key: string) => number }) {
  const { t } = useI18n();
  const text = sort ?? "-cost";
  const down = text.startsWith("-");
  const named = text.replace(/^-/, "");
  const column: Column = named === "key" ? "key" : (COLUMNS.find((c) => c.id === named)?.id ?? "cost");
  const rows = useMemo(() => sorted(data.totals, column, down), [data, column, down]);
  const total = sumMoney(data.totals.map((row) => row.cost));
  const add = (pick: (row: CostTotal) => number) => data.totals.reduce((sum, row) => sum + pick(row), 0);
  const order = (id: Column) => (id === column ? (down ? "descending" : "ascending") : "none");
  const head = (id: Column, name: string, numeric: boolean) => (
    <th key={id} className={numeric ? "num" : ""} aria-sort={order(id)}>
      <button type="button" onClick={() => change({ sort: (id === column ? !down : numeric) ? "-" + id : id })}>
        {name} <span aria-hidden="true">{id === column ? (down ? "↓" : "↑") : ""}</span>
      </button>
    </th>
  );
  return (
    <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("costs.tableLabel", { by: t(`costs.by.${data.by}`) })}>
      <table className="costs-table">
        <thead>
          <tr>
            {head("key", t(`costs.by.${data.by}`), false)}
            {COLUMNS.map(({ id, key }) => head(id, t(key), true))}
            <th className="num">{t("costs.share")}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.key + " " + (row.tenant ?? "")}>
              <td>
                {data.series.length > 0 && <i className={"swatch s" + swatch(row.key)} />}
                <KeyLink by={data.by} value={row.key} tenant={row.tenant} />{" "}
                {row.tenant !== null && <span className="quiet">{row.tenant}</span>}
              </td>
              <td className="num">{count(row.calls)}</td>
              <td className={"num" + (row.failures > 0 ? " stop" : "")}>{count(row.failures)}</td>
              <td className="num" title={count(row.input_tokens)}>{compact(row.input_tokens)}</td>
              <td className="num" title={count(row.output_tokens)}>{compact(row.output_tokens)}</td>
              <td className="num" title={"$" + row.cost}>
                {row.unpriced > 0 && <span className="tag risk-medium" title={t("costs.unpriced", { count: count(row.unpriced) })}>{t("cost.unpriced")} {count(row.unpriced)}</span>} {showMoney(row.cost)}
              </td>
              <td className="num"><Share part={parseMoney(row.cost) ?? 0n} whole={total} /></td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <td>{data.next === null ? t("costs.total") : t("costs.partialTotal")}</td>
            <td className="num">{count(add((r) => r.calls))}</td>
            <td className="num">{count(add((r) => r.failures))}</td>
            <td className="num">{compact(add((r) => r.input_tokens))}</td>
            <td className="num">{compact(add((r) => r.output_tokens))}</td>
            <td className="num" title={"$" + exactMoney(total)}>{showNano(total)}</td>
            <td />
          </tr>
        </tfoot>
      </table>
    </div>
  );
}

function KeyLink({ by, value, tenant }: { by: CostBy; value: string; tenant: string | null }) {
  const { t } = useI18n();
  if (value === "") return <span className="quiet">{t(by === "run" ? "costs.key.noRun" : "costs.key.none")}</span>;
  if (by === "run") {
    return <Link className="mono" to="/runs/$id" params={{ id: value }} search={tenant === null ? {} : { tenant }}>{value}</Link>;
  }
  if (by === "provider") return <>{value}</>;
  return (
    <Link to="/calls" search={{ [by]: value }} title={t("costs.openCalls", { key: value })}>
      {value}
    </Link>
  );
}

function Share({ part, whole }: { part: bigint; whole: bigint }) {
  const share = whole > 0n ? toChart(part) / toChart(whole) : 0;
  return (
    <span className="share">
      {whole > 0n ? percent(share, 1) : "–"}
      <i aria-hidden="true"><b style={{ width: `${share * 100}%` }} /></i>
    </span>
  );
}
