// Receptive fields against brute force: every cell of an input is changed in turn, and the units that change are those
// whose field holds it, in ranks 1 to 3.

import test from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { evaluateNetwork } from '../../src/networks/evaluate.ts';
import { type LayerDescription, layeredNetwork } from '../../src/networks/layered.ts';
import type { Layer, Network } from '../../src/networks/network.ts';
import {
  type Box,
  clipBox,
  planReceptive,
  receptiveBox,
  receptiveCells,
  receptiveFields,
} from '../../src/networks/receptive-field.ts';
import { createRandom } from '../../src/random.ts';
import { product } from '../../src/tensor/layout.ts';

const conv = (kernel: number, more: Partial<LayerDescription> = {}): LayerDescription => ({
  type: 'convolution',
  kernel,
  filters: 2,
  ...more,
});

/** Coordinates of every cell of a grid, row-major. */
const coordinates = (spatial: readonly number[]): number[][] =>
  spatial.reduce<number[][]>(
    (all, n) => all.flatMap(head => Array.from({ length: n }, (_, p) => [...head, p])),
    [[]],
  );

/** Per unit of the last layer, the box of the input's cells that change it, in the order of its cells. */
async function bruteForce(network: Network, spatial: readonly number[]): Promise<(Box | undefined)[]> {
  const backend = await createReferenceBackend();
  const layer = network.layers.at(-1)!.name;
  const random = createRandom(3, 'input');
  const data = Float32Array.from({ length: product(spatial) }, () => random.normal());
  const evaluate = async (values: Float32Array) =>
    (await evaluateNetwork(network, { shape: [...spatial, 1], data: values }, [layer], backend)).get(layer)!;
  const before = await evaluate(data);
  const units = product(before.shape.slice(1, -1));
  const depth = before.shape.at(-1)!;
  const boxes: ({ from: number[]; to: number[] } | undefined)[] = new Array(units).fill(undefined);
  for (const [cell, at] of coordinates(spatial).entries())
    for (const change of [1000, -1000]) {
      const changed = data.slice();
      changed[cell] += change;
      const after = await evaluate(changed);
      for (let u = 0; u < units; u++) {
        const same = before.data
          .subarray(u * depth, (u + 1) * depth)
          .every((v, k) => v === after.data[u * depth + k]);
        if (same) continue;
        const box = boxes[u];
        boxes[u] = box
          ? {
              from: at.map((p, a) => Math.min(p, box.from[a])),
              to: at.map((p, a) => Math.max(p + 1, box.to[a])),
            }
          : { from: at, to: at.map(p => p + 1) };
      }
    }
  await backend.close();
  return boxes;
}

const inside = ({ from, to }: Box, spatial: readonly number[]): boolean =>
  from.every(p => p >= 0) && to.every((p, a) => p <= spatial[a]);

