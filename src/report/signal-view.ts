// A signal as curves, one channel below the other over a common time: the same gain in every channel and, for fields
// that stand side by side, the same gain, offset and stretch of time.

import { channelsOf, type Field } from '../formats/field.ts';
import { linearScale, type Scale } from './axes.ts';
import { limits } from './limits.ts';
import { linePath } from './line-path.ts';
import { count, escapeHtml, formatNumber } from './text.ts';

/** What the fields drawn side by side have in common. */
export interface LaneScales {
  /** Scale over `axis.spacing · index`. */
  x: Scale;
  /** One per channel; all span the same range of values. */
  y: Scale[];
  /** Height of the range in words. */
  described: string;
}

const margin = { left: 64, right: 8, top: 4, bottom: 40, gap: 14 };

const isTimed = (field: Field): boolean => field.axes[0]?.unit === 's';
const spacingOf = (field: Field): number => Math.abs(field.axes[0]?.spacing ?? 1) || 1;

/** Samples of a field that are drawn. */
const shownLength = (field: Field): number =>
  isTimed(field)
    ? Math.min(field.shape[0], Math.ceil(limits.signalSeconds / spacingOf(field)) + 1)
    : field.shape[0];

/** The common scales of fields that are compared. */
export function laneScales(fields: readonly Field[]): LaneScales {
  const channels = Math.min(limits.signalChannels, Math.max(...fields.map(channelsOf)));
  const lows = new Array<number>(channels).fill(Number.POSITIVE_INFINITY);
  const highs = new Array<number>(channels).fill(Number.NEGATIVE_INFINITY);
  for (const field of fields) {
    const stride = channelsOf(field);
    const samples = shownLength(field) * stride;
    for (let channel = 0; channel < Math.min(channels, stride); channel++) {
      for (let i = channel; i < samples; i += stride) {
        const value = field.data[i];
        if (value - value !== 0) continue;
        if (value < lows[channel]) lows[channel] = value;
        if (value > highs[channel]) highs[channel] = value;
      }
    }
  }
  const spans = lows.map((low, channel) => (highs[channel] >= low ? highs[channel] - low : 0));
  const largest = Math.max(
    ...lows.map((low, channel) =>
      highs[channel] >= low ? Math.max(Math.abs(low), Math.abs(highs[channel])) : 0,
    ),
  );
  const span = Math.max(...spans, largest * 1e-6) * 1.06 || 2;
  const y = lows.map((low, channel) => {
    const middle = highs[channel] >= low ? low / 2 + highs[channel] / 2 : 0;
    return linearScale(middle - span / 2, middle + span / 2, 2, false);
  });
  const end = Math.max(...fields.map(field => (shownLength(field) - 1) * spacingOf(field)));
  const whole = fields.every(field => spacingOf(field) === 1);
  return { x: linearScale(0, end, 6, false, whole), y, described: formatNumber(span, 2) };
}

/** A field without spatial dimensions (an embedding) as one curve over its channels. */
export const asCurve = (field: Field): Field =>
  field.shape.length > 1
    ? field
    : {
        ...field,
        shape: [field.shape[0], 1],
        axes: [{ name: 'channel', spacing: 1, unit: '' }],
        channelNames: undefined,
      };

const heightOf = (lanes: number): number => (lanes <= 2 ? 150 : lanes <= 4 ? 104 : lanes <= 8 ? 80 : 58);

/** The curves of one field as SVG of the given width, and what has to be said about them. */
export function renderSignal(
  field: Field,
  label: string,
  scales: LaneScales,
  width: number,
): { html: string; notes: string[] } {
  const channels = channelsOf(field);
  const lanes = Math.min(channels, limits.signalChannels);
  const height = heightOf(lanes);
  const length = shownLength(field);
  const spacing = spacingOf(field);
  const [left, right] = [margin.left, width - margin.right];
  const bottom = margin.top + lanes * (height + margin.gap) - margin.gap;
  const px = (value: number) => left + scales.x.position(value) * (right - left);

  const parts: string[] = [];
  let missing = 0;
  scales.x.ticks.forEach((tick, i) => {
    const at = px(tick).toFixed(1);
    parts.push(`<line class="grid" x1="${at}" x2="${at}" y1="${margin.top}" y2="${bottom}"/>`);
    parts.push(`<text class="tick middle" x="${at}" y="${bottom + 17}">${scales.x.labels[i]}</text>`);
  });
  for (let lane = 0; lane < lanes; lane++) {
    const low = margin.top + lane * (height + margin.gap) + height;
    const scale = scales.y[lane];
    const py = (value: number) => low - scale.position(value) * height;
    scale.ticks.forEach((tick, i) => {
      const at = py(tick);
      parts.push(
        `<line class="grid" x1="${left}" x2="${right}" y1="${at.toFixed(1)}" y2="${at.toFixed(1)}"/>`,
      );
      parts.push(
        `<text class="tick end" x="${left - 6}" y="${at.toFixed(1)}" dy="0.35em">${scale.labels[i]}</text>`,
      );
    });
    const drawn = linePath(length, i => [px(i * spacing), py(field.data[i * channels + lane])], 1);
    missing += drawn.missing;
    const name = field.channelNames?.[lane] ?? (channels > 1 ? `channel ${lane + 1}` : '');
    parts.push(`<path class="line signal" d="${drawn.path}"/>`);
    if (name)
      parts.push(`<text class="lane" x="${left + 6}" y="${low - height + 13}">${escapeHtml(name)}</text>`);
  }
  const axis = field.axes[0];
  const xLabel = axis ? `${axis.name || 'index'}${axis.unit && ` (${axis.unit})`}` : 'channel';
  parts.push(
    `<text class="label middle" x="${(left + right) / 2}" y="${bottom + 35}">${escapeHtml(xLabel)}</text>`,
  );
  if (field.valueUnit) {
    const middle = (margin.top + bottom) / 2;
    parts.push(
      `<text class="label middle" transform="translate(12 ${middle}) rotate(-90)">${escapeHtml(field.valueUnit)}</text>`,
    );
  }

  const notes: string[] = [];
  if (length < field.shape[0])
    notes.push(`The first ${limits.signalSeconds} s of ${formatNumber(field.shape[0] * spacing)} s.`);
  if (lanes < channels) notes.push(`The first ${lanes} of ${channels} channels.`);
  if (missing > 0) notes.push(`${count(missing, 'sample')} left out, not finite.`);
  const alt = `${label}: ${count(lanes, 'curve')} over ${xLabel}`;
  const html = `<div class="scroll"><svg class="drawing" viewBox="0 0 ${width} ${bottom + margin.bottom}" role="img" aria-label="${escapeHtml(alt)}">${parts.join('')}</svg></div>`;
  return { html, notes };
}
