// What the tests of verification share: embeddings made by rule, and expecting an EmbeddingError.

import type { Test } from 'tape';
import type { EmbeddedItem, Embeddings } from '../../src/embeddings/embeddings.ts';
import { NdconvError } from '../../src/errors.ts';
import { createRandom } from '../../src/random.ts';

export const embedder = { name: 'made', sha256: 'aa' };

export const item = (label: string, k: number, identity = label): EmbeddedItem => ({
  path: `/made/${identity}/${k}.png`,
  name: `${identity}/${k}.png`,
  label,
  identity,
});

export interface MadeOptions {
  identities: number;
  samples: number;
  size?: number;
  /** Deviation of samples about their identity, in each of the first half of the components and of the other half. */
  noise?: [number, number];
  /** Added to every component: what all have in common. */
  common?: number;
  seed?: number;
}

/** Identities drawn from a normal distribution, samples about them; half of the components noisier than the others. */
export function madeEmbeddings(options: MadeOptions): Embeddings {
  const { identities, samples, size = 8, noise = [0.3, 2], common = 0, seed = 1 } = options;
  const random = createRandom(seed);
  const items: EmbeddedItem[] = [];
  const vectors: number[] = [];
  for (let i = 0; i < identities; i++) {
    const centre = Array.from({ length: size }, () => random.normal());
    for (let k = 0; k < samples; k++) {
      items.push(item(`p${i}`, k));
      for (const [c, x] of centre.entries())
        vectors.push(common + x + noise[c < size / 2 ? 0 : 1] * random.normal());
    }
  }
  return { embedder, size, items, vectors: Float32Array.from(vectors) };
}

/** Expects an EmbeddingError whose message matches. */
export async function refuses(t: Test, run: () => unknown, pattern: RegExp): Promise<void> {
  try {
    await run();
    t.fail('was not refused');
  } catch (error) {
    const isOurs = error instanceof NdconvError && error.tag === 'EmbeddingError';
    t.ok(isOurs && pattern.test(error.message), (error as Error).message);
  }
}
