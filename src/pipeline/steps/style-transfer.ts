// `style-transfer`: gives the content the style of one or more others; sounds, images, volumes and signals alike.

import { NdconvError } from '../../errors.ts';
import type { Field, FieldKind } from '../../formats/field.ts';
import { writeField } from '../../formats/index.ts';
import type { Network } from '../../networks/network.ts';
import { OPTIMISERS } from '../../optim/settings.ts';
import { fitField, frontEndFor } from '../../style/front-ends.ts';
import type { Grid, StyleFigures, StyleProblem } from '../../style/problem.ts';
import { chooseLayers, noiseLike } from '../../style/start.ts';
import { transferStyle } from '../../style/transfer.ts';
import type { RunContext, Schema, Step } from '../step.ts';
import { checkTransfer } from './style-transfer/check.ts';
import { type Parameters, weightsOf } from './style-transfer/parameters.ts';
import { describeTransfer, reportTransfer } from './style-transfer/report.ts';

/** Extension of snapshots, lossless in every kind. */
const snapshotExtension: Record<FieldKind, string> = {
  sound: '.wav',
  signal: '.npz',
  image: '.png',
  volume: '.nii.gz',
  array: '.npy',
};

/** Part of the progress that the steps take; the rest is the phase of a sound. */
const stepShare = 0.9;

const layersSchema = (whose: string): Schema => ({
  type: 'object',
  minProperties: 1,
  additionalProperties: { type: 'number', exclusiveMinimum: 0 },
  description: `weight by layer name; ${whose} of random-filters where absent`,
});

const fraction = (description: string): Schema => ({
  type: 'number',
  minimum: 0,
  exclusiveMaximum: 1,
  description,
});

export const styleTransfer: Step<Parameters> = {
  name: 'style-transfer',
  summary: 'content in the style of others, by gradient descent on the result (Gatys et al. 2016)',
  schema: {
    required: ['network', 'content', 'styles'],
    properties: {
      network: { reference: ['network'], description: 'the frozen network' },
      content: {
        type: 'object',
        required: ['input'],
        properties: {
          input: { reference: ['field'], description: 'what is shown' },
          layers: layersSchema('the deepest block'),
        },
        description: 'the content and the layers that hold it',
      },
      styles: {
        type: 'array',
        minItems: 1,
        description: 'the styles and the layers that hold them (λ by layer)',
        items: {
          type: 'object',
          required: ['input'],
          properties: {
            input: { reference: ['field'], description: 'whose style' },
            layers: layersSchema('every block'),
            weight: { type: 'number', exclusiveMinimum: 0, default: 1, description: 'share of this style' },
          },
        },
      },
      contentWeight: {
        type: 'number',
        minimum: 0,
        default: 0.02,
        description: 'α: more keeps more of the content',
      },
      styleWeight: {
        type: 'number',
        exclusiveMinimum: 0,
        default: 1,
        description: 'β: more takes on more of the style',
      },
      totalVariation: {
        type: 'number',
        minimum: 0,
        default: 0,
        description: 'weight of the differences between neighbours: more makes it smoother',
      },
      losses: {
        enum: ['relative', 'plain'],
        default: 'relative',
        description:
          'relative: each loss divided by what it is for the content, so that weights mean the same in every network and size; plain: the sums of Gatys et al.',
      },
      start: {
        oneOf: [{ enum: ['content', 'noise'] }, { reference: ['field'] }],
        default: 'content',
        description: 'where the result starts: content, noise, or a field of the same size',
      },
      optimiser: {
        enum: Object.keys(OPTIMISERS),
        default: 'lbfgs',
        description: 'how the loss is lowered',
      },
      rate: { type: 'number', exclusiveMinimum: 0, description: 'adam, sgd: learning rate' },
      momentum: fraction('sgd: part of the last step that is added'),
      beta1: fraction('adam: decay of the mean of gradients'),
      beta2: fraction('adam: decay of the mean of their squares'),
      epsilon: { type: 'number', exclusiveMinimum: 0, description: 'adam: added to the root' },
      history: { type: 'integer', minimum: 1, costly: true, description: 'lbfgs: steps remembered' },
      iterations: { type: 'integer', minimum: 1, default: 100, description: 'steps' },
      snapshots: {
        type: 'object',
        required: ['every'],
        properties: {
          every: { type: 'integer', minimum: 1, description: 'steps from one snapshot to the next' },
          folder: { path: 'write', default: 'snapshots', description: 'where, below the output folder' },
        },
        description: 'the result as it is now and then, one file each, named by the step',
      },
    },
  },
  outputs: { value: 'field' },
  check: checkTransfer,
  run: runTransfer,
};

