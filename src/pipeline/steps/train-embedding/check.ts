// What can be known of a training before it runs: options without effect, data that cannot be learned from, a network that
// does not fit, memory and time.

import { NdconvError } from '../../../errors.ts';
import { planProgram } from '../../../graph/plan.ts';
import { describeNetwork } from '../../../networks/describe.ts';
import { type Network, parameterCount } from '../../../networks/network.ts';
import { OPTIMISERS } from '../../../optim/settings.ts';
import { recordStep, withUnitLength } from '../../../training/program.ts';
import { faultOfData } from '../../../training/trainable-data.ts';
import type { CheckContext, StepPlan, ValuePlan } from '../../step.ts';
import { optimiserKeys, type Parameters, settingsOf } from './parameters.ts';

/** Checks a training and says what it will take. */
export function checkTraining(context: CheckContext<Parameters>): StepPlan {
  const { params: p, planOf, forecast } = context;
  let faults = 0;
  const problem: CheckContext<Parameters>['problem'] = found => {
    faults++;
    context.problem(found);
  };
  for (const key of optimiserKeys)
    if (p[key] !== undefined && !(key in OPTIMISERS[p.optimiser]))
      problem({ at: [key], message: `${key} has no effect with ${p.optimiser}` });
  if (p.miner !== undefined && p.loss !== 'triplet')
    problem({ at: ['miner'], message: `miner has no effect with loss: ${p.loss}, which takes all pairs` });
  if (p.margin !== undefined && p.loss === 'pairs')
    problem({ at: ['margin'], message: 'margin has no effect with loss: pairs, which has none' });
  else if (p.margin !== undefined && p.margin <= 0)
    problem({
      at: ['margin'],
      message: `the margin must be above 0 and is ${p.margin}: without one, equal embeddings for everything have no loss and nothing is learned; 0.2 is usual for embeddings of length 1`,
    });
  if (p.validateEvery !== undefined && p.validation === undefined)
    problem({ at: ['validateEvery'], message: 'validateEvery has no effect without validation' });
  if (p.resume && !p.checkpoints)
    problem({ at: ['resume'], message: 'resume has no effect without checkpoints to go on from' });
  if (p.checkpoints && p.checkpoints.every > p.steps)
    problem({
      at: ['checkpoints', 'every'],
      message: `a checkpoint every ${p.checkpoints.every} steps has no effect within ${p.steps} steps`,
    });
  for (const [at, path] of [
    [['checkpoints', 'path'], p.checkpoints?.path],
    [['path'], p.path],
  ] as const)
    if (path !== undefined && !/\.safetensors$/i.test(path))
      problem({ at: [...at], message: `${path} is to end in .safetensors` });
  checkData(['dataset'], planOf(p.dataset), problem);
  if (p.validation !== undefined) checkData(['validation'], planOf(p.validation), problem);

  const given = planOf(p.network).network as Network | undefined;
  const { fieldShape: shape, items, identities } = planOf(p.dataset);
  if (!given) return { outputs: { value: { kind: 'network' } } };
  const network = withUnitLength(given, p.normalise);
  const learning = given.layers.filter(({ weights }) => weights).map(({ name }) => name);
  for (const [i, name] of (p.freeze ?? []).entries())
    if (!learning.includes(name))
      problem({
        at: ['freeze', i],
        message: `network ${given.name} has no layer '${name}' with weights`,
        candidates: learning,
      });
  if (p.loss !== 'pairs' && learning.every(name => p.freeze?.includes(name)))
    problem({ at: [p.freeze ? 'freeze' : 'network'], message: 'no layer has weights that may change' });
  const outputs = { value: { kind: 'network' as const, network } };
  if (!shape || faults > 0) return { outputs };
  try {
    const { graph, request } = recordStep(network, shape as number[], settingsOf(p, context.seed));
    const { plan } = planProgram(graph, request);
    const seconds = forecast.seconds(plan);
    const { identities: people, samples } = p.batch;
    return {
      outputs,
      memory: forecast.bytes(plan),
      ...(seconds === undefined ? {} : { seconds: seconds * p.steps }),
      lines: [
        `${items} items of ${identities} identities, ${(shape as number[]).join('×')} each, in batches of ${people} × ${samples}`,
        `${parameterCount(network).toLocaleString('en-US')} weights, ${p.steps} steps of ${p.optimiser}, ${plan.calls.length} kernel calls each`,
        ...describeNetwork(network).slice(1),
        ...forecast.heaviest(plan, 3),
      ],
    };
  } catch (error) {
    if (!(error instanceof NdconvError)) throw error;
    problem({ at: ['network'], message: error.message });
    return { outputs };
  }
}

function checkData(
  at: string[],
  { items, labels, identities }: ValuePlan,
  problem: CheckContext<Parameters>['problem'],
): void {
  const known = { items, labels, identities } as Record<string, number | undefined>;
  if (Object.values(known).some(count => count === undefined)) return;
  const fault = faultOfData(known as { items: number; labels: number; identities: number });
  if (fault) problem({ at, message: fault });
}
