// Training in ranks 1 to 3: it learns, alike for any number of threads; a run taken up from a checkpoint is the same to the
// bit; collapse is noticed, countered or ends it; what cannot be learned from is refused.

import { join } from 'node:path';
import test from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { NdconvError } from '../../src/errors.ts';
import { trainableWeights } from '../../src/networks/trainable.ts';
import {
  type Checkpoint,
  fingerprintOf,
  readCheckpoint,
  writeCheckpoint,
} from '../../src/training/checkpoint.ts';
import type { Figures } from '../../src/training/progress.ts';
import { losses, miners, type TrainingSettings } from '../../src/training/settings.ts';
import { type Trained, type TrainingHooks, trainEmbedding } from '../../src/training/train.ts';
import { expectTrainable } from '../../src/training/trainable-data.ts';
import { temporaryFolder } from '../formats/support.ts';
import { people, settings, shapeOf, smallNetwork } from './samples.ts';

const folder = temporaryFolder();

interface Run extends Partial<TrainingHooks> {
  rank?: number;
  threads?: number;
  changes?: Partial<TrainingSettings>;
}

/** Trains on six identities and validates on four others. */
async function train({ rank = 1, threads = 1, changes = {}, ...hooks }: Run = {}): Promise<Trained> {
  const backend = await createWasmBackend({ threads });
  try {
    return await trainEmbedding(
      smallNetwork(rank),
      { train: people(rank, 0, 6), validation: people(rank, 10, 4), shape: shapeOf(rank) },
      settings(changes),
      backend,
      { onStep: () => true, note: () => {}, ...hooks },
    );
  } finally {
    await backend.close();
  }
}

const weightsOf = ({ network }: Trained): number[] =>
  [...trainableWeights(network).values()].flatMap(({ data }) => [...data]);

const mean = (history: readonly Figures[], from: number, to: number): number =>
  history.slice(from, to).reduce((sum, { loss }) => sum + loss, 0) / (to - from);

for (const rank of [1, 2, 3])
  test(`training lowers the loss in rank ${rank}, alike for 1 and 2 threads`, async t => {
    const changes = { miner: 'batch-all', steps: rank === 3 ? 30 : 60 } as const;
    const one = await train({ rank, changes });
    const { history, best } = one;
    const [first, last] = [mean(history, 0, 8), mean(history, history.length - 8, history.length)];
    t.ok(last < 0.5 * first, `loss ${first.toFixed(3)} → ${last.toFixed(3)}`);
    t.equal(history.length, changes.steps);
    const measured = history.filter(({ eer }) => eer !== undefined);
    t.equal(
      best?.eer,
      Math.min(...measured.map(({ eer }) => eer!)),
      `best by validation: ${best?.eer.toFixed(2)}`,
    );
    const two = await train({ rank, changes, threads: 2 });
    t.deepEqual(weightsOf(two), weightsOf(one), 'weights to the bit');
    t.deepEqual(two.history, history, 'history to the bit');
  });

test('every loss and miner learns', async t => {
  for (const loss of losses)
    for (const miner of loss === 'triplet' ? miners : (['random'] as const)) {
      const { history, unit } = await train({ changes: { loss, miner, steps: 60, margin: 0.5 } });
      const [first, last] = [mean(history, 0, 8), mean(history, 52, 60)];
      t.ok(last < 0.8 * first, `${loss} ${miner}: ${first.toFixed(3)} → ${last.toFixed(3)}`);
      t.equal(unit !== undefined, loss === 'pairs', 'a unit where there is one');
    }
});

test('the reference backend takes the same steps', async t => {
  const backend = await createReferenceBackend();
  const data = { train: people(1, 0, 6), shape: shapeOf(1) };
  const hooks = { onStep: () => true, note: () => {} };
  const changes = { steps: 5, miner: 'batch-hard' } as const;
  const { history, best } = await trainEmbedding(smallNetwork(1), data, settings(changes), backend, hooks);
  t.equal(best, undefined, 'without validation there is no best network');
  const other = await train({ changes });
  const apart = history.map(({ loss }, i) => Math.abs(loss / other.history[i].loss - 1));
  t.ok(Math.max(...apart) < 1e-3, `losses differ by at most ${Math.max(...apart).toExponential(1)}`);
});

