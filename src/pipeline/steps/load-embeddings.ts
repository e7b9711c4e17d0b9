// `load-embeddings`: embeddings that an earlier run wrote with `embed`, to verify, identify or evaluate with.

import { parseStored, readEmbeddings } from '../../embeddings/store.ts';
import { NdconvError } from '../../errors.ts';
import type { Step } from '../step.ts';

export const loadEmbeddings: Step<{ path: string }> = {
  name: 'load-embeddings',
  summary: 'reads embeddings that a step embed wrote',
  schema: {
    required: ['path'],
    properties: { path: { path: 'read', description: 'the .json; the vectors are read from beside it' } },
  },
  outputs: { value: 'embeddings' },
  async check({ params: { path }, problem }) {
    try {
      const { embedder, items, size } = await parseStored(path);
      const count = (of: 'label' | 'identity') => new Set(items.map(item => item[of])).size;
      const [labels, identities] = [count('label'), count('identity')];
      return {
        outputs: {
          value: {
            kind: 'embeddings',
            items: items.length,
            labels,
            identities,
            size,
            embedder: embedder.name,
          },
        },
        lines: [
          `${items.length} embeddings of ${size} numbers by ${embedder.name}, ${identities} identities`,
        ],
      };
    } catch (error) {
      if (!(error instanceof NdconvError)) throw error;
      problem({ at: ['path'], message: error.message });
      return { outputs: { value: { kind: 'embeddings' } } };
    }
  },
  run: async ({ params: { path } }) => ({ value: await readEmbeddings(path) }),
};
