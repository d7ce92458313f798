/** The proof of one record, computed here: each step with its values, and the two things that the reader brings along. */
import { useMutation } from "@tanstack/react-query";
import { useId, useState } from "react";
import { logSource } from "../api/queries";
import type { AuditDetail } from "../api/types";
import { useI18n } from "../i18n";
import { prove, verdict, type Claim, type Proof as Result, type State, type Step, type Trust } from "../lib/proof";
import { hashing, toBase64 } from "../lib/tlog";
import { ErrorBox } from "../ui/ErrorBox";
import { Signal } from "../ui/Signal";

const STORED = { key: "signalbox.audit.key", kept: "signalbox.audit.kept" } as const;

function claimOf(r: AuditDetail): Claim {
  return {
    index: r.index, time: r.time, type: r.type, tenant: r.who.tenant_id, call: r.call_id ?? "", content: r.content_sha256,
    leafData: r.leaf_data, leafHash: r.leaf_hash,
  };
}

export function Proof({ record }: { record: AuditDetail }) {
  const { t } = useI18n();
  const [trust, setTrust] = useState<Trust>(() => ({ key: localStorage.getItem(STORED.key) ?? "", kept: localStorage.getItem(STORED.kept) ?? "" }));
  const check = useMutation({ mutationFn: () => prove(claimOf(record), logSource, trust) });
  const change = (name: keyof Trust, value: string) => {
    localStorage.setItem(STORED[name], value);
    setTrust((old) => ({ ...old, [name]: value }));
    // A verdict is of what was given then.
    check.reset();
  };
  return (
    <section className="section proof" aria-label={t("proof.title")}>
      <h2>{t("proof.title")}</h2>
      <p className="prose">{t("proof.intro")}</p>
      {!hashing() ? (
        <div className="notice caution"><p>{t("proof.insecure")}</p></div>
      ) : (
        <>
          <TrustFields trust={trust} change={change} />
          <div className="trace-tools">
            <button className="button primary" type="button" disabled={check.isPending} onClick={() => check.mutate()}>
              {check.isPending ? t("proof.busy") : t(check.data ? "proof.again" : "proof.run")}
            </button>
            {check.data?.checkpoint && verdict(check.data.steps) !== "bad" && (
              <button className="button" type="button" onClick={() => change("kept", check.data.checkpoint!.signed)}>{t("proof.save")}</button>
            )}
          </div>
          {check.error && <ErrorBox error={check.error} />}
          {check.data && <Steps result={check.data} />}
        </>
      )}
    </section>
  );
}

function TrustFields({ trust, change }: { trust: Trust; change: (name: keyof Trust, value: string) => void }) {
  const { t } = useI18n();
  const id = useId();
  return (
    <fieldset className="trust">
      <legend>{t("proof.trust")}</legend>
      <label>
        {t("proof.key")}
        <input className="input mono" value={trust.key} spellCheck={false} autoComplete="off" aria-describedby={id + "key"} onChange={(e) => change("key", e.target.value)} />
        <span className="quiet" id={id + "key"}>{t("proof.keyHint")}</span>
      </label>
      <label>
        {t("proof.kept")}
        <textarea className="input mono" rows={4} value={trust.kept} spellCheck={false} autoComplete="off" aria-describedby={id + "kept"} onChange={(e) => change("kept", e.target.value)} />
        <span className="quiet" id={id + "kept"}>{t("proof.keptHint")} {t("proof.remembered")}</span>
      </label>
    </fieldset>
  );
}

const SIGNALS: Record<State, string> = { good: "ok", bad: "failed", open: "unknown" };
const VERDICTS = { good: "good", member: "caution", open: "caution", bad: "bad" } as const;

function Steps({ result }: { result: Result }) {
  const { t } = useI18n();
  const is = verdict(result.steps);
  return (
    <>
      <div className={"notice verdict " + VERDICTS[is]} role="status">
        <p><b>{t(`proof.verdict.${is}`)}</b></p>
      </div>
      <ol className="panel steps">{result.steps.map((step) => <StepItem key={step.name} step={step} />)}</ol>
    </>
  );
}

function StepItem({ step }: { step: Step }) {
  const { t } = useI18n();
  return (
    <li className={step.state}>
      <div className="step-head">
        <h3>{t(`proof.step.${step.name}`)}</h3>
        <Signal status={SIGNALS[step.state]} word={t(`proof.state.${step.state}`)} />
      </div>
      <p className="quiet">{t(`proof.about.${step.name}`)}</p>
      {step.why && <p className={step.state === "bad" ? "stop" : "warn"}>{t(`proof.why.${step.why}`, { detail: step.detail ?? "" })}</p>}
      {step.values.length > 0 && (
        <dl>
          {step.values.map(([name, value]) => (
            <div key={name}><dt>{t(`proof.value.${name}`)}</dt><dd className="mono">{value}</dd></div>
          ))}
        </dl>
      )}
      {step.folds && step.folds.length > 0 && <Folds step={step} />}
    </li>
  );
}

function Folds({ step }: { step: Step }) {
  const { t } = useI18n();
  return (
    <details>
      <summary>{t("proof.folds")} ({step.folds!.length})</summary>
      <div className="scroll-x" tabIndex={0} role="region" aria-label={t("proof.folds")}>
        <table>
          <thead>
            <tr><th className="num">{t("proof.fold.level")}</th><th>{t("proof.fold.side")}</th><th>SHA-256</th><th>{t("proof.fold.hash")}</th></tr>
          </thead>
          <tbody>
            {step.folds!.map((fold, i) => (
              <tr key={i}>
                <td className="num">{i + 1}</td>
                <td>{t(fold.left ? "proof.fold.left" : "proof.fold.right")}</td>
                <td className="mono">{toBase64(fold.beside)}</td>
                <td className="mono">{toBase64(fold.hash)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
