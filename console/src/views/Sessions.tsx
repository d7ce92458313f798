/** Sessions: who is signed in, from where, until when; and the end of one. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { send } from "../api/client";
import { sessionsQuery } from "../api/people";
import { sessionQuery } from "../api/queries";
import type { OpenSession } from "../api/types";
import { useI18n } from "../i18n";
import { clock, count, NONE, stamp } from "../lib/format";
import { Confirm } from "../ui/Confirm";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Loading, PageHead } from "../ui/parts";

export function Sessions() {
  const { t } = useI18n();
  const { data, error, isFetching, refetch } = useQuery(sessionsQuery);
  const rows = data?.items ?? [];
  const now = new Date();
  return (
    <>
      <PageHead title={t("sessions.title")}>
        {data && <span className="sub">{t("sessions.count", { count: count(rows.length) })}</span>}
        <span className="spacer" />
        <AsOf asOf={data?.as_of} busy={isFetching} refresh={() => void refetch()} />
      </PageHead>
      <p className="prose quiet">{t("sessions.intro")}</p>
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && rows.length === 0 && <p className="panel empty" role="status">{t("sessions.none")}</p>}
      {rows.length > 0 && (
        <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("sessions.title")}>
          <table>
            <thead>
              <tr><th>{t("call.user")}</th><th>{t("session.role")}</th><th>{t("calls.tenant")}</th><th>{t("sessions.by")}</th><th>{t("audit.source")}</th><th>{t("sessions.opened")}</th><th>{t("sessions.expires")}</th><th><span className="visually-hidden">{t("sessions.revoke")}</span></th></tr>
            </thead>
            <tbody>
              {rows.map((s) => (
                <tr key={s.id}>
                  <td className="break">{s.user_id ?? NONE} {s.current && <span className="tag good">{t("sessions.this")}</span>}</td>
                  <td>{s.role}</td>
                  <td>{s.tenant}</td>
                  <td className="break">{s.key_id ? <code>{s.key_id}</code> : t("sessions.provider")}</td>
                  <td className="mono">{s.source ?? NONE}</td>
                  <td className="nowrap" title={stamp(s.opened)}>{clock(s.opened, now)}</td>
                  <td className="nowrap" title={stamp(s.expires)}>{clock(s.expires, now)}</td>
                  <td><Revoke session={s} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

function Revoke({ session: s }: { session: OpenSession }) {
  const { t } = useI18n();
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const close = (done: boolean) => {
    setAsking(false);
    if (!done) return;
    void queries.invalidateQueries({ queryKey: sessionsQuery.queryKey });
    // One's own is over now: the shell finds out, and shows the page for signing in.
    if (s.current) void queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
  };
  return (
    <>
      <button className="button small" type="button" onClick={() => setAsking(true)}>{t("sessions.revoke")}<span className="visually-hidden"> {s.user_id ?? s.key_id} {s.id}</span></button>
      {asking && (
        <Confirm title={t("sessions.revokeTitle")} act={t("sessions.revoke")} run={() => send("POST", `/sessions/${encodeURIComponent(s.id)}/revoke`)} close={close}>
          <p><b>{s.user_id ?? s.key_id ?? s.id}</b>, {s.role}, {s.tenant}</p>
          <p>{t(s.current ? "sessions.revokeOwn" : "sessions.revokeMeans")}</p>
        </Confirm>
      )}
    </>
  );
}
