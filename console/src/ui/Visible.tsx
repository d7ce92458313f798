/** Text and arguments for whoever must judge them: nothing hidden, nothing run, nothing that looks like something else. */
import { useState } from "react";
import { useI18n, type Key } from "../i18n";
import { count } from "../lib/format";
import { readJson, size, writeJson, type Json } from "../lib/json";
import { pieces, type MarkKind } from "../lib/visible";

const HINTS: Record<MarkKind, Key> = {
  bidi: "visible.bidi", control: "visible.control", invisible: "visible.invisible", space: "visible.space", lookalike: "visible.lookalike",
  unknown: "visible.unknown",
};

/** Visible is a text with its odd characters shown as marks, in a direction of its own. */
export function Visible({ text }: { text: string }) {
  const { t } = useI18n();
  return (
    <bdi>
      {pieces(text).map(({ text: part, mark, code }, i) =>
        mark === null ? part : (
          <mark key={i} className={"odd " + mark} title={`${code}: ${t(HINTS[mark])}`}>
            {mark === "lookalike" ? `${part} ${code}` : code}
          </mark>
        ),
      )}
    </bdi>
  );
}

const FOLD_CHARS = 400;
const FOLD_LINES = 12;

/** LongText is folded beyond some lines. What is folded away is never silent about odd characters in it. */
export function LongText({ text, quoted = false }: { text: string; quoted?: boolean }) {
  const { t } = useI18n();
  const [open, setOpen] = useState(false);
  const end = cut(text);
  const hidden = open || end === text.length ? 0 : pieces(text.slice(end)).filter((p) => p.mark !== null).length;
  return (
    <span className="long-text">
      {quoted && <span className="quiet">"</span>}
      <Visible text={open ? text : text.slice(0, end)} />
      {quoted && (open || end === text.length) && <span className="quiet">"</span>}
      {end < text.length && (
        <>
          {!open && "… "}
          <button className="button small" type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? t("visible.less") : t("visible.more", { count: count(text.length - end) })}
          </button>
        </>
      )}
      {hidden > 0 && <span className="stop"> {t("visible.hidden", { count: count(hidden) })}</span>}
    </span>
  );
}

function cut(text: string): number {
  let end = Math.min(text.length, FOLD_CHARS);
  let line = -1;
  for (let n = 0; n < FOLD_LINES; n++) {
    line = text.indexOf("\n", line + 1);
    if (line < 0) break;
    if (n === FOLD_LINES - 1) end = Math.min(end, line);
  }
  // A little more than fits is shown whole, and a pair of surrogates is not torn.
  if (text.length - end < 80) return text.length;
  return /[\ud800-\udbff]/.test(text[end - 1] ?? "") ? end - 1 : end;
}

/** Arguments draws a JSON text as a tree; what is not JSON is shown as it is, and said to be so. */
export function Arguments({ text, of }: { text: string; of?: string }) {
  const { t } = useI18n();
  const label = of ?? t("approval.arguments");
  const value = readJson(text);
  if (!value) {
    return (
      <div className="panel block json" tabIndex={0} role="group" aria-label={label}>
        <p className="warn">{t("visible.notJson")}</p>
        <LongText text={text} />
      </div>
    );
  }
  return (
    <div className="panel block json" tabIndex={0} role="group" aria-label={label}>
      <Tree value={value} depth={0} />
    </div>
  );
}

const OPEN_DEPTH = 4;
const OPEN_MEMBERS = 60;

export function Tree({ value, depth }: { value: Json; depth: number }) {
  const { t } = useI18n();
  const parts = value.kind === "object" ? value.members.length : value.kind === "array" ? value.items.length : 0;
  const [open, setOpen] = useState(depth < OPEN_DEPTH && parts <= OPEN_MEMBERS);
  if (value.kind === "string") return <LongText text={value.text} quoted />;
  if (value.kind === "number") return <span className="json-number">{value.raw}</span>;
  if (value.kind === "word") return <span className="json-word">{value.raw}</span>;
  if (parts === 0) return <span className="quiet">{value.kind === "object" ? "{ }" : "[ ]"}</span>;
  if (!open) {
    return (
      <button className="button small" type="button" aria-expanded={false} onClick={() => setOpen(true)}>
        {t(value.kind === "object" ? "visible.members" : "visible.items", { count: count(parts), all: count(size(value)) })}
      </button>
    );
  }
  return <ul>{value.kind === "object" ? value.members.map((m, i) => (
    <li key={i}>
      <span className="json-name"><Visible text={m.name} /></span>
      {m.twice && <span className="tag risk-high">{t("visible.twice")}</span>}
      <span className="json-value"><Tree value={m.value} depth={depth + 1} /></span>
    </li>
  )) : value.items.map((one, i) => (
    <li key={i}>
      <span className="json-index">{i}</span>
      <span className="json-value"><Tree value={one} depth={depth + 1} /></span>
    </li>
  ))}</ul>;
}

/** OneLine is a value in short, for a list of differences. */
export function OneLine({ value }: { value: Json }) {
  return value.kind === "string" ? <LongText text={value.text} quoted /> : <LongText text={writeJson(value)} />;
}
