// The stream of batches that a training takes: pass after pass over a dataset, each batch as the network's input and its
// classes. It can be taken up at any batch, and the next batch is prepared while the backend computes.

import { type Batch, batches, type Dataset } from '../datasets/dataset.ts';
import { NdconvError } from '../errors.ts';
import { product } from '../tensor/layout.ts';

/** Where a stream is: the pass, and the batches of it that were taken. */
export interface Position {
  epoch: number;
  within: number;
}

/** A batch in places `[N, ...spatial, channels]`; places without a sample are 0. */
export interface FedBatch {
  x: Float32Array;
  classes: number[];
  /** Where the stream is after it. */
  after: Position;
}

export interface FeedOptions {
  /** Shape of every field, `[...spatial, channels]`. */
  shape: readonly number[];
  /** P identities × K samples. */
  identities: number;
  samples: number;
  seed: number;
  from: Position;
}

/** Takes batches; two or more at once would mix them. */
export interface Feed {
  next(): Promise<FedBatch>;
}

/** Errors while taking: ShapeError where a field has another shape, or a pass over the dataset gives no batch. */
export function createFeed(dataset: Dataset, options: FeedOptions): Feed {
  const stream = endless(dataset, options);
  const take = async (): Promise<FedBatch> => (await stream.next()).value as FedBatch;
  let ready: Promise<FedBatch> | undefined;
  return {
    next() {
      const now = ready ?? take();
      // What goes wrong with the batch after is said when that is asked for.
      ready = now.then(take);
      ready.catch(() => {});
      return now;
    },
  };
}

async function* endless(dataset: Dataset, options: FeedOptions): AsyncGenerator<FedBatch> {
  const { identities, samples, seed, from } = options;
  for (let { epoch } = from; ; epoch++) {
    let within = 0;
    for await (const batch of batches(dataset, { identities, samples, seed, epoch })) {
      within++;
      if (epoch > from.epoch || within > from.within)
        yield { ...filled(batch, options), after: { epoch, within } };
    }
    if (within === 0)
      throw new NdconvError(
        'ShapeError',
        `training: there is no batch of ${identities} identities × ${samples} samples, as of the ${dataset.identities.length} identities fewer than two can be read; give at least two`,
      );
  }
}

function filled(
  { fields, classes }: Batch,
  { shape, identities, samples }: FeedOptions,
): Omit<FedBatch, 'after'> {
  const size = product(shape);
  const x = new Float32Array(identities * samples * size);
  for (const [i, field] of fields.entries()) {
    if (field.shape.join() !== shape.join())
      throw new NdconvError(
        'ShapeError',
        `training: ${field.source} has the shape ${field.shape.join('×')}, others have ${shape.join('×')}; bring them to one with resample, crop or pad in the dataset's operations`,
      );
    x.set(field.data, i * size);
  }
  return { x, classes };
}
