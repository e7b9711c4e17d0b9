// Losses of a batch and their miners: against sums written out triplet by triplet, gradients against differences, the
// triplet loss against the operation of that name.

import test from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { Graph } from '../../src/graph/graph.ts';
import { Program } from '../../src/graph/program.ts';
import { createRandom } from '../../src/random.ts';
import { batchLoss } from '../../src/training/batch-loss.ts';
import { labelInputs } from '../../src/training/labels.ts';
import { losses, miners, type TrainingSettings } from '../../src/training/settings.ts';

const classes = [0, 0, 0, 1, 1, 2, 2, 2];
/** One place stays empty. */
const places = 9;
const width = 4;
const random = createRandom(5);
const embeddings = Float32Array.from({ length: places * width }, () => random.normal());
const backends = [await createReferenceBackend(), await createWasmBackend({ threads: 1 })];
test.onFinish(() => Promise.all(backends.map(backend => backend.close())));

type Chosen = Pick<TrainingSettings, 'loss' | 'miner' | 'margin'>;

/** Loss, figures and gradient. */
async function computed(backend: (typeof backends)[number], chosen: Chosen, x = embeddings) {
  const graph = new Graph();
  const e = graph.variable('e', [places, width], x);
  const { loss, figures } = batchLoss(e, chosen);
  const [gradient] = differentiate(loss, [e]);
  const program = await Program.compile(graph, { outputs: { loss, ...figures, gradient } }, backend);
  const inputs = labelInputs(classes, places, chosen, createRandom(9));
  for (const [name, data] of Object.entries(inputs)) await program.write(name, data);
  await program.run();
  const [found, terms, active] = await Promise.all(
    ['loss', 'terms', 'active'].map(name => program.readScalar(name)),
  );
  const result = {
    loss: found,
    terms,
    active,
    gradient: Float32Array.from(await program.read('gradient')),
    inputs,
  };
  await program.dispose();
  return result;
}

const distance = (a: number, b: number, x = embeddings): number => {
  let sum = 0;
  for (let k = 0; k < width; k++) sum += (x[a * width + k] - x[b * width + k]) ** 2;
  return sum;
};

/** The triplets that a miner is to take, by its definition. */
function triplets(miner: Chosen['miner'], drawn?: Float32Array): [number, number, number][] {
  const all: [number, number, number][] = [];
  for (const [a, own] of classes.entries()) {
    const others = classes.flatMap((c, i) => (c === own ? [] : [i]));
    const same = classes.flatMap((c, i) => (c === own && i !== a ? [i] : []));
    const nearest = others.reduce((x, y) => (distance(a, y) < distance(a, x) ? y : x));
    const farthest = others.reduce((x, y) => (distance(a, y) > distance(a, x) ? y : x));
    const far = same.reduce((x, y) => (distance(a, y) > distance(a, x) ? y : x));
    for (const p of same) {
      if (miner === 'batch-all') for (const n of others) all.push([a, p, n]);
      if (miner === 'hard') all.push([a, p, nearest]);
      if (miner === 'batch-hard' && p === far) all.push([a, p, nearest]);
      if (miner === 'semi-hard') {
        const beyond = others.filter(n => distance(a, n) > distance(a, p));
        const next = beyond.reduce((x, y) => (distance(a, y) < distance(a, x) ? y : x), beyond[0]);
        all.push([a, p, next ?? farthest]);
      }
      if (miner === 'random')
        for (const n of others) if (drawn![(a * places + p) * places + n]) all.push([a, p, n]);
    }
  }
  return all;
}

for (const miner of miners)
  test(`${miner} takes the triplets of its definition`, async t => {
    const margin = 2;
    for (const backend of backends) {
      const { loss, terms, active, inputs } = await computed(backend, { loss: 'triplet', miner, margin });
      const wanted = triplets(miner, inputs.drawn);
      const parts = wanted.map(([a, p, n]) => Math.max(0, distance(a, p) - distance(a, n) + margin));
      const sum = parts.reduce((x, y) => x + y, 0);
      t.equal(terms, wanted.length, `${backend.name}: ${terms} triplets`);
      t.equal(active, parts.filter(part => part > 0).length, `${active} of them active`);
      t.ok(Math.abs(loss / sum - 1) < 1e-5, `J = ${loss.toFixed(3)} is their sum`);
    }
    if (miner === 'random')
      t.equal(
        triplets(miner, labelInputs(classes, places, { loss: 'triplet', miner }, createRandom(9)).drawn)
          .length,
        14,
        'one negative for each anchor and positive',
      );
  });

test('losses over pairs: equal and different ones weigh the same', async t => {
  const margin = 3;
  const pairs = classes.flatMap((own, a) =>
    classes.flatMap((other, b) => (a === b ? [] : [{ same: own === other, d: distance(a, b), a, b }])),
  );
  const mean = (list: number[]) => list.reduce((x, y) => x + y, 0) / list.length;
  const of = (same: boolean, part: (pair: (typeof pairs)[number]) => number) =>
    mean(pairs.filter(pair => pair.same === same).map(part));
  const contrastive =
    of(true, ({ d }) => d) + of(false, ({ d }) => Math.max(0, Math.sqrt(margin) - Math.sqrt(d)) ** 2);
  const logit = ({ a, b }: { a: number; b: number }): number => {
    let sum = 1;
    for (let k = 0; k < width; k++) sum -= Math.abs(embeddings[a * width + k] - embeddings[b * width + k]);
    return sum;
  };
  const cross =
    of(true, pair => Math.log(1 + Math.exp(-logit(pair)))) +
    of(false, pair => Math.log(1 + Math.exp(logit(pair))));
  for (const backend of backends)
    for (const [loss, wanted] of [
      ['contrastive', contrastive],
      ['pairs', cross],
    ] as const) {
      const found = await computed(backend, { loss, miner: 'random', margin });
      t.ok(Math.abs(found.loss / wanted - 1) < 1e-4, `${backend.name}: ${loss} ${found.loss.toFixed(4)}`);
    }
});

test('gradients of losses against differences', async t => {
  const [backend] = backends;
  for (const loss of losses)
    for (const miner of loss === 'triplet' ? miners : (['random'] as const)) {
      const chosen = { loss, miner, margin: 2 } as const;
      const { gradient } = await computed(backend, chosen);
      const direction = createRandom(3, `${loss} ${miner}`);
      const along = Float32Array.from(embeddings, () => direction.normal());
      const step = 1e-3;
      const at = async (sign: number) =>
        (
          await computed(
            backend,
            chosen,
            embeddings.map((v, i) => v + sign * step * along[i]),
          )
        ).loss;
      const wanted = ((await at(1)) - (await at(-1))) / (2 * step);
      const found = gradient.reduce((sum, g, i) => sum + g * along[i], 0);
      const size = Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0));
      t.ok(
        Math.abs(found - wanted) < 1e-2 * size,
        `${loss} ${miner}: ${found.toFixed(3)} and ${wanted.toFixed(3)}`,
      );
      const empty = gradient.subarray(classes.length * width);
      t.ok(
        empty.every(g => g === 0),
        'a place without a sample changes nothing',
      );
    }
});

test('a margin of 0 or less is refused', t => {
  const graph = new Graph();
  const e = graph.input('e', [places, width]);
  for (const margin of [0, -0.2])
    t.throws(
      () => batchLoss(e, { loss: 'triplet', miner: 'random', margin }),
      /margin must be above 0 and is/,
    );
  t.end();
});
