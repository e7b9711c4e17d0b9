// A volume as three planes through its middle, to scale, with anatomical directions and crosshairs, and as a viewer:
// a smaller 8-bit copy of the whole volume, all its planes side by side in one PNG, from which the page's script
// draws any plane of any direction. Without script, and on paper, the three middle planes remain.

import type { Field } from '../formats/field.ts';
import { type Grid, planeAxes, reduceFactors, reduceGrid, slicePlane, viewGrid } from './grid.ts';
import { limits } from './limits.ts';
import { type EmbeddedPicture, embedPicture, type Picture } from './picture.ts';
import { escapeHtml, formatNumber } from './text.ts';
import { toByte, type Window } from './window.ts';

export interface VolumeView {
  html: string;
  notes: string[];
}

/** The share of the room that the three planes may take; the copy takes the rest. */
const planesShare = 0.4;

const greyPicture = (values: Float32Array, width: number, height: number, window: Window): Picture => ({
  width,
  height,
  channels: 1,
  pixels: Uint8Array.from(values, value => toByte(value, window)),
});

interface Mosaic extends EmbeddedPicture {
  sizes: [number, number, number];
  factors: [number, number, number];
  /** Planes in one row of the mosaic. */
  columns: number;
}

/** All planes of the first axis in one PNG, the volume reduced until it fits into `bytes`. */
async function embedMosaic(grid: Grid, window: Window, bytes: number): Promise<Mosaic> {
  let voxels = limits.viewerVoxels;
  for (;;) {
    const factors = reduceFactors(grid, voxels);
    const { sizes, data } = reduceGrid(grid, factors);
    const [planes, rows, width] = sizes;
    const columns = Math.max(1, Math.min(planes, Math.round(Math.sqrt((planes * rows) / width))));
    const picture: Picture = {
      width: columns * width,
      height: Math.ceil(planes / columns) * rows,
      channels: 1,
      pixels: new Uint8Array(columns * width * Math.ceil(planes / columns) * rows),
    };
    for (let plane = 0; plane < planes; plane++) {
      const corner = Math.floor(plane / columns) * rows * picture.width + (plane % columns) * width;
      for (let row = 0; row < rows; row++) {
        const from = (plane * rows + row) * width;
        for (let x = 0; x < width; x++)
          picture.pixels[corner + row * picture.width + x] = toByte(data[from + x], window);
      }
    }
    const embedded = await embedPicture(
      picture,
      Number.POSITIVE_INFINITY,
      undefined,
      Number.POSITIVE_INFINITY,
    );
    if (embedded.uri.length <= bytes || sizes.every(size => size <= 8))
      return { ...embedded, sizes, factors, columns };
    voxels = Math.floor(data.length * Math.max(0.3, Math.min(0.9, bytes / embedded.uri.length)));
  }
}

/** Position of the viewing index in words, `x −3.0, y 12.4, z 30.1 mm`, or '' without an affine. */
function describePlace(grid: Grid, index: readonly number[]): string {
  if (!grid.world) return '';
  const { origin, steps } = grid.world;
  const place = origin.map((start, w) => start + index.reduce((sum, i, axis) => sum + i * steps[axis][w], 0));
  return `${place.map((value, w) => `${'xyz'[w]} ${value.toFixed(1).replace('-', '−')}`).join(', ')} mm`;
}

/** The title of a plane, `axial` or, without anatomical directions, `z fixed`. */
const titleOf = (grid: Grid, axis: number): string =>
  grid.world ? grid.axes[axis].plane : `across ${grid.axes[axis].plane}`;

/** The three planes and the viewer of one channel of a field. `link` joins viewers that page together. */
export async function renderVolume(
  field: Field,
  channel: number,
  window: Window,
  bytes: number,
  label: string,
  link: string,
): Promise<VolumeView> {
  const grid = viewGrid(field, channel);
  const middle = grid.axes.map(({ size }) => Math.floor(size / 2));
  const mosaic = await embedMosaic(grid, window, bytes * (1 - planesShare));
  const lengths = grid.axes.map(({ size, spacing }) => size * spacing);

  const planes: string[] = [];
  let widest = 0;
  for (let axis = 0; axis < 3; axis++) widest = Math.max(widest, lengths[planeAxes(axis)[1]]);
  for (let axis = 0; axis < 3; axis++) {
    const { size, plane } = grid.axes[axis];
    const [row, column] = planeAxes(axis);
    const [rows, columns] = [grid.axes[row], grid.axes[column]];
    const picture = greyPicture(slicePlane(grid, axis, middle[axis]), columns.size, rows.size, window);
    const { uri } = await embedPicture(picture, (bytes * planesShare) / 3);
    const title = titleOf(grid, axis);
    const alt = `${label}: ${title} plane, slice ${middle[axis] + 1} of ${size}`;
    const edges = [
      ['left', columns.ends[0]],
      ['right', columns.ends[1]],
      ['top', rows.ends[0]],
      ['bottom', rows.ends[1]],
    ].map(([side, mark]) => (mark ? `<b class="edge ${side}" aria-hidden="true">${mark}</b>` : ''));
    const cross = (index: number, of: number) => `${((100 * (index + 0.5)) / of).toFixed(3)}%`;
    const position = Math.floor(middle[axis] / mosaic.factors[axis]);
    planes.push(`<div class="plane" data-axis="${axis}" style="--mm:${lengths[column].toFixed(3)};--share:${((100 * lengths[column]) / widest).toFixed(3)}%">
<p class="plane-title"><i class="key a${axis}"></i>${escapeHtml(title)} <span class="slice-number">${middle[axis] + 1} of ${size}</span></p>
<div class="plane-picture" style="aspect-ratio:${lengths[column].toFixed(4)}/${lengths[row].toFixed(4)}">
<img src="${uri}" alt="${escapeHtml(alt)}">
<i class="cross down a${column}" style="left:${cross(middle[column], columns.size)}"></i><i class="cross across a${row}" style="top:${cross(middle[row], rows.size)}"></i>${edges.join('')}
</div>
<input class="pager" type="range" min="0" max="${mosaic.sizes[axis] - 1}" value="${position}" aria-label="${escapeHtml(`${label}: ${plane} slice`)}">
</div>`);
  }

  const notes: string[] = [];
  if (grid.fixed.length > 0) notes.push(`Shown at ${grid.fixed.join(', ')}.`);
  if (grid.tilt > 2)
    notes.push(
      `The planes follow the scan, up to ${formatNumber(grid.tilt, 2)}° off the body's axes; letters name the nearest direction.`,
    );
  if (mosaic.factors.some(factor => factor > 1))
    notes.push(`Paging shows a copy reduced to ${[...mosaic.sizes].reverse().join(' × ')} voxels.`);

  const info = {
    sizes: grid.axes.map(({ size }) => size),
    copy: mosaic.sizes,
    factors: mosaic.factors,
    columns: mosaic.columns,
    middle,
    world: grid.world,
    link,
  };
  const place = describePlace(grid, middle);
  const html = `<div class="viewer" data-name="${escapeHtml(label)}" data-view="${escapeHtml(JSON.stringify(info))}">
<img class="mosaic" src="${mosaic.uri}" alt="" hidden>
<div class="planes">${planes.join('\n')}</div>
${place && `<p class="place">Crosshair at <output>${place}</output></p>`}
</div>`;
  return { html, notes };
}
