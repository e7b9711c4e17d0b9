// A part of an input that a unit responded to, as a small figure: a patch of an image, a curve with the part shaded, a
// sound to play over its spectrogram, three slices of a volume with the part framed; and in the same way what was sent
// back to it. What lies beyond the edges of the input is hatched.

import { channelsOf, type Field, sampleRateOf, spatialOf } from '../formats/field.ts';
import { heatColours } from './colour-map.ts';
import { viewOf } from './fields.ts';
import { planeAxes, slicePlane, viewGrid } from './grid.ts';
import { linePath } from './line-path.ts';
import { imagePicture, type Picture } from './picture.ts';
import { makeClip } from './sound-clip.ts';
import { makeSpectrogram } from './spectrogram.ts';
import { escapeHtml, formatNumber } from './text.ts';
import { signedBytes, thumbnail } from './thumbnail.ts';
import { percentileWindow, toByte, type Window } from './window.ts';

/** Where a part lies in its input, per spatial dimension. */
export interface Place {
  /** Cells that the unit reads, on a grid without edges; infinite where it reads all. */
  readonly box: { readonly from: readonly number[]; readonly to: readonly number[] };
  /** Those of them that are there. */
  readonly inside: { readonly from: readonly number[]; readonly to: readonly number[] };
}

/** What is drawn: the part itself, or what was sent back to it (values around 0). */
export interface PatchDrawing extends Place {
  /** The whole input. */
  readonly input: Field;
  /** The input within `inside`, or what was sent back to it. */
  readonly part: Field;
  readonly signed: boolean;
  readonly alt: string;
  /** Pixels along the longer side of a picture. */
  readonly side: number;
  /** Bytes of a sound. */
  readonly bytes: number;
  /** Name of the input's viewer on the page, where it has one. */
  readonly viewer?: string;
}

/** The drawing as HTML that fills the width of its place. */
export function renderPatch(drawing: PatchDrawing): Promise<string> | string {
  switch (viewOf(drawing.input)) {
    case 'image':
      return renderImage(drawing);
    case 'sound':
      return drawing.signed ? renderCurve(drawing) : renderSound(drawing);
    case 'heat':
      return spatialOf(drawing.input).length === 2 ? renderImage(drawing) : renderCurve(drawing);
    case 'volume':
      return renderSlices(drawing);
    default:
      return renderCurve(drawing);
  }
}

/** The part of the box that is drawn along an axis: where it reaches far beyond the input, not all of it. */
function framed({ box, inside, input }: PatchDrawing, axis: number): [from: number, to: number] {
  const [from, to] = [inside.from[axis], inside.to[axis]];
  if (from === 0 && to === input.shape[axis]) return [from, to];
  const beyond = (to - from) / 2;
  return [Math.max(box.from[axis], from - beyond), Math.min(box.to[axis], to + beyond)];
}

/** Position and size of `inside` in the part drawn, in per cent, along an axis. */
function placeIn(drawing: PatchDrawing, axis: number): [start: number, size: number] {
  const { inside } = drawing;
  const [from, to] = framed(drawing, axis);
  const share = (cells: number) => Number(((100 * cells) / (to - from)).toFixed(3));
  return [share(inside.from[axis] - from), share(inside.to[axis] - inside.from[axis])];
}

/** Bytes of an array of two dimensions: its own colours, or the mean of its channels in grey. */
function pictureOf(field: Field, signed: boolean, window: Window | undefined): Picture {
  const [height, width] = field.shape;
  const channels = channelsOf(field);
  if (channels <= 4 && channels !== 2) {
    if (signed) {
      const pixels = signedBytes(field.data);
      // Nothing is sent back to transparency.
      if (channels === 4) for (let i = 3; i < pixels.length; i += 4) pixels[i] = 255;
      return { width, height, channels: channels as Picture['channels'], pixels };
    }
    if (field.kind === 'image') return imagePicture(field);
  }
  const mean = Float32Array.from({ length: width * height }, (_, cell) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += field.data[cell * channels + c];
    return sum / channels;
  });
  return {
    width,
    height,
    channels: 1,
    pixels: signed ? signedBytes(mean) : Uint8Array.from(mean, value => toByte(value, window!)),
  };
}

