// `train-embedding`: teaches a network to give close vectors for the same and distant ones for different: faces, voices,
// heartbeats, scan regions alike.

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type Dataset, readAll } from '../../datasets/dataset.ts';
import { NdconvError } from '../../errors.ts';
import type { Network } from '../../networks/network.ts';
import { OPTIMISERS } from '../../optim/settings.ts';
import { collapseActions, losses, miners, schedules } from '../../training/settings.ts';
import type { TrainingHooks } from '../../training/train.ts';
import type { RunContext, Schema, Step } from '../step.ts';
import { checkTraining } from './train-embedding/check.ts';
import { networksOf, type Parameters, settingsOf } from './train-embedding/parameters.ts';
import { describeTraining, reportTraining } from './train-embedding/report.ts';

const fraction = (description: string): Schema => ({
  type: 'number',
  minimum: 0,
  exclusiveMaximum: 1,
  description,
});
const count = (minimum: number, description: string, more: Partial<Schema> = {}): Schema => ({
  type: 'integer',
  minimum,
  description,
  ...more,
});

export const trainEmbedding: Step<Parameters> = {
  name: 'train-embedding',
  summary:
    'trains a network to give close vectors for the same and distant ones for different (triplet, contrastive or pair loss)',
  schema: {
    required: ['dataset', 'network'],
    properties: {
      dataset: { reference: ['dataset'], description: 'what to train on; equal labels are the same' },
      validation: {
        reference: ['dataset'],
        description:
          'other identities, on which the equal error rate is measured: the best network by it is kept; the last where absent',
      },
      network: {
        oneOf: [
          { reference: ['network'] },
          { type: 'array', minItems: 2, items: { reference: ['network'] } },
        ],
        description:
          'the network to start from; its last layer gives one row of values a sample. Several are trained one after the other and joined: they tell apart better together',
      },
      loss: {
        enum: losses,
        default: 'triplet',
        description:
          'triplet: an anchor closer to the same than to different ones by the margin; contrastive: the same together, different ones apart by the margin; pairs: same or not, as a unit over |a − b| says',
      },
      margin: {
        type: 'number',
        description: 'triplet, contrastive: margin on squared distances, above 0 (0.2 where absent)',
      },
      miner: {
        enum: miners,
        description:
          'triplet: which of a batch count: semi-hard (where absent; the nearest different one beyond the same one), batch-hard (the farthest same, the nearest different), hard (the nearest different for every same), batch-all, random',
      },
      batch: {
        type: 'object',
        description: 'identities in a batch, and samples of each',
        default: { identities: 8, samples: 4 },
        properties: {
          identities: count(2, 'identities in a batch', { default: 8, costly: true }),
          samples: count(2, 'samples of each', { default: 4, costly: true }),
        },
      },
      steps: count(1, 'batches to train on', { default: 1000 }),
      freeze: {
        type: 'array',
        minItems: 1,
        items: { type: 'string' },
        description: 'layers whose weights stay as they are',
      },
      optimiser: { enum: ['adam', 'sgd'], default: 'adam', description: 'how the loss is lowered' },
      rate: {
        type: 'number',
        exclusiveMinimum: 0,
        description: 'learning rate (adam 0.001, sgd 0.01 where absent); it rises over the first 20 steps',
      },
      momentum: fraction(
        `sgd: part of the last step that is added (${OPTIMISERS.sgd.momentum} where absent)`,
      ),
      beta1: fraction('adam: decay of the mean of gradients'),
      beta2: fraction('adam: decay of the mean of their squares'),
      epsilon: { type: 'number', exclusiveMinimum: 0, description: 'adam: added to the root' },
      schedule: {
        enum: schedules,
        default: 'cosine',
        description:
          'the rate over the steps: constant, down to 0 along a cosine, or a tenth after every third',
      },
      average: {
        ...fraction(
          'decay of the moving average of the weights, which is what is validated and kept; 0: none',
        ),
        default: 0.98,
      },
      validateEvery: count(1, 'steps from one validation to the next (25 where absent)'),
      normalise: { type: 'boolean', default: true, description: 'embeddings of length 1' },
      onCollapse: {
        enum: collapseActions,
        default: 'counter',
        description:
          'where the network gives the same for everything: stop with an error, counter it (back to the best network, semi-hard triplets, a lower rate), or report it and go on',
      },
      checkpoints: {
        type: 'object',
        required: ['every'],
        description: 'everything needed to go on, written now and then',
        properties: {
          every: count(1, 'steps from one checkpoint to the next'),
          path: {
            path: 'write',
            default: 'checkpoint.safetensors',
            description: 'where, below the output folder',
          },
        },
      },
      resume: {
        type: 'boolean',
        description:
          'go on from the checkpoint, where there is one; what comes out is the same to the bit as without the interruption',
      },
      path: {
        path: 'write',
        description:
          'a .safetensors for the trained network, which a network step reads again with from: file',
      },
    },
  },
  outputs: { value: 'network' },
  effect: true,
  check: checkTraining,
  run: runTraining,
};

