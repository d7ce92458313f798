/** Agent × tool × operation: a letter for each operation that some line permits, and the lines of the cell that is chosen. */
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import type { Operation, Policy, ToolLine } from "../api/types";
import { useI18n } from "../i18n";
import { count } from "../lib/format";
import { cell, everything, OPERATIONS, permits, toolIds, type Cell } from "../lib/policy";
import type { PolicySearch } from "../router";
import { Does } from "../ui/Approval";
import { Choice } from "./CallFilters";

/** A table of more cells than this is narrowed by a filter first. */
const MOST_ROWS = 150;
const MOST_COLUMNS = 24;

export function Source({ text }: { text: string | null | undefined }) {
  return text ? <code className="quiet break">{text}</code> : null;
}

interface Props {
  policy: Policy;
  search: PolicySearch;
  change: (next: PolicySearch) => void;
}

export function Matrix({ policy, search, change }: Props) {
  const { t } = useI18n();
  const tools = useMemo(() => toolIds(policy), [policy]);
  const agents = policy.agents;
  const server = (tool: string) => tool.split(".")[0]!;
  const rows = tools.filter((tool) => !search.server || server(tool) === search.server);
  const columns = agents.filter((a) => !search.only || a.id === search.only);
  const set = (name: "server" | "only", value: string | undefined) => {
    const { [name]: _, ...rest } = search;
    change(value ? { ...rest, [name]: value } : rest);
  };
  const chosen = agents.find((a) => a.id === search.agent);
  return (
    <section className="section">
      <div className="section-head"><h2>{t("policy.matrix")}</h2><p>{t("policy.matrixHint")}</p></div>
      <form className="filters always" aria-label={t("calls.filters")} onSubmit={(e) => e.preventDefault()}>
        <Choice label={t("policy.server")} value={search.server} values={[...new Set(tools.map(server))]} set={(v) => set("server", v)} />
        <Choice label={t("calls.agent")} value={search.only} values={agents.map((a) => a.id)} set={(v) => set("only", v)} />
      </form>
      {agents.length === 0 || tools.length === 0 ? <p className="panel empty">{t("policy.empty")}</p> : (
        <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("policy.matrix")}>
          <table className="matrix">
            <thead>
              <tr><th>{t("calls.tool")}</th>{columns.slice(0, MOST_COLUMNS).map((a) => <th key={a.id} scope="col"><code>{a.id}</code></th>)}</tr>
            </thead>
            <tbody>
              {rows.slice(0, MOST_ROWS).map((tool) => (
                <tr key={tool}>
                  <th scope="row"><code>{tool}</code></th>
                  {columns.slice(0, MOST_COLUMNS).map((a) => (
                    <CellView
                      key={a.id} of={cell(a, tool)} chosen={search.agent === a.id && search.tool === tool}
                      choose={() => change({ ...search, agent: a.id, tool })}
                    />
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {(rows.length > MOST_ROWS || columns.length > MOST_COLUMNS) && <p className="warn">{t("policy.cut", { rows: count(rows.length), columns: count(columns.length) })}</p>}
      {chosen && search.tool && <Lines of={cell(chosen, search.tool)} policy={policy} />}
    </section>
  );
}

function CellView({ of, chosen, choose }: { of: Cell; chosen: boolean; choose: () => void }) {
  const { t } = useI18n();
  const words = OPERATIONS.filter((operation) => of.by[operation]).map((operation) => t(`operation.${operation}`));
  const label = `${of.agent}, ${of.tool}: ${words.join(", ") || t("policy.nothing")}`;
  return (
    <td className={chosen ? "chosen" : ""}>
      <button className="cell" type="button" aria-pressed={chosen} title={label} onClick={choose}>
        <span className="visually-hidden">{label}</span>
        {permits(of) ? OPERATIONS.map((operation) => (
          <span key={operation} className={of.by[operation] ? "op " + operation : "op none"} aria-hidden="true">{of.by[operation] ? operation[0]!.toUpperCase() : "·"}</span>
        )) : <span className="quiet" aria-hidden="true">–</span>}
      </button>
    </td>
  );
}

/** Lines names every line that permits something here, and on what. */
function Lines({ of, policy }: { of: Cell; policy: Policy }) {
  const { t } = useI18n();
  const tool = policy.tools.find((one) => one.id === of.tool);
  return (
    <div className="panel block cell-lines" role="region" aria-label={t("policy.lines", { agent: of.agent, tool: of.tool })}>
      <h3>{t("policy.lines", { agent: of.agent, tool: of.tool })}</h3>
      {tool?.operation && <p>{t("policy.mapped")} <Does operation={tool.operation} /> {tool.resources.map((r) => <code key={r.argument}>{r.argument} ({r.kind}{r.operation ? ", " + r.operation : ""}) </code>)}<Source text={tool.source} /></p>}
      {!permits(of) && <p className="stop">{t("policy.denied")}</p>}
      <ul className="lines">
        {OPERATIONS.flatMap((operation) => (of.by[operation] ?? []).map((line, i) => <LineItem key={operation + i} operation={operation} line={line} />))}
      </ul>
      <p><Link to="/policy" search={{ tab: "explain", agent: of.agent, tool: of.tool }}>{t("policy.ask")}</Link></p>
    </div>
  );
}

function LineItem({ operation, line }: { operation: Operation; line: ToolLine }) {
  const { t } = useI18n();
  return (
    <li>
      <Does operation={operation} /> {everything(line) ? t("policy.everything") : <code className="break">{line.resources.join(", ")}</code>}
      {line.max_per_minute ? <span className="quiet"> {t("policy.perMinute", { count: count(line.max_per_minute) })}</span> : null} <Source text={line.source || line.name} />
    </li>
  );
}
