/**
 * The waterfall. Rows are virtual: whatever the trace's size, only what is in sight is in the page. The grid keeps the
 * focus itself and names the active row (aria-activedescendant), so moving by keys never waits for a row to be drawn.
 */
import { useNavigate } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useMemo, useRef, type KeyboardEvent } from "react";
import type { Span } from "../api/types";
import { useI18n } from "../i18n";
import { compact, count, duration } from "../lib/format";
import { position, ticks, type Axis } from "../lib/gaps";
import { showMoney } from "../lib/money";
import { hasChildren, rowOf, type Tree } from "../lib/tree";
import { useWidth } from "../ui/parts";

export const ROW = 26;
const HEAD = 28;
/** Pixels per level of the tree; deep levels share the last step so that names stay readable. */
const INDENT = 16;
const MOST_INDENT = 12;

/** View is the part of the axis in sight, in the axis' own unit. */
export interface View {
  from: number;
  to: number;
}

interface Props {
  tree: Tree;
  rows: Int32Array;
  axis: Axis;
  view: View;
  folded: ReadonlySet<string>;
  setFolded: (next: ReadonlySet<string>) => void;
  selected: number;
  select: (index: number) => void;
  setZoom: (view: View | null) => void;
  /** A row to scroll to; a new object asks again. */
  target: { row: number } | null;
  onSeen: (rows: { from: number; to: number }) => void;
  nearEnd: () => void;
}

export function Waterfall(props: Props) {
  const { tree, rows, axis, view, folded, selected, target, onSeen, nearEnd } = props;
  const { t } = useI18n();
  const scroller = useRef<HTMLDivElement>(null);
  const [ruler, width, rulerElement] = useWidth<HTMLDivElement>();
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 12,
    paddingStart: 0,
    scrollPaddingStart: HEAD,
  });
  const items = list.getVirtualItems();
  const from = items[0]?.index ?? 0;
  const to = (items[items.length - 1]?.index ?? 0) + 1;
  useEffect(() => onSeen({ from, to }), [from, to, onSeen]);
  useEffect(() => {
    if (to >= rows.length - 50) nearEnd();
    // Only a move of the rows in sight asks for more.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [to]);
  useEffect(() => {
    if (target && target.row >= 0) list.scrollToIndex(target.row, { align: "center" });
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [target]);
  const onKeyDown = useKeys(props, (row) => list.scrollToIndex(row), () => scroller.current?.clientHeight ?? 400);
  const toggle = (id: string) => {
    const next = new Set(folded);
    if (!next.delete(id)) next.add(id);
    props.setFolded(next);
  };
  const activeRow = selected < 0 ? -1 : rowOf(rows, selected);
  return (
    <div
      className="wf"
      ref={scroller}
      role="treegrid"
      tabIndex={0}
      aria-label={t("trace.gridLabel")}
      aria-rowcount={rows.length + 1}
      aria-activedescendant={activeRow >= from && activeRow < to ? "span-" + selected : undefined}
      onKeyDown={onKeyDown}
    >
      <div role="rowgroup" className="wf-head">
        <div role="row" className="wf-row wf-head" aria-rowindex={1}>
          <span role="columnheader">{t("trace.name")}</span>
          <span role="columnheader" className="num wide">{t("overview.tokens")}</span>
          <span role="columnheader" className="num wide">{t("calls.cost")}</span>
          <span role="columnheader" className="ruler" ref={ruler as (e: HTMLElement | null) => void}>
            <span className="visually-hidden">{t("trace.timeline")}</span>
            <Ruler axis={axis} view={view} width={width} />
          </span>
        </div>
      </div>
      <Lines axis={axis} view={view} width={width} left={rulerElement?.offsetLeft ?? 0} height={list.getTotalSize()} />
      <div className="wf-body" role="rowgroup" style={{ height: list.getTotalSize() }}>
        {items.map((item) => {
          const index = rows[item.index]!;
          const span = tree.spans[index]!;
          return (
            <Row
              key={span.id}
              span={span}
              index={index}
              row={item.index}
              start={item.start}
              axis={axis}
              view={view}
              width={width}
              parent={hasChildren(tree, index)}
              open={!folded.has(span.id)}
              inside={tree.end[index]! - index - 1}
              selected={index === selected}
              select={props.select}
              toggle={toggle}
            />
          );
        })}
      </div>
    </div>
  );
}

function useKeys(props: Props, scrollTo: (row: number) => void, height: () => number) {
  const navigate = useNavigate();
  const { tree, rows, folded, setFolded, selected, select, view, axis, setZoom } = props;
  const row = selected < 0 ? -1 : rowOf(rows, selected);
  const go = (to: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, to));
    select(rows[next]!);
    scrollTo(next);
  };
  const fold = (open: boolean) => {
    const next = new Set(folded);
    if (open) next.delete(tree.spans[selected]!.id);
    else next.add(tree.spans[selected]!.id);
    setFolded(next);
  };
  const left = () => {
    if (selected < 0) return;
    if (hasChildren(tree, selected) && !folded.has(tree.spans[selected]!.id)) return fold(false);
    const parent = tree.parent[selected]!;
    if (parent >= 0) go(rowOf(rows, parent));
  };
  const right = () => {
    if (selected < 0 || !hasChildren(tree, selected)) return;
    if (folded.has(tree.spans[selected]!.id)) return fold(true);
    if (tree.end[selected]! > selected + 1) go(row + 1);
  };
  const scale = (factor: number) => {
    const middle = selected >= 0 ? position(axis, tree.spans[selected]!.start_ms) : (view.from + view.to) / 2;
    const size = (view.to - view.from) * factor;
    if (size >= axis.total) return setZoom(null);
    const from = Math.max(0, Math.min(middle - size / 2, axis.total - size));
    setZoom({ from, to: from + size });
  };
  const open = () => {
    const call = selected < 0 ? null : tree.spans[selected]!.call_id;
    if (call) void navigate({ to: "/calls/$id", params: { id: call } });
  };
  const page = () => Math.max(1, Math.floor(height() / ROW) - 2);
  const actions: Record<string, () => void> = {
    ArrowDown: () => go(row + 1), ArrowUp: () => go(row - 1), ArrowLeft: left, ArrowRight: right,
    PageDown: () => go(row + page()), PageUp: () => go(row - page()), Home: () => go(0), End: () => go(rows.length - 1),
    "+": () => scale(0.5), "=": () => scale(0.5), "-": () => scale(2), "0": () => setZoom(null),
    Enter: open, Escape: () => select(-1),
  };
  return (event: KeyboardEvent) => {
    const action = actions[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey || rows.length === 0) return;
    event.preventDefault();
    action();
  };
}

