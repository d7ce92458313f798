import { useQuery } from "@tanstack/react-query";
import { healthQuery } from "../api/queries";
import type { Health as Data } from "../api/types";
import { useI18n } from "../i18n";
import { clock, count, duration, stamp } from "../lib/format";
import { ErrorBox } from "../ui/ErrorBox";
import { AsOf, Copy, Loading, PageHead, useNow } from "../ui/parts";
import { Signal } from "../ui/Signal";
import { LogState } from "./LogState";

export function Health() {
  const { t } = useI18n();
  const { data, error, isFetching, refetch } = useQuery(healthQuery);
  return (
    <>
      <PageHead title={t("health.title")}>
        <span className="spacer" />
        <AsOf asOf={data?.data_as_of} busy={isFetching} refresh={() => void refetch()} />
      </PageHead>
      {error && <ErrorBox error={error} retry={() => void refetch()} />}
      {!data && !error && <Loading />}
      {data && (
        <>
          <Gauges data={data} />
          <Components data={data} />
          <Log data={data} />
          <LogState />
        </>
      )}
    </>
  );
}

/** From this fill on callers are about to wait. */
const QUEUE_HIGH = 0.8;

function Gauges({ data }: { data: Data }) {
  const { t, lang } = useI18n();
  const now = useNow(5_000);
  const fill = data.queue.capacity > 0 ? data.queue.depth / data.queue.capacity : 0;
  const up = Math.max(0, Math.floor((now - Date.parse(data.started)) / 1_000) * 1_000);
  return (
    <div className="gauges">
      <section className="panel">
        <h2>{t("health.queue")}</h2>
        <div className="value">{t("health.ofCapacity", { depth: count(data.queue.depth), capacity: count(data.queue.capacity) })}</div>
        <div className={"meter" + (fill >= QUEUE_HIGH ? " high" : "")} role="meter" aria-label={t("health.queue")} aria-valuenow={data.queue.depth} aria-valuemin={0} aria-valuemax={data.queue.capacity}>
          <b style={{ width: `${Math.min(100, fill * 100)}%` }} />
        </div>
        <p>{t("health.queueHint")}</p>
        <p>{t("health.inFlight", { count: count(data.in_flight) })}</p>
      </section>
      <section className="panel">
        <h2>{t("health.lag")}</h2>
        <div className="value">{t("log.records", { count: count(data.projections.lag_records) })}</div>
        <p>{t("health.cursor", { cursor: count(data.projections.cursor) })}</p>
        <p>{t("health.lagHint")}</p>
      </section>
      <section className="panel">
        <h2>{t("health.version")}</h2>
        <div className="value">{data.version}</div>
        <p>
          {t("call.started")} <span title={data.started}>{clock(data.started, new Date(now))}</span>,{" "}
          {t("health.uptime", { age: duration(up, lang) })}
        </p>
        <p>
          <a href="/licenses.txt">{t("health.licenses")}</a>
        </p>
      </section>
    </div>
  );
}

function Components({ data }: { data: Data }) {
  const { t } = useI18n();
  return (
    <section className="section">
      <h2>{t("health.components")}</h2>
      <div className="panel scroll-x" tabIndex={0} role="region" aria-label={t("health.components")}>
        <table>
          <thead>
            <tr>
              <th>{t("health.component")}</th>
              <th>{t("health.state")}</th>
              <th>{t("health.detail")}</th>
            </tr>
          </thead>
          <tbody>
            {data.components.map((part) => (
              <tr key={part.name}>
                <td>{part.name}</td>
                <td><Signal status={part.status} /></td>
                <td className="break">{part.detail || "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Log({ data }: { data: Data }) {
  const { t } = useI18n();
  const { size, checkpoint_size: signed, checkpoint_time: time, root } = data.log;
  const open = Math.max(0, size - (signed ?? 0));
  return (
    <section className="section">
      <h2>{t("health.log")}</h2>
      <dl className="facts log-facts">
        <div>
          <dt>{t("health.logSize")}</dt>
          <dd>{count(size)}</dd>
        </div>
        <div>
          <dt>{t("health.checkpoint")}</dt>
          <dd>
            {signed === null ? (
              <span className="warn">{t("health.noCheckpoint")}</span>
            ) : (
              <>
                {time === null ? t("log.records", { count: count(signed) }) : t("health.checkpointAt", { size: count(signed), time: stamp(time) })}
                <br />
                <span className="quiet">{open > 0 ? t("health.unsigned", { count: count(open) }) : t("health.allSigned")}</span>
              </>
            )}
          </dd>
        </div>
        <div>
          <dt>{t("health.root")}</dt>
          <dd>
            <span className="mono">{root || "–"}</span>
            {root && <Copy text={root} />}
          </dd>
        </div>
        <div>
          <dt>{t("health.verify")}</dt>
          <dd>
            <code className="command">signalbox audit verify</code>
          </dd>
        </div>
      </dl>
    </section>
  );
}
