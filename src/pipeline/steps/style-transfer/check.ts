// What can be known of a style transfer before it runs: layers, channels, sizes, memory, and options without effect.

import { NdconvError } from '../../../errors.ts';
import type { FieldKind } from '../../../formats/field.ts';
import type { Network } from '../../../networks/network.ts';
import { OPTIMISERS } from '../../../optim/settings.ts';
import { fittedOutline, gridShape } from '../../../style/front-ends.ts';
import type { Grid, LayerWeights } from '../../../style/problem.ts';
import { chooseLayers } from '../../../style/start.ts';
import { planStyle } from '../../../style/transfer.ts';
import { product } from '../../../tensor/layout.ts';
import type { CheckContext, Problem, StepPlan, ValuePlan } from '../../step.ts';
import { optimiserKeys, type Parameters, type Part, weightsOf } from './parameters.ts';

/** Runs of the program a step, line searches included. */
const runsPerStep = 1.1;

/** Rebuilding the phase of a sound, all settlings together: a rough figure by its samples. */
const phaseSeconds = ({ kind, shape }: { kind: FieldKind; shape: readonly number[] }): number =>
  kind === 'sound' ? 1e-4 * product(shape) : 0;

/** Checks a style transfer and says what it will take. */
export function checkTransfer(context: CheckContext<Parameters>): StepPlan {
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
      // How much memory there is and what to lower is known where all steps are.
      if (!(error instanceof NdconvError) || error.tag === 'MemoryError') throw error;
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
    planStyle(
      {
        network,
        content: { grid: blank(grid), layers },
        styles: styles.map((s, i) => ({
          grid: blank(gridShape(s.outline!)),
          layers: s.layers!,
          weight: params.styles[i].weight,
        })),
        ...weightsOf(params),
        start: blank(grid),
      },
      context.forecast,
    ),
  );
  if (!plan) return { outputs };
  const names = (weights: LayerWeights) => Object.keys(weights).join(', ');
  const run = plan.seconds;
  return {
    outputs,
    memory: plan.peak,
    ...(run === undefined ? {} : { seconds: params.iterations * runsPerStep * run + phaseSeconds(own) }),
    lines: [
      `grid ${grid.join('×')}, content in ${names(layers)}, style in ${[...new Set(styles.map(s => names(s.layers!)))].join('; ')}`,
      `${params.iterations} steps of ${params.optimiser}, ${plan.calls} kernel calls each, ${(plan.peak / 2 ** 20).toFixed(0)} MiB`,
      ...plan.heaviest,
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
