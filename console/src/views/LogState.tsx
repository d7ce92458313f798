/** The state of the log beside its tree: keys, anchors, retention, archives, and the keys of data subjects. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { auditStatusQuery } from "../api/queries";
import type { AuditStatus } from "../api/types";
import { useI18n, type Key } from "../i18n";
import { clock, count, stamp } from "../lib/format";
import { Copy, Fact } from "../ui/parts";
import { Signal } from "../ui/Signal";

export function LogState() {
  const { t } = useI18n();
  // A server that does not tell, or a role that may not ask, leaves each part "not known": nothing is drawn as good.
  const { data } = useQuery(auditStatusQuery);
  return (
    <>
      <section className="section">
        <dl className="facts log-facts">
          <Fact name={t("log.origin")} copy={data?.tree?.origin ?? null}>
            {data?.tree?.origin ? <span className="mono">{data.tree.origin}</span> : <Unknown />}
          </Fact>
          <Fact name={t("log.keys")}>{data?.tree?.keys ? <Keys keys={data.tree.keys} /> : <Unknown />}</Fact>
          <Fact name={t("log.subjectKeys")}>
            {data?.subject_keys ? (
              <>
                {t("log.subjectKeysOpen", { count: count(data.subject_keys.open) })}, {t("log.subjectKeysDestroyed", { count: count(data.subject_keys.destroyed) })}
              </>
            ) : (
              <Unknown />
            )}
          </Fact>
        </dl>
        <p><Link to="/audit" search={{}}>{t("log.browse")}</Link></p>
      </section>
      <Anchors status={data} />
      <Retention status={data} />
      <Archives status={data} />
    </>
  );
}

function Unknown() {
  const { t } = useI18n();
  return <span className="quiet">{t("log.unknown")}</span>;
}

type Keys = NonNullable<NonNullable<AuditStatus["tree"]>["keys"]>;

function Keys({ keys }: { keys: Keys }) {
  const { t } = useI18n();
  if (keys.length === 0) return <Unknown />;
  return (
    <ul>
      {keys.map((key) => (
        <li key={key.name + key.id}>
          <span className="mono">{key.id}</span> <span className="tag">{t(key.active ? "log.key.active" : "log.key.retired")}</span>
        </li>
      ))}
    </ul>
  );
}

interface PartProps {
  title: Key;
  hint?: Key;
  none: Key;
  /** Rows are null where nobody knows, and empty where there are none. */
  rows: ReactNode[] | null;
  heads: { text: string; num?: boolean }[];
}

function Part({ title, hint, none, rows, heads }: PartProps) {
  const { t } = useI18n();
  return (
    <section className="section">
      <div className="section-head">
        <h2>{t(title)}</h2>
        {hint && <p>{t(hint)}</p>}
      </div>
      {rows === null && <p><Unknown /></p>}
      {rows?.length === 0 && <p className="quiet">{t(none)}</p>}
      {rows !== null && rows.length > 0 && (
        <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t(title)}>
          <table>
            <thead><tr>{heads.map(({ text, num }) => <th key={text} className={num ? "num" : ""}>{text}</th>)}</tr></thead>
            <tbody>{rows}</tbody>
          </table>
        </div>
      )}
    </section>
  );
}

type Props = { status: AuditStatus | undefined };

const KINDS: Record<string, Key> = { file: "log.kind.file", webhook: "log.kind.webhook", witness: "log.kind.witness" };

function Anchors({ status }: Props) {
  const { t } = useI18n();
  const now = new Date();
  const signed = status?.tree?.checkpoint_size ?? 0;
  const rows = status?.anchors?.map((a) => (
    <tr key={a.kind + a.target}>
      <td>{KINDS[a.kind] ? t(KINDS[a.kind]!) : a.kind}</td>
      <td className="break">{a.target}</td>
      <td><AnchorState anchor={a} signed={signed} /></td>
      <td>{a.time ? <time dateTime={a.time} title={stamp(a.time)}>{clock(a.time, now)}</time> : <span className="quiet">{t("log.never")}</span>}</td>
      <td className="num">{count(a.size)}</td>
      <td className="break">{a.error ?? ""}</td>
    </tr>
  )) ?? null;
  const heads = [t("calls.kind"), t("log.target"), t("health.state"), t("log.anchored")].map((text) => ({ text }));
  return <Part title="log.anchors" hint="log.anchorsHint" none="log.noAnchors" rows={rows} heads={[...heads, { text: t("log.range"), num: true }, { text: t("health.detail") }]} />;
}

/** AnchorState compares with the newest checkpoint: behind is what a rollback of this machine alone could still hide. */
function AnchorState({ anchor: a, signed }: { anchor: NonNullable<AuditStatus["anchors"]>[number]; signed: number }) {
  const { t } = useI18n();
  if (a.error) return <Signal status="failed" />;
  const behind = signed - (a.size ?? 0);
  return behind > 0 ? <Signal status="running" word={t("log.behind", { count: count(behind) })} /> : <Signal status="ok" />;
}

function Retention({ status }: Props) {
  const { t } = useI18n();
  const days = (value: number) => (value === 0 ? t("log.forever") : t("log.days", { count: count(value) }));
  const rows = status?.retention?.map((rule) => (
    <tr key={rule.tenant + " " + rule.domain}>
      <td>{rule.tenant}</td>
      <td>{rule.domain || t("log.allDomains")}</td>
      <td className="num">{days(rule.min_days)}</td>
      <td className="num">{days(rule.content_days)}</td>
      <td className="num">{t("log.records", { count: count(rule.destroyed) })}</td>
    </tr>
  )) ?? null;
  const heads = [{ text: t("calls.tenant") }, { text: t("log.domain") }, ...[t("log.minDays"), t("log.contentDays"), t("log.destroyed")].map((text) => ({ text, num: true }))];
  return <Part title="log.retention" none="log.noRetention" rows={rows} heads={heads} />;
}

function Archives({ status }: Props) {
  const { t } = useI18n();
  const rows = status?.archives?.map((a) => (
    <tr key={a.file}>
      <td className="nowrap">{count(a.first)} – {count(a.last)}</td>
      <td className="nowrap">{stamp(a.time)}</td>
      <td className="break">{a.file}</td>
      <td className="mono break">{a.sha256} <Copy text={a.sha256} /></td>
    </tr>
  )) ?? null;
  const heads = [t("log.range"), t("log.archivedAt"), t("log.file"), "SHA-256"].map((text) => ({ text }));
  return <Part title="log.archives" none="log.noArchives" rows={rows} heads={heads} />;
}
