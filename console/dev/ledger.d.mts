import type { Account, Alert, ApiKey, Brake, Run, RunDetail } from "../src/api/types";

export const LEDGER_RUN: string;
export function accounts(): Account[];
export function runRows(): Run[];
export function runDetail(id: string): RunDetail | null;
export function brakes(): Brake[];
export function alerts(): Alert[];
export function keys(): ApiKey[];
