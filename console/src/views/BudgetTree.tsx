/**
 * The accounts as a tree. Rows are virtual; the grid keeps the focus and names the active row (aria-activedescendant), as
 * the waterfall does. An owner's further accounts stand below its first one, without its name again.
 */
import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import type { Account } from "../api/types";
import { useI18n } from "../i18n";
import { budgetRows, budgetTree, type Owner, type Row as RowData } from "../lib/budgets";
import { soon, stamp } from "../lib/format";
import { Amount, Bar, Marks, Reopen, useBudgetWords } from "../ui/Budget";
import { useWidth } from "../ui/parts";

const ROW = 36;
/** A narrow window has the bar below the name. */
const NARROW_ROW = 62;
const NARROW = 700;
const HEAD = 30;
/** With more runs than this, a run shows its own accounts only, until it is opened. */
const OPEN_RUNS = 6;

interface Props {
  accounts: Account[];
  foot: React.ReactNode;
}

export function BudgetTree({ accounts, foot }: Props) {
  const { t } = useI18n();
  const scroller = useRef<HTMLDivElement>(null);
  const [frame, width] = useWidth<HTMLDivElement>();
  const owners = useMemo(() => budgetTree(accounts), [accounts]);
  const manyRuns = useMemo(() => owners.filter((o) => o.kind === "run").length > OPEN_RUNS, [owners]);
  /** What the reader folded or opened against what it is at first. */
  const [turned, setTurned] = useState<ReadonlySet<string>>(new Set());
  const folded = (owner: Owner) => owner.inside > 0 && (owner.kind === "run" && manyRuns) !== turned.has(owner.id);
  // eslint-disable-next-line react-hooks/exhaustive-deps -- folded is made of the same three.
  const rows = useMemo(() => budgetRows(owners, folded), [owners, manyRuns, turned]);
  const [active, setActive] = useState(0);
  const size = width > 0 && width < NARROW ? NARROW_ROW : ROW;
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => size,
    overscan: 12,
    scrollPaddingStart: HEAD,
  });
  useEffect(() => list.measure(), [size, list]);
  const at = Math.min(active, rows.length - 1);
  const go = (to: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, to));
    setActive(next);
    list.scrollToIndex(next);
  };
  const turn = (owner: Owner) => {
    const next = new Set(turned);
    if (!next.delete(owner.id)) next.add(owner.id);
    setTurned(next);
  };
  const keys = (event: KeyboardEvent) => {
    // Buttons and links in a row keep their own keys.
    const row = event.target === event.currentTarget ? rows[at] : undefined;
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 400) / size) - 2);
    const moves: Record<string, () => void> = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at - 1),
      PageDown: () => go(at + page),
      PageUp: () => go(at - page),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      ArrowLeft: () => (row.first && row.owner.inside > 0 && !folded(row.owner) ? turn(row.owner) : go(above(rows, at))),
      ArrowRight: () => (row.first && folded(row.owner) ? turn(row.owner) : go(at + 1)),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]!();
  };
  const items = list.getVirtualItems();
  const shown = items.some((item) => item.index === at);
  return (
    <div className={"vtable budgets" + (size === NARROW_ROW ? " narrow" : "")} ref={scroller}>
      <div ref={frame}>
        <div
          role="treegrid"
          tabIndex={0}
          className="budget-grid"
          aria-label={t("budget.treeLabel")}
          aria-rowcount={rows.length + 1}
          aria-activedescendant={shown ? "budget-" + at : undefined}
          onKeyDown={keys}
        >
          <Head />
          <div className="vbody" role="rowgroup" style={{ height: list.getTotalSize() }}>
            {items.map((item) => {
              const row = rows[item.index]!;
              return (
                <Row
                  key={row.owner.id + (row.account?.account ?? "")}
                  row={row}
                  index={item.index}
                  start={item.start}
                  height={size}
                  open={!folded(row.owner)}
                  active={item.index === at}
                  pick={() => setActive(item.index)}
                  turn={() => turn(row.owner)}
                />
              );
            })}
          </div>
        </div>
        <div className="vfoot">{foot}</div>
      </div>
    </div>
  );
}

/** above is the row of the owner one level up; the first row stays. */
function above(rows: readonly RowData[], at: number): number {
  const { owner, first } = rows[at]!;
  for (let i = at - 1; i >= 0; i--) {
    const row = rows[i]!;
    if (row.first && (first ? row.owner.depth < owner.depth : row.owner === owner)) return i;
  }
  return 0;
}

