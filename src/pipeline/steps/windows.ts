// `windows`: cuts a field, or every field of a dataset, into many of one size: around its annotations (heartbeats of a
// record), or one after another in any rank. Checking lists them as far as headers say where annotations are.

import { basename } from 'node:path';
import { createDataset, type Dataset, itemsOf } from '../../datasets/dataset.ts';
import { type Part, parts } from '../../datasets/list.ts';
import {
  type Cut,
  describeCounts,
  type Grouping,
  type LabelSource,
  type Listed,
  labelSources,
  listWindows,
  noWindows,
  windowSize,
} from '../../datasets/window-list.ts';
import { cutWindows } from '../../datasets/windows.ts';
import { NdconvError } from '../../errors.ts';
import type { Field } from '../../formats/field.ts';
import { excerptHeader } from '../../prepare/excerpt.ts';
import { type Operation, type PerAxis, planOperations } from '../../prepare/operations.ts';
import type { Section } from '../../report/section.ts';
import type { CheckContext, Schema, Step, ValuePlan } from '../step.ts';
import { checkOperations, headerOf, operationsSchema } from './operations.ts';

interface Parameters {
  input: string;
  before?: number;
  after?: number;
  labels?: Record<string, string | string[]>;
  size?: PerAxis;
  step?: PerAxis;
  label?: LabelSource;
  block?: PerAxis;
  split?: Record<Part, number>;
  limit?: number;
  operations?: Operation[];
}

type Complain = CheckContext<Parameters>['problem'];

/** How to cut a field of this rank, and into what; undefined where the parameters are wrong, which is said. */
function cutOf(
  p: Parameters,
  rank: number,
  complain: Complain,
): { cut: Cut; grouping: Grouping } | undefined {
  const around = p.before !== undefined || p.after !== undefined;
  let faults = 0;
  const wrong = (at: (string | number)[], message: string): void => {
    faults++;
    complain({ at, message });
  };
  if (around === (p.size !== undefined)) {
    const way = around ? 'size' : 'input';
    wrong([way], 'give before and after, for windows around annotations, or size, for one after another');
  } else if (around) {
    if (p.step !== undefined) wrong(['step'], "'step' has no effect around annotations");
    if (rank !== 1) wrong(['input'], `a field of ${rank} dimensions has no annotations; give size`);
    if ((p.before ?? 0) + (p.after ?? 0) < 1) wrong(['after'], 'a window needs at least one sample');
  } else if (p.labels !== undefined)
    wrong(['labels'], "'labels' has no effect on windows one after another: they have that of the field");
  const labels =
    p.labels &&
    Object.fromEntries(Object.entries(p.labels).map(([to, from]) => [to, [from].flat()] as const));
  const seen = new Map<string, string>();
  for (const [label, owns] of Object.entries(labels ?? {}))
    for (const own of owns) {
      const other = seen.get(own);
      if (other !== undefined)
        wrong(['labels', label], `the annotation ${own} is listed under ${other} and ${label}`);
      seen.set(own, label);
    }
  if (p.label === 'block' && p.block === undefined)
    wrong(['label'], "'label: block' needs block, their size");
  if (p.label === 'annotation' && !around) wrong(['label'], 'windows one after another have no annotations');
  if (p.split && !parts.some(part => p.split![part] > 0))
    wrong(['split'], 'one of the shares is to be above 0');
  const each = (key: 'size' | 'step' | 'block', value: PerAxis): number[] => {
    const values = [value].flat();
    if (values.length !== 1 && values.length !== rank)
      wrong([key], `${values.length} numbers for ${rank} dimensions; give one for each, or one for all`);
    return values.length === 1 ? new Array<number>(rank).fill(values[0]) : values;
  };
  const size = p.size === undefined ? [] : each('size', p.size);
  const step = p.step === undefined ? size : each('step', p.step);
  const block = p.block === undefined ? undefined : each('block', p.block);
  if (faults > 0) return undefined;
  const { label, split } = p;
  return {
    cut: around ? { before: p.before ?? 0, after: p.after ?? 0, labels } : { size, step },
    grouping: { label, block, split },
  };
}

