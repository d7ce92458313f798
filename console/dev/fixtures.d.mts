import type { Call, CallDetail, Span } from "../src/api/types";

export const BIG_TRACE: string;
export interface CannedTrace {
  spans: Span[];
}
export function bigTrace(size: number, id?: string): CannedTrace;
export function tracePage(trace: CannedTrace, cursor: string | null, limit: number): unknown;
export function makeCalls(size: number, now: number): Call[];
export function detail(call: Call): CallDetail;
