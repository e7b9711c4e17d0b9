// A block of fields side by side. Fields of the same nature share one window or scale, so that before and after can
// be compared by eye, and the window is stated; each field's view comes from the file of its kind.

import { channelsOf, type Field, sampleRateOf } from '../formats/field.ts';
import { renderHeatMaps } from './array-view.ts';
import { heatGradient } from './colour-map.ts';
import { limits } from './limits.ts';
import { embedPicture, imagePicture } from './picture.ts';
import type { Block } from './section.ts';
import { asCurve, laneScales, renderSignal } from './signal-view.ts';
import { renderSounds } from './sound-view.ts';
import { count, escapeHtml, formatNumber, formatPercent } from './text.ts';
import { renderVolume } from './volume-view.ts';
import { describeWindow, notFiniteNotes, percentileWindow } from './window.ts';

type FieldsBlock = Extract<Block, { type: 'fields' }>;
type Item = FieldsBlock['items'][number];

/** What a field is drawn as. */
export type View = 'sound' | 'signal' | 'image' | 'volume' | 'heat' | 'empty';

/** The body of one figure with what has to be said beside it. */
export interface FieldView {
  html: string;
  notes: string[];
}

/** The view that shows a field best, by its kind where the rank agrees, else by its rank. */
export function viewOf(field: Field): View {
  const rank = field.shape.length - 1;
  const channels = channelsOf(field);
  if (field.shape.some(size => size === 0)) return 'empty';
  if (field.kind === 'sound' && rank === 1 && sampleRateOf(field) > 0) return 'sound';
  if (field.kind === 'image' && rank === 2 && channels <= 4) return 'image';
  if (field.kind === 'signal' && rank === 1) return 'signal';
  if (rank === 0) return 'signal';
  if (rank === 1) return channels > limits.signalChannels ? 'heat' : 'signal';
  return rank === 2 ? 'heat' : 'volume';
}

/** Size, spacing, channels and precision of a field in words. */
export function describeField(field: Field): string {
  const sizes = field.shape.slice(0, -1);
  const channels = channelsOf(field);
  const facts: string[] = [];
  const rate = sampleRateOf(field);
  if (sizes.length === 1 && rate > 0) {
    facts.push(
      `${formatNumber(sizes[0] / rate)} s`,
      rate >= 1000 ? `${formatNumber(rate / 1000)} kHz` : `${formatNumber(rate)} Hz`,
    );
  } else {
    // Widths come before heights, as people say them; arrays keep their own order.
    const isPicture = field.kind === 'image' || field.kind === 'volume';
    const order = isPicture ? sizes.map((_, axis) => sizes.length - 1 - axis) : sizes.map((_, axis) => axis);
    const noun = field.kind === 'image' ? ' pixels' : field.kind === 'volume' ? ' voxels' : '';
    if (sizes.length > 0) facts.push(order.map(axis => sizes[axis]).join(' × ') + noun);
    const units = new Set(field.axes.map(axis => axis.unit));
    const [unit] = units;
    if (units.size === 1 && unit && unit !== 'px')
      facts.push(`${order.map(axis => formatNumber(field.axes[axis].spacing)).join(' × ')} ${unit}`);
  }
  if (field.kind === 'image' && channels <= 4)
    facts.push(['grey', 'grey and alpha', 'RGB', 'RGBA'][channels - 1]);
  else if (field.kind === 'sound' && channels <= 2) facts.push(channels === 1 ? 'mono' : 'stereo');
  else if (channels > 1) facts.push(count(channels, 'channel'));
  facts.push(field.sampleType);
  return facts.join(', ');
}

/** Fields of one nature: only these are compared, and share a window. */
const natureOf = ({ field }: Item): string =>
  JSON.stringify([viewOf(field), field.kind, field.shape.length, field.valueUnit]);

async function renderImage(field: Field, label: string, bytes: number): Promise<FieldView> {
  const picture = imagePicture(field);
  const embedded = await embedPicture(picture, bytes, field.iccProfile);
  const notes: string[] = [];
  if (embedded.width < picture.width || embedded.height < picture.height)
    notes.push(`Shown at ${embedded.width} × ${embedded.height} pixels.`);
  if (picture.outside > 0)
    notes.push(
      `${formatPercent(picture.outside, field.data.length)} of the samples lie outside black to white and are clipped.`,
    );
  if (picture.notFinite > 0) notes.push(`${count(picture.notFinite, 'sample')} not finite, shown as 0.`);
  // Small pictures are shown enlarged, with sharp pixels: faces, units, textures.
  const side = Math.max(embedded.width, embedded.height);
  const zoom = side < 200 ? Math.max(1, Math.floor(256 / side)) : 1;
  const alt = `${label}: image, ${describeField(field)}`;
  const html = `<img class="image${zoom > 1 ? ' sharp' : ''}" src="${embedded.uri}" width="${embedded.width * zoom}" height="${embedded.height * zoom}" alt="${escapeHtml(alt)}">`;
  return { html, notes };
}

/** Below this part of the shared window a field would show as one flat grey, and gets a window of its own. */
const flat = 0.05;

