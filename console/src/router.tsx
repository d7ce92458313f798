/** Every view has an address, and every filter is in it. */
import { createRootRoute, createRoute, createRouter, Outlet } from "@tanstack/react-router";
import { parseSearch, stringifySearch } from "./lib/search";
import { isRange, type Range } from "./lib/time";
import { NotFound, RenderError } from "./ui/ErrorBox";
import { Shell } from "./ui/Shell";
import { Alerts } from "./views/Alerts";
import { ApprovalDetail } from "./views/ApprovalDetail";
import { Approvals } from "./views/Approvals";
import { Audit } from "./views/Audit";
import { BreakGlass } from "./views/BreakGlass";
import { Budgets } from "./views/Budgets";
import { CallDetail } from "./views/CallDetail";
import { Calls } from "./views/Calls";
import { Costs } from "./views/Costs";
import { Health } from "./views/Health";
import { Incidents } from "./views/Incidents";
import { Login } from "./views/Login";
import { Overview } from "./views/Overview";
import { Policy } from "./views/Policy";
import { Run } from "./views/Run";
import { Runs } from "./views/Runs";
import { Server } from "./views/Server";
import { Servers } from "./views/Servers";
import { Sessions } from "./views/Sessions";
import { Trace } from "./views/Trace";
import { Traces } from "./views/Traces";
import { Tool } from "./views/Tool";
import { TryOut } from "./views/TryOut";

type Raw = Record<string, unknown>;

function texts<K extends string>(raw: Raw, names: readonly K[]): Partial<Record<K, string>> {
  const out: Partial<Record<K, string>> = {};
  for (const name of names) {
    const value = raw[name];
    if (typeof value === "string" && value !== "") out[name] = value;
  }
  return out;
}

export const CALL_FILTERS = [
  "tenant", "team", "agent", "model", "tool", "kind", "outcome", "run", "trace", "from", "to",
] as const;
export type CallFilter = (typeof CALL_FILTERS)[number];
export type CallsSearch = Partial<Record<CallFilter, string>> & { range?: Range };

export interface CostsSearch {
  by?: string;
  bucket?: string;
  range?: Range;
  sort?: string;
}

const BUDGET_FILTERS = ["tenant", "kind", "run", "past", "uncapped"] as const;
/** Of the flags, "1" turns one on: past windows too, accounts without a cap too. */
export type BudgetsSearch = Partial<Record<(typeof BUDGET_FILTERS)[number], string>>;

const ALERT_FILTERS = ["tenant", "run", "level"] as const;
export type AlertsSearch = Partial<Record<(typeof ALERT_FILTERS)[number], string>>;

export const AUDIT_FILTERS = [
  "tenant", "user", "subject", "agent", "action", "risk", "run", "call", "from", "to",
] as const;
export type AuditFilter = (typeof AUDIT_FILTERS)[number];
/** The record that is open is in the address beside the filters of the list behind it: below /audit are the log's own paths. */
export type AuditSearch = Partial<Record<AuditFilter, string>> & { range?: Range; record?: string };

const APPROVAL_FILTERS = ["state", "tenant", "agent", "tool", "run", "risk"] as const;
/** Without a state it is the inbox; "decided" is every state but pending. */
export type ApprovalsSearch = Partial<Record<(typeof APPROVAL_FILTERS)[number], string>>;

/** only and server narrow the table; agent and tool are the cell that is looked at, or what the explorer asks about. */
const POLICY_FIELDS = ["tab", "agent", "tool", "args", "model", "purpose", "step", "tenant", "only", "server", "old", "new"] as const;
export type PolicySearch = Partial<Record<(typeof POLICY_FIELDS)[number], string>>;

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound });

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  component: Login,
  validateSearch: (raw: Raw) => texts(raw, ["next"]),
});

const shell = createRoute({ getParentRoute: () => root, id: "shell", component: Shell });

const overview = createRoute({ getParentRoute: () => shell, path: "/", component: Overview });

const calls = createRoute({
  getParentRoute: () => shell,
  path: "/calls",
  component: Calls,
  validateSearch: (raw: Raw): CallsSearch => ({
    ...texts(raw, CALL_FILTERS),
    ...(isRange(raw["range"]) ? { range: raw["range"] } : {}),
  }),
});

const call = createRoute({ getParentRoute: () => shell, path: "/calls/$id", component: CallDetail });

