// A dataset: many labelled files, read when they are needed, prepared and, for training, augmented. It is split by
// identity, so that nobody is in two parts, and drawn in batches of P identities × K samples. A file that cannot be read is
// left out and named once. The same seed gives the same parts, order and changes.

import { NdconvError } from '../errors.ts';
import type { Field } from '../formats/field.ts';
import { reasonOf } from '../formats/format.ts';
import { peekField, type ReadOptions, readField } from '../formats/index.ts';
import { type Operation, planOperations } from '../prepare/operations.ts';
import { applyOperations } from '../prepare/run.ts';
import { createRandom, type Random } from '../random.ts';
import { type Augmentation, augmentField } from './augment.ts';
import { type Item, type Part, parts } from './list.ts';

/** Told that an item, named as messages name it, is left out, and why. */
export type LeaveOut = (name: string, reason: string) => void;

/** How the files of a dataset become fields. */
export interface DatasetOptions {
  read?: ReadOptions;
  operations?: readonly Operation[];
  augmentation?: Augmentation;
  /** Told of what readers choose. */
  note?: (message: string) => void;
  /** Told of items that cannot be used, each once; `note` where absent. */
  leaveOut?: LeaveOut;
  /** Bytes of prepared fields to keep in memory; 256 MiB by default. */
  cacheBytes?: number;
}

/** Labelled fields, read when asked for. */
export interface Dataset {
  readonly items: readonly Item[];
  /** In order; the place of a label is its class. */
  readonly labels: readonly string[];
  readonly identities: readonly string[];
  readonly options: DatasetOptions;
  /** What is done to every item before it is given, as plain data: what was prepared alike can be compared. */
  readonly preparation: readonly unknown[];
  /** The prepared field of an item, or undefined where it cannot be read. Shared: do not change it. */
  read(item: Item): Promise<Field | undefined>;
}

const distinct = (values: Iterable<string>): string[] => [...new Set(values)];

/** A dataset of these items. Nothing is read yet. */
export function createDataset(items: readonly Item[], options: DatasetOptions = {}): Dataset {
  const { read: readOptions = {}, operations = [], note, cacheBytes = 256 * 2 ** 20 } = options;
  const leaveOut = leaveOutOf(options);
  const kept = new Map<string, Field>();
  const broken = new Set<string>();
  let bytes = 0;
  const read = async (item: Item): Promise<Field | undefined> => {
    const before = kept.get(item.path);
    if (before || broken.has(item.path)) return before;
    try {
      const { field } = applyOperations(await readField(item.path, { ...readOptions, note }), operations);
      if (bytes + field.data.byteLength <= cacheBytes) {
        bytes += field.data.byteLength;
        kept.set(item.path, field);
      }
      return field;
    } catch (error) {
      if (!(error instanceof NdconvError)) throw error;
      broken.add(item.path);
      leaveOut(item.name, reasonOf(error).replace(`${item.path}: `, ''));
      return undefined;
    }
  };
  return {
    items,
    labels: distinct(items.map(({ label }) => label)),
    identities: distinct(items.map(({ identity }) => identity)),
    options,
    preparation: [
      ...(readOptions.entry === undefined ? [] : [{ entry: readOptions.entry }]),
      ...(operations.length > 0 ? [{ operations }] : []),
    ],
    read,
  };
}

/** Who is told of items that are left out. */
export const leaveOutOf = ({ leaveOut, note }: DatasetOptions): LeaveOut =>
  leaveOut ?? ((name, reason) => note?.(`${name} is left out: ${reason}`));

/** A dataset of some of the items, which shares what was read; labels keep their class. */
export const itemsOf = (dataset: Dataset, items: readonly Item[]): Dataset => ({
  ...dataset,
  items,
  identities: distinct(items.map(({ identity }) => identity)),
});

/**
 * A dataset of other items that are read in their own way: faces cut out of photos, heartbeats out of a record. Items may
 * know more than `Item` says; augmentation stays. `how` says what is done to all of them alike, as plain data.
 */