/** The input as a dataset: a field is one of one item. */
function datasetOf(value: Field | Dataset, note: (message: string) => void): Dataset {
  if (!('data' in value)) return value;
  const { source } = value;
  const name = basename(source);
  const item = { path: source, name, label: name, identity: name };
  return { ...createDataset([item], { note }), read: async () => value };
}

/** What the headers say: undefined where annotations are not in them, or the dataset's files are not known. */
function listKnown(plan: ValuePlan, cut: Cut, grouping: Grouping, limit?: number): Listed | undefined {
  const header = plan.kind === 'field' ? headerOf(plan) : undefined;
  if (!header || ('before' in cut && !header.annotations)) return undefined;
  return listWindows(header, cut, limit, grouping);
}

/** Labels listed, those shown, and windows of each. */
const [mostRows, mostLabels, ofEach] = [200, 6, 2];

async function describe(dataset: Dataset): Promise<Section> {
  const counts = new Map<string, number>();
  for (const { label } of dataset.items) counts.set(label, (counts.get(label) ?? 0) + 1);
  const shown: { label: string; field: Field }[] = [];
  for (const label of [...counts.keys()].slice(0, mostLabels))
    for (const item of dataset.items.filter(({ label: own }) => own === label).slice(0, ofEach)) {
      const field = await dataset.read(item);
      if (field) shown.push({ label: `${label}: ${item.name}`, field });
    }
  return {
    title: 'Windows',
    blocks: [
      { type: 'table', columns: ['label', 'windows'], rows: [...counts].slice(0, mostRows) },
      { type: 'fields', items: shown },
    ],
  };
}

const perAxis = (description: string): Schema => ({
  oneOf: [
    { type: 'integer', minimum: 1 },
    { type: 'array', minItems: 1, items: { type: 'integer', minimum: 1 } },
  ],
  description,
});

