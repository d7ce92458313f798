import type { AuditDetail, AuditRecord, AuditStatus, Call, Page } from "../src/api/types";
import type { Log, Signer } from "./tree.mjs";

export interface AuditLog {
  records: AuditDetail[];
  log: Log;
  key: Signer;
}
export function auditLog(calls: Call[]): AuditLog;
export function auditPage(records: AuditDetail[], q: URLSearchParams): Page<AuditRecord>;
export function auditStatus(of: AuditLog): AuditStatus;