interface ScaleProps {
  axis: Axis;
  view: View;
  width: number;
}

const x = (at: number, view: View, width: number) => ((at - view.from) / (view.to - view.from)) * width;

function useMarks({ axis, view, width }: ScaleProps) {
  return useMemo(() => {
    if (width === 0) return { times: [], gaps: [] };
    const times = ticks(axis, view.from, view.to, 84 / width).map((tick) => ({ ...tick, left: x(tick.at, view, width) }));
    const gaps = axis.segments
      .filter((s) => s.gap && s.at + s.width >= view.from && s.at <= view.to)
      .map((s) => ({ left: x(s.at, view, width), wide: (s.width / (view.to - view.from)) * width, ms: s.to - s.from }));
    return { times, gaps };
  }, [axis, view, width]);
}

/** Room a gap's length needs on the ruler; of two gaps closer than that, the first is named. */
const GAP_LABEL = 58;

function Ruler(props: ScaleProps) {
  const { t } = useI18n();
  const { times, gaps } = useMarks(props);
  // A time whose text would run into a gap's mark or out of the ruler is left out; its line stays.
  const clear = (left: number) => left + 52 < props.width && gaps.every((g) => left + 52 < g.left || left > g.left + g.wide + 26);
  return (
    <>
      {times.filter((tick) => clear(tick.left)).map((tick) => (
        <span key={tick.ms} style={{ left: tick.left }} aria-hidden="true">
          {duration(Math.round(tick.ms * 1e6) / 1e6)}
        </span>
      ))}
      {gaps.filter((gap, i) => i === 0 || gap.left - gaps[i - 1]!.left >= GAP_LABEL).map((gap) => (
        <span key={gap.left} className="gap-mark" style={{ left: gap.left - 30, width: gap.wide + 60 }} title={t("trace.gap", { duration: duration(gap.ms) })}>
          <b>{duration(gap.ms)}</b>
        </span>
      ))}
    </>
  );
}

function Lines({ left, height, ...scale }: ScaleProps & { left: number; height: number }) {
  const { times, gaps } = useMarks(scale);
  return (
    <div className="wf-lines" aria-hidden="true" style={{ left, width: scale.width + 1, height }}>
      {times.map((tick) => <i key={tick.ms} style={{ left: tick.left }} />)}
      {gaps.map((gap) => <i key={gap.left} className="gap" style={{ left: gap.left, width: gap.wide }} />)}
    </div>
  );
}

interface RowProps extends ScaleProps {
  span: Span;
  index: number;
  row: number;
  start: number;
  parent: boolean;
  open: boolean;
  inside: number;
  selected: boolean;
  select: (index: number) => void;
  toggle: (id: string) => void;
}