/** The shape of the first item that can be read. */
async function shapeOf(dataset: Dataset): Promise<readonly number[]> {
  for await (const { field } of readAll(dataset)) return field.shape;
  throw new NdconvError('ShapeError', `training: none of the ${dataset.items.length} items can be read`);
}

async function runTraining(context: RunContext<Parameters>): Promise<Record<string, unknown>> {
  const { params: p, valueOf, signal } = context;
  const [{ withUnitLength }, { expectTrainable }, { joinNetworks }, { encodeNetwork }] = await Promise.all([
    import('../../training/program.ts'),
    import('../../training/trainable-data.ts'),
    import('../../networks/joined.ts'),
    import('../../networks/stored.ts'),
  ]);
  expectTrainable(valueOf<Dataset>(p.dataset));
  const starts = networksOf(p).map(reference => withUnitLength(valueOf<Network>(reference), p.normalise));
  const trained: Network[] = [];
  for (const [i, start] of starts.entries()) {
    if (i > 0 && signal.aborted) break;
    trained.push(await trainOne(context, start, i, starts.length));
  }
  const network = joinNetworks(trained);
  if (p.path !== undefined)
    await context.write(context.outputPath(p.path), temporary =>
      writeFile(temporary, Buffer.concat(encodeNetwork(network))),
    );
  return { value: network };
}

/** Trains network `i` of `count`, each with batches and checkpoints of its own. */
async function trainOne(
  context: RunContext<Parameters>,
  network: Network,
  i: number,
  count: number,
): Promise<Network> {
  const { params: p, valueOf, seed, progress, signal } = context;
  const [{ trainEmbedding: train }, checkpoints] = await Promise.all([
    import('../../training/train.ts'),
    import('../../training/checkpoint.ts'),
  ]);
  const dataset = valueOf<Dataset>(p.dataset);
  const validation = p.validation === undefined ? undefined : valueOf<Dataset>(p.validation);
  const settings = settingsOf(p, seed + i);
  const fingerprint = checkpoints.fingerprintOf(network, { train: dataset, validation }, settings);
  const which = count > 1 ? `network ${i + 1} of ${count}` : undefined;
  const note = (message: string) => context.note(which ? `${which}: ${message}` : message);
  const hooks: TrainingHooks = {
    note,
    async onStep({ step, loss, active, spread, eer }) {
      const figures = { loss, active, spread, ...(eer === undefined ? {} : { eer }) };
      const [iteration, iterations] = [i * p.steps + step, count * p.steps];
      progress({ fraction: iteration / iterations, iteration, iterations, figures });
      await new Promise(setImmediate);
      return !signal.aborted;
    },
  };
  if (p.checkpoints) {
    const written = which ? p.checkpoints.path.replace(/(?=\.\w+$)/, `-${i + 1}`) : p.checkpoints.path;
    const path = context.outputPath(written);
    hooks.checkpoints = {
      every: p.checkpoints.every,
      write: checkpoint =>
        context.write(path, temporary => checkpoints.writeCheckpoint(temporary, checkpoint, fingerprint)),
    };
    if (p.resume && existsSync(path)) {
      hooks.resume = await checkpoints.readCheckpoint(path, fingerprint);
      note(`goes on after step ${hooks.resume.progress.step} from ${written}`);
    } else if (p.resume) note(`${written} is not there yet: training starts anew`);
  }
  const started = performance.now();
  const shape = await shapeOf(dataset);
  const data = { train: dataset, validation, shape };
  const trained = await train(network, data, settings, await context.backend(), hooks);
  const summary = describeTraining(trained, p.steps, (performance.now() - started) / 1000);
  note(summary);
  reportTraining(context, trained, settings, summary, which);
  return trained.network;
}
