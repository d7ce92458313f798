/** Differences: of two texts line by line, and of two arguments path by path. */
import { useMemo } from "react";
import { useI18n, type Key } from "../i18n";
import { changes, hunks, lines, type Change, type LineStep } from "../lib/diff";
import { count } from "../lib/format";
import { readJson } from "../lib/json";
import { OneLine, Visible } from "./Visible";

/** LineDiff says in words what colour and sign say as well. */
export function LineDiff({ before, after, around = 3, of }: { before: string; after: string; around?: number; of?: string }) {
  const { t } = useI18n();
  const steps = useMemo(() => lines(before, after), [before, after]);
  const added = steps.filter((s) => s.side === "added").length;
  const removed = steps.filter((s) => s.side === "removed").length;
  if (added + removed === 0) return <p className="quiet">{t("diff.same")}</p>;
  return (
    <>
      <p>{t("diff.count", { added: count(added), removed: count(removed) })}</p>
      <div className="panel scroll-x diff" tabIndex={0} role="region" aria-label={of === undefined ? t("diff.title") : `${t("diff.title")}: ${of}`}>
        <table>
          <thead className="visually-hidden">
            <tr><th>{t("diff.old")}</th><th>{t("diff.new")}</th><th>{t("diff.side")}</th><th>{t("diff.line")}</th></tr>
          </thead>
          <tbody>
            {hunks(steps, around).map((hunk, i) =>
              "skipped" in hunk ? (
                <tr key={i} className="skipped"><td colSpan={4}>{t("diff.skipped", { count: count(hunk.skipped) })}</td></tr>
              ) : (
                hunk.steps.map((step) => <Line key={`${step.old} ${step.now}`} step={step} />)
              ),
            )}
          </tbody>
        </table>
      </div>
    </>
  );
}

const SIGNS = { same: "", added: "+", removed: "−" } as const;

function Line({ step }: { step: LineStep }) {
  const { t } = useI18n();
  return (
    <tr className={step.side}>
      <td className="num quiet">{step.old}</td>
      <td className="num quiet">{step.now}</td>
      <td className="sign" aria-label={step.side === "same" ? t("diff.unchanged") : t(step.side === "added" ? "diff.added" : "diff.removed")}>{SIGNS[step.side]}</td>
      <td className="text"><Visible text={step.item} /></td>
    </tr>
  );
}

/** What the two sides are, and what is said where they are equal. */
export interface Sides {
  before: Key;
  after: Key;
  same: Key;
}

const LAST_TIME: Sides = { before: "diff.before", after: "diff.after", same: "diff.equalArguments" };

/** ArgumentsDiff compares what would be sent with what was approved before, or with what else the sides say. */
export function ArgumentsDiff({ before, after, sides = LAST_TIME }: { before: string; after: string; sides?: Sides }) {
  const { t } = useI18n();
  const found = useMemo(() => compare(before, after), [before, after]);
  if (found === null) return <LineDiff before={before} after={after} />;
  if (found.length === 0) return <p className="quiet">{t(sides.same)}</p>;
  return (
    <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("diff.title")}>
      <table className="changes">
        <thead><tr><th>{t("diff.path")}</th><th>{t(sides.before)}</th><th>{t(sides.after)}</th></tr></thead>
        <tbody>{found.map((change, i) => <ChangeRow key={i} change={change} />)}</tbody>
      </table>
    </div>
  );
}

export function compare(before: string, after: string): Change[] | null {
  const [a, b] = [readJson(before), readJson(after)];
  return a && b ? changes(a, b) : null;
}

function ChangeRow({ change: { path, before, after } }: { change: Change }) {
  const { t } = useI18n();
  const long = before?.kind === "string" && after?.kind === "string" && (before.text + after.text).includes("\n");
  return (
    <tr>
      <th scope="row" className="mono break"><Visible text={path || t("diff.whole")} /></th>
      {long ? (
        <td colSpan={2}><LineDiff before={before.text} after={after.text} around={2} of={path} /></td>
      ) : (
        <>
          <td className="break">{before ? <span className="was"><OneLine value={before} /></span> : <span className="quiet">{t("diff.absent")}</span>}</td>
          <td className="break">{after ? <span className="is"><OneLine value={after} /></span> : <span className="quiet">{t("diff.absent")}</span>}</td>
        </>
      )}
    </tr>
  );
}
