/** The list of calls: only the rows in sight are in the page; the arrow keys walk through all of them. */
import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState, type KeyboardEvent, type MouseEvent } from "react";
import type { Call } from "../api/types";
import { useI18n } from "../i18n";
import { clock, count, duration } from "../lib/format";
import { showMoney } from "../lib/money";
import { Risk, Simulated } from "../ui/parts";
import { Signal } from "../ui/Signal";

const ROW = 34;
/** Where each filter's list was left, for the way back from a call. */
const places = new Map<string, { top: number; row: number }>();

interface Props {
  calls: Call[];
  place: string;
  filtered: boolean;
  more: boolean;
  busy: boolean;
  loadMore: () => void;
}

export function CallsTable({ calls, place, filtered, more, busy, loadMore }: Props) {
  const { t } = useI18n();
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(() => places.get(place)?.row ?? 0);
  const wanted = useRef<number | null>(null);
  const rows = useVirtualizer({
    count: calls.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 14,
    initialOffset: () => places.get(place)?.top ?? 0,
  });
  useEffect(() => {
    const element = scroller.current;
    return () => {
      if (element) places.set(place, { top: element.scrollTop, row: active });
    };
  }, [place, active]);
  // The row may not be in the page yet when it is asked for: it takes the focus as soon as it is.
  useEffect(() => {
    if (wanted.current === null) return;
    const link = scroller.current?.querySelector<HTMLElement>(`[data-row="${wanted.current}"]`);
    if (link) {
      link.focus({ preventScroll: true });
      wanted.current = null;
    }
  });
  const go = (to: number) => {
    const next = Math.max(0, Math.min(calls.length - 1, to));
    wanted.current = next;
    setActive(next);
    rows.scrollToIndex(next);
  };
  const keys = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 400) / ROW) - 2);
    const moves: Record<string, number> = {
      ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page,
      Home: 0, End: calls.length - 1,
    };
    const to = moves[event.key];
    if (to === undefined || !(event.target as HTMLElement).dataset["row"]) return;
    event.preventDefault();
    go(to);
  };
  if (calls.length === 0) {
    return (
      <div className="panel empty" role="status">
        <p>{t(filtered ? "calls.empty" : "calls.none")}</p>
        {!filtered && (
          <>
            <p>{t("overview.demo")}</p>
            <code className="command">signalbox demo</code>
          </>
        )}
      </div>
    );
  }
  return (
    <div className="vtable calls" ref={scroller}>
      <div role="table" aria-label={t("calls.tableLabel")} aria-rowcount={calls.length + 1} onKeyDown={keys}>
        <Head />
        <div className="vbody" role="rowgroup" style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map((item) => (
            <Row
              key={calls[item.index]!.id}
              call={calls[item.index]!}
              index={item.index}
              start={item.start}
              active={item.index === Math.min(active, calls.length - 1)}
              onFocus={setActive}
            />
          ))}
        </div>
      </div>
      <div className="vfoot">
        {more ? (
          <button className="button" type="button" onClick={loadMore} disabled={busy}>
            {busy ? t("app.loading") : t("calls.more")}
          </button>
        ) : (
          <span>{t("calls.end")}</span>
        )}
        <span className="keys w1">{t("calls.keys")}</span>
      </div>
    </div>
  );
}

function Head() {
  const { t } = useI18n();
  return (
    <div role="rowgroup" className="vhead">
      <div role="row" className="vrow" aria-rowindex={1}>
        <span role="columnheader" className="w1">{t("calls.time")}</span>
        <span role="columnheader"><span className="narrow-hide">{t("calls.outcome")}</span></span>
        <span role="columnheader">{t("calls.what")}</span>
        <span role="columnheader" className="w1">{t("calls.agent")}</span>
        <span role="columnheader" className="w2">{t("calls.tenant")}</span>
        <span role="columnheader" className="w3">{t("calls.run")}</span>
        <span role="columnheader" className="num">{t("calls.latency")}</span>
        <span role="columnheader" className="num w2">{t("calls.tokens")}</span>
        <span role="columnheader" className="num">{t("calls.cost")}</span>
        <span role="columnheader" className="w3">{t("calls.risk")}</span>
      </div>
    </div>
  );
}

interface RowProps {
  call: Call;
  index: number;
  start: number;
  active: boolean;
  onFocus: (index: number) => void;
}

function Row({ call, index, start, active, onFocus }: RowProps) {
  const { t } = useI18n();
  const link = useRef<HTMLAnchorElement>(null);
  // A click anywhere in the row opens it, except where text is being selected.
  const open = (event: MouseEvent) => {
    if (event.target instanceof Element && !event.target.closest("a") && !getSelection()?.toString()) link.current?.click();
  };
  const name = call.tool_name ?? call.model_name ?? "–";
  return (
    <div role="row" className="vrow" aria-rowindex={index + 2} style={{ transform: `translateY(${start}px)` }} onClick={open}>
      <span role="cell" className="w1" title={call.time}>{clock(call.time, new Date())}</span>
      <span role="cell"><Signal status={call.outcome} title={call.error_code} /></span>
      <span role="cell" className="what">
        <i className={"kind " + call.kind} aria-hidden="true">{call.kind === "model" ? "M" : "T"}</i>
        <Link
          ref={link}
          className="name"
          to="/calls/$id"
          params={{ id: call.id }}
          tabIndex={active ? 0 : -1}
          data-row={index}
          onFocus={() => onFocus(index)}
        >
          {name}
          <span className="visually-hidden"> {t(call.kind === "model" ? "kind.model" : "kind.tool")}</span>
        </Link>
        {call.attempts > 1 && <span className="tag" title={t("calls.attempts", { count: call.attempts })}>×{call.attempts}<span className="visually-hidden"> {t("calls.attempts", { count: call.attempts })}</span></span>}
        {call.simulated && <Simulated />}
      </span>
      <span role="cell" className="w1" title={call.agent_id ?? ""}>{call.agent_id ?? "–"}</span>
      <span role="cell" className="w2">{call.tenant}</span>
      <span role="cell" className="w3 quiet mono" title={call.run_id ?? ""}>{call.run_id ?? "–"}</span>
      <span role="cell" className="num">{duration(call.latency_ms)}</span>
      <span role="cell" className="num w2">
        {call.input_tokens === null && call.output_tokens === null ? "–" : `${count(call.input_tokens)} / ${count(call.output_tokens)}`}
      </span>
      <span role="cell" className="num" title={call.cost_estimate === null ? "" : "$" + call.cost_estimate}>
        {call.cost_basis === "unpriced" ? <span className="warn">{t("cost.unpriced")}</span> : showMoney(call.cost_estimate)}
      </span>
      <span role="cell" className="w3"><Risk level={call.risk_level} /></span>
    </div>
  );
}