export const derivedDataset = <T extends Item>(
  { options, preparation }: Pick<Dataset, 'options' | 'preparation'>,
  items: readonly T[],
  read: (item: T) => Promise<Field | undefined>,
  how?: unknown,
): Dataset => ({
  items,
  labels: distinct(items.map(({ label }) => label)),
  identities: distinct(items.map(({ identity }) => identity)),
  options,
  preparation: how === undefined ? preparation : [...preparation, how],
  read: read as Dataset['read'],
});

/** How large each part is to be; the shares are taken in proportion. */
export type Shares = Record<Part, number>;

/**
 * Splits by identity: everything of an identity goes into one part, which is drawn by seed unless the list says it; without a
 * seed the parts take them in their order. A part with a share gets at least one identity where there are enough.
 * Errors: ShapeError where a list puts one identity into two parts, or no share is positive.
 */
export function splitByIdentity(
  dataset: Dataset,
  shares: Shares,
  seed: number | undefined,
): Record<Part, Dataset> {
  const given = new Map<string, Part>();
  for (const { identity, part, name } of dataset.items) {
    const before = given.get(identity);
    if (part && before && before !== part)
      throw new NdconvError(
        'ShapeError',
        `dataset: ${identity} is in ${before} and, with ${name}, in ${part}; an identity belongs to one part, or what is measured is remembered and not learned`,
        { identity },
      );
    if (part) given.set(identity, part);
  }
  const total = parts.reduce((sum, part) => sum + shares[part], 0);
  if (!(total > 0) || parts.some(part => !(shares[part] >= 0)))
    throw new NdconvError('ShapeError', 'dataset: the shares of the split are to be 0 or more, one above 0', {
      shares,
    });
  const free = dataset.identities.filter(identity => !given.has(identity));
  if (seed !== undefined) createRandom(seed, 'split').shuffle(free.sort());
  const counts = countsOf(
    free.length,
    parts.map(part => shares[part] / total),
  );
  for (const [at, part] of parts.entries())
    for (const identity of free.splice(0, counts[at])) given.set(identity, part);
  const of = (part: Part): Dataset =>
    itemsOf(
      dataset,
      dataset.items.filter(({ identity }) => given.get(identity) === part),
    );
  return { train: of('train'), validation: of('validation'), test: of('test') };
}

/** Whole numbers in proportion to shares that add up to `count`: largest remainders, none left empty needlessly. */
function countsOf(count: number, shares: readonly number[]): number[] {
  const counts = shares.map(share => Math.floor(share * count + 1e-9));
  const rest = (at: number): number => shares[at] * count - counts[at];
  for (let left = count - counts.reduce((a, b) => a + b, 0); left > 0; left--) {
    const next = shares.map((_, at) => at).reduce((best, at) => (rest(at) > rest(best) ? at : best));
    counts[next]++;
  }
  for (const [at, share] of shares.entries()) {
    const largest = counts.indexOf(Math.max(...counts));
    if (share === 0 || counts[at] > 0 || counts[largest] < 2) continue;
    counts[at]++;
    counts[largest]--;
  }
  return counts;
}

/** Fields of one batch side by side. */
export interface Batch {
  fields: Field[];
  items: Item[];
  /** Class of every field: the place of its label in `dataset.labels`. */
  classes: number[];
}

export interface BatchOptions {
  /** Identities in a batch (P) and samples of each (K). */
  identities: number;
  samples: number;
  seed: number;
  /** Which pass over the data: every one has another order and other changes. */
  epoch?: number;
}

/**
 * One pass over the identities in batches of P × K, identities and samples shuffled. An identity with fewer than K files
 * that can be read gives some of them again; one with none is left out, and so is a last batch of one identity.
 */
export async function* batches(dataset: Dataset, options: BatchOptions): AsyncGenerator<Batch> {
  const { identities, samples, seed, epoch = 0 } = options;
  const random = createRandom(seed, `batches ${epoch}`);
  const owned = new Map<string, Item[]>();
  for (const item of dataset.items) {
    const list = owned.get(item.identity);
    if (list) list.push(item);
    else owned.set(item.identity, [item]);
  }
  const waiting = random.shuffle([...owned.keys()].sort());
  const classes = new Map(dataset.labels.map((label, at) => [label, at]));
  let batch: Batch = { fields: [], items: [], classes: [] };
  let within = 0;
  for (const identity of waiting) {
    const drawn = await drawItems(dataset, owned.get(identity)!, samples, random);
    for (const [at, { item, field }] of drawn.entries()) {
      batch.items.push(item);
      batch.classes.push(classes.get(item.label) ?? -1);
      batch.fields.push(augmented(dataset, field, item, seed, `${epoch} ${at}`));
    }
    if (drawn.length > 0) within++;
    if (within < identities) continue;
    yield batch;
    batch = { fields: [], items: [], classes: [] };
    within = 0;
  }
  if (within > (identities > 1 ? 1 : 0)) yield batch;
}

