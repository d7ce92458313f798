import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { useEffect, useState, type FormEvent } from "react";
import { ApiError, query, send } from "../api/client";
import { providersQuery } from "../api/people";
import { sessionQuery } from "../api/queries";
import type { Identity } from "../api/types";
import { useI18n } from "../i18n";
import { isServerPage, localPath } from "../lib/search";
import { ErrorBox } from "../ui/ErrorBox";
import { Mark } from "../ui/Mark";
import { Prefs } from "../ui/Prefs";

export function Login() {
  const { t } = useI18n();
  useEffect(() => {
    document.title = `${t("login.title")} · ${t("app.name")}`;
  }, [t]);
  return (
    <main className="login">
      <div className="login-sign">
        <Diagram />
        <p>{t("app.tagline")}</p>
      </div>
      <div className="login-form">
        <span className="brand">
          <Mark />
          {t("app.name")}
        </span>
        <KeyForm />
        <Providers />
        <Prefs className="login-prefs" />
      </div>
    </main>
  );
}

function KeyForm() {
  const { t } = useI18n();
  const { next } = useSearch({ from: "/login" });
  const queries = useQueryClient();
  const router = useRouter();
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | string | null>(null);

  const enter = async () => {
    setBusy(true);
    setError(null);
    try {
      const identity = await send<Identity>("POST", "/session", { key: key.trim() });
      queries.clear();
      // Some answers hold the identity, some only set the cookie: the session is asked for when it is not here.
      if (identity?.key_id) queries.setQueryData(sessionQuery.queryKey, identity);
      const to = localPath(next);
      if (isServerPage(to)) window.location.assign(to);
      else router.history.push(to);
    } catch (cause) {
      const refused = cause instanceof ApiError && cause.status === 401;
      setError(refused ? t("login.refused") : (cause as Error));
      setBusy(false);
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (key.trim() === "") setError(t("login.empty"));
    else void enter();
  };
  return (
    <form onSubmit={submit} noValidate>
      <h1>{t("login.title")}</h1>
      <label>
        {t("login.key")}
        <input
          className="input mono"
          type="password"
          name="key"
          autoComplete="current-password"
          spellCheck={false}
          autoFocus
          value={key}
          onChange={(e) => setKey(e.target.value)}
          aria-invalid={error !== null}
          aria-describedby="login-hint login-error"
        />
      </label>
      <p className="hint" id="login-hint">
        {t("login.hint")}
      </p>
      <div id="login-error" aria-live="assertive">
        {typeof error === "string" && <p className="stop">{error}</p>}
        {error instanceof Error && <ErrorBox error={error} />}
      </div>
      <button className="button primary" type="submit" disabled={busy}>
        {busy ? t("login.busy") : t("login.submit")}
      </button>
      <p className="hint">
        {t("login.create")} <code>signalbox key create</code>
      </p>
    </form>
  );
}

/** Providers offers the other ways in. Without any, or where they can not be asked for, the key is the way. */
function Providers() {
  const { t } = useI18n();
  const { next } = useSearch({ from: "/login" });
  const providers = useQuery(providersQuery).data?.providers ?? [];
  return (
    providers.length > 0 && (
      <section className="login-providers" aria-labelledby="login-or">
        <h2 id="login-or">{t("login.or")}</h2>
        {/* The server's own pages: the browser leaves this one, and the server says what went wrong there. */}
        {providers.map((p) => (
          <a key={p.id} className="button" href={"/login/" + encodeURIComponent(p.id) + query({ to: next && localPath(next) })} title={p.issuer}>{t("login.with", { provider: p.id })}</a>
        ))}
      </section>
    )
  );
}

/** A track diagram as on a signalman's panel: one line in, points, and the route that is set. */
function Diagram() {
  return (
    <svg viewBox="0 0 600 700" preserveAspectRatio="xMidYMid slice" aria-hidden="true" focusable="false">
      <g fill="none" strokeWidth="5" stroke="#2c3a3d">
        <path d="M-20 180H620M-20 260H620M-20 340H620M150 260 230 180M300 340 380 260M390 180 470 260" />
        <path d="M60 420H620M150 340 230 420" />
      </g>
      <path d="M-20 340H300L380 260H620" fill="none" strokeWidth="5" stroke="#e3b451" strokeDasharray="26 7" />
      <g fill="#10181a" stroke="#53666a" strokeWidth="3">
        <circle cx="100" cy="180" r="8" /><circle cx="520" cy="180" r="8" /><circle cx="100" cy="260" r="8" />
        <circle cx="420" cy="340" r="8" /><circle cx="470" cy="420" r="8" />
      </g>
      <g fill="#e3b451"><circle cx="60" cy="340" r="9" /><circle cx="240" cy="340" r="9" /><circle cx="500" cy="260" r="9" /></g>
      <g fill="#d4584a"><circle cx="340" cy="180" r="7" /><circle cx="280" cy="420" r="7" /></g>
    </svg>
  );
}