/** Windows of inputs that are drawn again and again. */
const known = new WeakMap<Field, Window>();
function windowOf(field: Field): Window {
  let window = known.get(field);
  if (!window) known.set(field, (window = percentileWindow([field])));
  return window;
}

async function renderImage(drawing: PatchDrawing): Promise<string> {
  const { part, signed, alt, side, input } = drawing;
  const picture = pictureOf(part, signed, input.kind === 'image' ? undefined : windowOf(input));
  const image = await thumbnail(picture, alt, side);
  const [top, height] = placeIn(drawing, 0);
  const [left, width] = placeIn(drawing, 1);
  const size = (axis: number) => {
    const [from, to] = framed(drawing, axis);
    return to - from;
  };
  const aspect = `aspect-ratio:${size(1)}/${size(0)}`;
  return `<div class="patch" style="${aspect}"><div style="top:${top}%;left:${left}%;height:${height}%;width:${width}%">${image}</div></div>`;
}

const plot = { width: 150, height: 70 };

/** Cells of the input that are drawn: all where they are few, else twice the part on either side. */
function surroundings({ input, inside }: PatchDrawing): [from: number, to: number] {
  const n = input.shape[0];
  const length = inside.to[0] - inside.from[0];
  const around = Math.max(length, 64);
  return n <= 7 * around
    ? [0, n]
    : [Math.max(0, inside.from[0] - around), Math.min(n, inside.to[0] + around)];
}

function renderCurve(drawing: PatchDrawing): string {
  const { input, part, inside, signed, alt } = drawing;
  const [from, to] = surroundings(drawing);
  const channels = channelsOf(input);
  const lanes = Math.min(channels, 8);
  const source = signed ? part : input;
  const start = signed ? inside.from[0] : from;
  const length = signed ? part.shape[0] : to - from;
  const at = (i: number, lane: number) => source.data[(signed ? i : from + i) * channels + lane];
  let [low, high] = signed ? [0, 0] : [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < length; i++)
    for (let lane = 0; lane < lanes; lane++) {
      const value = at(i, lane);
      if (value < low) low = value;
      if (value > high) high = value;
    }
  if (!(high > low)) [low, high] = [low - 1, low + 1];
  const px = (cell: number) => ((cell - from) / Math.max(1, to - from)) * plot.width;
  const py = (value: number) => plot.height - 3 - ((value - low) / (high - low)) * (plot.height - 6);
  const isWhole = inside.from[0] <= from && inside.to[0] >= to;
  const band = isWhole
    ? ''
    : `<rect class="field-band" x="${px(inside.from[0]).toFixed(1)}" width="${Math.max(1, px(inside.to[0]) - px(inside.from[0])).toFixed(1)}" y="0" height="${plot.height}"/>`;
  const zero = signed
    ? `<line class="grid" x1="0" x2="${plot.width}" y1="${py(0).toFixed(1)}" y2="${py(0).toFixed(1)}"/>`
    : '';
  const lines = Array.from({ length: lanes }, (_, lane) => {
    const { path } = linePath(length, i => [px(start + i + 0.5), py(at(i, lane))], 1);
    return `<path class="line c${lane}" d="${path}"/>`;
  });
  return `<svg class="part-curve" viewBox="0 0 ${plot.width} ${plot.height}" role="img" aria-label="${escapeHtml(alt)}">${band}${zero}${lines.join('')}</svg>`;
}

