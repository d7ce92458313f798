/** The trace of a record's call, small: the first page of its spans, with the call's own selected. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { traceQuery } from "../api/queries";
import type { Span, TracePage } from "../api/types";
import { useI18n } from "../i18n";
import { count } from "../lib/format";
import { buildAxis } from "../lib/gaps";
import { buildTree, rowOf, visibleRows } from "../lib/tree";
import { ErrorBox } from "../ui/ErrorBox";
import { Loading } from "../ui/parts";
import { ROW, Waterfall, type View } from "./Waterfall";

const MOST_ROWS = 12;

export function RecordTrace({ trace, span }: { trace: string; span: string | null }) {
  const { t } = useI18n();
  const { data, error, refetch } = useInfiniteQuery(traceQuery(trace));
  const first = data?.pages[0];
  if (error) return <ErrorBox error={error} retry={() => void refetch()} />;
  if (!first) return <Loading />;
  if (first.items.length === 0) return <p className="quiet">{t("trace.empty")}</p>;
  return <Small page={first} span={span} />;
}

const ignore = () => undefined;

function Small({ page, span }: { page: TracePage; span: string | null }) {
  const { t } = useI18n();
  const spans: Span[] = page.items;
  const tree = useMemo(() => buildTree(spans), [spans]);
  const axis = useMemo(() => buildAxis(spans, true), [spans]);
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => visibleRows(tree, folded), [tree, folded]);
  const [selected, select] = useState(() => (span === null ? -1 : (tree.index.get(span) ?? -1)));
  const [zoom, setZoom] = useState<View | null>(null);
  const [target] = useState(() => (selected < 0 ? null : { row: rowOf(rows, selected) }));
  const view = useMemo(() => zoom ?? { from: 0, to: axis.total }, [zoom, axis.total]);
  return (
    <>
      <div className="beside panel" style={{ height: 30 + ROW * Math.min(MOST_ROWS, Math.max(3, rows.length)) + 2 }}>
        <Waterfall
          tree={tree} rows={rows} axis={axis} view={view} folded={folded} setFolded={setFolded} selected={selected} select={select}
          setZoom={setZoom} target={target} onSeen={ignore} nearEnd={ignore}
        />
      </div>
      {spans.length < page.span_count && <p className="quiet">{t("trace.partial", { loaded: count(spans.length), count: count(page.span_count) })}</p>}
    </>
  );
}
