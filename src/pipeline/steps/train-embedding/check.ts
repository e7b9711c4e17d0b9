// What can be known of a training before it runs: options without effect, data that cannot be learned from, a network that
// does not fit, memory and time.

import { NdconvError } from '../../../errors.ts';
import { planProgram } from '../../../graph/plan.ts';
import { describeNetwork } from '../../../networks/describe.ts';
import { joinNetworks } from '../../../networks/joined.ts';
import { type Network, parameterCount } from '../../../networks/network.ts';
import { OPTIMISERS } from '../../../optim/settings.ts';
import { recordStep, withUnitLength } from '../../../training/program.ts';
import { faultOfData } from '../../../training/trainable-data.ts';
import type { CheckContext, StepPlan, ValuePlan } from '../../step.ts';
import { networksOf, optimiserKeys, type Parameters, settingsOf } from './parameters.ts';

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

  const given = networksOf(p).map(reference => planOf(reference).network as Network | undefined);
  if (!given.every(network => network !== undefined)) return { outputs: { value: { kind: 'network' } } };
  for (const [i, network] of given.entries()) checkLayers(network, p, i, problem);
  const networks = given.map(network => withUnitLength(network, p.normalise));
  try {
    const network = joinNetworks(networks);
    const outputs = { value: { kind: 'network' as const, network } };
    const { fieldShape, items, identities } = planOf(p.dataset);
    const shape = fieldShape as number[] | undefined;
    if (!shape || faults > 0) return { outputs };
    const plans = networks.map(one => {
      const { graph, request } = recordStep(one, shape, settingsOf(p, context.seed));
      const { plan } = planProgram(graph, request);
      const seconds = forecast.seconds(plan);
      return {
        memory: forecast.bytes(plan),
        seconds: seconds === undefined ? undefined : seconds * p.steps,
        lines: [
          `${parameterCount(one).toLocaleString('en-US')} weights, ${p.steps} steps of ${p.optimiser}, ${plan.calls.length} kernel calls each`,
          ...describeNetwork(one).slice(1),
          ...forecast.heaviest(plan, 3),
        ],
      };
    });
    const seconds = plans.map(plan => plan.seconds);
    const { identities: people, samples } = p.batch;
    return {
      outputs,
      memory: Math.max(...plans.map(({ memory }) => memory)),
      ...(seconds.every(s => s !== undefined) ? { seconds: seconds.reduce((a, b) => a + b, 0) } : {}),
      lines: [
        `${items} items of ${identities} identities, ${shape.join('×')} each, in batches of ${people} × ${samples}`,
        ...(plans.length > 1
          ? [`${plans.length} networks, one after the other, then joined; the first:`]
          : []),
        ...plans[0].lines,
      ],
    };
  } catch (error) {
    if (!(error instanceof NdconvError)) throw error;
    problem({ at: ['network'], message: error.message });
    return { outputs: { value: { kind: 'network' } } };
  }
}

/** What is frozen is there, and not everything is. */
function checkLayers(
  { name: network, layers }: Network,
  { freeze, loss, network: references }: Parameters,
  i: number,
  problem: CheckContext<Parameters>['problem'],
): void {
  const learning = layers.filter(({ weights }) => weights).map(({ name }) => name);
  for (const [at, name] of (freeze ?? []).entries())
    if (!learning.includes(name))
      problem({
        at: ['freeze', at],
        message: `network ${network} has no layer '${name}' with weights`,
        candidates: learning,
      });
  const where = Array.isArray(references) ? ['network', i] : ['network'];
  if (loss !== 'pairs' && learning.every(name => freeze?.includes(name)))
    problem({ at: freeze ? ['freeze'] : where, message: 'no layer has weights that may change' });
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