function Head() {
  const { t } = useI18n();
  return (
    <div role="rowgroup" className="vhead">
      <div role="row" className="vrow" aria-rowindex={1}>
        <span role="columnheader">{t("budget.owner")}</span>
        <span role="columnheader">{t("budget.counts")}</span>
        <span role="columnheader">{t("budget.use")}</span>
        <span role="columnheader" className="num w1">{t("budget.settled")}</span>
        <span role="columnheader" className="num w1">{t("budget.held")}</span>
        <span role="columnheader" className="num w2">{t("budget.cap")}</span>
        <span role="columnheader" className="num">{t("budget.left")}</span>
        <span role="columnheader" className="w3">{t("budget.resets")}</span>
        <span role="columnheader">{t("budget.state")}</span>
      </div>
    </div>
  );
}

interface RowProps {
  row: RowData;
  index: number;
  start: number;
  height: number;
  open: boolean;
  active: boolean;
  pick: () => void;
  turn: () => void;
}

function Row({ row, index, start, height, open, active, pick, turn }: RowProps) {
  const words = useBudgetWords();
  const { owner, account, first } = row;
  const parent = first && owner.inside > 0;
  return (
    <div
      role="row"
      id={"budget-" + index}
      className={"vrow" + (active ? " selected" : "") + (first ? " first" : "")}
      aria-rowindex={index + 2}
      aria-level={owner.depth + 1}
      {...(parent ? { "aria-expanded": open } : {})}
      style={{ transform: `translateY(${start}px)`, height }}
      onClick={pick}
    >
      <span role="rowheader" className="owner" style={{ paddingLeft: owner.depth * 16 }}>
        {parent ? (
          <span className={"fold" + (open ? " open" : "")} aria-hidden="true" onClick={turn}>
            <svg viewBox="0 0 9 9"><path d="M2.5 1 6.5 4.5 2.5 8" fill="none" stroke="currentColor" strokeWidth="1.6" /></svg>
          </span>
        ) : (
          <span className="fold none" aria-hidden="true" />
        )}
        <span className={first ? "ellipsis" : "visually-hidden"}><OwnerName owner={owner} /></span>
      </span>
      <span role="gridcell" className="counts" title={account ? [words.counted(account), account.starts_at && stamp(account.starts_at)].filter(Boolean).join(", ") : ""}>{account ? words.counted(account) : ""}</span>
      {account ? <Figures account={account} /> : <Blank />}
    </div>
  );
}

function OwnerName({ owner }: { owner: Owner }) {
  const words = useBudgetWords();
  // Below its run, an agent needs no more words.
  const kind = words.kind(owner.kind === "run_agent" ? "agent" : owner.kind);
  if (owner.name === "") return <b>{kind}</b>;
  return (
    <>
      <span className="quiet">{kind}</span>{" "}
      {owner.kind === "run" ? (
        <Link className="mono" to="/runs/$id" params={{ id: owner.name }} search={{ tenant: owner.tenant }} title={owner.name}>{owner.name}</Link>
      ) : (
        <b title={owner.name}>{owner.name}</b>
      )}
    </>
  );
}

function Figures({ account: a }: { account: Account }) {
  const words = useBudgetWords();
  return (
    <>
      <span role="gridcell" className="use"><Bar of={a} label={`${words.whose(a)}, ${words.counted(a)}`} /></span>
      <span role="gridcell" className="num w1"><Amount unit={a.unit} text={a.settled} /></span>
      <span role="gridcell" className="num w1"><Amount unit={a.unit} text={a.held} /></span>
      <span role="gridcell" className="num w2"><Amount unit={a.unit} text={a.cap} /></span>
      <span role="gridcell" className="num left"><Amount unit={a.unit} text={a.left} /></span>
      <span role="gridcell" className="w3 quiet" title={a.resets_at === null ? "" : stamp(a.resets_at)}>{soon(a.resets_at, new Date())}</span>
      <span role="gridcell" className="marks"><Marks of={a} /> <Reopen of={a} /></span>
    </>
  );
}

function Blank() {
  return (
    <>
      {["use", "w1", "w1", "w2", "left", "w3", "marks"].map((name, i) => <span key={i} role="gridcell" className={name} />)}
    </>
  );
}
