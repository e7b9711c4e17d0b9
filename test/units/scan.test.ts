// What a scan remembers against sorting everything: lists of hits in ranks 1 to 3, one an input or apart, equal values in
// order; numbers against their formulas; and that inputs are let go.

import test from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import type { Field } from '../../src/formats/field.ts';
import { evaluateNetwork } from '../../src/networks/evaluate.ts';
import type { LayerDescription } from '../../src/networks/layered.ts';
import { clipBox, planReceptive, receptiveBox } from '../../src/networks/receptive-field.ts';
import { product } from '../../src/tensor/layout.ts';
import type { Hit } from '../../src/units/best.ts';
import { createBestLists } from '../../src/units/best.ts';
import { binCount, createHistograms } from '../../src/units/histograms.ts';
import type { Spread } from '../../src/units/layer-record.ts';
import { chooseUnits, numbersOf } from '../../src/units/numbers.ts';
import { cutPatches } from '../../src/units/patches.ts';
import { scanUnits } from '../../src/units/scan.ts';
import { datasetOf, fieldOf, networkOf, noise } from './support.ts';

const before = (a: Hit, b: Hit) => b.value - a.value || a.item - b.item || a.cell - b.cell;

const layers: LayerDescription[] = [
  { type: 'convolution', name: 'conv1', kernel: 3, filters: 3, padding: 1, strides: 2 },
  { type: 'relu', name: 'relu1' },
  { type: 'convolution', name: 'conv2', kernel: 2, filters: 4 },
];

for (const [rank, sizes] of [
  [1, [[31], [24]]],
  [2, [[11, 9]]],
  [3, [[7, 6, 8]]],
] as const)
  test(`hits of units against sorting all cells, rank ${rank}`, async t => {
    const network = networkOf(rank, 2, layers);
    const fields = sizes.flatMap((spatial, i) => noise(5, [...spatial, 2], i));
    const backend = await createReferenceBackend();
    for (const spread of ['one', 'apart'] as Spread[])
      for (const layer of ['relu1', 'conv2']) {
        const { records } = await scanUnits(network, datasetOf(fields), [layer], backend, {
          patches: 4,
          spread,
        });
        const { best, units } = records.get(layer)!;
        for (let unit = 0; unit < units; unit++)
          t.deepEqual(
            best.lists[unit],
            await sorted(fields, layer, unit, spread, 4),
            `${spread}, ${layer} ${unit}`,
          );
      }
    await backend.close();

    /** All cells of all inputs in order, those left out that may not stand beside better ones. */
    async function sorted(all: Field[], layer: string, unit: number, spread: Spread, count: number) {
      const hits: (Hit & { box: { from: readonly number[]; to: readonly number[] } })[] = [];
      for (const [item, field] of all.entries()) {
        const { shape, data } = (await evaluateNetwork(network, field, [layer], backend)).get(layer)!;
        const plan = planReceptive(network, field.shape);
        const cells = shape.slice(1, -1);
        for (let cell = 0; cell < product(cells); cell++) {
          const at = cells.map((n, a) => Math.floor(cell / product(cells.slice(a + 1))) % n);
          const box = clipBox(receptiveBox(plan, layer, at)!, field.shape.slice(0, -1));
          hits.push({ value: data[cell * shape.at(-1)! + unit], item, cell, box });
        }
      }
      hits.sort(before);
      const kept: typeof hits = [];
      for (const hit of hits) {
        const clash = kept.some(
          ({ item, box }) =>
            item === hit.item &&
            (spread === 'one' ||
              box.from.every((from, a) => from < hit.box.to[a] && hit.box.from[a] < box.to[a])),
        );
        if (!clash && kept.length < count) kept.push(hit);
      }
      return kept.map(({ value, item, cell }) => ({ value, item, cell }));
    }
  });

test('equal values: the earlier input, then the earlier cell', t => {
  const lists = createBestLists(1, 3);
  for (const [item, cell, value] of [
    [0, 5, 1],
    [1, 4, 2],
    [1, 2, 2],
    [2, 0, 2],
    [3, 0, 1],
  ])
    if (lists.accepts(0, value)) lists.add(0, { item, cell, value });
  t.deepEqual(
    lists.lists[0].map(({ item, cell }) => [item, cell]),
    [
      [1, 2],
      [1, 4],
      [2, 0],
    ],
  );
  t.end();
});

test('histograms grow with the values, and count as if the range had been known', t => {
  const values = [3, 3, 0.5, 40, -7, 2, 39.9, 0, 12.5];
  const histograms = createHistograms(1);
  for (const value of values) {
    const one = Float32Array.of(value);
    histograms.add(one, one, one);
  }
  const { low, high, counts } = histograms.of(0);
  t.ok(low <= -7 && high >= 40, `${low} to ${high}`);
  t.ok(counts.length <= binCount && counts.at(-1)! > 0 && counts[0] > 0);
  t.equal(
    counts.reduce((a, b) => a + b, 0),
    values.length,
  );
  const width = (high - low) / counts.length;
  // A value between two bins may be in either.
  let counted = 0;
  for (const [i, count] of counts.entries()) {
    const edge = low + i * width;
    const [least, most] = [
      values.filter(value => value < edge - 1e-9).length,
      values.filter(value => value < edge + 1e-9).length,
    ];
    t.ok(counted >= least && counted <= most, `${counted} below ${edge}, ${least} to ${most}`);
    counted += count;
  }
  const constant = createHistograms(1);
  constant.add(Float32Array.of(2, 2), Float32Array.of(2), Float32Array.of(2));
  t.equal(constant.of(0).low, constant.of(0).high);
  t.equal(constant.of(0).counts[0], 2);
  t.end();
});