/** K items of an identity and their fields, without repeats as far as they go. */
async function drawItems(
  dataset: Dataset,
  items: readonly Item[],
  count: number,
  random: Random,
): Promise<{ item: Item; field: Field }[]> {
  const drawn: { item: Item; field: Field }[] = [];
  const order = random.shuffle([...items]);
  for (const item of order) {
    if (drawn.length === count) return drawn;
    const field = await dataset.read(item);
    if (field) drawn.push({ item, field });
  }
  for (let at = 0; drawn.length > 0 && drawn.length < count; at++) drawn.push(drawn[at]);
  return drawn;
}

const augmented = (
  { options: { augmentation } }: Dataset,
  field: Field,
  { name }: Item,
  seed: number,
  draw: string,
): Field =>
  augmentation ? augmentField(field, augmentation, createRandom(seed, `augment ${draw} ${name}`)) : field;

/** Every item that can be read, in order, one at a time and without augmentation: for embedding and testing. */
export async function* readAll(dataset: Dataset): AsyncGenerator<{ item: Item; field: Field }> {
  for (const item of dataset.items) {
    const field = await dataset.read(item);
    if (field) yield { item, field };
  }
}

/** Fields of one shape as one array `[batch, ...spatial, channels]`. Errors: ShapeError naming the two that differ. */
export function stack(fields: readonly Field[]): { shape: number[]; data: Float32Array } {
  const [first] = fields;
  if (!first) throw new NdconvError('ShapeError', 'stack: there is no field; give at least one');
  const data = new Float32Array(fields.length * first.data.length);
  for (const [at, { shape, data: own, source }] of fields.entries()) {
    if (shape.join() !== first.shape.join())
      throw new NdconvError(
        'ShapeError',
        `stack: ${first.source} has shape ${first.shape.join('×')} and ${source} ${shape.join('×')}; bring them to one with resample, crop or pad`,
        { shapes: [first.shape, shape] },
      );
    data.set(own, at * first.data.length);
  }
  return { shape: [fields.length, ...first.shape], data };
}

/** What the headers of a dataset say, without reading it. */
export interface Survey {
  /** How often each shape occurs, once prepared: `112×92×1`. */
  shapes: Map<string, number>;
  /** The shape of all that were looked at, where it is one. */
  shape?: number[];
  kind?: Field['kind'];
  /** Names of the axes. */
  axes: string[];
  looked: number;
  /** `name: reason` of those that cannot be read. */
  broken: string[];
}

/** Looks at the headers of up to `most` items, evenly chosen. */
export async function surveyDataset({ items, options }: Dataset, most = 200): Promise<Survey> {
  const survey: Survey = { shapes: new Map(), axes: [], looked: 0, broken: [] };
  const count = Math.min(items.length, most);
  let last: number[] | undefined;
  for (let i = 0; i < count; i++) {
    const item = items[Math.floor((i * items.length) / count)];
    survey.looked++;
    try {
      const header = planOperations(await peekField(item.path, options.read), options.operations ?? []);
      const shown = header.shape.join('×');
      survey.shapes.set(shown, (survey.shapes.get(shown) ?? 0) + 1);
      survey.kind = header.kind;
      survey.axes = header.axes.map(({ name }) => name);
      last = header.shape;
    } catch (error) {
      if (!(error instanceof NdconvError)) throw error;
      survey.broken.push(`${item.name}: ${reasonOf(error).replace(`${item.path}: `, '')}`);
    }
  }
  if (survey.shapes.size === 1 && last) survey.shape = last;
  return survey;
}
