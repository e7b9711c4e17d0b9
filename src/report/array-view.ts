// Arrays of two spatial dimensions, and long lists of channels, as heat maps with axes. Arrays of one dimension are
// drawn as signals and those of three or more as volumes; fields.ts decides.

import { channelsOf, type Field } from '../formats/field.ts';
import { linearScale, type Scale } from './axes.ts';
import { heatColours } from './colour-map.ts';
import { renderFrame } from './framed-picture.ts';
import { limits } from './limits.ts';
import { embedPicture } from './picture.ts';
import { escapeHtml } from './text.ts';
import { notFiniteNotes, toByte, type Window } from './window.ts';

/** One direction of a matrix inside a field. */
interface Direction {
  size: number;
  stride: number;
  name: string;
  /** From 0 to the end of the last sample, in the unit of the axis or, without one, in samples. */
  scale: Scale;
}

interface Matrix {
  name: string;
  offset: number;
  rows: Direction;
  columns: Direction;
}

function directionOf(field: Field, axis: number, stride: number): Direction {
  const size = field.shape[axis];
  const { name, unit, spacing } = field.axes[axis] ?? { name: '', unit: '', spacing: 1 };
  const label = name || `axis ${axis + 1}`;
  if (unit === '' || unit === 'px' || !(spacing > 0))
    return { size, stride, name: label, scale: linearScale(0, size, 5, false, true) };
  return { size, stride, name: `${label} (${unit})`, scale: linearScale(0, size * spacing, 5, false) };
}

/** One matrix a channel where there are two dimensions; channels over the dimension where there is one. */
function matricesOf(field: Field): Matrix[] {
  const channels = channelsOf(field);
  if (field.shape.length === 2) {
    const rows = {
      size: channels,
      stride: 1,
      name: 'channel',
      scale: linearScale(0, channels, 5, false, true),
    };
    return [{ name: '', offset: 0, rows, columns: directionOf(field, 0, channels) }];
  }
  const rows = directionOf(field, 0, field.shape[1] * channels);
  const columns = directionOf(field, 1, channels);
  return Array.from({ length: Math.min(channels, limits.channels) }, (_, channel) => ({
    name: channels > 1 ? (field.channelNames?.[channel] ?? `channel ${channel + 1}`) : '',
    offset: channel,
    rows,
    columns,
  }));
}

/** RGB bytes `[rows, columns, 3]`. */
function colour(data: Float32Array, { offset, rows, columns }: Matrix, window: Window): Uint8Array {
  const pixels = new Uint8Array(rows.size * columns.size * 3);
  for (let r = 0, at = 0; r < rows.size; r++) {
    for (let c = 0; c < columns.size; c++, at += 3) {
      const byte = toByte(data[offset + r * rows.stride + c * columns.stride], window);
      for (let i = 0; i < 3; i++) pixels[at + i] = heatColours[byte * 3 + i];
    }
  }
  return pixels;
}

/** Largest height of a map in drawing units, and the room that its axes take beside it. */
const tallest = 480;
const axesWidth = 76;

/** The heat maps of a field, each at most `width` wide and within its share of `bytes`; cells are square unless the
 *  matrix is more than four times as wide as high, or higher than wide. */
export async function renderHeatMaps(
  field: Field,
  window: Window,
  bytes: number,
  label: string,
  width: number,
): Promise<{ html: string; notes: string[] }> {
  const matrices = matricesOf(field);
  const parts: string[] = [];
  for (const matrix of matrices) {
    const { rows, columns, name } = matrix;
    const picture = {
      width: columns.size,
      height: rows.size,
      channels: 3 as const,
      pixels: colour(field.data, matrix, window),
    };
    const { uri } = await embedPicture(picture, bytes / matrices.length);
    const aspect = Math.max(0.25, Math.min(1, rows.size / columns.size));
    const across = Math.min(width - axesWidth, tallest / aspect);
    const frame = renderFrame({
      uri,
      alt: `${label}${name && `, ${name}`}: heat map of ${rows.size} by ${columns.size} values`,
      width: Math.round(across) + axesWidth,
      height: Math.round(across * aspect),
      x: columns.scale,
      y: rows.scale,
      xLabel: columns.name,
      yLabel: rows.name,
      downwards: true,
      sharp: Math.max(rows.size, columns.size) <= 256,
      natural: true,
    });
    parts.push(
      `${name && `<p class="plane-title">${escapeHtml(name)}</p>`}<div class="scroll">${frame}</div>`,
    );
  }
  const channels = channelsOf(field);
  const notes = notFiniteNotes(field);
  if (field.shape.length > 2 && matrices.length < channels)
    notes.push(`The first ${matrices.length} of ${channels} channels.`);
  return { html: parts.join('\n'), notes };
}
