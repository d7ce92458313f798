/** The frame of every view: the line of views on the left, the reader below it, the view on the right. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { ApiError, send } from "../api/client";
import { COUNT_MS, grantsQuery, inboxQuery, may, type Act } from "../api/people";
import { sessionQuery } from "../api/queries";
import type { Identity } from "../api/types";
import { useI18n, type Key } from "../i18n";
import { dropEdits } from "../lib/edits";
import { dropKey } from "../lib/tryout";
import { ErrorBox } from "./ErrorBox";
import { Mark } from "./Mark";
import { Loading } from "./parts";
import { Prefs } from "./Prefs";

/** What a role may not see is not offered to it. */
const VIEWS: readonly { to: string; key: Key; act?: Act }[] = [
  { to: "/", key: "overview.title" },
  { to: "/approvals", key: "approval.title", act: "seeApprovals" },
  { to: "/calls", key: "calls.title" },
  { to: "/runs", key: "runs.title" },
  { to: "/traces", key: "traces.title" },
  { to: "/costs", key: "costs.title" },
  { to: "/budgets", key: "budget.title" },
  { to: "/alerts", key: "alert.title" },
  { to: "/servers", key: "servers.title", act: "seeServers" },
  { to: "/policy", key: "policy.title", act: "seePolicy" },
  { to: "/break-glass", key: "grant.title", act: "seeGrants" },
  { to: "/incidents", key: "incident.title", act: "seeIncidents" },
  { to: "/audit", key: "nav.audit" },
  { to: "/sessions", key: "sessions.title" },
  { to: "/health", key: "health.title" },
];

/** Views that scroll inside themselves: long virtual lists. */
const FILLS = /^\/(calls|budgets|traces\/.+)$/;

export function Shell() {
  const { t } = useI18n();
  const session = useQuery(sessionQuery);
  const { pathname, href } = useLocation();
  const navigate = useNavigate();
  const out = session.error instanceof ApiError && session.error.status === 401;
  useEffect(() => {
    // The location already names the sign-in page while this frame is still shown: then the way there is taken.
    if (!out || href.startsWith("/login")) return;
    void navigate({ to: "/login", search: href === "/" ? {} : { next: href }, replace: true });
  }, [out, href, navigate]);
  if (out || session.isPending) return <Loading />;
  return (
    <div className="shell">
      <a className="button primary skip" href="#main">
        {t("app.skip")}
      </a>
      <header className="rail">
        <Link to="/" className="brand">
          <Mark />
          {t("app.name")}
        </Link>
        <Line pathname={pathname} role={session.data?.role} />
        <div className="rail-foot">
          <Prefs className="prefs" />
          {session.data && <Who identity={session.data} />}
        </div>
      </header>
      <main id="main" tabIndex={-1} className={FILLS.test(pathname) ? "main fill" : "main"}>
        {session.error && !session.data ? (
          <ErrorBox error={session.error} retry={() => void session.refetch()} />
        ) : (
          <Outlet />
        )}
      </main>
    </div>
  );
}

function Line({ pathname, role }: { pathname: string; role: Identity["role"] | undefined }) {
  const { t } = useI18n();
  const views = VIEWS.filter(({ act }) => act === undefined || may(role, act));
  return (
    <nav aria-label={t("nav.label")}>
      <ul className="line">
        {views.map(({ to, key }) => {
          const here = to === "/" ? pathname === "/" : pathname === to || pathname.startsWith(to + "/");
          return (
            <li key={to}>
              <Link to={to} search={{}} {...(here ? { "aria-current": "page" as const } : {})}>
                {t(key)}
                {to === "/approvals" && <Waiting here={pathname === "/approvals"} />}
                {to === "/break-glass" && <InForce here={pathname === "/break-glass"} />}
              </Link>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}

/** How long the number waits for what the page itself asks for: at first a page asks for at most five things. */
const COUNT_DELAY_MS = 5_000;

/** useLate is false until the page has had the time to ask for its own things. */
function useLate(): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), COUNT_DELAY_MS);
    return () => clearTimeout(timer);
  }, []);
  return late;
}

/** Waiting is the number of approvals that wait. The inbox itself keeps it; elsewhere it is asked for now and then. */
function Waiting({ here }: { here: boolean }) {
  const { t } = useI18n();
  const late = useLate();
  const { data } = useQuery({ ...inboxQuery, enabled: here || late, refetchInterval: here ? false : COUNT_MS });
  const count = data?.items.length ?? 0;
  return <Count text={count === 0 ? "" : count + (data?.next ? "+" : "")} of={t("nav.waiting")} />;
}

/** InForce is the number of break-glass grants in force: nobody who is here overlooks that some permissions do not count. */
function InForce({ here }: { here: boolean }) {
  const { t } = useI18n();
  const late = useLate();
  const { data } = useQuery({ ...grantsQuery, enabled: here || late });
  const count = data?.items.filter((g) => g.active).length ?? 0;
  return <Count text={count === 0 ? "" : String(count)} of={t("nav.inForce")} />;
}

function Count({ text, of }: { text: string; of: string }) {
  if (text === "") return null;
  return (
    <span className="nav-count" title={`${text} ${of}`}>
      {text}
      <span className="visually-hidden"> {of}</span>
    </span>
  );
}

function Who({ identity }: { identity: Identity }) {
  const { t } = useI18n();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const leave = async () => {
    // Even when the server cannot be told, nothing of the session stays on this page.
    await send("DELETE", "/session").catch(() => undefined);
    queries.clear();
    dropEdits();
    dropKey();
    await navigate({ to: "/login", search: {} });
  };
  return (
    <div className="who">
      <strong className="ellipsis" title={identity.key_id}>
        {identity.user ?? identity.key_id}
      </strong>
      <span className="ellipsis" title={`${t("calls.tenant")} ${identity.tenant}, ${t("session.role")} ${identity.role}`}>
        {[identity.tenant, identity.team, identity.role].filter(Boolean).join(", ")}
      </span>
      <button className="button plain sign-out" type="button" onClick={() => void leave()}>
        {t("session.signOut")}
      </button>
    </div>
  );
}
