/** The whole trace in a strip: every visible row as a line, drawn once; the zoom and the rows in sight lie over it. */
import { useEffect, useRef, useState, type PointerEvent } from "react";
import { useI18n } from "../i18n";
import { position, type Axis } from "../lib/gaps";
import type { Tree } from "../lib/tree";
import { useWidth } from "../ui/parts";
import { color, useTheme } from "../ui/theme";
import type { View } from "./Waterfall";

interface Props {
  tree: Tree;
  rows: Int32Array;
  axis: Axis;
  view: View;
  seen: { from: number; to: number };
  zoom: (view: View | null) => void;
  goTo: (row: number) => void;
}

/** A drag shorter than this many pixels is a click. */
const CLICK_PX = 4;

export function Minimap({ tree, rows, axis, view, seen, zoom, goTo }: Props) {
  const { t } = useI18n();
  const { theme } = useTheme();
  const [frame, width, element] = useWidth<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  useEffect(() => {
    if (canvas.current && element && width > 0) draw(canvas.current, element, tree, rows, axis);
  }, [tree, rows, axis, width, element, theme]);

  const at = (event: PointerEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    return { x: event.clientX - box.left, y: (event.clientY - box.top) / box.height };
  };
  const down = (event: PointerEvent<HTMLDivElement>) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    const { x } = at(event);
    setDrag({ from: x, to: x });
  };
  const move = (event: PointerEvent<HTMLDivElement>) => drag && setDrag({ ...drag, to: at(event).x });
  const up = (event: PointerEvent<HTMLDivElement>) => {
    if (!drag) return;
    setDrag(null);
    const [low, high] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    if (high - low < CLICK_PX) return goTo(Math.min(rows.length - 1, Math.floor(at(event).y * rows.length)));
    zoom({ from: (Math.max(0, low) / width) * axis.total, to: (Math.min(width, high) / width) * axis.total });
  };
  const whole = view.from === 0 && view.to === axis.total;
  const window = drag && Math.abs(drag.to - drag.from) >= CLICK_PX
    ? { left: Math.min(drag.from, drag.to), width: Math.abs(drag.to - drag.from) }
    : whole ? null : { left: (view.from / axis.total) * width, width: ((view.to - view.from) / axis.total) * width };
  const all = seen.from === 0 && seen.to >= rows.length;
  return (
    <div
      className="minimap"
      ref={frame}
      role="img"
      aria-label={t("trace.minimap")}
      title={t("trace.minimap")}
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={() => setDrag(null)}
      onDoubleClick={() => zoom(null)}
    >
      <canvas ref={canvas} />
      {!all && rows.length > 0 && (
        <div className="band" style={{ top: `${(100 * seen.from) / rows.length}%`, height: `${(100 * (seen.to - seen.from)) / rows.length}%` }} />
      )}
      {window && <div className="window" style={window} />}
    </div>
  );
}

function draw(canvas: HTMLCanvasElement, frame: HTMLElement, tree: Tree, rows: Int32Array, axis: Axis): void {
  const paper = canvas.getContext("2d");
  if (!paper) return;
  const scale = devicePixelRatio || 1;
  const [w, h] = [frame.clientWidth, frame.clientHeight];
  canvas.width = Math.round(w * scale);
  canvas.height = Math.round(h * scale);
  paper.setTransform(scale, 0, 0, scale, 0, 0);
  paper.fillStyle = color("--line");
  for (const s of axis.segments) {
    if (s.gap) paper.fillRect((s.at / axis.total) * w, 0, Math.max(2, (s.width / axis.total) * w), h);
  }
  const thick = Math.max(1, Math.min(4, h / rows.length - 0.5));
  const paint = (wanted: string, fill: string) => {
    paper.fillStyle = fill;
    rows.forEach((index, row) => {
      const span = tree.spans[index]!;
      if ((span.status === "error" ? "error" : span.kind) !== wanted) return;
      const from = (position(axis, span.start_ms) / axis.total) * w;
      const to = (position(axis, span.start_ms + span.duration_ms) / axis.total) * w;
      paper.fillRect(from, 2 + (row / rows.length) * (h - 4), Math.max(1, to - from), thick);
    });
  };
  for (const kind of ["agent", "attempt", "tool", "model"]) paint(kind, color("--bar-" + kind));
  // Errors last, in the strongest colour: they are what the eye looks for.
  paint("error", color("--stop"));
}
