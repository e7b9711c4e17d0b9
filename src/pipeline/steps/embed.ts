// `embed`: one vector for every item of a dataset, by a layer of a network; kept in a file where wished, from which a later
// run takes what is there already.

import { existsSync } from 'node:fs';
import { batchSize, embedDataset, recordEmbedding } from '../../embeddings/embed.ts';
import { type EmbeddingNetwork, embeddingNetwork, fittedShape } from '../../embeddings/embedder.ts';
import type { Embeddings } from '../../embeddings/embeddings.ts';
import { readEmbeddings, removeStale, writeEmbeddings } from '../../embeddings/store.ts';
import { NdconvError } from '../../errors.ts';
import { planProgram } from '../../graph/plan.ts';
import type { Network } from '../../networks/network.ts';
import type { CheckContext, RunContext, Step, ValuePlan } from '../step.ts';
import { countsOf, datasetOf, expectItems, type ItemParameters, inputSchema, inputsOf } from './items.ts';

interface Parameters extends ItemParameters {
  network: string;
  layer?: string;
  normalise: boolean;
  mirror?: number;
  path?: string;
}

/** Milliseconds between two intermediate writes. */
const between = 60_000;

/** Shapes of the inputs, as far as they are known: `[...spatial, channels]`. */
function shapesOf({ params, planOf }: CheckContext<Parameters>): (number[] | undefined)[] {
  if (params.dataset !== undefined) return [planOf(params.dataset).fieldShape as number[] | undefined];
  return inputsOf(params).map(reference => planOf(reference).shape);
}

export const embed: Step<Parameters> = {
  name: 'embed',
  summary:
    'one vector for every item of a dataset (or field), by a layer of a network; what a file holds already is kept',
  schema: {
    required: ['network'],
    properties: {
      dataset: {
        reference: ['dataset'],
        description: 'what to embed: files, aligned faces, parts of signals',
      },
      input: inputSchema,
      network: {
        reference: ['network'],
        description:
          'the network; inputs are fitted to one that is made for one size (face-api: padded to a square, 150×150, RGB)',
      },
      layer: {
        type: 'string',
        description:
          'the layer whose values are the vector, averaged over its cells where it has some; the last of the network where absent',
      },
      normalise: { type: 'boolean', default: false, description: 'bring every vector to length 1' },
      mirror: {
        type: 'integer',
        minimum: 0,
        description:
          'embed the mirror image along this axis as well (1 for the left and right of an image) and add both vectors; steadier, in twice the time',
      },
      path: {
        path: 'write',
        description:
          'a .json, beside which the vectors lie as .npy; what it holds of the same files and network is not computed again',
      },
    },
  },
  outputs: { value: 'embeddings' },
  effect: true,
  check(context) {
    const { params: p, planOf, problem, forecast } = context;
    const unknown = { outputs: { value: { kind: 'embeddings' as const } } };
    if (!expectItems(context)) return unknown;
    if (p.path !== undefined && !/\.json$/i.test(p.path))
      problem({
        at: ['path'],
        message: `${p.path} is to end in .json; the vectors are put beside it as .npy`,
      });
    const network = planOf(p.network).network as Network | undefined;
    if (!network) return unknown;
    const names = network.layers.map(({ name }) => name);
    if (p.layer !== undefined && !names.includes(p.layer)) {
      problem({
        at: ['layer'],
        message: `network ${network.name} has no layer '${p.layer}'`,
        candidates: names,
      });
      return unknown;
    }
    if (p.mirror !== undefined && p.mirror >= network.rank) {
      problem({
        at: ['mirror'],
        message: `network ${network.name} has ${network.rank} spatial dimensions: axes 0 to ${network.rank - 1}`,
      });
      return unknown;
    }
    const embedding = embeddingNetwork(network, p);
    const { items, identities, labels } = countsOf(context);
    const value: ValuePlan = { kind: 'embeddings', items, identities, labels, embedder: network.name };
    const first = shapesOf(context).find(shape => shape !== undefined);
    if (!first && !network.sizes) return { outputs: { value } };
    const at = p.dataset === undefined ? ['input'] : ['dataset'];
    try {
      const shape = first ? fittedShape(network, first, 'the input') : [...network.sizes!, network.channels];
      const count = Math.min(batchSize(shape), items ?? Number.POSITIVE_INFINITY);
      const { graph, outputs } = recordEmbedding(embedding, [count, ...shape]);
      const { plan } = planProgram(graph, { outputs });
      const size = outputs.y.shape.at(-1)!;
      const seconds = forecast.seconds(plan);
      return {
        outputs: { value: { ...value, size } },
        memory: forecast.bytes(plan),
        ...(seconds === undefined || items === undefined ? {} : { seconds: (seconds * items) / count }),
        lines: [
          `${items ?? 'all'} items of ${shape.join('×')}, ${count} at a time, through ${embedding.layer} of ${network.name}: ${size} numbers each`,
        ],
      };
    } catch (error) {
      if (!(error instanceof NdconvError)) throw error;
      problem({ at, message: error.message });
      return unknown;
    }
  },
  async run(context) {
    const { params: p, valueOf, note, progress, signal } = context;
    const embedding = embeddingNetwork(valueOf<Network>(p.network), p);
    const dataset = datasetOf(context);
    const known = p.path === undefined ? undefined : await knownIn(context, p.path);
    let written = Date.now();
    const { embeddings, kept, reused, computed } = await embedDataset(dataset, embedding, context.backend, {
      ...(known ? { known } : {}),
      signal,
      onProgress: async (done, total, sofar) => {
        progress({ fraction: done / total, iteration: done, iterations: total });
        await new Promise(setImmediate);
        if (p.path === undefined || Date.now() - written < between) return;
        await writeEmbeddings(sofar(), context.outputPath(p.path));
        written = Date.now();
      },
    });
    if (embeddings.items.length === 0) {
      if (signal.aborted) throw signal.reason;
      throw new NdconvError(
        'EmbeddingError',
        `none of the ${dataset.items.length} items gave an embedding; the notes say why`,
        { items: dataset.items.length },
      );
    }
    note(describeCounts(embeddings, { reused, computed }, p.path));
    if (p.path !== undefined) await store(context, kept, p.path);
    context.report(sectionOf(embeddings, embedding, { reused, computed }));
    return { value: embeddings };
  },
};