const cases: [name: string, spatial: number[], layers: LayerDescription[]][] = [
  [
    'strides, dilations and asymmetric padding',
    [37],
    [
      conv(3, { strides: 2, padding: [[2, 0]] }),
      { type: 'leaky-relu' },
      conv(3, { dilations: 3, padding: 1 }),
      conv(2),
    ],
  ],
  ['windows that leave gaps', [29], [conv(2, { strides: 3 }), conv(2, { strides: 2, dilations: 2 })]],
  [
    'a transposed convolution and one with gaps',
    [11],
    [
      conv(3, { padding: 1, strides: 2 }),
      { type: 'transposed-convolution', kernel: 4, strides: 3, padding: 1, filters: 2 },
      conv(2, { dilations: 2 }),
    ],
  ],
  [
    "padding 'same' with strides that do not divide",
    [23],
    [conv(5, { strides: 2, padding: 'same' }), conv(3, { padding: 'same', strides: 3 })],
  ],
  [
    'branches side by side and a skip',
    [9, 11],
    [
      { ...conv(3, { padding: 1, paddingMode: 'reflect' }), name: 'a' },
      { ...conv(3, { padding: 2, dilations: 2, paddingMode: 'replicate' }), name: 'b' },
      { ...conv(1), name: 'c', from: 'a' },
      { type: 'concat', name: 'ab', from: ['b', 'c'] },
      { ...conv(1), name: 'd', filters: 4 },
      { type: 'add', from: ['d', 'ab'] },
      { type: 'max-pool', window: 3, strides: 2, rounding: 'ceil' },
    ],
  ],
  [
    'pools, and kernels that differ by dimension',
    [10, 8],
    [
      conv(1, { kernel: [4, 1], strides: [1, 2] }),
      {
        type: 'average-pool',
        window: [2, 3],
        strides: [2, 1],
        padding: [
          [0, 1],
          [1, 1],
        ],
      },
      { type: 'max-pool', window: 2, strides: 1 },
    ],
  ],
  [
    'in three dimensions',
    [7, 6, 5],
    [
      conv(2, { kernel: [3, 2, 1], strides: [2, 1, 1] }),
      { type: 'transposed-convolution', kernel: 2, strides: 2, filters: 2 },
      { type: 'max-pool', window: 2 },
    ],
  ],
  [
    'a residual branch around dilations, in one dimension',
    [43],
    [
      { ...conv(4, { padding: [[1, 2]], strides: 2 }), name: 'a' },
      { ...conv(3, { padding: 2, dilations: 2 }), name: 'b' },
      { type: 'leaky-relu', name: 'c' },
      { ...conv(3, { padding: 4, dilations: 4 }), name: 'd' },
      { type: 'add', from: ['a', 'd'] },
      { type: 'max-pool', window: 3, strides: 2, padding: 1 },
    ],
  ],
  [
    'a residual branch around dilations, padded, in three dimensions',
    [6, 5, 7],
    [
      { ...conv(3, { padding: 1, strides: [2, 1, 2] }), name: 'a' },
      {
        ...conv(2, {
          padding: [
            [2, 0],
            [2, 0],
            [2, 0],
          ],
          dilations: 2,
        }),
        name: 'b',
      },
      { type: 'add', from: ['a', 'b'] },
      { type: 'average-pool', window: [2, 3, 2], strides: [1, 2, 1] },
    ],
  ],
  ['norms over all cells', [5, 4], [conv(3, { padding: 1 }), { type: 'instance-norm' }]],
];

for (const [name, spatial, layers] of cases)
  test(`receptive field: ${name}`, async t => {
    const network = layeredNetwork({ rank: spatial.length, channels: 1, layers }, 5);
    await compare(t, network, spatial);
  });

/** `mirrored`: what lies beyond an edge is read from inside, so that a box without edges says something else. */
async function compare(
  t: test.Test,
  network: Network,
  spatial: readonly number[],
  { mirrored = false } = {},
): Promise<void> {
  const shape = [...spatial, 1];
  const layer = network.layers.at(-1)!.name;
  const found = await bruteForce(network, spatial);
  const plan = planReceptive(network, shape);
  const { shape: units } = plan.placed.at(-1)!;
  let free = 0;
  const wrong: string[] = [];
  for (const [u, at] of coordinates(units!.slice(1, -1)).entries()) {
    const cells = receptiveCells(plan, layer, at);
    const said = (box: Box | undefined) => JSON.stringify(box);
    if (said(cells) !== said(found[u])) wrong.push(`${at}: ${said(cells)}, in truth ${said(found[u])}`);
    const box = receptiveBox(plan, layer, at);
    if (!mirrored && box && inside(box, spatial)) {
      free++;
      if (said(box) !== said(found[u])) wrong.push(`${at}, without edges: ${said(box)}`);
    }
  }
  t.deepEqual(wrong.slice(0, 3), [], `${found.length} units, ${free} of them away from the edges`);
}

