/** The frame of every view: the line of views on the left, the reader below it, the view on the right. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { ApiError, send } from "../api/client";
import { sessionQuery } from "../api/queries";
import type { Identity } from "../api/types";
import { useI18n, type Key } from "../i18n";
import { ErrorBox } from "./ErrorBox";
import { Mark } from "./Mark";
import { Loading } from "./parts";
import { Prefs } from "./Prefs";

const VIEWS: readonly { to: string; key: Key }[] = [
  { to: "/", key: "nav.overview" },
  { to: "/calls", key: "nav.calls" },
  { to: "/runs", key: "nav.runs" },
  { to: "/traces", key: "nav.traces" },
  { to: "/costs", key: "nav.costs" },
  { to: "/budgets", key: "nav.budgets" },
  { to: "/alerts", key: "nav.alerts" },
  { to: "/audit", key: "nav.audit" },
  { to: "/health", key: "nav.health" },
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
        <Line pathname={pathname} />
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

function Line({ pathname }: { pathname: string }) {
  const { t } = useI18n();
  return (
    <nav aria-label={t("nav.label")}>
      <ul className="line">
        {VIEWS.map(({ to, key }) => {
          const here = to === "/" ? pathname === "/" : pathname === to || pathname.startsWith(to + "/");
          return (
            <li key={to}>
              <Link to={to} search={{}} {...(here ? { "aria-current": "page" as const } : {})}>
                {t(key)}
              </Link>
            </li>
          );
        })}
      </ul>
    </nav>
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
    await navigate({ to: "/login", search: {} });
  };
  return (
    <div className="who">
      <strong className="ellipsis" title={identity.key_id}>
        {identity.user ?? identity.key_id}
      </strong>
      <span className="ellipsis" title={`${t("session.tenant")} ${identity.tenant}, ${t("session.role")} ${identity.role}`}>
        {[identity.tenant, identity.team, identity.role].filter(Boolean).join(", ")}
      </span>
      <button className="button plain sign-out" type="button" onClick={() => void leave()}>
        {t("session.signOut")}
      </button>
    </div>
  );
}
