// `style-transfer`: gives the content the style of one or more others; sounds, images, volumes and signals alike.

import { NdconvError } from '../../errors.ts';
import type { Field, FieldKind } from '../../formats/field.ts';
import { writeField } from '../../formats/index.ts';
import type { Network } from '../../networks/network.ts';
import { OPTIMISERS, type OptimiserSettings } from '../../optim/settings.ts';
import { fitField, fittedOutline, frontEndFor, gridShape } from '../../style/front-ends.ts';
import type { Grid, LayerWeights, StyleFigures, StyleProblem } from '../../style/problem.ts';
import { chooseLayers, noiseLike } from '../../style/start.ts';
import { planStyle, transferStyle } from '../../style/transfer.ts';
import { product } from '../../tensor/layout.ts';
import type { CheckContext, Problem, RunContext, Schema, Step, StepPlan, ValuePlan } from '../step.ts';

interface Part {
  input: string;
  layers?: Record<string, number>;
}

interface Parameters {
  network: string;
  content: Part;
  styles: (Part & { weight: number })[];
  contentWeight: number;
  styleWeight: number;
  totalVariation: number;
  losses: 'relative' | 'plain';
  start: string;
  optimiser: keyof typeof OPTIMISERS;
  rate?: number;
  momentum?: number;
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  history?: number;
  iterations: number;
  snapshots?: { every: number; folder: string };
}

/** Every number of every optimiser. */
const optimiserKeys = ['rate', 'momentum', 'beta1', 'beta2', 'epsilon', 'history'] as const;

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

function checkTransfer(context: CheckContext<Parameters>): StepPlan {
  const { params, planOf } = context;
  let faults = 0;
  const problem = (p: Problem): void => {
    faults++;
    context.problem(p);
  };
  /** What `of` gives, or a problem at a place in its stead. */
  const attempt = <T>(at: Problem['at'], of: () => T): T | undefined => {
    try {
      return of();
    } catch (error) {
      if (!(error instanceof NdconvError)) throw error;
      const { candidates } = error.fields as { candidates?: string[] };
      problem({ at, message: error.message, candidates });
      return undefined;
    }
  };

  for (const key of optimiserKeys)
    if (params[key] !== undefined && !(key in OPTIMISERS[params.optimiser]))
      problem({ at: [key], message: `${key} has no effect with ${params.optimiser}` });
  const { snapshots, iterations } = params;
  if (snapshots && snapshots.every > iterations)
    problem({
      at: ['snapshots', 'every'],
      message: `a snapshot every ${snapshots.every} steps has no effect within ${iterations} steps`,
    });
  if (params.contentWeight === 0 && params.content.layers)
    problem({ at: ['content', 'layers'], message: 'layers have no effect with contentWeight: 0' });

  const content = planOf(params.content.input);
  const network = planOf(params.network).network as Network | undefined;
  const outputs = { value: content };
  if (!network || !content.shape) return { outputs };
  const outlineOf = ({ fieldKind, shape, sampleRate }: ValuePlan) => ({
    kind: (fieldKind ?? 'array') as FieldKind,
    shape: shape!,
    sampleRate: sampleRate as number | undefined,
  });
  const own = outlineOf(content);
  const notes: string[] = [];
  const fitted = (reference: string, at: Problem['at']) => {
    const plan = planOf(reference);
    if (!plan.shape) return undefined;
    const found = attempt(at, () => fittedOutline(outlineOf(plan), own, reference));
    if (found) notes.push(...found.notes);
    return found?.outline;
  };
  const styles = params.styles.map((s, i) => ({
    outline: fitted(s.input, ['styles', i, 'input']),
    layers: checkLayers(s, network, 'style', ['styles', i, 'layers'], attempt),
  }));
  const layers = checkLayers(params.content, network, 'content', ['content', 'layers'], attempt);
  const grid = gridShape(own);
  if (params.start.startsWith('@')) {
    const start = fitted(params.start, ['start']);
    if (start && gridShape(start).join() !== grid.join())
      problem({
        at: ['start'],
        message: `${params.start} has the shape ${start.shape.join('×')}, the content ${own.shape.join('×')}: a start must be of the same size`,
      });
  }
  checkNetwork(network, grid, own.kind, problem);
  if (faults > 0 || !layers || styles.some(s => !s.outline || !s.layers)) return { outputs };

  const blank = (shape: number[]): Grid => ({ shape, data: new Float32Array(product(shape)) });
  const plan = attempt(['content', 'input'], () =>
    planStyle({
      network,
      content: { grid: blank(grid), layers },
      styles: styles.map((s, i) => ({
        grid: blank(gridShape(s.outline!)),
        layers: s.layers!,
        weight: params.styles[i].weight,
      })),
      ...weightsOf(params),
      start: blank(grid),
    }),
  );
  if (!plan) return { outputs };
  const names = (weights: LayerWeights) => Object.keys(weights).join(', ');
  return {
    outputs,
    memory: plan.peak,
    lines: [
      `grid ${grid.join('×')}, content in ${names(layers)}, style in ${[...new Set(styles.map(s => names(s.layers!)))].join('; ')}`,
      `${params.iterations} steps of ${params.optimiser}, ${plan.calls} kernel calls each, ${(plan.peak / 2 ** 20).toFixed(0)} MiB`,
      ...notes,
    ],
  };
}

