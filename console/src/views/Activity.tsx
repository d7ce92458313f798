/** Calls and what they cost, hour by hour. */
import { useMemo } from "react";
import uPlot from "uplot";
import type { Overview } from "../api/types";
import { useI18n } from "../i18n";
import { bucketLabel, compact, count } from "../lib/format";
import { parseMoney, showMoney, toChart } from "../lib/money";
import { fillHours } from "../lib/series";
import { Chart, timeAxis, timeRange, valueAxis } from "../ui/Chart";

const bars = uPlot.paths.bars!({ size: [0.62, 26], gap: 1 });

function activityOptions(paint: (name: string) => string): Omit<uPlot.Options, "width" | "height"> {
  return {
    padding: [10, 4, 0, 4],
    scales: {
      x: { time: true, range: (u) => timeRange(u, 1_800) },
      calls: { range: (_, __, max) => [0, Math.max(max * 1.15, 4)] },
      cost: { range: (_, __, max) => [0, max > 0 ? max * 1.15 : 1] },
    },
    axes: [
      timeAxis(paint, false),
      valueAxis(paint, (v) => (Number.isInteger(v) ? compact(v) : ""), 3, "calls", true),
      valueAxis(paint, (v) => "$" + String(Number(v.toPrecision(6))), 1, "cost", false),
    ],
    series: [
      {},
      { scale: "calls", paths: bars, fill: paint("--bar-model"), stroke: paint("--bar-model"), width: 0, points: { show: false } },
      { scale: "calls", paths: bars, fill: paint("--stop"), stroke: paint("--stop"), width: 0, points: { show: false } },
      { scale: "cost", stroke: paint("--accent"), width: 2, points: { show: false } },
    ],
  };
}

interface Props {
  data: Pick<Overview, "calls" | "failures" | "cost" | "points">;
  from: string;
  to: string;
  height?: number;
}

/** Activity draws calls, failures and cost by the hour. */
export function Activity({ data, from, to, height = 230 }: Props) {
  const { t } = useI18n();
  const points = useMemo(() => fillHours(data.points, from, to), [data.points, from, to]);
  const aligned = useMemo<uPlot.AlignedData>(
    () => [
      points.map((p) => Date.parse(p.time) / 1_000),
      points.map((p) => p.calls),
      points.map((p) => p.failures),
      points.map((p) => toChart(parseMoney(p.cost) ?? 0n)),
    ],
    [points],
  );
  const label = t("overview.chartLabel", { calls: count(data.calls), failures: count(data.failures), cost: showMoney(data.cost) });
  return (
    <section className="panel chart">
      <div className="section-head block-head">
        <h2>{t("overview.chart")}</h2>
      </div>
      <Chart
        label={label}
        height={height}
        data={aligned}
        options={activityOptions}
        readout={(i) => {
          const point = i === null ? undefined : points[i];
          return (
            <>
              {point && <b>{bucketLabel(point.time, "hour")}</b>}
              <span className="key"><i className="swatch key-calls" />{t("calls.title")} {point && <b>{count(point.calls)}</b>}</span>
              <span className="key"><i className="swatch key-failures" />{t("overview.failures")} {point && <b>{count(point.failures)}</b>}</span>
              <span className="key"><i className="swatch line-only key-cost" />{t("calls.cost")} {point && <b>{showMoney(point.cost)}</b>}</span>
            </>
          );
        }}
      />
      <details className="figures">
        <summary>{t("chart.table")}</summary>
        <div tabIndex={0} role="region" aria-label={t("chart.table")}>
          <table>
            <thead>
              <tr>
                <th>{t("chart.time")}</th>
                <th className="num">{t("calls.title")}</th>
                <th className="num">{t("overview.failures")}</th>
                <th className="num">{t("calls.cost")}</th>
              </tr>
            </thead>
            <tbody>
              {points.map((p) => (
                <tr key={p.time}>
                  <td>{bucketLabel(p.time, "hour")}</td>
                  <td className="num">{count(p.calls)}</td>
                  <td className="num">{count(p.failures)}</td>
                  <td className="num" title={"$" + p.cost}>{showMoney(p.cost)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </section>
  );
}