const traces = createRoute({ getParentRoute: () => shell, path: "/traces", component: Traces });

const trace = createRoute({
  getParentRoute: () => shell,
  path: "/traces/$id",
  component: Trace,
  validateSearch: (raw: Raw) => texts(raw, ["span", "idle"]),
});

const costs = createRoute({
  getParentRoute: () => shell,
  path: "/costs",
  component: Costs,
  validateSearch: (raw: Raw): CostsSearch => ({
    ...texts(raw, ["by", "bucket", "sort"]),
    ...(isRange(raw["range"]) ? { range: raw["range"] } : {}),
  }),
});

const runs = createRoute({
  getParentRoute: () => shell,
  path: "/runs",
  component: Runs,
  validateSearch: (raw: Raw) => texts(raw, ["tenant"]),
});

const run = createRoute({
  getParentRoute: () => shell,
  path: "/runs/$id",
  component: Run,
  validateSearch: (raw: Raw) => texts(raw, ["tenant"]),
});

const budgets = createRoute({
  getParentRoute: () => shell,
  path: "/budgets",
  component: Budgets,
  validateSearch: (raw: Raw): BudgetsSearch => texts(raw, BUDGET_FILTERS),
});

const alerts = createRoute({
  getParentRoute: () => shell,
  path: "/alerts",
  component: Alerts,
  validateSearch: (raw: Raw): AlertsSearch => texts(raw, ALERT_FILTERS),
});

const audit = createRoute({
  getParentRoute: () => shell,
  path: "/audit",
  component: Audit,
  validateSearch: (raw: Raw): AuditSearch => ({
    ...texts(raw, AUDIT_FILTERS),
    ...(isRange(raw["range"]) ? { range: raw["range"] } : {}),
    ...(typeof raw["record"] === "string" && /^\d{1,15}$/.test(raw["record"]) ? { record: raw["record"] } : {}),
  }),
});

const approvals = createRoute({
  getParentRoute: () => shell,
  path: "/approvals",
  component: Approvals,
  validateSearch: (raw: Raw): ApprovalsSearch => texts(raw, APPROVAL_FILTERS),
});

const approval = createRoute({ getParentRoute: () => shell, path: "/approvals/$id", component: ApprovalDetail });

const policy = createRoute({
  getParentRoute: () => shell,
  path: "/policy",
  component: Policy,
  validateSearch: (raw: Raw): PolicySearch => texts(raw, POLICY_FIELDS),
});

const servers = createRoute({
  getParentRoute: () => shell,
  path: "/servers",
  component: Servers,
  validateSearch: (raw: Raw) => texts(raw, ["name", "state"]),
});

const ranged = (raw: Raw): { range?: Range } => (isRange(raw["range"]) ? { range: raw["range"] } : {});

const server = createRoute({
  getParentRoute: () => shell,
  path: "/servers/$id",
  component: Server,
  validateSearch: (raw: Raw): { name?: string; state?: string; range?: Range } => ({ ...texts(raw, ["name", "state"]), ...ranged(raw) }),
});

const tool = createRoute({ getParentRoute: () => shell, path: "/servers/$id/tools/$name", component: Tool, validateSearch: ranged });

const tryOut = createRoute({
  getParentRoute: () => shell,
  path: "/try",
  component: TryOut,
  validateSearch: (raw: Raw) => texts(raw, ["server", "tool"]),
});

const breakGlass = createRoute({ getParentRoute: () => shell, path: "/break-glass", component: BreakGlass });

const incidents = createRoute({
  getParentRoute: () => shell,
  path: "/incidents",
  component: Incidents,
  validateSearch: (raw: Raw) => texts(raw, ["which"]),
});

const sessions = createRoute({ getParentRoute: () => shell, path: "/sessions", component: Sessions });

const health = createRoute({ getParentRoute: () => shell, path: "/health", component: Health });

export const router = createRouter({
  routeTree: root.addChildren([
    login,
    shell.addChildren([
      overview, approvals, approval, calls, call, runs, run, traces, trace, costs, budgets, alerts, servers, server, tool, tryOut, policy, breakGlass, incidents, audit, sessions,
      health,
    ]),
  ]),
  parseSearch,
  stringifySearch,
  defaultErrorComponent: RenderError,
  defaultPreload: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