async function runTransfer(context: RunContext<Parameters>): Promise<Record<string, unknown>> {
  const { params, valueOf, signal, progress, note } = context;
  const network = valueOf<Network>(params.network);
  const content = valueOf<Field>(params.content.input);
  const front = frontEndFor(content);
  const fields = params.styles.map(s => fitField(valueOf<Field>(s.input), content, s.input, note));
  const grid = front.encode(content);
  const problem: StyleProblem = {
    network,
    content: { grid, layers: chooseLayers(network, 'content', params.content.layers) },
    styles: params.styles.map((s, i) => ({
      grid: front.encode(fields[i]),
      layers: chooseLayers(network, 'style', s.layers),
      weight: s.weight,
    })),
    ...weightsOf(params),
    start: startOf(context, grid, content, front.encode),
    ...(front.settlings > 0
      ? {
          settle: {
            rounds: front.settlings,
            of: (now, last) => front.settle(now, { quick: last && signal.aborted }),
          },
        }
      : {}),
  };

  const { iterations } = params;
  const history: StyleFigures[] = [];
  const outcome = await transferStyle(problem, await context.backend(), async (figures, read) => {
    history.push(figures);
    const { iteration } = figures;
    const shown: Record<string, number> = { loss: figures.total, style: figures.style };
    if (problem.contentWeight > 0) shown.content = figures.content;
    progress({ fraction: (stepShare * iteration) / iterations, iteration, iterations, figures: shown });
    await new Promise(setImmediate);
    const { snapshots } = params;
    if (snapshots && iteration > 0 && iteration % snapshots.every === 0) {
      const name = String(iteration).padStart(String(iterations).length, '0');
      const now = await front.decode({ shape: grid.shape, data: await read() }, { quick: true });
      await context.write(
        context.outputPath(`${snapshots.folder}/${name}${snapshotExtension[content.kind]}`),
        async temporary => (await writeField(now, temporary)).files.slice(1),
      );
    }
    return !signal.aborted;
  });

  const stopped = signal.aborted;
  const result = await front.decode(outcome.grid, {
    quick: stopped,
    progress: f => progress({ fraction: stepShare + (1 - stepShare) * f, message: 'phases' }),
    signal: stopped ? undefined : signal,
  });
  const summary = describeTransfer(history[0], outcome.figures, params, outcome);
  note(summary);
  reportTransfer(context, { content, styles: fields, result }, history, summary, front.settlings > 0);
  return { value: result };
}

function startOf(
  { params, valueOf, seed }: RunContext<Parameters>,
  grid: Grid,
  content: Field,
  encode: (field: Field) => Grid,
): Grid {
  if (params.start === 'content') return grid;
  if (params.start === 'noise') return noiseLike(grid, seed);
  const start = encode(fitField(valueOf<Field>(params.start), content, params.start));
  if (start.shape.join() === grid.shape.join()) return start;
  throw new NdconvError(
    'ShapeError',
    `${params.start} becomes a grid of ${start.shape.join('×')}, the content one of ${grid.shape.join('×')}: a start must be of the same size`,
  );
}
