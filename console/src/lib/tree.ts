/**
 * The waterfall's tree. The API sends spans flat and in depth-first order, so a subtree is a run of neighbours:
 * one pass finds where each ends, and folding a subtree is a jump. Nothing here is worse than O(n).
 */
import type { Span } from "../api/types";

export interface Tree {
  spans: Span[];
  /** end[i] is the index after the last span of the subtree of i. */
  end: Int32Array;
  /** parent[i] is the index of the parent, -1 for a root. */
  parent: Int32Array;
  index: Map<string, number>;
}

/** buildTree reads depths, not parent ids: a span whose parent was never recorded still has its place in the order. */
export function buildTree(spans: Span[]): Tree {
  const end = new Int32Array(spans.length).fill(spans.length);
  const parent = new Int32Array(spans.length).fill(-1);
  const index = new Map<string, number>();
  const open: number[] = [];
  spans.forEach((span, i) => {
    index.set(span.id, i);
    while (open.length > 0 && spans[open[open.length - 1]!]!.depth >= span.depth) end[open.pop()!] = i;
    parent[i] = open[open.length - 1] ?? -1;
    open.push(i);
  });
  return { spans, end, parent, index };
}

/** visibleRows lists the spans that are not inside a folded one, in order. */
export function visibleRows(tree: Tree, folded: ReadonlySet<string>): Int32Array {
  const rows = new Int32Array(tree.spans.length);
  let count = 0;
  for (let i = 0; i < tree.spans.length; ) {
    rows[count++] = i;
    i = folded.has(tree.spans[i]!.id) ? tree.end[i]! : i + 1;
  }
  return rows.subarray(0, count);
}

export function hasChildren(tree: Tree, i: number): boolean {
  return tree.end[i]! > i + 1 || tree.spans[i]!.child_count > 0;
}

/** foldable is every span with children: what "fold all" folds. */
export function foldable(tree: Tree): Set<string> {
  const out = new Set<string>();
  tree.spans.forEach((span, i) => {
    if (hasChildren(tree, i)) out.add(span.id);
  });
  return out;
}

/** reveal unfolds the ancestors of a span, so that a linked span is on the page. */
export function reveal(tree: Tree, folded: ReadonlySet<string>, i: number): ReadonlySet<string> {
  let next: Set<string> | null = null;
  for (let at = tree.parent[i]!; at >= 0; at = tree.parent[at]!) {
    const id = tree.spans[at]!.id;
    if (folded.has(id)) (next ??= new Set(folded)).delete(id);
  }
  return next ?? folded;
}

/** rowOf finds a span among the visible rows, which are sorted; -1 when it is folded away. */
export function rowOf(rows: Int32Array, i: number): number {
  let low = 0;
  let high = rows.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (rows[middle]! === i) return middle;
    if (rows[middle]! < i) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** nextError finds the next failed span after i, around the end; -1 when there is none. */
export function nextError(tree: Tree, i: number): number {
  const size = tree.spans.length;
  for (let step = 1; step <= size; step++) {
    const at = (i + step + size) % size;
    if (tree.spans[at]!.status === "error") return at;
  }
  return -1;
}
