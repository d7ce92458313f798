/** Traces as they show in a list of calls: there is no list of traces in the API, and this one claims no more than it saw. */
import type { Call } from "../api/types";
import { parseMoney } from "./money";

export interface Seen {
  trace: string;
  first: string;
  calls: number;
  failures: number;
  nano: bigint;
  agents: string[];
  simulated: boolean;
}

const FAILED = new Set(["failed", "denied", "blocked", "unknown"]);

/** groupTraces keeps the order of the list: the trace with the newest call first. */
export function groupTraces(calls: Call[]): Seen[] {
  const seen = new Map<string, Seen>();
  for (const call of calls) {
    if (call.trace_id === null) continue;
    let group = seen.get(call.trace_id);
    if (!group) {
      group = { trace: call.trace_id, first: call.time, calls: 0, failures: 0, nano: 0n, agents: [], simulated: false };
      seen.set(call.trace_id, group);
    }
    group.calls++;
    if (call.time < group.first) group.first = call.time;
    if (FAILED.has(call.outcome)) group.failures++;
    group.nano += parseMoney(call.cost_estimate) ?? 0n;
    if (call.agent_id && !group.agents.includes(call.agent_id)) group.agents.push(call.agent_id);
    group.simulated ||= call.simulated;
  }
  return [...seen.values()];
}
