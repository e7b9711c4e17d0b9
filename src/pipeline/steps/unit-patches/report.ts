// The sections of `unit-patches` in the report of a run: an overview of the layers, the inputs that can be paged through,
// and a section for each layer with a row of patches for every unit.

import type { Field } from '../../../formats/field.ts';
import { viewOf } from '../../../report/fields.ts';
import { type PatchDrawing, renderPatch } from '../../../report/patch-view.ts';
import type { Section } from '../../../report/section.ts';
import { formatNumber, formatPercent } from '../../../report/text.ts';
import type { UnitEntry } from '../../../report/units-view.ts';
import type { UnitNumbers } from '../../../units/numbers.ts';
import type { UnitPatch } from '../../../units/patches.ts';
import type { ViewName } from '../../../units/views.ts';

/** A layer with the numbers of all of its units, and those that were chosen. */
export interface LayerResult {
  layer: string;
  numbers: readonly UnitNumbers[];
  chosen: readonly number[];
  /** Cells of a unit's field and from one unit to the next, in words. */
  field: string;
}

/** Pictures of a page with many of them are smaller. */
const sideFor = (pictures: number): number => (pictures > 2400 ? 104 : 128);

/** Bytes of all sounds of a page. */
const soundBytes = 8 * 2 ** 20;

/** Volumes that can be paged through. */
const mostViewers = 6;

/** Where a patch lies, in words: `x 12–45, y 3–40`, `0.12–0.25 s`. */
export function describePlace({ input, inside, cut }: UnitPatch): string {
  if (inside.from.every((from, axis) => from === 0 && inside.to[axis] === input.shape[axis]))
    return 'all of it';
  const ranges = inside.from.map((from, axis) => {
    const { name = '', unit = '', spacing = 1 } = input.axes[axis] ?? {};
    const to = inside.to[axis];
    if (unit === 's') return `${formatNumber(from * spacing, 3)}–${formatNumber(to * spacing, 3)} s`;
    return `${name ? `${name} ` : ''}${from}–${to}`;
  });
  const places = input.kind === 'image' ? ranges.reverse() : ranges;
  return `${places.join(', ')}${cut ? ', cut at the border' : ''}`;
}

/** A name without folders: `beat.hea at 1.5 s`. */
const shortName = (name: string): string => name.split(/[\\/]/).at(-1)!;

/** Facts of a unit, a few words each. */
function factsOf({ selectivity, sparsity, active, highest, mean, similar, dead }: UnitNumbers): string[] {
  if (dead) return [`dead: ${formatNumber(highest, 3)} at every cell of every input`];
  const two = (value: number) => formatNumber(Number(value.toFixed(2)), 3);
  return [
    ...(selectivity
      ? [`for ${selectivity.label}: selectivity ${two(selectivity.value)}, d′ ${two(selectivity.distance)}`]
      : []),
    ...(sparsity === undefined ? [] : [`sparsity ${two(sparsity)}`]),
    `above 0 in ${formatPercent(active, 1)} of cells`,
    `highest ${formatNumber(highest, 3)}, mean ${formatNumber(mean, 3)}`,
    ...(similar.length > 0
      ? [
          `most like unit${similar.length > 1 ? 's' : ''} ${similar.map(({ unit, correlation }) => `${unit} (${two(correlation)})`).join(', ')}`,
        ]
      : []),
  ];
}

