import type { Identity, Pin, Tool, ToolDetail, ToolServer } from "../src/api/types";

export class Shelves {
  pins: Map<string, Pin>;
  servers(): ToolServer[];
  tools(of: string, state?: string | null): Tool[];
  detail(id: string): ToolDetail | null;
  answer(method: string, path: string, q: URLSearchParams, body: unknown, who: Pick<Identity, "key_id" | "user" | "role">): [number, unknown] | null;
  called(of: string, headers: Record<string, string | string[] | undefined>, message: unknown): [number, Record<string, string>, unknown];
}
