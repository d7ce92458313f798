import type { IncomingMessage, ServerResponse } from "node:http";
import type { Approval, Grant, Identity, Incident, OpenSession, Policy, PolicyText } from "../src/api/types";

export const POLICY: string;
export const FIRST: string;
export const TWO: string;
export function approvals(): Approval[];
export function policyInForce(): Policy;
export function policyVersions(): PolicyText[];
export function grants(): Grant[];
export function incidents(): Incident[];
export function openSessions(): OpenSession[];

type Who = Pick<Identity, "key_id" | "user" | "role">;

export class Desk {
  approvals: Approval[];
  grants: Grant[];
  incidents: Incident[];
  sessions: OpenSession[];
  pending(): Approval[];
  find(id: string): Approval | undefined;
  tell(one: Approval): void;
  decide(id: string, verdict: "approve" | "deny" | "withdraw", reason: string, who: Who): Approval | string;
  edit(id: string, body: { arguments: Record<string, unknown>; reason: string }, who: Who): { call_id: string; approval_id: string | null; result: unknown } | string;
  stream(req: IncomingMessage, res: ServerResponse, id: string | null): void;
  answer(method: string, path: string, q: URLSearchParams, body: unknown, who: Who): [number, unknown] | null;
}
