// Runs mutations of one kind of file one after another: each attempt to read ends in a result, a tagged error, or is odd.

import { writeFileSync } from 'node:fs';
import { NdconvError } from '../../src/errors.ts';
import { PipelineError } from '../../src/pipeline/index.ts';
import { createRandom } from '../../src/random.ts';
import type { FuzzKind } from './kinds.ts';
import { mutate } from './mutate.ts';

export interface FuzzResult {
  files: number;
  /** Attempts that gave a result, and that ended in a tagged error. */
  read: number;
  refused: number;
  /** Failures without a tag. */
  odd: string[];
  /** Milliseconds of the processor that the slowest attempt took. */
  slowest: number;
}

/** Mutations `from` to `to` of a kind; `before` is told of each, so that what hangs or dies can be named. */
export async function fuzz(
  kind: FuzzKind,
  seed: number,
  from: number,
  to: number,
  before: (mutation: number) => void = () => {},
): Promise<FuzzResult> {
  const result: FuzzResult = { files: 0, read: 0, refused: 0, odd: [], slowest: 0 };
  for (let mutation = from; mutation < to; mutation++) {
    before(mutation);
    const mutated = mutate(kind.bytes, createRandom(seed, `fuzz ${kind.name} ${mutation}`));
    writeFileSync(kind.path, kind.pack ? kind.pack(mutated) : mutated);
    result.files++;
    for (const attempt of kind.attempts) {
      const start = process.cpuUsage();
      try {
        await attempt();
        result.read++;
      } catch (cause) {
        if (cause instanceof NdconvError || cause instanceof PipelineError) result.refused++;
        else result.odd.push(`${kind.name}, mutation ${mutation}: ${(cause as Error)?.stack ?? cause}`);
      }
      const { user, system } = process.cpuUsage(start);
      result.slowest = Math.max(result.slowest, (user + system) / 1000);
    }
  }
  return result;
}