for (const changes of [
  { miner: 'random', average: 0.9 },
  { miner: 'semi-hard', average: 0, schedule: 'step', optimiser: { name: 'sgd', rate: 0.05, momentum: 0.9 } },
] as const)
  test(`a run stopped and taken up is the same to the bit (${changes.miner})`, async t => {
    const whole = await train({ changes });
    const path = join(folder, `${changes.miner}.safetensors`);
    const fingerprint = fingerprintOf(smallNetwork(1), { train: people(1, 0, 6) }, settings(changes));
    await train({
      changes,
      // Every 7 steps: within a pass over the data, and between validations.
      checkpoints: { every: 7, write: checkpoint => writeCheckpoint(path, checkpoint, fingerprint) },
      onStep: ({ step }) => step < 17,
    });
    const resume: Checkpoint = await readCheckpoint(path, fingerprint);
    t.equal(resume.progress.step, 14, 'stopped in step 17, the last checkpoint is that of step 14');
    const steps: number[] = [];
    const rest = await train({ changes, resume, onStep: ({ step }) => steps.push(step) > 0 });
    t.deepEqual([steps[0], steps.at(-1)], [15, 30], 'goes on with step 15');
    t.deepEqual(weightsOf(rest), weightsOf(whole), 'weights');
    t.deepEqual(rest.history, whole.history, 'history');
    t.deepEqual(rest.best, whole.best, 'best');
    const other = fingerprintOf(
      smallNetwork(1),
      { train: people(1, 0, 5) },
      settings({ ...changes, margin: 1 }),
    );
    await readCheckpoint(path, other).then(
      () => t.fail('a checkpoint of another training was taken'),
      error => t.match((error as Error).message, /settings and data differ/),
    );
  });

test('collapse is noticed, and stops, is reported or is countered', async t => {
  // The hardest triplets at a high rate, all weights far from the margin: everything falls into one point.
  const changes = {
    miner: 'batch-hard',
    margin: 1,
    steps: 120,
    schedule: 'constant',
    optimiser: { name: 'adam', rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  } as const;
  const network = smallNetwork(1);
  const run = async (onCollapse: TrainingSettings['onCollapse']) => {
    const backend = await createWasmBackend({ threads: 1 });
    const notes: string[] = [];
    const data = { train: people(1, 0, 6, 4, 3), shape: shapeOf(1) };
    try {
      const hooks = { onStep: () => true, note: (message: string) => notes.push(message) };
      return {
        notes,
        trained: await trainEmbedding(network, data, settings({ ...changes, onCollapse }), backend, hooks),
      };
    } catch (error) {
      return { notes, error: error as NdconvError };
    } finally {
      await backend.close();
    }
  };
  const stopped = await run('stop');
  t.equal(stopped.error?.tag, 'RunError');
  t.match(
    stopped.error?.message ?? '',
    /training collapsed: in step \d+ .* loss 1\.\d+, where equal embeddings have 1\.00.*use miner: semi-hard/,
  );
  const reported = await run('report');
  t.equal(reported.trained?.history.length, 120, 'reported, it goes on');
  t.equal(reported.notes.length, 1, 'said once');
  const countered = await run('counter');
  t.match(countered.notes[0] ?? '', /goes on from the start with miner semi-hard and rate 0\.015/);
  const spread = countered.trained?.history.at(-1)?.spread ?? 0;
  t.ok(spread > 0.3, `countered, embeddings are apart again: ${spread.toFixed(2)}`);
});

test('frozen layers stay as they are', async t => {
  const before = trainableWeights(smallNetwork(1));
  const { network } = await train({ changes: { freeze: ['filters', 'skip_1'], average: 0, steps: 3 } });
  const same = [...trainableWeights(network)].flatMap(([name, { data }]) =>
    data.every((v, i) => v === before.get(name)!.data[i]) ? [name] : [],
  );
  t.deepEqual(same, ['filters.weights', 'filters.bias', 'skip_1.weights', 'skip_1.bias']);
});

test('what cannot be learned from is refused', async t => {
  const refused = (message: RegExp, ...[first, count, samples]: number[]) =>
    t.throws(() => expectTrainable(people(1, first, count, samples)), message);
  refused(/one identity only \(4 items\)/, 0, 1, 4);
  refused(/one sample per label \(5 items of as many labels\)/, 0, 5, 1);
  refused(/nothing to train on/, 0, 0, 1);
  const failure = async (attempt: Promise<unknown>) =>
    attempt.then(
      () => 'nothing',
      error => (error instanceof NdconvError ? error.message : `not an NdconvError: ${error}`),
    );
  const exploding = { optimiser: { name: 'sgd', rate: 1e30, momentum: 0 }, steps: 60, average: 0 } as const;
  t.match(
    await failure(train({ changes: exploding })),
    /the loss became NaN in step \d+: lower the learning rate/,
  );
});