/** Draws patches as they come, and makes the sections when all are there. */
export function createUnitsReport(total: number, views: readonly ViewName[]) {
  const side = sideFor(total * (1 + views.length));
  const bytes = soundBytes / Math.max(1, total);
  const parts = new Map<string, UnitEntry['parts']>();
  const volumes = new Map<string, Field>();

  return {
    /** Draws a patch. Patches of a unit may come in any order. */
    async add(found: UnitPatch): Promise<void> {
      const { layer, unit, rank, item, input, box, inside, patch, hit } = found;
      const isVolume = viewOf(input) === 'volume';
      if (isVolume && (volumes.has(item.name) || volumes.size < mostViewers)) volumes.set(item.name, input);
      const place = describePlace(found);
      const base: Omit<PatchDrawing, 'part' | 'signed' | 'alt'> = {
        input,
        box,
        inside,
        side,
        bytes,
        ...(volumes.has(item.name) ? { viewer: item.name } : {}),
      };
      const name = `unit ${unit} of ${layer}, ${rank + 1}`;
      const drawings = [
        await renderPatch({ ...base, part: patch, signed: false, alt: `${name}: ${item.name}, ${place}` }),
      ];
      for (const view of views) {
        const part = found.views.get(view)!;
        drawings.push(await renderPatch({ ...base, part, signed: true, alt: `${name}: ${view}` }));
      }
      const key = `${layer} ${unit}`;
      let own = parts.get(key);
      if (!own) parts.set(key, (own = []));
      const source = `${item.label === item.name ? '' : `${item.label}: `}${shortName(item.name)}`;
      own[rank] = { value: hit.value, source, place, drawings };
    },
    sections: (network: string, inputs: number, layers: readonly LayerResult[]): Section[] => [
      overview(network, inputs, layers),
      ...(volumes.size > 0
        ? [
            {
              title: 'Inputs',
              blocks: [
                { type: 'fields' as const, items: [...volumes].map(([label, field]) => ({ label, field })) },
              ],
            },
          ]
        : []),
      ...layers.map(
        ({ layer, numbers, chosen, field }): Section => ({
          title: layer,
          blocks: [
            { type: 'text', text: `${field} ${describeDead(numbers)}` },
            {
              type: 'units',
              units: chosen.map((unit): UnitEntry => {
                const own = numbers[unit];
                return {
                  name: `unit ${unit}`,
                  facts: factsOf(own),
                  // Its ends in words are those of the activations, not of the bins.
                  histogram: {
                    low: Math.max(own.lowest, own.histogram.low),
                    high: Math.min(own.highest, own.histogram.high),
                    counts: own.histogram.counts,
                  },
                  responses: [...own.responses].sort((a, b) => b.mean - a.mean),
                  rows: ['input', ...views],
                  parts: (parts.get(`${layer} ${unit}`) ?? []).filter(part => part !== undefined),
                };
              }),
            },
          ],
        }),
      ),
    ],
  };
}

function describeDead(numbers: readonly UnitNumbers[]): string {
  const dead = numbers.filter(unit => unit.dead).map(({ unit }) => unit);
  return dead.length === 0
    ? `None of its ${numbers.length} units is dead.`
    : `Dead, the same for all inputs: ${dead.length} of its ${numbers.length} units (${dead.join(', ')}).`;
}

/** Units named for a label. */
const mostForLabel = 5;
/** Labels of which units are named. */
const mostLabels = 24;

function overview(network: string, inputs: number, layers: readonly LayerResult[]): Section {
  const rows = layers.map(({ layer, numbers, chosen }) => [
    layer,
    numbers.length,
    numbers.filter(({ dead }) => dead).length,
    chosen.length,
  ]);
  const all = layers.flatMap(({ layer, numbers }) =>
    numbers.flatMap(({ unit, selectivity }) => (selectivity ? [{ layer, unit, ...selectivity }] : [])),
  );
  const labels = layers[0]?.numbers[0]?.responses.map(({ label }) => label) ?? [];
  const best = labels.slice(0, mostLabels).flatMap(label =>
    all
      .filter(unit => unit.label === label)
      .sort((a, b) => b.distance - a.distance)
      .slice(0, mostForLabel)
      .map(({ layer, unit, value, distance }) => [
        label,
        layer,
        unit,
        Number(value.toFixed(3)),
        Number(distance.toFixed(2)),
      ]),
  );
  return {
    title: 'Units',
    blocks: [
      {
        type: 'text',
        text: `What units of ${network} respond to in ${inputs} inputs. Each row holds the parts of inputs at which a unit is highest, best first, each as large as what the unit sees; hatched is what lies beyond an input's edges. Below is what the unit sends back to them: around grey, or around the line of a curve, what is bright or high raises it and what is dark or low lowers it.`,
      },
      { type: 'table', columns: ['layer', 'units', 'dead', 'shown'], rows },
      ...(best.length > 0
        ? [
            {
              type: 'text' as const,
              text: 'Units that tell a label from the others: selectivity is (μ − ν) / (μ + ν) with the mean response to the label and the mean over the others (Morcos et al. 2018), d′ the difference of means in standard deviations. A response is the mean of the activations above 0 over an input.',
            },
            { type: 'table' as const, columns: ['label', 'layer', 'unit', 'selectivity', 'd′'], rows: best },
          ]
        : []),
    ],
  };
}