type Attempt = <T>(at: Problem['at'], of: () => T) => T | undefined;

// Each unknown layer gets its own problem.
function checkLayers(
  part: Part,
  network: Network,
  role: 'content' | 'style',
  at: Problem['at'],
  attempt: Attempt,
): LayerWeights | undefined {
  if (!part.layers) return attempt(at.slice(0, -1), () => chooseLayers(network, role, undefined));
  const known = Object.entries(part.layers).map(([name, weight]) =>
    attempt([...at, name], () => chooseLayers(network, role, { [name]: weight })),
  );
  return known.includes(undefined) ? undefined : part.layers;
}

function checkNetwork(
  network: Network,
  grid: readonly number[],
  kind: FieldKind,
  problem: (p: Problem) => void,
): void {
  const [rank, channels] = [grid.length - 1, grid[grid.length - 1]];
  const what = kind === 'sound' ? 'the spectrogram of the content' : 'the content';
  if (network.rank !== rank)
    problem({
      at: ['network'],
      message: `network ${network.name} takes ${network.rank} spatial dimensions, ${what} has ${rank}: set rank: ${rank}`,
    });
  else if (network.channels !== channels)
    problem({
      at: ['network'],
      message: `network ${network.name} takes ${network.channels} channels, ${what} has ${channels}: set channels: ${channels}`,
    });
}

/** The parts of the problem that are numbers. */
function weightsOf(p: Parameters) {
  const { contentWeight, styleWeight, totalVariation, losses, iterations } = p;
  const known: OptimiserSettings = OPTIMISERS[p.optimiser];
  const given = Object.entries(p).filter(
    ([key, value]) => key !== 'name' && key in known && value !== undefined,
  );
  const optimiser = { ...known, ...Object.fromEntries(given) } as OptimiserSettings;
  return { contentWeight, styleWeight, totalVariation, losses, iterations, optimiser };
}

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
  note(describe(history[0], outcome.figures, params, outcome.seconds));
  reportTransfer(context, { content, styles: fields, result }, history);
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

function describe(first: StyleFigures, last: StyleFigures, params: Parameters, seconds: number): string {
  if (last.iteration === 0) return 'no step lowered the loss: the result is the start';
  const relative = params.losses === 'relative';
  const losses = relative
    ? `${first.style.toPrecision(3)} → ${last.style.toPrecision(3)} of the content's own`
    : `${first.style.toPrecision(4)} → ${last.style.toPrecision(4)}`;
  const kept =
    relative && params.contentWeight > 0
      ? `, content ${(100 * Math.max(0, 1 - last.content)).toFixed(0)} % kept`
      : '';
  return `style loss ${losses} (÷ ${(first.style / last.style).toFixed(1)})${kept} in ${last.iteration} steps, ${seconds.toFixed(1)} s`;
}

function reportTransfer(
  { params, report }: RunContext<Parameters>,
  fields: { content: Field; styles: Field[]; result: Field },
  history: readonly StyleFigures[],
): void {
  const x = history.map(h => h.iteration);
  const curve = (label: string, of: (figures: StyleFigures) => number) => ({ label, x, y: history.map(of) });
  const curves = [curve('total', h => h.total), curve('style', h => h.style)];
  if (params.contentWeight > 0) curves.push(curve('content', h => h.content));
  if (params.totalVariation > 0) curves.push(curve('total variation', h => h.tv));
  report({
    title: 'Style transfer',
    blocks: [
      {
        type: 'fields',
        items: [
          { label: 'content', field: fields.content },
          ...fields.styles.map((field, i) => ({
            label: fields.styles.length > 1 ? `style ${i + 1}` : 'style',
            field,
          })),
          { label: 'result', field: fields.result },
        ],
      },
      {
        type: 'curves',
        title: params.losses === 'relative' ? 'Losses, in relation to the content' : 'Losses',
        xLabel: 'step',
        yLabel: 'loss',
        log: true,
        curves,
      },
    ],
  });
}
