/** uPlot in a React frame: follows width and colours, tells which point the pointer is on, and has a text for those who cannot see it. */
import { useEffect, useRef, useState, type ReactNode } from "react";
import uPlot from "uplot";
import { color, useTheme } from "./theme";
import { useWidth } from "./parts";

interface ChartProps {
  label: string;
  height: number;
  data: uPlot.AlignedData;
  /** options must be stable between renders, else the chart is built anew. */
  options: (paint: (name: string) => string) => Omit<uPlot.Options, "width" | "height">;
  readout: (index: number | null) => ReactNode;
}

export function Chart({ label, height, data, options, readout }: ChartProps) {
  const [frame, width, element] = useWidth<HTMLDivElement>();
  const { theme } = useTheme();
  const [index, setIndex] = useState<number | null>(null);
  const plot = useRef<uPlot | null>(null);
  const ready = width > 0;
  useEffect(() => {
    if (!element || !ready) return;
    const made = options(color);
    const setCursor = (u: uPlot) => setIndex(u.cursor.idx ?? null);
    plot.current = new uPlot(
      {
        ...made,
        width: element.clientWidth,
        height,
        legend: { show: false },
        cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
        hooks: { ...made.hooks, setCursor: [setCursor] },
      },
      data,
      element,
    );
    return () => {
      plot.current?.destroy();
      plot.current = null;
    };
  }, [element, ready, options, data, height, theme]);
  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height });
  }, [width, height]);
  return (
    <>
      <div className="readout" aria-hidden="true">
        {readout(index)}
      </div>
      <div className="chart-canvas" ref={frame} role="img" aria-label={label} />
    </>
  );
}

const two = (n: number) => String(n).padStart(2, "0");

/** timeAxis labels hours as 15:00 and days as 11-22; day buckets are cut in UTC, so they are labelled in UTC. */
export function timeAxis(paint: (name: string) => string, daily: boolean): uPlot.Axis {
  return {
    stroke: paint("--ink-3"),
    grid: { show: false },
    ticks: { stroke: paint("--line"), size: 4 },
    font: "12px " + paint("--font"),
    size: 28,
    space: 64,
    ...(daily ? { incrs: [1, 2, 7, 14, 28].map((days) => days * 86_400) } : {}),
    values: (_, splits) => splits.map((s) => timeLabel(new Date(s * 1_000), daily)),
  };
}

function timeLabel(at: Date, daily: boolean): string {
  if (daily) return `${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`;
  if (at.getHours() === 0 && at.getMinutes() === 0) return `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** timeRange ends half a bucket beyond the first and the last one, also where there is only one. */
export function timeRange(plot: uPlot, half: number): [number, number] {
  const times = plot.data[0];
  return [(times[0] ?? 0) - half, (times[times.length - 1] ?? 0) + half];
}

export function valueAxis(paint: (name: string) => string, write: (value: number) => string, side: 1 | 3, scale: string, grid: boolean): uPlot.Axis {
  return {
    scale,
    side,
    stroke: paint("--ink-3"),
    grid: { show: grid, stroke: paint("--line"), width: 1 },
    ticks: { show: false },
    font: "12px " + paint("--font"),
    size: (_, values) => 14 + 7 * Math.max(3, ...(values ?? []).map((v) => String(v ?? "").length)),
    space: 34,
    values: (_, splits) => splits.map((s) => (s === null ? "" : write(s))),
  };
}