test('receptive field: layers of network files', async t => {
  const random = createRandom(1, 'weights');
  const weights = (...sizes: number[]) => ({
    weights: { shape: sizes, data: Float32Array.from({ length: product(sizes) }, () => random.normal()) },
  });
  const pad = { rule: 'pad', low: 3, high: 1, mode: 'reflect' } as const;
  const slice = { rule: 'slice', start: 8, step: -2, size: 5 } as const;
  const pick = { rule: 'pick', index: [6, 0, 3, 3] } as const;
  const resize = {
    rule: 'resize',
    size: 12,
    scale: 2,
    mode: 'linear',
    coordinates: 'half_pixel',
  } as const;
  const layer = (
    name: string,
    type: Layer['type'],
    parameters: Layer['parameters'],
    from?: string[],
  ): Layer => ({
    name,
    type,
    parameters,
    from,
  });
  const network: Network = {
    name: 'file',
    rank: 2,
    channels: 1,
    layers: [
      layer('pad', 'pad-axes', { rules: [null, pad, null, null] }),
      { ...layer('conv', 'convolution', {}), weights: weights(3, 2, 1, 2) },
      layer('flip', 'slice', { rules: [null, slice, null, null] }),
      layer('up', 'resample', { rules: [null, null, resize, null] }, ['conv']),
      layer('turned', 'transpose', { permutation: [0, 2, 1, 3] }, ['up']),
      layer('picked', 'pick', { rules: [null, null, pick, null] }),
      layer('again', 'transpose', { permutation: [0, 2, 1, 3] }),
      layer('part', 'slice', { rules: [null, null, { rule: 'slice', start: 2, step: 1, size: 6 }, null] }),
      layer('both', 'join', { axis: 1 }, ['flip', 'part']),
      layer('last', 'slice', { rules: [null, { rule: 'slice', start: 1, step: 1, size: 7 }, null, null] }),
    ],
  };
  await compare(t, network, [9, 7], { mirrored: true });
  const sums: Network = {
    ...network,
    layers: [
      layer('sum', 'window-sum', { rules: [null, { rule: 'window', low: 1, high: 2 }, null, null] }),
      layer('mean', 'reduce', { kind: 'mean', axes: [2] }),
      layer('scaled', 'mul', {}, ['mean', 'input']),
      layer('flat', 'reshape', { shape: [1, -1, 1, 5, 1] }),
      layer('back', 'reshape', { shape: [1, 6, 5, 1] }),
    ],
  };
  await compare(t, sums, [6, 5]);
});

test('receptive field: the table of layers', t => {
  const network = layeredNetwork(
    {
      rank: 2,
      channels: 1,
      layers: [
        conv(3, { padding: 1, name: 'conv1' }),
        { type: 'max-pool', window: 2, name: 'pool1' },
        conv(3, { padding: 1, name: 'conv2' }),
        { type: 'transposed-convolution', kernel: 2, strides: 2, filters: 2, name: 'up' },
        { type: 'global-average-pool', name: 'mean' },
        { type: 'dense', filters: 3, name: 'dense' },
      ],
    },
    1,
  );
  const fields = receptiveFields(planReceptive(network));
  t.deepEqual(fields.get('conv1'), { size: [3, 3], stride: [1, 1], start: [-1, -1] });
  t.deepEqual(fields.get('pool1'), { size: [4, 4], stride: [2, 2], start: [-1, -1] });
  t.deepEqual(fields.get('conv2'), { size: [8, 8], stride: [2, 2], start: [-3, -3] });
  t.deepEqual(fields.get('up'), { size: [8, 8], stride: [1, 1], start: [-3, -3] });
  const all = {
    size: [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    stride: [undefined, undefined],
    start: [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
  };
  t.deepEqual(fields.get('mean'), all);
  t.deepEqual(fields.get('dense'), all);
  t.deepEqual(receptiveBox(planReceptive(network), 'conv2', [1, 4]), { from: [-1, 5], to: [7, 13] });
  t.deepEqual(clipBox({ from: [-1, 5], to: [7, 13] }, [9, 10]), { from: [0, 5], to: [7, 10] });
  t.throws(() => receptiveBox(planReceptive(network), 'conv2', [1]), /conv2 has 2 coordinates, not 1/);
  t.throws(() => receptiveBox(planReceptive(network), 'conv3', [1, 1]), /no layer 'conv3'/);
  t.end();
});