async function renderSound(drawing: PatchDrawing): Promise<string> {
  const { input, inside, alt, bytes, side } = drawing;
  const rate = sampleRateOf(input);
  // As much around the part as there is room for, up to half a second.
  const room = Math.min(rate / 2, Math.max(0, (bytes * 0.75) / 2 - (inside.to[0] - inside.from[0])));
  const from = Math.max(0, Math.floor(inside.from[0] - room / 2));
  const to = Math.min(input.shape[0], Math.ceil(inside.to[0] + room / 2));
  const channels = channelsOf(input);
  const around: Field = {
    ...input,
    shape: [to - from, channels],
    data: input.data.slice(from * channels, to * channels),
  };
  const clip = await makeClip(loud(around), Math.max(bytes, 4096));
  const { width, height, decibels, lowHertz, highHertz } = makeSpectrogram(around, (to - from) / rate);
  const window = { low: Math.max(...decibels) - 60, high: Math.max(...decibels), rule: '' };
  const pixels = new Uint8Array(decibels.length * 3);
  for (let i = 0; i < decibels.length; i++) {
    const byte = toByte(decibels[i], window);
    pixels.set(heatColours.subarray(3 * byte, 3 * byte + 3), 3 * i);
  }
  const text = `${alt}: spectrogram, ${formatNumber((to - from) / rate, 3)} s, ${formatNumber(lowHertz, 2)} to ${formatNumber(highHertz)} Hz`;
  const image = await thumbnail({ width, height, channels: 3, pixels }, text, side);
  const share = (cell: number) => ((100 * (cell - from)) / (to - from)).toFixed(2);
  const marks = `<i class="field-edge" style="left:${share(inside.from[0])}%"></i><i class="field-edge" style="left:${share(inside.to[0])}%"></i>`;
  return `<figure><div class="patch sound-patch"><div style="inset:0">${image}</div>${marks}</div>${renderCurve({ ...drawing, alt: `${alt}: waveform` })}<audio controls loop preload="none" src="${clip.uri}" aria-label="${escapeHtml(alt)}"></audio></figure>`;
}

/** A sound brought to full scale, so that short parts can be heard. */
function loud(field: Field): Field {
  let most = 0;
  for (const value of field.data) most = Math.max(most, Math.abs(value));
  return most > 0 ? { ...field, data: field.data.map(value => (0.9 * value) / most) } : field;
}

/** Position along a viewing axis of a position along the array's. */
const viewed = (at: number, size: number, stride: number): number => (stride > 0 ? at : size - at);

async function renderSlices(drawing: PatchDrawing): Promise<string> {
  const { input, part, inside, signed, alt, side, viewer } = drawing;
  const shown = signed ? part : input;
  const grid = viewGrid(shown, 0);
  const window = windowOf(input);
  const lead = input.shape.length - 4;
  const strides = shown.shape.map((_, axis) => shown.shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const whole = viewGrid(input, 0).axes.map(({ size }) => size);
  // Array axis behind each viewing axis.
  const behind = grid.axes.map(({ stride, size }) => {
    const found = [lead, lead + 1, lead + 2].filter(
      a => strides[a] === Math.abs(stride) && shown.shape[a] === size,
    );
    return found[0] ?? lead;
  });
  const ends = grid.axes.map(({ stride }, v) => {
    const [a, b] = [inside.from[behind[v]], inside.to[behind[v]]].map(at => viewed(at, whole[v], stride));
    return [Math.min(a, b), Math.max(a, b)] as const;
  });
  const middle = ends.map(([a, b]) => Math.floor((a + b) / 2));
  const pictures: string[] = [];
  for (let axis = 0; axis < 3; axis++) {
    const [row, column] = planeAxes(axis);
    const [height, width] = [grid.axes[row].size, grid.axes[column].size];
    const at = signed ? Math.floor(grid.axes[axis].size / 2) : middle[axis];
    const slice = slicePlane(grid, axis, at);
    const pixels = signed ? signedBytes(slice) : Uint8Array.from(slice, value => toByte(value, window));
    const image = await thumbnail(
      { width, height, channels: 1, pixels },
      `${alt}, ${grid.axes[axis].plane}`,
      side,
    );
    const share = (v: number, cell: number) => ((100 * cell) / whole[v]).toFixed(2);
    const size = (v: number) => ends[v][1] - ends[v][0];
    const frame = signed
      ? ''
      : `<i class="field-frame" style="left:${share(column, ends[column][0])}%;top:${share(row, ends[row][0])}%;width:${share(column, size(column))}%;height:${share(row, size(row))}%"></i>`;
    const aspect = (grid.axes[column].spacing * width) / (grid.axes[row].spacing * height);
    pictures.push(
      `<div class="patch" style="aspect-ratio:${aspect.toFixed(4)}"><div style="inset:0">${image}</div>${frame}</div>`,
    );
  }
  const button =
    signed || viewer === undefined
      ? ''
      : `<button type="button" class="goto" data-goto="${escapeHtml(JSON.stringify({ name: viewer, index: middle }))}">show in the volume</button>`;
  return pictures.join('') + button;
}
