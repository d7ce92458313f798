/** English texts, a file for each page. Their keys are the type that every other language must have in full. */
import { alerts } from "./alerts";
import { approvals } from "./approvals";
import { audit } from "./audit";
import { budgets } from "./budgets";
import { calls } from "./calls";
import { costs } from "./costs";
import { frame } from "./frame";
import { health } from "./health";
import { overview } from "./overview";
import { people } from "./people";
import { policy } from "./policy";
import { runs } from "./runs";
import { tools } from "./tools";
import { traces } from "./traces";
import { words } from "./words";

export const en = {
  ...frame, ...words, ...overview, ...calls, ...traces, ...runs, ...costs, ...budgets, ...alerts, ...approvals, ...policy, ...people,
  ...audit, ...health, ...tools,
} as const;

export type Key = keyof typeof en;
export type Dictionary = Record<Key, string>;