/** Items that can be compared by eye: of one nature, and of like range where a window is shared. */
function comparable(items: readonly Item[]): Item[][] {
  const groups: { nature: string; items: Item[]; range: number }[] = [];
  for (const item of items) {
    const nature = natureOf(item);
    const windowed = ['heat', 'volume'].includes(viewOf(item.field));
    const rangeOf = (fields: Field[]): number => {
      if (!windowed) return 1;
      const { low, high } = percentileWindow(fields);
      return high - low;
    };
    const own = rangeOf([item.field]);
    const home = groups.find(group => {
      if (group.nature !== nature) return false;
      const shared = rangeOf([...group.items.map(({ field }) => field), item.field]);
      return Math.min(own, group.range) >= flat * shared;
    });
    if (home) {
      home.items.push(item);
      home.range = Math.min(home.range, own);
    } else groups.push({ nature, items: [item], range: own });
  }
  return groups.map(group => group.items);
}

/** The views of all fields of one nature, and one sentence on the window that they share. */
async function renderNature(
  view: View,
  items: readonly Item[],
  bytes: number,
  width: number,
  block: string,
  others: number,
): Promise<{ views: FieldView[]; shared: string }> {
  const fields = items.map(({ field }) => field);
  const names = items.map(({ label }) => label).join(', ');
  const all = others > 0 ? ` in ${escapeHtml(names)}` : fields.length > 1 ? ', the same for all' : '';
  const unit = fields[0].valueUnit;
  switch (view) {
    case 'sound':
      return renderSounds(items, bytes, width);
    case 'image': {
      const views = await Promise.all(items.map(({ field, label }) => renderImage(field, label, bytes)));
      return { views, shared: '' };
    }
    case 'signal': {
      const curves = fields.map(asCurve);
      const scales = laneScales(curves);
      const views = items.map(({ label }, i) => renderSignal(curves[i], label, scales, width));
      const lanes = scales.y.length > 1 ? 'Each channel spans' : 'The curve spans';
      return {
        views,
        shared: `${lanes} ${escapeHtml(scales.described)}${unit && ` ${escapeHtml(unit)}`} from bottom to top${all}.`,
      };
    }
    case 'heat': {
      const window = percentileWindow(fields);
      const views = await Promise.all(
        items.map(({ field, label }) => renderHeatMaps(field, window, bytes, label, width)),
      );
      const bar = `<span class="bar" style="background:${heatGradient}"></span>`;
      return { views, shared: `Colours ${bar} from ${escapeHtml(describeWindow(window, unit))}${all}.` };
    }
    case 'volume': {
      const window = percentileWindow(fields);
      const views: FieldView[] = [];
      const places = fields.map(({ shape, affine }) =>
        JSON.stringify([shape.slice(0, -1), affine?.direction ?? 0]),
      );
      for (const [i, { field, label }] of items.entries()) {
        const channels = Math.min(channelsOf(field), limits.channels);
        // Fields on like grids page together.
        const link = `${block} ${places.indexOf(places[i])}`;
        const parts: FieldView[] = [];
        for (let channel = 0; channel < channels; channel++) {
          parts.push(await renderVolume(field, channel, window, bytes / channels, label, link));
        }
        const notes = [...parts.flatMap(part => part.notes), ...notFiniteNotes(field)];
        if (channels < channelsOf(field))
          notes.push(`The first ${channels} of ${channelsOf(field)} channels.`);
        views.push({ html: parts.map(part => part.html).join('\n'), notes });
      }
      const radiological = fields.some(({ affine }) => affine)
        ? ' The patient’s right is on the left of the axial and coronal planes.'
        : '';
      return { views, shared: `Grey from ${escapeHtml(describeWindow(window, unit))}${all}.${radiological}` };
    }
    case 'empty':
      return {
        views: items.map(({ field }) => ({
          html: '',
          notes: [`Nothing to show: the shape is [${field.shape.join(', ')}].`],
        })),
        shared: '',
      };
  }
}

/** Width of the drawings in a block, in drawing units that come out as about one pixel each. */
const widthFor = (items: number): number => (items === 1 ? 1080 : items === 2 ? 540 : 400);

/**
 * The fields of a block side by side.
 *
 * @param bytes room on the page for each field.
 * @param name unique on the page; joins the viewers of this block.
 */
export async function renderFields(block: FieldsBlock, bytes: number, name: string): Promise<string> {
  const groups = comparable(block.items);
  const width = widthFor(block.items.length);
  const figures = new Map<Item, string>();
  const shared: string[] = [];
  for (const [g, items] of groups.entries()) {
    const view = viewOf(items[0].field);
    const others = groups.filter(group => viewOf(group[0].field) === view).length - 1;
    const rendered = await renderNature(view, items, bytes, width, `${name} ${g}`, others);
    if (rendered.shared) shared.push(rendered.shared);
    items.forEach((item, i) => {
      const { html, notes } = rendered.views[i];
      const unique = [...new Set(notes)];
      figures.set(
        item,
        `<figure class="field ${view}">
<figcaption>${escapeHtml(item.label)}<span class="facts">${escapeHtml(describeField(item.field))}</span><span class="source">${escapeHtml(item.field.source)}</span></figcaption>
${html}
${unique.map(note => `<p class="note">${escapeHtml(note)}</p>`).join('\n')}
</figure>`,
      );
    });
  }
  const small = block.items.every(
    ({ field }) => viewOf(field) === 'image' && Math.max(...field.shape.slice(0, 2)) <= 256,
  );
  const layout = block.items.length === 1 ? ' alone' : small ? ' small' : '';
  return `<div class="fields${layout}">
${block.items.map(item => figures.get(item)).join('\n')}
</div>
${shared.map(sentence => `<p class="window">${sentence}</p>`).join('\n')}`;
}
