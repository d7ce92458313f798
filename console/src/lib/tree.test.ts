import { describe, expect, it } from "vitest";
import type { Span } from "../api/types";
import { buildTree, foldable, hasChildren, nextError, reveal, rowOf, visibleRows } from "./tree";

function span(id: string, depth: number, more: Partial<Span> = {}): Span {
  return {
    id, depth, parent_id: null, child_count: 0, name: id, kind: "model", status: "ok", start_ms: 0, duration_ms: 1,
    self_ms: 1, agent_id: null, model_name: null, tool_name: null, cost_estimate: null, input_tokens: null,
    output_tokens: null, call_id: null, inferred: false, simulated: false, ...more,
  };
}

// a ─ b ─ c, d   and a second root e ─ f
const sample = buildTree([span("a", 0), span("b", 1), span("c", 2), span("d", 1), span("e", 0), span("f", 1)]);
const names = (rows: Int32Array) => [...rows].map((i) => sample.spans[i]!.id).join("");

describe("buildTree", () => {
  it("finds where each subtree ends and who its parent is", () => {
    expect([...sample.end]).toEqual([4, 3, 3, 4, 6, 6]);
    expect([...sample.parent]).toEqual([-1, 0, 1, 0, -1, 4]);
  });
  it("takes an orphan that begins deep", () => {
    const tree = buildTree([span("x", 3), span("y", 4), span("z", 1)]);
    expect([...tree.end]).toEqual([2, 2, 3]);
    expect([...tree.parent]).toEqual([-1, 0, -1]);
  });
  it("is linear: 300,000 spans, 5,000 deep", () => {
    const many = buildTree(Array.from({ length: 300_000 }, (_, i) => span("s" + i, i % 5_000)));
    expect(many.end[0]).toBe(5_000);
    expect(visibleRows(many, foldable(many)).length).toBe(60);
  });
});

describe("visibleRows", () => {
  it("shows all when nothing is folded", () => expect(names(visibleRows(sample, new Set()))).toBe("abcdef"));
  it("jumps over a folded subtree", () => expect(names(visibleRows(sample, new Set(["b"])))).toBe("abdef"));
  it("ignores what is folded inside a folded one", () =>
    expect(names(visibleRows(sample, new Set(["a", "b"])))).toBe("aef"));
  it("folds all", () => expect(names(visibleRows(sample, foldable(sample)))).toBe("ae"));
});

it("reveal unfolds the ancestors only", () => {
  const next = reveal(sample, new Set(["a", "b", "e"]), 2);
  expect([...next]).toEqual(["e"]);
  const same = new Set(["e"]);
  expect(reveal(sample, same, 2)).toBe(same);
});

it("rowOf finds visible spans and says -1 for folded ones", () => {
  const rows = visibleRows(sample, new Set(["b"]));
  expect(rowOf(rows, 3)).toBe(2);
  expect(rowOf(rows, 2)).toBe(-1);
});

it("hasChildren believes the server about children that are not loaded yet", () => {
  const tree = buildTree([span("a", 0, { child_count: 3 })]);
  expect(hasChildren(tree, 0)).toBe(true);
});

it("nextError goes around and says -1 without one", () => {
  const tree = buildTree([span("a", 0, { status: "error" }), span("b", 1), span("c", 1, { status: "error" })]);
  expect([nextError(tree, -1), nextError(tree, 0), nextError(tree, 2)]).toEqual([0, 2, 0]);
  expect(nextError(sample, 0)).toBe(-1);
});