const describeCounts = (
  { items, size }: Embeddings,
  { reused, computed }: { reused: number; computed: number },
  path?: string,
): string =>
  `${items.length} embeddings of ${size} numbers: ${computed} computed${path === undefined ? '' : `, ${reused} taken from ${path}`}`;

/** What is stored from an earlier run; what is damaged is said and computed again. */
async function knownIn(
  { outputPath, note }: RunContext<Parameters>,
  path: string,
): Promise<Embeddings | undefined> {
  const file = outputPath(path);
  if (!existsSync(file)) return undefined;
  try {
    return await readEmbeddings(file);
  } catch (error) {
    if (!(error instanceof NdconvError)) throw error;
    note(`${path} is not used and will be written anew: ${error.message.replace(`${file}: `, '')}`);
    return undefined;
  }
}

async function store(
  { write, outputPath }: RunContext<Parameters>,
  embeddings: Embeddings,
  path: string,
): Promise<void> {
  const file = outputPath(path);
  await write(path, async temporary => [await writeEmbeddings(embeddings, file, temporary)]);
  await removeStale(file);
}

function sectionOf(
  { embedder, items, size }: Embeddings,
  { layer, normalise }: EmbeddingNetwork,
  { reused, computed }: { reused: number; computed: number },
) {
  const count = (of: 'label' | 'identity') => new Set(items.map(item => item[of])).size;
  return {
    title: 'Embeddings',
    blocks: [
      {
        type: 'table' as const,
        columns: ['', ''],
        rows: [
          ['network', embedder.name],
          ['layer', `${layer}, ${size} numbers${normalise ? ', length 1' : ''}`],
          ['made with (SHA-256)', embedder.sha256],
          ['items', items.length],
          ['labels', count('label')],
          ['identities', count('identity')],
          ['computed now', computed],
          ['taken over', reused],
        ],
      },
    ],
  };
}
