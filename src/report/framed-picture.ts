// A picture with axes around it: a spectrogram over time and frequency, a matrix over its indices. The picture is
// embedded once and stretched into its frame; the axes are drawn in SVG.

import type { Scale } from './axes.ts';
import { escapeHtml } from './text.ts';

export interface Frame {
  uri: string;
  alt: string;
  /** Width of the drawing and height of the picture in it, in drawing units (about pixels). */
  width: number;
  height: number;
  x: Scale;
  y: Scale;
  xLabel: string;
  yLabel: string;
  /** Whether the low end of y is at the top, as in a matrix. */
  downwards?: boolean;
  /** Whether single samples should show as sharp rectangles. */
  sharp?: boolean;
  /** Whether the drawing stays at its own width where there is more room. */
  natural?: boolean;
  /** Whether a line follows the player beside the picture. */
  cursor?: boolean;
}

const margin = { left: 66, right: 10, top: 6, bottom: 40 };

/** The drawing as inline SVG. */
export function renderFrame(frame: Frame): string {
  const { x, y, width } = frame;
  const [left, right, top, bottom] = [
    margin.left,
    width - margin.right,
    margin.top,
    margin.top + frame.height,
  ];
  const px = (value: number) => left + x.position(value) * (right - left);
  const py = (value: number) => {
    const place = y.position(value) * (bottom - top);
    return frame.downwards ? top + place : bottom - place;
  };
  const parts: string[] = [
    `<image href="${frame.uri}" x="${left}" y="${top}" width="${right - left}" height="${bottom - top}" preserveAspectRatio="none"${frame.sharp ? ' class="sharp"' : ''}/>`,
    `<rect class="frame" x="${left}" y="${top}" width="${right - left}" height="${bottom - top}"/>`,
  ];
  x.ticks.forEach((tick, i) => {
    const at = px(tick).toFixed(1);
    parts.push(`<line class="axis" x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 4}"/>`);
    parts.push(`<text class="tick middle" x="${at}" y="${bottom + 17}">${x.labels[i]}</text>`);
  });
  y.ticks.forEach((tick, i) => {
    const at = py(tick).toFixed(1);
    parts.push(`<line class="axis" x1="${left - 4}" x2="${left}" y1="${at}" y2="${at}"/>`);
    parts.push(`<text class="tick end" x="${left - 7}" y="${at}" dy="0.35em">${y.labels[i]}</text>`);
  });
  parts.push(
    `<text class="label middle" x="${(left + right) / 2}" y="${bottom + 34}">${escapeHtml(frame.xLabel)}</text>`,
    `<text class="label middle" transform="translate(12 ${(top + bottom) / 2}) rotate(-90)">${escapeHtml(frame.yLabel)}</text>`,
  );
  const natural = frame.natural ? ` style="max-width:${width}px"` : '';
  let cursor = '';
  if (frame.cursor) {
    parts.push(`<line class="cursor" x1="${left}" x2="${left}" y1="${top}" y2="${bottom}"/>`);
    cursor = ` data-time="${escapeHtml(JSON.stringify({ left, right, low: x.low, high: x.high }))}"`;
  }
  return `<svg class="drawing" viewBox="0 0 ${width} ${bottom + margin.bottom}" role="img" aria-label="${escapeHtml(frame.alt)}"${cursor}${natural}>${parts.join('')}</svg>`;
}
