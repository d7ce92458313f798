/** One trace: its facts, its map, its waterfall, and the span that is selected. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useState } from "react";
import { traceQuery } from "../api/queries";
import type { TracePage } from "../api/types";
import { useI18n } from "../i18n";
import { count, duration, stamp } from "../lib/format";
import { buildAxis } from "../lib/gaps";
import { showMoney } from "../lib/money";
import { buildTree, foldable, nextError, reveal, rowOf, visibleRows } from "../lib/tree";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Copy, Loading, PageHead } from "../ui/parts";
import { Minimap } from "./Minimap";
import { SpanPanel } from "./SpanPanel";
import { Waterfall, type View } from "./Waterfall";

/** So many pages are loaded unasked: 32,000 spans. With the session that is five requests. */
const PAGES_AT_ONCE = 4;

export function Trace() {
  const { t } = useI18n();
  const { id } = useParams({ from: "/shell/traces/$id" });
  const { data, error, isFetching, hasNextPage, isFetchingNextPage, fetchNextPage, refetch } = useInfiniteQuery(traceQuery(id));
  const pages = data?.pages;
  useEffect(() => {
    if (pages && pages.length < PAGES_AT_ONCE && hasNextPage && !isFetchingNextPage && !error) void fetchNextPage();
  }, [pages, hasNextPage, isFetchingNextPage, fetchNextPage, error]);
  const last = pages?.[pages.length - 1];
  return (
    <>
      <PageHead title={t("calls.trace")}>
        <code className="quiet break">{id}</code>
        <Copy text={id} />
        <span className="spacer" />
        <AsOf asOf={last?.as_of} busy={isFetching} refresh={() => void refetch()} />
      </PageHead>
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!last && !error && <Loading />}
      {last && last.span_count === 0 && <p className="panel empty">{t("trace.empty")}</p>}
      {pages && last && last.span_count > 0 && (
        <Loaded key={id} pages={pages} more={hasNextPage} loading={isFetchingNextPage} loadMore={() => void fetchNextPage()} />
      )}
    </>
  );
}

interface LoadedProps {
  pages: TracePage[];
  more: boolean;
  loading: boolean;
  loadMore: () => void;
}