test('numbers of units', async t => {
  // The units are the input itself, its negative, twice it plus one, and a constant.
  const network = {
    ...networkOf(1, 1, [{ type: 'convolution', name: 'conv', kernel: 1, filters: 4 }]),
    layers: [
      {
        name: 'conv',
        type: 'convolution' as const,
        parameters: {},
        weights: {
          weights: { shape: [1, 1, 4], data: Float32Array.of(1, -1, 2, 0) },
          bias: { shape: [4], data: Float32Array.of(0, 0, 1, 0.5) },
        },
      },
    ],
  };
  const inputs = [
    [1, 0, 0, 3],
    [2, -1, 0, 0],
    [0, 0, 0, 1],
    [5, 1, 0, 0],
  ];
  const labels = ['a', 'b', 'b', 'a'];
  const fields = inputs.map(own => fieldOf([4, 1], Float32Array.from(own)));
  const backend = await createReferenceBackend();
  const { records, inputs: count } = await scanUnits(network, datasetOf(fields, labels), ['conv'], backend, {
    patches: 2,
    spread: 'one',
  });
  await backend.close();
  t.equal(count, 4);
  const record = records.get('conv')!;
  const [own, negative, twice, constant] = [0, 1, 2, 3].map(unit => numbersOf(record, unit));
  const close = (found: number | undefined, expected: number, what: string) =>
    t.ok(Math.abs(found! - expected) < 1e-6, `${what}: ${found}, ${expected}`);
  const r = inputs.flat().map(v => Math.max(0, v));
  const mean = r.reduce((a, b) => a + b) / 16;
  const square = r.reduce((a, b) => a + b * b, 0) / 16;
  t.equal(own.highest, 5);
  t.equal(own.lowest, -1);
  t.equal(own.active, 6 / 16);
  close(own.mean, 12 / 16, 'mean');
  close(own.sparsity, (1 - mean ** 2 / square) / (1 - 1 / 16), 'sparsity');
  // Means of what is above 0: 1, 0.5, 0.25, 1.5; by label a: 1.25, b: 0.375.
  t.equal(own.selectivity?.label, 'a');
  close(own.selectivity?.value, (1.25 - 0.375) / (1.25 + 0.375), 'selectivity');
  close(own.selectivity?.distance, 0.875 / Math.sqrt((0.25 ** 2 + 0.125 ** 2) / 2), 'd′');
  t.equal(negative.selectivity?.label, 'b');
  t.equal(own.similar[0].unit, 2);
  close(own.similar[0].correlation, 1, 'correlation');
  close(own.similar.at(-1)?.correlation, -1, 'opposite');
  t.ok(constant.dead && !own.dead && !twice.dead);
  t.deepEqual(constant.similar, []);
  t.deepEqual(chooseUnits(record, 2, 'highest'), [2, 0], 'dead units are not chosen');
  t.deepEqual(chooseUnits(record, 3, 'distance'), [2, 1, 0], 'the best of every label comes first');
  t.ok(
    own.selectivity!.distance > negative.selectivity!.distance,
    'which has a smaller d′ than the second of a',
  );
  t.end();
});

test('inputs are read twice at most and let go; views of a part are those of the whole', async t => {
  const network = networkOf(2, 1, [
    { type: 'convolution', name: 'conv1', kernel: 3, filters: 4, padding: 'same', strides: 2 },
    { type: 'relu', name: 'relu1' },
    { type: 'max-pool', name: 'pool1', window: 3, strides: 2, padding: 'same' },
    { type: 'convolution', name: 'conv2', kernel: 3, filters: 4, padding: 1 },
  ]);
  const counts: number[] = [];
  const dataset = datasetOf(noise(12, [61, 58, 1]), [], counts);
  const backend = await createReferenceBackend();
  const { records } = await scanUnits(network, dataset, ['conv2'], backend, { patches: 3, spread: 'one' });
  const wanted = records
    .get('conv2')!
    .best.lists.flatMap((list, unit) => list.map((hit, rank) => ({ layer: 'conv2', unit, rank, hit })));
  let furthest = 0;
  let seen = 0;
  for await (const patch of cutPatches(network, dataset, wanted, ['gradient'], backend)) {
    seen++;
    const { inside, unit, hit, input, at } = patch;
    const found = patch.views.get('gradient')!;
    t.deepEqual(
      patch.patch.shape.slice(0, -1),
      inside.to.map((to, a) => to - inside.from[a]),
    );
    // Finite differences on the whole input, at some cells.
    for (const [y, x] of [
      [inside.from[0], inside.from[1]],
      [inside.from[0] + 5, inside.from[1] + 4],
    ]) {
      if (y >= inside.to[0] || x >= inside.to[1]) continue;
      const cell = y * 58 + x;
      const step = 1e-3;
      const value = async (change: number) => {
        const data = input.data.slice();
        data[cell] += change;
        const { shape, data: out } = (
          await evaluateNetwork(network, { shape: input.shape, data }, ['conv2'], backend)
        ).get('conv2')!;
        return out[(at[0] * shape[2] + at[1]) * 4 + unit];
      };
      t.ok(Math.abs((await value(0)) - hit.value) < 1e-5);
      const slope = ((await value(step)) - (await value(-step))) / (2 * step);
      const own = found.data[(y - inside.from[0]) * (inside.to[1] - inside.from[1]) + x - inside.from[1]];
      furthest = Math.max(furthest, Math.abs(slope - own));
    }
  }
  await backend.close();
  t.equal(seen, wanted.length);
  t.ok(furthest < 2e-3, `gradients to ${furthest}`);
  t.ok(
    counts.every(count => count <= 2),
    `readings: ${counts}`,
  );
  t.end();
});