export const windows: Step<Parameters> = {
  name: 'windows',
  summary: 'cuts fields into many of one size: around annotations (heartbeats), or one after another',
  schema: {
    required: ['input'],
    properties: {
      input: { reference: ['field', 'dataset'], description: 'what to cut; windows keep its identity' },
      before: { type: 'integer', minimum: 0, description: 'around annotations: samples before each' },
      after: {
        type: 'integer',
        minimum: 0,
        description: 'around annotations: samples from it on, itself included',
      },
      labels: {
        type: 'object',
        minProperties: 1,
        additionalProperties: {
          oneOf: [{ type: 'string' }, { type: 'array', minItems: 1, items: { type: 'string' } }],
        },
        description:
          'around annotations: which of them get which label, others are left out: { V: [V, E] }; their own labels where absent',
      },
      size: perAxis('one after another: samples along each dimension'),
      step: perAxis('one after another: samples from one window to the next; size where absent'),
      label: {
        enum: labelSources,
        description:
          'what a window is labelled by: its annotation (where absent, around annotations), the label of the file (a patient, a speaker; where absent otherwise), or its block (a region)',
      },
      block: perAxis(
        'samples along each dimension of blocks: windows of a block count as one identity, and those that cross a border are left out, so that parts and intervals are drawn over stretches that share nothing',
      ),
      split: {
        type: 'object',
        minProperties: 1,
        description:
          'every field is cut along its first dimension, in this order and by these shares, into train, validation and test (@id.train …); windows across a cut are left out',
        properties: Object.fromEntries(
          parts.map(part => [
            part,
            { type: 'number', minimum: 0, default: 0, description: `share of ${part}` },
          ]),
        ),
      },
      limit: {
        type: 'integer',
        minimum: 1,
        description: 'at most this many of each field, the first ones (with split, of each part)',
      },
      operations: { ...operationsSchema, description: 'what is done to every window, as in prepare' },
    },
  },
  effect: true,
  outputs: { value: 'dataset', train: 'dataset', validation: 'dataset', test: 'dataset' },
  check({ params: p, planOf, problem }) {
    const plan = planOf(p.input);
    const unknown = {
      outputs: Object.fromEntries(['value', ...parts].map(name => [name, { kind: 'dataset' as const }])),
    };
    const { fieldShape, fieldKind } = plan;
    const header =
      plan.kind === 'field'
        ? headerOf(plan)
        : headerOf({ ...plan, kind: 'field', shape: fieldShape as number[] | undefined, fieldKind });
    const given = p.size ?? 0;
    // Records of a dataset may be of several lengths; around annotations they have one dimension.
    const rank = header ? header.shape.length - 1 : p.size === undefined ? 1 : [given].flat().length;
    const how = cutOf(p, rank, problem);
    if (!how) return unknown;
    const { cut, grouping } = how;
    if (!header) return { ...unknown, lines: [`windows of ${windowSize(cut).join('×')}`] };
    const size = windowSize(cut);
    const short = size.findIndex((wanted, axis) => wanted > header.shape[axis]);
    if (short >= 0) {
      const message = `a window of ${size.join('×')} is larger than the field of ${header.shape.slice(0, -1).join('×')}`;
      problem({ at: ['before' in cut ? 'after' : 'size'], message });
      return unknown;
    }
    const listed = listKnown(plan, cut, grouping, p.limit);
    if (listed?.windows.length === 0) {
      const { message } = noWindows(1, listed.unlisted, listed.beyond, cut, listed.crossing);
      problem({
        at: [listed.crossing > 0 ? (p.block ? 'block' : 'split') : p.labels ? 'labels' : 'input'],
        message: message.replace('windows: ', ''),
      });
      return unknown;
    }
    const box = size.map(wanted => [0, wanted] as const);
    const { annotations: _, ...bare } = header;
    const part = excerptHeader(bare, box);
    const prepared = p.operations ? checkOperations(part, p.operations, 'operations', problem) : part;
    if (!prepared) return unknown;
    const known = (of: Listed['windows']) => {
      const labels = new Map<string, number>();
      for (const { label = 'all' } of of) labels.set(label, (labels.get(label) ?? 0) + 1);
      return {
        items: of.length,
        identities: new Set(of.map(({ block }) => block)).size,
        labels: labels.size,
        labelNames: [...labels.keys()],
      };
    };
    const value = { kind: 'dataset' as const, fieldShape: prepared.shape, fieldKind: prepared.kind };
    const counts = new Map<string, number>();
    for (const { label = 'all' } of listed?.windows ?? []) counts.set(label, (counts.get(label) ?? 0) + 1);
    const planPart = (part?: Part): ValuePlan => {
      const own = listed?.windows.filter(window => part === undefined || window.part === part);
      return { ...value, ...(own ? known(own) : {}) };
    };
    return {
      outputs: {
        value: planPart(),
        train: planPart('train'),
        validation: planPart('validation'),
        test: planPart('test'),
      },
      lines: [
        `windows of ${size.join('×')}${listed ? `: ${listed.windows.length} (${describeCounts(counts)})` : ''}`,
        ...(listed && listed.unlisted.size > 0 ? [`left out: ${describeCounts(listed.unlisted)}`] : []),
      ],
    };
  },
  async run(context) {
    const { params: p, valueOf, note, progress, signal, report } = context;
    const dataset = datasetOf(valueOf<Field | Dataset>(p.input), note);
    const first = await firstField(dataset);
    const { cut, grouping } = cutOf(p, first.shape.length - 1, ({ message }) => {
      throw new NdconvError('ShapeError', `windows: ${message}`);
    })!;
    // What is wrong with the preparation of every window is wrong with the first.
    planOperations(
      excerptHeader(
        first,
        windowSize(cut).map(size => [0, size] as const),
      ),
      p.operations ?? [],
    );
    const made = await cutWindows(dataset, {
      cut,
      grouping,
      limit: p.limit,
      operations: p.operations,
      note,
      signal,
      progress: (done, all) => progress({ fraction: done / all }),
    });
    report(await describe(made));
    return { value: made, ...partsOf(made) };
  },
};

/** Windows by the part that they are in. */
function partsOf(made: Dataset): Record<Part, Dataset> {
  const of = (part: Part): Dataset =>
    itemsOf(
      made,
      made.items.filter(item => item.part === part),
    );
  return { train: of('train'), validation: of('validation'), test: of('test') };
}

async function firstField({ items, read }: Dataset): Promise<Field> {
  for (const item of items) {
    const field = await read(item);
    if (field) return field;
  }
  throw new NdconvError('FormatError', `windows: none of the ${items.length} files can be read`);
}
