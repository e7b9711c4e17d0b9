// `dataset`: many labelled files, for training and measuring: a folder with a subfolder per identity or a list, split by
// identity, read when needed. Checking looks at headers alone.

import type { Augmentation } from '../../datasets/augment.ts';
import {
  createDataset,
  type Dataset,
  type DatasetOptions,
  type Shares,
  splitByIdentity,
  surveyDataset,
} from '../../datasets/dataset.ts';
import { type Item, listItems, type Part, parts } from '../../datasets/list.ts';
import { NdconvError } from '../../errors.ts';
import type { Field } from '../../formats/field.ts';
import type { ReadOptions } from '../../formats/index.ts';
import type { Operation } from '../../prepare/operations.ts';
import type { Section } from '../../report/section.ts';
import type { CheckContext, RunContext, Step, ValuePlan } from '../step.ts';
import { describeOperations, operationsSchema } from './operations.ts';

interface Parameters {
  path: string;
  split: Shares;
  drawn: 'by-seed' | 'in-order';
  operations?: Operation[];
  augment?: Augmentation;
  seed?: number;
  entry?: string;
  files?: string;
}

/** Lines that a list of names may take. */
const mostListed = 12;

async function open(
  { params: p, seed }: Pick<RunContext<Parameters>, 'params' | 'seed'>,
  told: Pick<DatasetOptions, 'note' | 'leaveOut'> = {},
): Promise<{ whole: Dataset; split: Record<Part, Dataset>; others: string[] }> {
  const { items, others } = await listItems(p.path, p.files);
  const read: ReadOptions = p.entry === undefined ? {} : { entry: p.entry };
  const { note, leaveOut } = told;
  const options = { read, operations: p.operations, note, leaveOut };
  const whole = createDataset(items, options);
  const split = splitByIdentity(whole, p.split, p.drawn === 'in-order' ? undefined : (p.seed ?? seed));
  // Only what is trained on is changed at random.
  split.train = { ...split.train, options: { ...options, augmentation: p.augment } };
  return { whole, split, others };
}

/** `10 files each` or `3 to 12 files each (fewest: ann, bob)`. */
function describeCounts({ items, identities }: Dataset): string[] {
  const counts = new Map<string, number>();
  for (const { identity } of items) counts.set(identity, (counts.get(identity) ?? 0) + 1);
  const sizes = [...counts.values()];
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  const spread = least === most ? `${least}` : `${least} to ${most}`;
  const listed = identities.slice(0, mostListed).map(identity => `${identity} ${counts.get(identity)}`);
  const more = identities.length > mostListed ? ` … and ${identities.length - mostListed} more` : '';
  return [
    `${items.length} files of ${identities.length} identities, ${spread} each`,
    `files by identity: ${listed.join(', ')}${more}`,
  ];
}

const describePart = (part: Part, { items, identities }: Dataset): string =>
  `${part} ${identities.length} (${items.length} files)`;

/** Files that a report shows. */
const mostShown = 6;

/** The parts in numbers, and the first file of some identities as it is once prepared. */
async function describe(whole: Dataset, split: Record<Part, Dataset>): Promise<Section> {
  const rows = parts.map(part => [part, split[part].identities.length, split[part].items.length]);
  const shown: { label: string; field: Field }[] = [];
  for (const identity of whole.identities.slice(0, mostShown)) {
    const item = whole.items.find(({ identity: own }) => own === identity) as Item;
    const field = await whole.read(item);
    if (field) shown.push({ label: item.name, field });
  }
  return {
    title: 'Dataset',
    blocks: [
      { type: 'table', columns: ['part', 'identities', 'files'], rows },
      { type: 'fields', items: shown },
    ],
  };
}

