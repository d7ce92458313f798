/** Small pieces that several views share. */
import { useEffect, useRef, useState, type ReactNode } from "react";
import { useI18n } from "../i18n";
import { clock, duration } from "../lib/format";
import { RANGES, type Range } from "../lib/time";

/** useNow is the current time, renewed every few seconds, for ages. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

interface AsOfProps {
  asOf: string | undefined;
  busy: boolean;
  refresh: () => void;
}

export function AsOf({ asOf, busy, refresh }: AsOfProps) {
  const { t, lang } = useI18n();
  const now = useNow(5_000);
  const age = Math.max(0, now - Date.parse(asOf ?? ""));
  return (
    <div className="asof">
      {asOf && (
        <span>
          {t("asof.label")}{" "}
          <time dateTime={asOf} title={asOf}>
            {clock(asOf, new Date(now))}
            {age >= 5_000 && ` (${t("asof.age", { age: duration(Math.floor(age / 1_000) * 1_000, lang) })})`}
          </time>
        </span>
      )}
      <button className="button plain" type="button" onClick={refresh} disabled={busy}>
        {busy ? t("asof.refreshing") : t("asof.refresh")}
      </button>
    </div>
  );
}

let visited = false;

interface HeadProps {
  title: string;
  children?: ReactNode;
}

/** PageHead names the page in the window's title and takes the focus after a move, so that a screen reader says where it is. */
export function PageHead({ title, children }: HeadProps) {
  const { t } = useI18n();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · ${t("app.name")}`;
  }, [title, t]);
  useEffect(() => {
    if (visited) heading.current?.focus({ preventScroll: true });
    visited = true;
  }, []);
  return (
    <header className="page-head">
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      {children}
    </header>
  );
}

export function Simulated() {
  const { t } = useI18n();
  return (
    <span className="tag sim" title={t("simulated.hint")}>
      {t("simulated.tag")}
    </span>
  );
}

export function Risk({ level }: { level: string | null }) {
  if (level === null) return <span className="quiet">–</span>;
  return <span className={"tag risk-" + level}>{level}</span>;
}

export function Loading() {
  const { t } = useI18n();
  return (
    <p className="empty" role="status">
      {t("app.loading")}
    </p>
  );
}

interface SegmentsProps<T extends string> {
  legend: string;
  name: string;
  value: T;
  options: readonly { value: T; text: string }[];
  onChange: (value: T) => void;
}

/** Segments is a radio group that looks like one switch. */
export function Segments<T extends string>({ legend, name, value, options, onChange }: SegmentsProps<T>) {
  return (
    <div className="segments" role="radiogroup" aria-label={legend}>
      {options.map((option) => (
        <label key={option.value}>
          <input
            type="radio"
            name={name}
            value={option.value}
            checked={option.value === value}
            onChange={() => onChange(option.value)}
          />
          {option.text}
        </label>
      ))}
    </div>
  );
}

export function RangePicker({ value, onChange }: { value: Range; onChange: (range: Range) => void }) {
  const { t } = useI18n();
  return (
    <select aria-label={t("range.label")} value={value} onChange={(e) => onChange(e.target.value as Range)}>
      {RANGES.map((range) => (
        <option key={range} value={range}>
          {t(`range.${range}`)}
        </option>
      ))}
    </select>
  );
}

export function Copy({ text }: { text: string }) {
  const { t } = useI18n();
  const [done, setDone] = useState(false);
  const copy = () => {
    navigator.clipboard?.writeText(text).then(
      () => {
        setDone(true);
        setTimeout(() => setDone(false), 1_500);
      },
      // Without a secure context there is no clipboard: the text stays selectable.
      () => undefined,
    );
  };
  return (
    <button className={"button plain copy" + (done ? " done" : "")} type="button" onClick={copy}>
      {done ? t("call.copied") : t("call.copy")}
      <span className="visually-hidden"> {text}</span>
    </button>
  );
}

interface FactProps {
  name: string;
  code?: string;
  copy?: string | null;
  children: ReactNode;
}

/** Fact is one row of a list of facts (dl.facts). */
export function Fact({ name, code, copy, children }: FactProps) {
  return (
    <div>
      <dt>
        {name}
        {code && <code>{code}</code>}
      </dt>
      <dd>
        {children}
        {copy && <Copy text={copy} />}
      </dd>
    </div>
  );
}

/** useWidth measures an element for what is drawn by hand. */
export function useWidth<E extends HTMLElement>(): [(element: E | null) => void, number, E | null] {
  const [element, setElement] = useState<E | null>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    setWidth(element.clientWidth);
    return () => observer.disconnect();
  }, [element]);
  return [setElement, width, element];
}
