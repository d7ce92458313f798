/** What several views say of a record of the log: who and what in one line each, and what of its content can be read. */
import type { AuditRecord, ContentState } from "../api/types";
import { useI18n } from "../i18n";
import { NONE } from "../lib/format";

/** recordWho is the nearest name of who acted. */
export function recordWho(r: AuditRecord): string {
  const { agent_id, user_id, key_id, source } = r.who;
  return agent_id || user_id || key_id || source || NONE;
}

/** recordWhat is what it was done to; of administrative records their particulars. */
export function recordWhat(r: AuditRecord): string {
  const detail = Object.entries(r.what.detail ?? {}).map(([name, value]) => `${name} ${value}`).join(", ");
  return r.what.tool_name || r.context.model_name || r.what.resource_id || detail || NONE;
}

const LOOKS: Record<Exclude<ContentState, "">, string> = { sealed: "tag risk-medium", erased: "tag erased", destroyed: "tag erased" };

/** ContentTag is there where something can not be read. */
export function ContentTag({ state }: { state: ContentState }) {
  const { t } = useI18n();
  return state ? <span className={LOOKS[state]}>{t(`audit.state.${state}`)}</span> : null;
}