export const dataset: Step<Parameters> = {
  name: 'dataset',
  summary: 'many labelled files: a folder with a subfolder per identity or a list, split by identity',
  schema: {
    required: ['path'],
    properties: {
      path: {
        path: 'read',
        description:
          'a folder with one subfolder per identity (without subfolders every file is its own), or a .csv or .json list of path and label (identity and split may be beside them), paths relative to the list (or npm:package/path)',
      },
      files: {
        type: 'string',
        description: 'only files whose name matches: * stands for any text, ? for one letter (*.jpg)',
      },
      split: {
        type: 'object',
        description: 'shares of the identities; nobody is in two parts',
        default: { train: 0.7, validation: 0.15, test: 0.15 },
        properties: Object.fromEntries(
          parts.map(part => [
            part,
            { type: 'number', minimum: 0, default: 0, description: `share of ${part}` },
          ]),
        ),
      },
      drawn: {
        enum: ['by-seed', 'in-order'],
        default: 'by-seed',
        description:
          'which identities go into which part: drawn by the seed, or in the order of their names, first those of train, then of validation, then of test',
      },
      operations: { ...operationsSchema, description: 'what is done to every file, as in prepare' },
      augment: {
        type: 'object',
        minProperties: 1,
        description: 'random changes of the files trained on, other ones in every pass',
        properties: {
          flip: {
            type: 'array',
            minItems: 1,
            items: { oneOf: [{ type: 'integer', minimum: 0 }, { type: 'string' }] },
            description: 'axes turned round every other time, by name or number',
          },
          shift: {
            type: 'number',
            minimum: 0,
            maximum: 1,
            description: 'largest shift, as a part of the size',
          },
          crop: {
            type: 'number',
            exclusiveMinimum: 0,
            maximum: 1,
            description: 'smallest part that is cut out and enlarged, as a part of the size',
          },
          rotate: {
            type: 'number',
            exclusiveMinimum: 0,
            maximum: 180,
            description: 'largest angle turned by, in degrees, in the plane of two axes',
          },
          zoom: {
            type: 'number',
            exclusiveMinimum: 0,
            maximum: 1,
            description: 'largest enlargement or reduction, as a part of the size',
          },
          noise: {
            type: 'number',
            minimum: 0,
            description: 'standard deviation of added noise, as a part of that of the values',
          },
          intensity: {
            type: 'number',
            minimum: 0,
            maximum: 1,
            description:
              'largest change of brightness and contrast, as a part of the deviation of the values',
          },
        },
      },
      seed: {
        type: 'integer',
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'another split, whatever the seed of the pipeline',
      },
      entry: {
        type: 'string',
        description: 'files of several arrays or sample rates: the name of the one to read',
      },
    },
  },
  effect: true,
  outputs: { value: 'dataset', train: 'dataset', validation: 'dataset', test: 'dataset' },
  async check(context: CheckContext<Parameters>) {
    const kinds = ['value', ...parts];
    const unknown = Object.fromEntries(kinds.map(name => [name, { kind: 'dataset' as const }]));
    let opened: Awaited<ReturnType<typeof open>>;
    try {
      opened = await open(context);
    } catch (error) {
      // What is wrong with a file is said of the path; the rest is the split's.
      if (!(error instanceof NdconvError) || error.tag !== 'ShapeError') throw error;
      context.problem({ at: ['split'], message: error.message });
      return { outputs: unknown };
    }
    const { whole, split, others } = opened;
    const survey = await surveyDataset(whole);
    const { shapes, looked, broken, shape, kind: fieldKind } = survey;
    if (broken.length === looked) {
      const message = `none of the ${looked} files looked at can be used: ${broken[0]}`;
      context.problem({ at: [context.params.operations ? 'operations' : 'path'], message });
      return { outputs: unknown };
    }
    const { flip = [] } = context.params.augment ?? {};
    for (const [i, axis] of flip.entries())
      if (typeof axis === 'number' ? axis >= survey.axes.length : !survey.axes.includes(axis))
        context.problem({
          at: ['augment', 'flip', i],
          message: `there is no axis ${axis}; there are ${survey.axes.join(', ')}`,
          ...(typeof axis === 'string' ? { candidates: survey.axes } : {}),
        });
    if (context.params.augment?.rotate !== undefined && survey.axes.length === 1)
      context.problem({ at: ['augment', 'rotate'], message: 'rotate has no effect on data with one axis' });
    const plan = (part: Dataset): ValuePlan => ({
      kind: 'dataset',
      items: part.items.length,
      identities: part.identities.length,
      labels: new Set(part.items.map(({ label }) => label)).size,
      ...(shape ? { fieldShape: shape, fieldKind } : {}),
    });
    const shown = [...shapes].slice(0, mostListed).map(([size, count]) => `${size} (${count})`);
    const sample = looked < whole.items.length ? ` in ${looked} files looked at` : '';
    const prepared = context.params.operations
      ? `, after ${describeOperations(context.params.operations)}`
      : '';
    return {
      outputs: {
        value: plan(whole),
        ...(Object.fromEntries(parts.map(part => [part, plan(split[part])])) as Record<Part, ValuePlan>),
      },
      lines: [
        ...describeCounts(whole),
        `identities: ${parts.map(part => describePart(part, split[part])).join(', ')}`,
        `shapes${sample}: ${shown.join(', ')}${shapes.size > mostListed ? ' …' : ''}${prepared}`,
        ...(others.length > 0 ? [`${others.length} files of no known format are left out`] : []),
        ...broken.slice(0, mostListed).map(line => `left out: ${line}`),
        ...(broken.length > mostListed ? [`… and ${broken.length - mostListed} more left out`] : []),
      ],
    };
  },
  async run(context) {
    const { whole, split, others } = await open(context, context);
    if (others.length > 0) context.note(`${others.length} files of no known format are left out`);
    context.report(await describe(whole, split));
    return { value: whole, ...split };
  },
};
