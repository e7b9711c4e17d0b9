// Patches and views equal those of a plain PyTorch script (test/golden/units.py) on the same weights and inputs: a small
// residual network in ranks 1 to 3, and SqueezeNet on crops of photos.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'tape';
import { chooseBackend } from '../../src/backends/choose.ts';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import type { Field } from '../../src/formats/field.ts';
import { readField } from '../../src/formats/index.ts';
import { readNpz } from '../../src/formats/npz.ts';
import { loadKnownNetwork } from '../../src/networks/architectures.ts';
import type { Network } from '../../src/networks/network.ts';
import { excerpt } from '../../src/prepare/excerpt.ts';
import { cutPatches } from '../../src/units/patches.ts';
import { scanUnits } from '../../src/units/scan.ts';
import { viewNames } from '../../src/units/views.ts';
import { testWith } from '../formats/support.ts';
import { datasetOf, fieldOf } from './support.ts';

const folder = join(import.meta.dirname, '../golden/data-units');

for (const rank of [1, 2, 3])
  test(`units and views of PyTorch, rank ${rank}`, async t => {
    const arrays = await readNpz(readFileSync(join(folder, `rank${rank}.npz`)), 'golden');
    const array = (name: string) => arrays.get(name)!;
    const data = (name: string) => Float32Array.from(array(name).data as ArrayLike<number>);
    const weights = (w: string, b: string) => ({
      weights: { shape: array(w).shape, data: data(w) },
      bias: { shape: array(b).shape, data: data(b) },
    });
    const network: Network = {
      name: 'small',
      rank,
      channels: 2,
      layers: [
        {
          name: 'conv1',
          type: 'convolution',
          parameters: { strides: 2, padding: 1 },
          weights: weights('w1', 'b1'),
        },
        { name: 'relu1', type: 'relu', parameters: {} },
        { name: 'pool1', type: 'max-pool', parameters: { window: 2, strides: 2 } },
        {
          name: 'conv2',
          type: 'convolution',
          parameters: { padding: 2, dilations: 2 },
          weights: weights('w2', 'b2'),
        },
        { name: 'sum', type: 'add', parameters: {}, from: ['conv2', 'pool1'] },
        { name: 'relu2', type: 'relu', parameters: {} },
      ],
    };
    const [count, ...shape] = array('inputs').shape;
    const inputs = data('inputs');
    const size = inputs.length / count;
    const dataset = datasetOf(
      Array.from({ length: count }, (_, i) =>
        fieldOf([...shape], inputs.slice(i * size, (i + 1) * size), `${i}`),
      ),
    );
    const backend = await createReferenceBackend();
    const layers = ['relu1', 'relu2'];
    const { records } = await scanUnits(network, dataset, layers, backend, { patches: 9, spread: 'one' });
    for (const layer of layers) {
      const hits = records.get(layer)!.best.lists.flat();
      const close = (a: number, b: number) => Math.abs(a - b) <= 1e-4 * Math.abs(b) + 1e-5;
      const values = data(`${layer}.values`);
      t.ok(
        hits.every(({ value }, i) => close(value, values[i])),
        `${layer}: values`,
      );
      t.deepEqual(
        hits.map(({ item }) => item),
        [...data(`${layer}.items`)],
        `${layer}: inputs`,
      );
      t.deepEqual(
        hits.map(({ cell }) => cell),
        [...data(`${layer}.cells`)],
        `${layer}: cells`,
      );
    }
    const wanted = layers.flatMap(layer =>
      records.get(layer)!.best.lists.map((list, unit) => ({ layer, unit, rank: 0, hit: list[0] })),
    );
    const furthest: Record<string, number> = {};
    for await (const { layer, unit, inside, views } of cutPatches(
      network,
      dataset,
      wanted,
      viewNames,
      backend,
    ))
      for (const [name, { data: found }] of views) {
        const all = data(`${layer}.${name}`);
        const whole = fieldOf([...shape], all.slice(unit * size, (unit + 1) * size));
        const expected = excerpt(
          whole,
          inside.from.map((from, a) => [from, inside.to[a]]),
        ).data;
        const outside = (values: Float32Array) => values.reduce((sum, v) => sum + Math.abs(v), 0);
        // All of it lies inside the field.
        const missed = Math.abs(outside(whole.data) - outside(expected));
        const away = found.reduce((most, v, i) => Math.max(most, Math.abs(v - expected[i])), missed);
        furthest[`${layer} ${name}`] = Math.max(furthest[`${layer} ${name}`] ?? 0, away);
      }
    t.equal(Object.keys(furthest).length, 6);
    for (const [name, away] of Object.entries(furthest)) t.ok(away < 2e-5, `${name}: to ${away}`);
    await backend.close();
  });

testWith(
  'models/squeezenet1_1/squeezenet1_1.safetensors',
  'units of PyTorch: SqueezeNet on photos',
  async (t, path) => {
    const golden = JSON.parse(readFileSync(join(folder, 'squeezenet.json'), 'utf8'));
    const network = await loadKnownNetwork('squeezenet1_1', path);
    const photos = new Map<string, Field>();
    const fields = [];
    for (const [name, y, x] of golden.inputs) {
      const file = join(dirname(path), `../../images/${name}.png`);
      const photo = photos.get(name) ?? (await readField(file));
      photos.set(name, photo);
      fields.push(
        excerpt(photo, [
          [y, y + golden.side],
          [x, x + golden.side],
        ]),
      );
    }
    const backend = await chooseBackend('wasm', {});
    const layers = Object.keys(golden.layers);
    const dataset = datasetOf(fields);
    const { records } = await scanUnits(network, dataset, layers, backend, { patches: 9, spread: 'one' });
    await backend.close();
    for (const layer of layers) {
      const { values, items, cells } = golden.layers[layer];
      const wrong: string[] = [];
      let [compared, tied] = [0, 0];
      for (const [u, own] of (values as number[][]).entries()) {
        const list = records.get(layer)!.best.lists[u * golden.every];
        for (const [rank, value] of own.entries()) {
          const hit = list[rank];
          const close = (other: number) => Math.abs(other - value) <= 1e-4 * Math.abs(value) + 1e-4;
          compared++;
          if (!close(hit.value)) wrong.push(`unit ${u * golden.every}, ${rank}: ${hit.value}, not ${value}`);
          else if (hit.item !== items[u][rank] || hit.cell !== cells[u][rank]) {
            // Two values that single precision cannot tell apart may change places.
            tied++;
            const isTied = own.some((other, i) => i !== rank && close(other)) || rank === own.length - 1;
            if (!isTied) wrong.push(`unit ${u * golden.every}, ${rank}: input ${hit.item} cell ${hit.cell}`);
          }
        }
      }
      t.deepEqual(wrong.slice(0, 3), [], `${layer}: ${compared} patches, ${tied} of them among equals`);
    }
  },
);
