// Grid lines, ticks and names of the two axes of a drawing, as SVG.

import type { Scale } from './axes.ts';
import { escapeHtml } from './text.ts';

/** Where the plot lies in the drawing, in drawing units. */
export interface PlotBox {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface DrawnAxis {
  scale: Scale;
  label: string;
}

/** Drawing units of a value at each axis. */
export const placesOf = (box: PlotBox, x: Scale, y: Scale) => ({
  px: (value: number): number => box.left + x.position(value) * (box.right - box.left),
  py: (value: number): number => box.bottom - y.position(value) * (box.bottom - box.top),
});

/** Grid lines and tick labels of both axes, and their names. */
export function drawAxes(
  box: PlotBox,
  { scale: x, label: xLabel }: DrawnAxis,
  { scale: y, label: yLabel }: DrawnAxis,
): string {
  const { px, py } = placesOf(box, x, y);
  const parts: string[] = [];
  y.ticks.forEach((tick, i) => {
    const at = py(tick).toFixed(1);
    parts.push(
      `<line class="grid${y.labels[i] ? '' : ' minor'}" x1="${box.left}" x2="${box.right}" y1="${at}" y2="${at}"/>`,
    );
    if (y.labels[i])
      parts.push(`<text class="tick end" x="${box.left - 8}" y="${at}" dy="0.35em">${y.labels[i]}</text>`);
  });
  x.ticks.forEach((tick, i) => {
    const at = px(tick).toFixed(1);
    parts.push(`<line class="axis" x1="${at}" x2="${at}" y1="${box.bottom}" y2="${box.bottom + 5}"/>`);
    parts.push(`<text class="tick middle" x="${at}" y="${box.bottom + 21}">${x.labels[i]}</text>`);
  });
  const middle = (box.top + box.bottom) / 2;
  parts.push(
    `<line class="axis" x1="${box.left}" x2="${box.right}" y1="${box.bottom}" y2="${box.bottom}"/>`,
    `<text class="label middle" x="${(box.left + box.right) / 2}" y="${box.bottom + 44}">${escapeHtml(xLabel)}</text>`,
    `<text class="label middle" transform="translate(16 ${middle}) rotate(-90)">${escapeHtml(yLabel)}</text>`,
  );
  return parts.join('');
}
