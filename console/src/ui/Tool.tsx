/** What several views say of servers and tools. */
import { Link } from "@tanstack/react-router";
import type { Tool, ToolServer } from "../api/types";
import { useI18n } from "../i18n";
import { clock, count } from "../lib/format";
import { showMoney } from "../lib/money";
import { Signal } from "./Signal";
import { Visible } from "./Visible";

const ARMS: Record<string, string> = { ready: "ok", unreachable: "down", paused: "down" };

/** ServerState is a semaphore, and why it stands so. */
export function ServerState({ of: s }: { of: ToolServer }) {
  const { t } = useI18n();
  return (
    <span className="stacked">
      <Signal status={ARMS[s.state] ?? s.state} word={t(`server.state.${s.state}`)} />
      {s.failure && <span className="quiet break">{s.failure}</span>}
      {s.state === "paused" && <span className="quiet">{t("server.pausedUntil", { count: count(s.failures_in_row), time: clock(s.paused_until, new Date()) })}</span>}
      {s.breaker === "half_open" && <span className="quiet">{t("server.probe")}</span>}
    </span>
  );
}

/** PerCall is a price: none is not the same as nothing to pay. */
export function PerCall({ price }: { price: string | null }) {
  const { t } = useI18n();
  if (price === null) return <span className="quiet">{t("cost.unpriced")}</span>;
  return <span title={"$" + price}>{Number(price) === 0 ? t("server.free") : showMoney(price)}</span>;
}

const LOOKS = { pinned: "tag good", held: "tag risk-high", rejected: "tag risk-medium" } as const;

export function PinState({ of: tool }: { of: Pick<Tool, "state" | "flags"> }) {
  const { t } = useI18n();
  return (
    <>
      {tool.state === null ? <span className="quiet">{t("tool.unseen")}</span> : <span className={LOOKS[tool.state]}>{t(`tool.state.${tool.state}`)}</span>}{" "}
      {[...new Set(tool.flags.map((f) => f.kind))].map((kind) => <code key={kind} className="tag risk-medium">{kind}</code>)}
    </>
  );
}

export function ToolLink({ of: { server, name } }: { of: Pick<Tool, "server" | "name"> }) {
  return <Link className="mono break" to="/servers/$id/tools/$name" params={{ id: server, name }} search={{}}><Visible text={name} /></Link>;
}