const LETTER = { agent: "A", model: "M", tool: "T", attempt: "·" } as const;

const Row = memo(
  function Row(props: RowProps) {
    const { span, index, row, start, parent, open, inside, selected, select, toggle } = props;
    const { t } = useI18n();
    const tokens = span.input_tokens === null && span.output_tokens === null;
    return (
      <div
        role="row"
        id={"span-" + index}
        className={"wf-row" + (selected ? " selected" : "") + (span.status === "error" ? " error" : "")}
        style={{ transform: `translateY(${start}px)` }}
        aria-rowindex={row + 2}
        aria-level={span.depth + 1}
        aria-selected={selected}
        {...(parent ? { "aria-expanded": open } : {})}
        onClick={() => select(index)}
        onDoubleClick={() => parent && toggle(span.id)}
      >
        <span role="gridcell" className="wf-name" title={span.name}>
          <i className="guides" style={{ width: Math.min(span.depth, MOST_INDENT) * INDENT }} />
          {parent ? (
            <span
              className={"fold" + (open ? " open" : "")}
              aria-hidden="true"
              onClick={(event) => {
                event.stopPropagation();
                toggle(span.id);
              }}
            >
              <svg viewBox="0 0 10 10"><path d="M2.5 1 8 5l-5.5 4z" fill="currentColor" /></svg>
            </span>
          ) : (
            <span className="fold" aria-hidden="true" />
          )}
          <i className={"kind " + span.kind} aria-hidden="true">{LETTER[span.kind]}</i>
          <span className="label">
            {span.name}
            <span className="visually-hidden">, {t(`kind.${span.kind}`)}{span.status === "ok" ? "" : `, ${t(span.status === "error" ? "status.error" : "outcome.running")}`}</span>
          </span>
          {!open && inside > 0 && <span className="hidden-count">+{count(inside)}</span>}
          {span.inferred && <span className="tag sim" title={t("trace.inferredHint")}>{t("trace.inferred")}</span>}
          {span.simulated && span.kind !== "attempt" && <span className="tag sim" title={t("simulated.hint")}>SIM<span className="visually-hidden"> {t("simulated.tag")}</span></span>}
        </span>
        <span role="gridcell" className="cell wide">{tokens ? "" : `${compact(span.input_tokens)} / ${compact(span.output_tokens)}`}</span>
        <span role="gridcell" className="cell wide">{span.cost_estimate === null ? "" : showMoney(span.cost_estimate)}</span>
        <span role="gridcell" className="wf-time"><Bar {...props} /></span>
      </div>
    );
  },
  // The two functions are made anew with each render of the list and do the same.
  (a, b) =>
    a.span === b.span && a.row === b.row && a.start === b.start && a.axis === b.axis && a.view === b.view &&
    a.width === b.width && a.open === b.open && a.inside === b.inside && a.selected === b.selected &&
    a.parent === b.parent && a.toggle === b.toggle && a.select === b.select,
);

/** Room a duration needs beside its bar. */
const LABEL = 74;

function Bar({ span, axis, view, width }: RowProps) {
  if (width === 0) return null;
  const begin = x(position(axis, span.start_ms), view, width);
  const end = Math.max(x(position(axis, span.start_ms + span.duration_ms), view, width), begin + 2);
  // Very long bars are cut to a little more than what is in sight: a transform of millions of pixels loses its place.
  const left = Math.max(begin, -20);
  const right = Math.min(end, width + 20);
  const look = ["bar", span.kind, span.status, span.inferred ? "inferred" : "", span.simulated ? "simulated" : ""].join(" ");
  return (
    <>
      {right > left && <i className={look} style={{ transform: `translateX(${left}px)`, width: right - left }} />}
      {end > 0 && begin < width && <BarLabel span={span} left={left} right={right} width={width} />}
    </>
  );
}

function BarLabel({ span, left, right, width }: { span: Span; left: number; right: number; width: number }) {
  const text = duration(span.duration_ms);
  const stop = span.status === "error" ? " stop" : "";
  if (width - right >= LABEL) return <span className={"bar-label" + stop} style={{ transform: `translateX(${right + 6}px)` }}>{text}</span>;
  if (left >= LABEL) return <span className={"bar-label" + stop} style={{ transform: `translateX(calc(${left - 6}px - 100%))` }}>{text}</span>;
  if (span.kind === "agent") return null;
  return <span className={"bar-label" + (span.inferred ? "" : " inside")} style={{ transform: `translateX(${Math.max(left, 0) + 6}px)` }}>{text}</span>;
}
