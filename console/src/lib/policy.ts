/** Who may do what, as a table: for each agent and tool the lines that permit each operation. */
import type { Operation, Policy, PolicyAgent, ToolLine } from "../api/types";
import { matches } from "./glob";

export const OPERATIONS: readonly Operation[] = ["read", "write", "delete"];

export interface Cell {
  agent: string;
  tool: string;
  /** The lines that permit an operation on some resource; an operation that none permits is not there. */
  by: Partial<Record<Operation, ToolLine[]>>;
}

/** toolIds are the tools that are known and those that a permission names without a pattern. */
export function toolIds(policy: Policy): string[] {
  const named = policy.agents.flatMap((a) => a.tools.map((line) => line.name)).filter((name) => !/[*?[{\\]/.test(name));
  return [...new Set([...policy.tools.map((tool) => tool.id), ...named])].sort();
}

export function cell(agent: PolicyAgent, tool: string): Cell {
  const by: Cell["by"] = {};
  for (const line of agent.tools) {
    if (!matches(line.name, tool)) continue;
    for (const operation of line.operations) by[operation] = [...(by[operation] ?? []), line];
  }
  return { agent: agent.id, tool, by };
}

export const permits = (of: Cell) => OPERATIONS.some((operation) => of.by[operation]);

/** unused are the lines that fit no tool of the table: a pattern for what is not there, or not there yet. */
export function unused(policy: Policy, agent: PolicyAgent): ToolLine[] {
  const tools = toolIds(policy);
  return agent.tools.filter((line) => !tools.some((tool) => matches(line.name, tool)));
}

/** everything says whether a line permits all resources. */
export const everything = (line: ToolLine) => line.resources.includes("*") || line.resources.includes("**");
