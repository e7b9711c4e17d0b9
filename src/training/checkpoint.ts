// Checkpoints: the whole state of a training in one safetensors file. Tensors are the optimiser's and the network's, flat, and
// those of the best network so far; its metadata says how far the training is and what it was started with.

import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { Dataset } from '../datasets/dataset.ts';
import { NdconvError } from '../errors.ts';
import { readWhole } from '../formats/bytes.ts';
import { formatError } from '../formats/format.ts';
import { readSafetensors, readSafetensorsMetadata } from '../formats/safetensors.ts';
import { encodeSafetensors } from '../formats/safetensors-writing.ts';
import type { Network } from '../networks/network.ts';
import { trainableWeights } from '../networks/trainable.ts';
import { watching } from './collapse.ts';
import type { Progress } from './progress.ts';
import type { Values } from './running.ts';
import type { TrainingSettings } from './settings.ts';

/** The state after a step. */
export interface Checkpoint {
  progress: Progress;
  /** Weights and state of the optimiser by name. */
  state: Values;
  /** Weights of the best network so far. */
  best?: Values;
}

const BEST = 'best ';

/** A training before its first step. */
export const beginning = (): Progress => ({
  step: 0,
  position: { epoch: 0, within: 0 },
  history: [],
  collapse: watching(),
  origin: 0,
  part: 1,
  rescues: 0,
});

/** What a training is started with: each part hashed, so that it can be said which differs. */
export type Fingerprint = Record<'settings' | 'network' | 'data', string>;

const hashOf = (...parts: (string | Float32Array)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts)
    hash.update(typeof part === 'string' ? part : new Uint8Array(part.slice().buffer));
  return hash.digest('hex').slice(0, 32);
};

/** The fingerprint of a training; files count by name, not by content. */
export function fingerprintOf(
  network: Network,
  { train, validation }: { train: Dataset; validation?: Dataset },
  settings: TrainingSettings,
): Fingerprint {
  const items = ({ items, options }: Dataset) =>
    JSON.stringify([
      items.map(({ name, label, identity }) => [name, label, identity]),
      options.operations ?? [],
      options.augmentation ?? {},
    ]);
  const layers = network.layers.map(({ name, type, from, parameters }) => [name, type, from, parameters]);
  return {
    settings: hashOf(JSON.stringify(settings)),
    network: hashOf(
      JSON.stringify(layers),
      ...[...trainableWeights(network).values()].map(({ data }) => data),
    ),
    data: hashOf(items(train), validation ? items(validation) : ''),
  };
}

/** Writes a checkpoint, whole or not at all where the caller renames it. */
export async function writeCheckpoint(
  path: string,
  { progress, state, best }: Checkpoint,
  fingerprint: Fingerprint,
): Promise<void> {
  const flat = (values: Values, prefix: string) =>
    [...values].map(([name, data]) => [`${prefix}${name}`, { shape: [data.length], data }] as const);
  const tensors = new Map([...flat(state, ''), ...(best ? flat(best, BEST) : [])]);
  const metadata = {
    'ndconv.progress': JSON.stringify(progress),
    'ndconv.fingerprint': JSON.stringify(fingerprint),
  };
  await writeFile(path, Buffer.concat(encodeSafetensors(tensors, metadata)));
}

/**
 * Reads a checkpoint of this training. Errors: FormatError where it is none, RunError where it is that of another
 * training, naming what differs.
 */
export async function readCheckpoint(path: string, fingerprint: Fingerprint): Promise<Checkpoint> {
  const bytes = await readWhole(path);
  const metadata = readSafetensorsMetadata(bytes, path);
  if (!metadata['ndconv.progress'])
    throw formatError(path, 'is no checkpoint of a training', 'give one that train-embedding wrote', {});
  const before = JSON.parse(metadata['ndconv.fingerprint']) as Fingerprint;
  const differs = (Object.keys(fingerprint) as (keyof Fingerprint)[]).filter(
    part => before[part] !== fingerprint[part],
  );
  if (differs.length > 0)
    throw new NdconvError(
      'RunError',
      `${path} is of another training: its ${differs.join(' and ')} differ${differs.length === 1 ? 's' : ''}; go on with what it was started with, or start anew without resume`,
      { path, differs },
    );
  const state = new Map<string, Float32Array>();
  const best = new Map<string, Float32Array>();
  for (const [name, { data }] of await readSafetensors(bytes, path))
    if (name.startsWith(BEST)) best.set(name.slice(BEST.length), data);
    else state.set(name, data);
  const progress = JSON.parse(metadata['ndconv.progress']) as Progress;
  return { progress, state, ...(best.size > 0 ? { best } : {}) };
}