function Loaded({ pages, more, loading, loadMore }: LoadedProps) {
  const { t } = useI18n();
  const search = useSearch({ from: "/shell/traces/$id" });
  const navigate = useNavigate({ from: "/traces/$id" });
  const last = pages[pages.length - 1]!;
  const compress = search.idle !== "0";
  const spans = useMemo(() => pages.flatMap((page) => page.items), [pages]);
  const tree = useMemo(() => buildTree(spans), [spans]);
  const axis = useMemo(() => buildAxis(spans, compress), [spans, compress]);
  const errors = useMemo(() => spans.reduce((sum, span) => sum + (span.status === "error" ? 1 : 0), 0), [spans]);
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => visibleRows(tree, folded), [tree, folded]);
  const [selectedId, setSelectedId] = useState<string | null>(search.span ?? null);
  const [zoom, setZoom] = useState<View | null>(null);
  const [seen, setSeen] = useState<{ from: number; to: number }>({ from: 0, to: 0 });
  const [target, setTarget] = useState<{ row: number } | null>(null);
  const view = useMemo(() => clip(zoom, axis.total), [zoom, axis.total]);
  const selected = selectedId === null ? -1 : (tree.index.get(selectedId) ?? -1);

  const show = useCallback(
    (index: number) => {
      const open = reveal(tree, folded, index);
      setFolded(open);
      setSelectedId(tree.spans[index]!.id);
      setTarget({ row: rowOf(visibleRows(tree, open), index) });
    },
    [tree, folded],
  );
  // A link that names a span brings it into sight, once, as soon as its page has been loaded.
  const [linked, setLinked] = useState(search.span ?? null);
  useEffect(() => {
    const index = linked === null ? undefined : tree.index.get(linked);
    if (index === undefined) return;
    setLinked(null);
    show(index);
  }, [linked, tree, show]);
  // The address follows the selection, a little later, so that holding an arrow key stays quick.
  useEffect(() => {
    if ((selectedId ?? undefined) === search.span) return;
    const timer = setTimeout(() => {
      void navigate({ search: (old) => ({ ...old, span: selectedId ?? undefined }) as typeof search, replace: true });
    }, 250);
    return () => clearTimeout(timer);
  }, [selectedId, search.span, navigate]);

  const toggleIdle = (on: boolean) => {
    setZoom(null);
    void navigate({ search: (old) => ({ ...old, idle: on ? undefined : "0" }) as typeof search, replace: true });
  };
  return (
    <>
      <dl className="trace-facts">
        <Fact name={t("call.started")} value={stamp(last.start)} />
        <Fact name={t("trace.duration")} value={duration(Date.parse(last.end) - Date.parse(last.start))} />
        <Fact name={t("trace.spans")} value={count(last.span_count)} />
        <Fact name={t("calls.cost")} value={showMoney(last.total_cost)} title={"$" + last.total_cost} />
      </dl>
      <div className="trace-tools">
        <button className="button" type="button" onClick={() => setFolded(new Set())} disabled={folded.size === 0}>
          {t("trace.unfoldAll")}
        </button>
        <button className="button" type="button" onClick={() => setFolded(foldable(tree))}>
          {t("trace.foldAll")}
        </button>
        <button className="button" type="button" disabled={errors === 0} onClick={() => show(nextError(tree, selected))}>
          {errors === 0 ? t("trace.noErrors") : `${t("trace.nextError")} (${count(errors)})`}
        </button>
        <label className="check">
          <input type="checkbox" checked={compress} onChange={(e) => toggleIdle(e.target.checked)} />
          {t("trace.idle")}
        </label>
        {zoom && (
          <button className="button" type="button" onClick={() => setZoom(null)}>
            {t("trace.resetZoom")}
          </button>
        )}
        <span className="spacer" />
        {spans.length < last.span_count && (
          <span className="quiet" role="status">
            {t("trace.partial", { loaded: count(spans.length), count: count(last.span_count) })}
          </span>
        )}
        {more && (
          <button className="button" type="button" onClick={loadMore} disabled={loading}>
            {loading ? t("app.loading") : t("trace.more")}
          </button>
        )}
      </div>
      <div className={"trace-body" + (selected >= 0 ? " with-panel" : "")}>
        <Minimap tree={tree} rows={rows} axis={axis} view={view} seen={seen} zoom={setZoom} goTo={(row) => setTarget({ row })} />
        <Waterfall
          tree={tree}
          rows={rows}
          axis={axis}
          view={view}
          folded={folded}
          setFolded={setFolded}
          selected={selected}
          select={(index) => setSelectedId(index < 0 ? null : tree.spans[index]!.id)}
          setZoom={setZoom}
          target={target}
          onSeen={setSeen}
          nearEnd={() => more && !loading && loadMore()}
        />
        {selected >= 0 && <SpanPanel span={tree.spans[selected]!} close={() => setSelectedId(null)} />}
      </div>
      <Legend />
    </>
  );
}

/** clip keeps a zoom inside the axis, whose length changes as pages arrive. */
function clip(zoom: View | null, total: number): View {
  if (!zoom) return { from: 0, to: total };
  const from = Math.max(0, Math.min(zoom.from, total));
  const to = Math.min(total, Math.max(zoom.to, from + total * 1e-6));
  return from < to ? { from, to } : { from: 0, to: total };
}

function Fact({ name, value, title }: { name: string; value: string; title?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd {...(title ? { title } : {})}>{value}</dd>
    </div>
  );
}

function Legend() {
  const { t } = useI18n();
  return (
    <div className="trace-foot">
      <div className="legend">
        {(["agent", "model", "tool", "attempt"] as const).map((kind) => (
          <span key={kind}>
            <i className={"bar sample " + kind} />
            {t(`kind.${kind}`)}
          </span>
        ))}
        <span><i className="bar sample error" />{t("status.error")}</span>
        <span><i className="bar sample inferred" />{t("trace.inferred")}</span>
        <span><i className="bar sample model simulated" />{t("simulated.tag")}</span>
      </div>
      <span className="keys">{t("trace.keys")}</span>
    </div>
  );
}
