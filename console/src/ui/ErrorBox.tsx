import { Link, type ErrorComponentProps } from "@tanstack/react-router";
import { ApiError } from "../api/client";
import { useI18n } from "../i18n";

/** ErrorBox says what went wrong, what to do, and which request it was. */
export function ErrorBox({ error, retry }: { error: Error; retry?: () => void }) {
  const { t } = useI18n();
  const api = error instanceof ApiError ? error : null;
  const text = api?.code === "unreachable" ? t("error.unreachable") : error.message || api?.code;
  return (
    <div className="notice bad" role="alert">
      <h2 className="stop">{t("error.title")}</h2>
      <p>
        {text} {api && api.status > 0 && <code className="quiet">{api.code}</code>}
      </p>
      {api?.remedy && (
        <p>
          <b>{t("error.remedy")}</b> {api.remedy}
        </p>
      )}
      {api?.requestId && (
        <p className="quiet">
          {t("error.request")} <code>{api.requestId}</code>
        </p>
      )}
      {retry && (
        <button className="button" type="button" onClick={retry}>
          {t("error.retry")}
        </button>
      )}
    </div>
  );
}

export function RenderError({ error, reset }: ErrorComponentProps) {
  const { t } = useI18n();
  return (
    <div className="notice bad" role="alert">
      <h2 className="stop">{t("error.render")}</h2>
      <p className="mono">{error instanceof Error ? error.message : String(error)}</p>
      <button className="button" type="button" onClick={reset}>
        {t("error.retry")}
      </button>
    </div>
  );
}

export function NotFound() {
  const { t } = useI18n();
  return (
    <main className="empty">
      <h1>{t("app.notFound")}</h1>
      <Link to="/">{t("app.home")}</Link>
    </main>
  );
}
