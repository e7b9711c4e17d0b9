// The labels of a batch as the inputs of its loss: who may be a positive or negative of whom, and the negatives that the
// random miner draws. Places without a sample belong to nobody.

import type { Random } from '../random.ts';
import { inputNames } from './batch-loss.ts';
import type { TrainingSettings } from './settings.ts';

/**
 * Inputs for N places of which `classes` fills the first: `positive` and `negative`, N·N each, and `drawn`, N·N·N, for the random
 * miner. For losses over pairs the pairs of a kind weigh 1 together.
 */
export function labelInputs(
  classes: readonly number[],
  n: number,
  { loss, miner }: Pick<TrainingSettings, 'loss' | 'miner'>,
  random: Random,
): Record<string, Float32Array> {
  const positive = new Float32Array(n * n);
  const negative = new Float32Array(n * n);
  for (const [a, own] of classes.entries())
    for (const [b, other] of classes.entries())
      if (a !== b) (own === other ? positive : negative)[a * n + b] = 1;
  if (loss !== 'triplet') for (const weights of [positive, negative]) toShares(weights);
  const inputs: Record<string, Float32Array> = {
    [inputNames.positive]: positive,
    [inputNames.negative]: negative,
  };
  if (loss === 'triplet' && miner === 'random') inputs[inputNames.drawn] = draw(classes, n, random);
  return inputs;
}

/** Makes weights add up to 1, where there are any. */
function toShares(weights: Float32Array): void {
  const sum = weights.reduce((a, b) => a + b, 0);
  if (sum > 0) for (const i of weights.keys()) weights[i] /= sum;
}

/** One negative for each anchor and positive. */
function draw(classes: readonly number[], n: number, random: Random): Float32Array {
  const drawn = new Float32Array(n * n * n);
  for (const [a, own] of classes.entries()) {
    const others = classes.flatMap((other, at) => (other === own ? [] : [at]));
    if (others.length === 0) continue;
    for (const [p, same] of classes.entries())
      if (p !== a && same === own) drawn[(a * n + p) * n + others[random.integer(others.length)]] = 1;
  }
  return drawn;
}
