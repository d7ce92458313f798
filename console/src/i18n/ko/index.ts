/** Korean texts, in the files and the order of the English ones. */
import type { Dictionary } from "../en";
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

export const ko: Dictionary = {
  ...frame, ...words, ...overview, ...calls, ...traces, ...runs, ...costs, ...budgets, ...alerts, ...approvals, ...policy, ...people,
  ...audit, ...health, ...tools,
};
